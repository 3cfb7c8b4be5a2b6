"""Terms of the cost: what each block of an array and of the digital part takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from netlists.technology import MEASURED_STATISTICS

from .design import Design
from .electrical import (
    column_capacitance,
    longest_mac,
    mac_cell_energy,
    mean_input,
    opamp_size,
    ramp_capacitance,
    ramp_cell_energy,
    ramp_steps,
    trimming_cell_energy,
)
from .figures import all_figures, figure
from .scaling import SIMULATED_NODE, SIMULATED_SUPPLY, analog_power_factor, area_factor, energy_factor, nominal_supply
from .shape import ArrayShape, DigitalWork, RampUse

STEP, INFERENCE = "time step", "inference"
CELL_ENERGY = "V_read^2 G t, held against ngspice"
FIGURES = {
    "weight cells": ("cell_area",),
    "trimming cells": ("cell_area",),
    "row drivers": ("driver_energy", "driver_gates", "layout_factor"),
    "input registers": ("register_energy",),
    "differences": ("add_energy", "register_energy"),
    "column integrators": ("integrator_power", "integrator_gates", "capacitor_density", "layout_factor"),
    "auto-zero": ("autozero_energy", "autozero_gates", "capacitor_density", "layout_factor"),
    "hold switches": ("hold_switch_energy", "hold_switch_gates", "layout_factor"),
    "ramp cells": ("cell_area",),
    "ramp integrators": ("integrator_power", "integrator_gates", "capacitor_density", "layout_factor"),
    "comparators": ("comparator_power", "comparator_gates", "layout_factor"),
    "latches and counters": ("counter_energy", "clock_energy", "counter_gates", "layout_factor"),
    "activation units": ("multiply_energy", "add_energy"),
    "products and sums": ("multiply_energy", "add_energy"),
    "state registers": ("register_energy", "register_area"),
}
"""Figures that each block's term is made of."""
_MEASURED_BITS = 5
"""Of the counter whose gates ``counter_gates`` are."""


@dataclass(frozen=True)
class Term:
    """One block's part of the cost.

    Attributes
    ----------
    array, block : str
    per : {"time step", "inference"}
        What energy and time are for.
    count : float
        Blocks on the chip.
    energy, time, area : float
        Of all of them, joules, seconds, square metres. Times of all terms add up: a block that works while another does has 0.
    kind, source : str
        Where the figures come from.
    """

    array: str
    block: str
    per: str
    count: float
    energy: float
    time: float
    area: float
    kind: str
    source: str


@dataclass(frozen=True)
class _AtNode:
    """Factors from SKY130 to a node, and the stated figures there.

    Attributes
    ----------
    analog_power, energy, area : float
    energies, areas : dict of str to float
        Each stated figure as an energy or an area at the node.
    """

    analog_power: float
    energy: float
    area: float
    energies: dict[str, float]
    areas: dict[str, float]


@lru_cache(maxsize=512)
def _at_node(node: float, v_dd: float | None) -> _AtNode:
    v = nominal_supply(node) if v_dd is None else v_dd
    stated = [f for f in all_figures().values() if f.kind != "SPICE"]
    return _AtNode(
        analog_power_factor(node, v),
        energy_factor(node, v, SIMULATED_NODE, SIMULATED_SUPPLY),
        area_factor(node, SIMULATED_NODE),
        {f.name: f.value * energy_factor(node, v, f.node, f.v_dd) for f in stated},
        {f.name: f.value * area_factor(node, f.node) for f in stated},
    )


def array_terms(array: ArrayShape, d: Design) -> list[Term]:
    """Every block of an array: cells, drivers, integrators, ramps, comparators, counters; activation units if it has any."""
    at = _at_node(d.node, d.v_dd)
    rows, columns = array.rows, array.columns
    row_tiles = 1 if d.max_rows is None else -(-rows // d.max_rows)
    column_tiles = 1 if d.max_columns is None else -(-columns // d.max_columns)
    layout = figure("layout_factor").value * at.area
    cell = figure("cell_area").value * (d.node / figure("cell_area").node) ** 2
    density = figure("capacitor_density").value
    ramps = list(array.activations) if d.converter == "ramp" else ["identity"]
    count = column_tiles * len(ramps)
    # A comparator of half the offset has four times the gate area.
    size = (MEASURED_STATISTICS["comparator_offset_sigma"] / d.comparator_offset) ** 2
    t_mac, pulses = longest_mac(array, d), array.pulses
    # Ramps of an array run side by side: all columns wait for the longest.
    lengths = [ramp_steps(a, d.bits) for a in ramps]
    longest = float(max(lengths))
    use = array.use or RampUse(longest, longest, longest, (1.0,) * len(array.activations))
    # A ramp of a tile runs until its last comparator has tripped; the array waits for its last tile.
    t_ramp, t_last = ((n + d.calibration_cells) * d.t_step for n in (use.steps, use.last))
    spent = list(use.charge) if d.converter == "ramp" else [sum(use.charge) / len(use.charge)]
    converting = t_mac + t_ramp
    integrator, comparator = (figure(f"{n}_power").value * at.analog_power for n in ("integrator", "comparator"))
    wide = opamp_size(array, d)
    step = (figure("counter_energy").value + figure("clock_energy").value) * at.energy * use.clocked
    c_mac = column_capacitance(array, d)
    c_ramp = sum(ramp_capacitance(a, d) for a in ramps) / len(ramps)
    gates = {n: figure(f"{n}_gates").value * layout for n in ("integrator", "comparator", "counter", "driver", "hold_switch")}
    drivers, switches, registers = (rows + d.column_trim) * column_tiles, columns * row_tiles, rows * d.n_in
    # Counting to a pulse's end flips two bits a count.
    flips = rows * (d.n_in + 2 * mean_input(array, d) * d.max_code)
    on = drivers if pulses is None else drivers * pulses.driven

    def term(block: str, n: float, joules: float, square: float, time: float = 0.0) -> Term:
        kind, source = _origin(FIGURES[block])
        if block.endswith("cells"):
            kind, source = f"derived, {kind}", f"{CELL_ENERGY}; {source}"
        return Term(array.name, block, STEP, n, joules, time, square, kind, source)

    c_column, c_ramps = gates["integrator"] * wide + c_mac / density, gates["integrator"] + c_ramp / density
    cells = [part * ramp_cell_energy(a, d) for a, part in zip(ramps, spent, strict=True)]
    pairs, steps = 2 * rows * columns, column_tiles * (sum(lengths) + len(ramps) * d.calibration_cells)
    terms = [
        term("weight cells", 2 * array.pairs, mac_cell_energy(array, d), pairs * cell, t_mac),
        term("row drivers", drivers, on * figure("driver_energy").value * at.energy, drivers * gates["driver"]),
        term("input registers", registers, flips * at.energies["register_energy"], registers * at.areas["register_area"]),
        term("column integrators", columns, columns * integrator * wide * converting, columns * c_column, d.t_reset),
        term("hold switches", switches, switches * figure("hold_switch_energy").value * at.energy, switches * gates["hold_switch"]),
        term("ramp cells", steps, column_tiles * sum(cells), steps * cell, t_last),
        term("ramp integrators", count, count * integrator * t_ramp, count * c_ramps),
        term("comparators", columns, columns * comparator * size * t_ramp, columns * gates["comparator"] * size),
        term("latches and counters", columns, columns * step, columns * gates["counter"] * d.bits / _MEASURED_BITS),
    ]
    if d.c_az:
        energy = columns * figure("autozero_energy").value * at.energy
        area = columns * (figure("autozero_gates").value * layout + d.c_az / density)
        terms.insert(4, term("auto-zero", columns, energy, area))
    if pulses is not None and pulses.delta:
        # What a row last stood for, the difference from it, and its comparison with the threshold.
        bits, sums = rows * d.n_in, 2 * rows
        joules = sums * at.energies["add_energy"] * d.n_in / 8 + bits * pulses.driven * at.energies["register_energy"]
        terms.insert(
            3, term("differences", rows, joules, sums * at.areas["add_area"] * d.n_in / 8 + bits * at.areas["register_area"])
        )
    if d.column_trim:
        terms.insert(1, term("trimming cells", 2 * columns, columns * trimming_cell_energy(d), 2 * columns * cell))
    if d.converter != "ramp":
        # Each column's code passes through one of k digital units.
        cycle, unit = _product_and_sum(at, d.bits / 8)
        rounds, k = -(-columns // d.activation_units), d.activation_units
        terms.append(
            term("activation units", k, columns * d.activation_cycles * cycle, k * unit, rounds * d.activation_cycles * d.t_clock)
        )
    return terms


def digital_terms(work: DigitalWork, d: Design, per: str, name: str) -> list[Term]:
    """Products, sums and activations in lanes, and registers of the states. A readout has no lanes of its own."""
    if work.units == 0:
        return []
    at = _at_node(d.node, d.v_dd)
    width = d.state_bits / 8
    product, total = at.energies["multiply_energy"] * width**2, at.energies["add_energy"] * width
    arithmetic = work.multiplications * product + work.additions * total
    activation = work.activations * d.activation_cycles * (product + total)
    # A lane does a product and a sum each clock cycle; activations take theirs in the same lane.
    cycles = -(-max(work.multiplications, work.additions) // d.lanes) + -(-work.activations * d.activation_cycles // d.lanes)
    bits, lanes = work.words * d.state_bits, d.lanes if per == STEP else 0
    sizes = {
        "products and sums": (d.lanes, arithmetic + activation, cycles * d.t_clock, lanes * _product_and_sum(at, width)[1]),
        "state registers": (bits, bits * at.energies["register_energy"], 0.0, bits * at.areas["register_area"]),
    }
    return [Term(name, block, per, *size, *_origin(FIGURES[block])) for block, size in sizes.items()]


def _product_and_sum(at: _AtNode, width: float) -> tuple[float, float]:
    """Energy and area of a multiplier and an adder of ``width`` bytes."""
    parts = ((at.energies, "energy"), (at.areas, "area"))
    energy, area = (f[f"multiply_{what}"] * width**2 + f[f"add_{what}"] * width for f, what in parts)
    return energy, area


@lru_cache(maxsize=512)
def _origin(names: tuple[str, ...]) -> tuple[str, str]:
    """Kinds and sources of the figures a term is made of."""
    found = [figure(n) for n in names]
    return ", ".join(dict.fromkeys(f.kind for f in found)), "; ".join(dict.fromkeys(f.source for f in found))
