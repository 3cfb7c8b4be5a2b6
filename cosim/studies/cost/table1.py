"""Table 1 of Yang et al. 2025: every printed figure beside the models, and what the table implies by itself."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import pandas as pd

from cosim.cost import (
    BITS,
    CHIPS,
    QUANTITIES,
    T_CLOCK,
    ArrayShape,
    Design,
    NetworkCost,
    NetworkShape,
    PublishedChip,
    TableModel,
    column_capacitance,
    digital_work,
    figure,
    implied,
    network_cost,
    row,
)
from cosim.network.cells import LSTM

from .settings import QUANTITY

EFFICIENCIES = ("tops_per_watt", "tops_per_mm2")


def projection(bits: int) -> Design:
    """Puts the circuit of this project at the table's node and clock: 16 nm, 1 ns a ramp step and a unit of input pulses.

    Assumptions: the conductance range recalled for the paper's chip (profile ``yang-0-150``), the scaling rules, everything else
    as simulated. Inputs have as many bits as outputs, as in the table, but 5 at least: shorter pulses would take larger op-amps.
    """
    return Design(
        bits=bits,
        n_in=max(bits, 5),
        node=16.0,
        t_step=T_CLOCK,
        t_unit=T_CLOCK,
        t_gap=T_CLOCK,
        t_reset=T_CLOCK,
        g_min=5e-6,
        g_max=150e-6,
    )


def table1_shape(chip: PublishedChip) -> NetworkShape:
    """Shapes the array that the table counts, with the digital work of its LSTM."""
    work = digital_work(LSTM(1, chip.hidden))
    return NetworkShape((ArrayShape("weights", chip.rows, chip.columns),), work)


def bottom_up() -> list[dict[str, Any]]:
    """Puts every printed figure beside the model from SPICE and stated figures, to which nothing was fitted."""
    out = []
    for chip in CHIPS:
        for bits in BITS:
            cost = network_cost(table1_shape(chip), projection(bits))
            ours = in_table_units(cost)
            out += [row(chip, q, bits, ours[q], "bottom-up") for q in QUANTITIES if q != "area" or bits == BITS[0]]
    return out


def in_table_units(cost: NetworkCost) -> dict[str, float]:
    """Converts to area in mm2, power in mW, TOPS, TOPS/W and TOPS/mm2."""
    return {
        "area": 1e6 * cost.area,
        "power": 1e3 * cost.power,
        "tops": cost.tops,
        "tops_per_watt": cost.tops_per_watt,
        "tops_per_mm2": cost.tops_per_mm2,
    }


def implied_rows() -> list[dict[str, Any]]:
    """Finds what the printed figures leave open, for each network and resolution."""
    out = []
    for chip in CHIPS:
        found = implied(chip)
        for bits in BITS:
            low, middle, high = found.time[bits]
            watts, energy = found.power[bits], middle * found.power[bits][1]
            out.append(
                {
                    "network": chip.name,
                    "bits": bits,
                    "time_low": low,
                    "time": middle,
                    "time_high": high,
                    "power_low": watts[0],
                    "power": watts[1],
                    "power_high": watts[2],
                    "area_low": found.area[0],
                    "area": found.area[1],
                    "area_high": found.area[2],
                    "energy": energy,
                    "energy_column": energy / chip.columns,
                    "energy_weight": energy / (chip.rows * chip.columns),
                    "area_weight": found.area[1] / (chip.rows * chip.columns),
                    "contradiction": found.contradiction,
                }
            )
    return out


def phase_rows() -> list[dict[str, Any]]:
    """Predicts throughput at 8 bits from 5 bits, for each number of periods of 2^b clocks that a time step could have."""
    out = []
    for chip in CHIPS:
        five = implied(chip, (5,)).time[5][1]
        best = implied(chip).time[8][1]
        for phases in range(1, 9):
            fixed = five - phases * 32 * T_CLOCK
            eight = fixed + phases * 256 * T_CLOCK
            printed = chip.printed["tops", 8][0]
            tops = 1e-12 * chip.operations / eight
            out.append(
                {
                    "network": chip.name,
                    "phases": phases,
                    "off": phases - 2 * chip.layers,
                    "taken": phases == 2 * chip.layers,
                    "t_fixed": fixed,
                    "time_8_bit": eight,
                    "against_implied": eight / best - 1,
                    "tops_8_bit": tops,
                    "against_printed": tops / printed - 1,
                }
            )
    return out


def unknown_rows(model: TableModel) -> list[dict[str, Any]]:
    """Tells term by term our projection for keyword spotting at 5 bits, what the table lets one infer, and what it cannot tell."""
    chip, bits = CHIPS[0], 5
    design = projection(bits)
    cost = network_cost(table1_shape(chip), design)
    energy = {t.block: t.energy for t in cost.terms}
    area = {t.block: t.area for t in cost.terms}
    weights, columns = chip.rows * chip.columns, chip.columns
    cells = model.e_weight * weights * 2**bits
    static = model.p_column * columns * model.time(chip, bits)
    siemens = model.e_weight / (design.v_read**2 * 1e-9)
    ours = energy["weight cells"] / (weights * design.v_read**2 * 2**bits * T_CLOCK)
    capacitor = column_capacitance(table1_shape(chip).arrays[0], design) / figure("capacitor_density").value
    column_area = area["column integrators"] + area["comparators"] + area["latches and counters"] + area["hold switches"]
    return [
        {
            "term": "energy of the weight cells (pJ)",
            "ours": 1e12 * energy["weight cells"],
            "Table 1": f"{1e12 * cells:.0f}, if the part that grows with rows x columns x 2^b is theirs",
            "not known": "conductances, mean input, V_read: the fit only fixes V_read^2 x pair conductance x mean part of"
            f" 2^b ns that a row is driven ({1e6 * siemens:.1f} uS at 0.2 V; ours {1e6 * ours:.1f} uS), row drivers included",
        },
        {
            "term": "energy of integrators, comparators, counters (pJ)",
            "ours": 1e12 * sum(energy[b] for b in ("column integrators", "comparators", "latches and counters")),
            "Table 1": f"{1e12 * static:.0f}, if the part that grows with columns x time is theirs:"
            f" {1e6 * model.p_column:.1f} uW a column",
            "not known": "how it is shared out among them: one number",
        },
        {
            "term": "energy of the digital part (pJ)",
            "ours": 1e12 * sum(energy[b] for b in ("products and sums", "state registers", "input registers")),
            "Table 1": "too small to be told from the others",
            "not known": "its operations and widths; whether it is counted",
        },
        {
            "term": "time of a step (ns)",
            "ours": 1e9 * cost.step_time,
            "Table 1": f"{1e9 * model.time(chip, bits):.0f} = {chip.steps(bits)} + {1e9 * model.t_fixed['kws']:.0f}",
            "not known": f"that {2 * chip.layers} periods of 2^b clocks are pulses and ramps of {chip.layers} weight layers"
            " is our reading; what the rest is",
        },
        {
            "term": "area of a weight (um2)",
            "ours": 1e12 * area["weight cells"] / weights,
            "Table 1": f"{1e12 * model.a_weight:.3f}",
            "not known": "cells a weight, cell size, row drivers' share; two 22 nm cells unscaled are 0.097 um2",
        },
        {
            "term": "area of a column (um2)",
            "ours": 1e12 * column_area / columns,
            "Table 1": f"{1e12 * model.a_column:.1f}",
            "not known": "the integrator: C_f of our circuit alone needs"
            f" {1e12 * capacitor:.0f} um2 at 2 fF/um2, so Table 1's columns integrate on far less charge, or leave C_f out",
        },
    ]


def rivals() -> list[dict[str, Any]]:
    """Reads the other columns of Table 1."""
    found: list[dict[str, Any]] = tomllib.loads(files("cosim.cost").joinpath("rivals.toml").read_text())["rival"]
    return found


def published_keywords() -> list[dict[str, Any]]:
    """Lists accuracy and efficiency of keyword spotting as Table 1 has them."""
    kws = CHIPS[0]
    ours = {"name": "Yang et al. 2025, RRAM, 5 b", "tops_per_watt": kws.printed["tops_per_watt", 5][0], "accuracy": 0.885}
    return [
        ours,
        *(
            {"name": r["name"], "tops_per_watt": r["tops_per_watt"], "accuracy": r["result"]}
            for r in rivals()
            if r["task"] == "kws"
        ),
    ]


def efficiency_rows() -> list[dict[str, Any]]:
    """Lists energy and area efficiency: our projection, Table 1, and its rivals."""
    out: list[dict[str, Any]] = []
    for chip in CHIPS:
        for bits in (5, 8):
            cost, name = network_cost(table1_shape(chip), projection(bits)), f"{chip.key}, {bits} b"
            ours = {quantity: getattr(cost, quantity) for quantity in EFFICIENCIES}
            printed = {quantity: chip.printed[quantity, bits][0] for quantity in EFFICIENCIES}
            out += [{"who": "ours, 16 nm projection", "name": name, **ours}, {"who": "Yang et al. 2025", "name": name, **printed}]
    return out + [{"who": "rival of its Table 1"} | {name: r[name] for name in ("name", *EFFICIENCIES)} for r in rivals()]


def verdict(table: pd.DataFrame) -> dict[str, Any]:
    """Counts the figures within the limits, of those that were fitted and of those that were not."""
    fitted = table["how"] == "fitted"
    worst = table.loc[table.loc[~fitted, "deviation"].abs().idxmax()]
    return {
        "fitted": int(fitted.sum()),
        "fitted_within": int(table.loc[fitted, "within"].sum()),
        "predicted": int((~fitted).sum()),
        "predicted_within": int(table.loc[~fitted, "within"].sum()),
        "worst_predicted": f"{worst['network']}, {QUANTITY[worst['quantity']].replace('-', ' ')}, {worst['bits']} bits",
        "worst_deviation": float(worst["deviation"]),
    }
