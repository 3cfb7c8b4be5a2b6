"""Terms of the cost: what each block of an array and of the digital part takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from netlists.technology import MEASURED_STATISTICS

from .design import Design
from .electrical import column_capacitance, mac_cell_energy, opamp_size, ramp_capacitance, ramp_cell_energy
from .figures import all_figures, figure
from .scaling import SIMULATED_NODE, SIMULATED_SUPPLY, analog_power_factor, area_factor, energy_factor, nominal_supply
from .shape import ArrayShape, DigitalWork

STEP, INFERENCE = "time step", "inference"
CELL_ENERGY = "V_read^2 G t, held against ngspice"
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
    converting = d.t_mac + d.t_ramp
    integrator, comparator = (figure(f"{n}_power").value * at.analog_power for n in ("integrator", "comparator"))
    wide = opamp_size(array, d)
    step = (figure("counter_energy").value + figure("clock_energy").value) * at.energy * 2**d.bits
    c_mac = column_capacitance(array, d)
    c_ramp = sum(ramp_capacitance(a, d) for a in ramps) / len(ramps)
    gates = {n: figure(f"{n}_gates").value * layout for n in ("integrator", "comparator", "counter", "driver", "hold_switch")}
    registers = rows * d.n_in
    # Counting to a pulse's end flips two bits a count.
    flips = rows * (d.n_in + 2 * d.mean_input * d.max_code)

    def term(block: str, n: float, joules: float, square: float, *names: str, time: float = 0.0) -> Term:
        return Term(array.name, block, STEP, n, joules, time, square, *_origin(names))

    def cells(block: str, n: float, joules: float, time: float) -> Term:
        kind, source = _origin(("cell_area",))
        return Term(array.name, block, STEP, n, joules, time, n * cell, f"derived, {kind}", f"{CELL_ENERGY}; {source}")

    return [
        cells("weight cells", 2 * rows * columns, mac_cell_energy(array, d), d.t_mac),
        term(
            "row drivers",
            rows * column_tiles,
            rows * column_tiles * figure("driver_energy").value * at.energy,
            rows * column_tiles * gates["driver"],
            "driver_energy",
            "driver_gates",
            "layout_factor",
        ),
        term(
            "input registers",
            registers,
            flips * at.energies["register_energy"],
            registers * at.areas["register_area"],
            "register_energy",
        ),
        term(
            "column integrators",
            columns,
            columns * integrator * wide * converting,
            columns * (gates["integrator"] * wide + c_mac / density),
            "integrator_power",
            "integrator_gates",
            "capacitor_density",
            "layout_factor",
            time=d.t_reset,
        ),
        term(
            "hold switches",
            columns * row_tiles,
            columns * row_tiles * figure("hold_switch_energy").value * at.energy,
            columns * row_tiles * gates["hold_switch"],
            "hold_switch_energy",
            "hold_switch_gates",
            "layout_factor",
        ),
        cells(
            "ramp cells",
            count * (2**d.bits + d.calibration_cells),
            column_tiles * sum(ramp_cell_energy(a, d) for a in ramps),
            d.t_ramp,
        ),
        term(
            "ramp integrators",
            count,
            count * integrator * d.t_ramp,
            count * (gates["integrator"] + c_ramp / density),
            "integrator_power",
            "integrator_gates",
            "capacitor_density",
            "layout_factor",
        ),
        term(
            "comparators",
            columns,
            columns * comparator * size * d.t_ramp,
            columns * gates["comparator"] * size,
            "comparator_power",
            "comparator_gates",
            "layout_factor",
        ),
        term(
            "latches and counters",
            columns,
            columns * step,
            columns * gates["counter"] * d.bits / _MEASURED_BITS,
            "counter_energy",
            "clock_energy",
            "counter_gates",
            "layout_factor",
        ),
        *_activation_units(array, d),
    ]


def _activation_units(array: ArrayShape, d: Design) -> list[Term]:
    """Digital activation units of the conventional converter: each column's code passes through one of k units."""
    if d.converter == "ramp":
        return []
    at = _at_node(d.node, d.v_dd)
    energy, area = at.energies, at.areas
    cycle = energy["multiply_energy"] * (d.bits / 8) ** 2 + energy["add_energy"] * d.bits / 8
    unit = area["multiply_area"] * (d.bits / 8) ** 2 + area["add_area"] * d.bits / 8
    rounds = -(-array.columns // d.activation_units)
    return [
        Term(
            array.name,
            "activation units",
            STEP,
            d.activation_units,
            array.columns * d.activation_cycles * cycle,
            rounds * d.activation_cycles * d.t_clock,
            d.activation_units * unit,
            *_origin(("multiply_energy", "add_energy")),
        )
    ]


def digital_terms(work: DigitalWork, d: Design, per: str, name: str) -> list[Term]:
    """Products, sums and activations in lanes, and registers of the states. A readout has no lanes of its own."""
    if work.units == 0:
        return []
    at = _at_node(d.node, d.v_dd)
    energy, area = at.energies, at.areas
    width = d.state_bits / 8
    product, total = energy["multiply_energy"] * width**2, energy["add_energy"] * width
    arithmetic = work.multiplications * product + work.additions * total
    activation = work.activations * d.activation_cycles * (product + total)
    # A lane does a product and a sum each clock cycle; activations take theirs in the same lane.
    cycles = -(-max(work.multiplications, work.additions) // d.lanes) + -(-work.activations * d.activation_cycles // d.lanes)
    lane = area["multiply_area"] * width**2 + area["add_area"] * width
    bits = work.words * d.state_bits
    lanes = d.lanes if per == STEP else 0
    return [
        Term(
            name,
            "products and sums",
            per,
            d.lanes,
            arithmetic + activation,
            cycles * d.t_clock,
            lanes * lane,
            *_origin(("multiply_energy", "add_energy")),
        ),
        Term(
            name,
            "state registers",
            per,
            bits,
            bits * energy["register_energy"],
            0.0,
            bits * area["register_area"],
            *_origin(("register_energy", "register_area")),
        ),
    ]


@lru_cache(maxsize=512)
def _origin(names: tuple[str, ...]) -> tuple[str, str]:
    """Kinds and sources of the figures a term is made of."""
    found = [figure(n) for n in names]
    return ", ".join(dict.fromkeys(f.kind for f in found)), "; ".join(dict.fromkeys(f.source for f in found))
