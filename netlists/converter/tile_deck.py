"""A tile's conversion as one SPICE transient: reset, PWM MAC, hold, shared ramps, comparators, latches, counters, codes.

The columns' integrators are cut off from the array when the MAC is over (hold switch): an op-amp offset would otherwise go on
driving v_os * sum(G) into the column while the ramps run. Latches and counters are behavioural at every level; the op-amp of the
ramps is the columns' too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from netlists.array import (
    chosen_columns,
    continued,
    has_klu,
    mesh_subcircuit,
    ports,
    reduce_columns,
    summing_node_resistance,
    terminations,
)  # fmt: skip
from netlists.checks import check
from netlists.errors import InputError, SimulationError
from netlists.spice import Deck, pwl, simulate
from netlists.technology import RampCircuit

from . import cards
from .blocks import Blocks
from .converter import Converter
from .counter import latch_and_counter, latch_clocks, latch_load, read_codes
from .tile import GATE_OHM_UM, ArrayModel, Tile
from .tile_reference import TileResult


def ramp_circuit(tile: Tile) -> RampCircuit:
    """The ramps' circuit: theirs is the tile's clock, with a reset that lasts until the MAC is held."""
    return tile.circuit.with_(t_reset=tile.mac_window()[2] + tile.circuit.t_settle)


def tile_deck(
    tile: Tile,
    inputs: npt.ArrayLike,
    blocks: Blocks | str = "macro",
    array: str = "reduced",
    *,
    columns: Sequence[int] | None = None,
    termination: npt.ArrayLike | None = None,
    klu: bool | None = None,
) -> Deck:
    """Deck that converts one input vector in the chosen columns.

    Parameters
    ----------
    inputs : array_like of int (inputs,)
        Codes of ``tile.pwm.n_in`` bits.
    blocks : Blocks or {"ideal", "macro", "sky130"}
        Which block stands in each place, or the level whose own do; the columns' integrators are those of the ramps.
        sky130: transistor-level drivers, hold switches, integrators and comparators; the cells stay conductances. The array's
        ``r_driver`` and the tile's ``r_hold`` are then the size of transmission gates, not resistors.
    array : {"reduced", "mesh", "ideal"}
        The columns' reduced network (exact), every wire segment, or no wires, drivers and sense resistors at all.
    columns : sequence of int, optional
        Columns that are simulated with integrator and converter; default all. The others load the rows.
    termination : array_like, optional
        Resistance from each other column's terminal to analog ground, one for all or (C,), ohm; default that of the
        integrator it has, `summing_node_resistance`, and its hold switch.
    klu : bool, optional
        Write ``.options klu``; default: for the full mesh, where the ``ngspice`` on the path has it. Without the mesh KLU
        gains nothing, and in ngspice 44 it returned counters at 3e8 V, or no time step, for small decks of latches.

    Returns
    -------
    Deck
        Saves ``mac<j>``, which holds V_mac from the end of the MAC on, and ``code<j>``, the counter, which starts at 0: the
        code is ``program.codes[0]`` plus its last value (1 V = 1 code). Plain ``ngspice -b`` prints V_mac and code;
        `read_tile` reads that.

    Raises
    ------
    InputError
        Inputs, columns, level, array or parameters that cannot be.
    ToolkitError
        Level sky130 without the PDK.
    """
    blocks = Blocks.of(blocks)
    check(ArrayModel, array, "array")
    level, circuit = blocks.level, tile.circuit
    codes = tile.pwm.check_codes(inputs, tile.inputs)
    if codes.ndim != 1:
        raise InputError(f"inputs: has shape {codes.shape}; a deck converts one vector of shape ({tile.inputs},)")
    chosen = chosen_columns(tile.crossbar, columns)
    c_f = tile.feedback_capacitance(level)
    closed, _, opened = tile.mac_window()
    ground, *supply = cards.supplies(blocks, circuit)
    # At level ideal an auto-zero is an offset of 0.
    stored = None if level == "ideal" else tile.autozero
    switch = "transmission_gate_sky130" if level == "sky130" else f"hold_switch_{level}"
    lines = [
        f"tile, {tile.inputs} inputs x {tile.columns} columns, level {level}, array {array}: codes",
        *blocks.models(),
        *supply,
        *(cards.row_rails(circuit) if level == "sky130" else []),
        blocks.text(
            f"pwm_driver_{level}",
            "integrator",
            "comparator",
            switch,
            *(["autozero_integrator"] if stored else []),
            "cells",
            "latch_macro",
            "counter_macro",
        ),
        ground,
        cards.reset("rst", circuit, closed),
        cards.reset("rrst", circuit, ramp_circuit(tile).t_reset),
        cards.hold_clock(circuit, closed, opened),
        *([cards.autozero_clock(circuit, stored, closed)] if stored else []),
        *(cards.drive_lines(circuit) if blocks.cells == "switch" else []),
        *_drivers(tile, codes, blocks),
        *_array(tile, level, array, chosen, c_f, termination),
    ]
    r_hold = tile.hold_resistance(level)
    for j in chosen:
        values = {"c_f": float(c_f[j]), "offset": float(tile.opamp_offset[j]), "r_hold": r_hold, "width": GATE_OHM_UM / r_hold}
        lines += cards.column_integrator(j, blocks, circuit, **values, rst="rst", autozero=tile.autozero)
    stop = 0.0
    for g, group in enumerate(tile.groups):
        members = [j for j in chosen if j in group.columns]
        if members:
            converter = Converter(group.program, ramp_circuit(tile), blocks)
            lines += _converters(tile, g, members, converter)
            stop = max(stop, converter.stop)
    options, step = cards.step_options(circuit)
    lines += [options, *([".options klu"] if (array == "mesh" and has_klu() if klu is None else klu) else [])]
    saved = [f"v({n}{j})" for j in chosen for n in ("mac", "code")]
    return cards.transient(lines, saved, step, stop, blocks, _control(tile, chosen, stop))


def _drivers(tile: Tile, codes: np.ndarray, blocks: Blocks) -> list[str]:
    """Pulse lines and the driver of each input's pair of rows."""
    circuit, lines, width = tile.circuit, [], 0.0
    if blocks.level == "sky130":
        if not tile.crossbar.r_driver > 0:
            raise InputError("r_driver=0: at level sky130 it sets the width of the drivers' gates and must be above 0 (ohm)")
        width = GATE_OHM_UM / tile.crossbar.r_driver * (2 if tile.crossbar.driven == "both" else 1)
    start = tile.mac_window()[1]
    for i, code in enumerate(codes):
        line = {1: f"pos{i}", -1: f"neg{i}"}
        if code:
            wave = pwl(*tile.pwm.breakpoints(int(code), start, circuit.v_dd, circuit.t_edge))
            lines.append(f"vpwm{i} {line[int(np.sign(code))]} 0 {wave}")
        nodes = " ".join(line[s] if np.sign(code) == s else "0" for s in (1, -1)) + f" r{2 * i} r{2 * i + 1} com"
        lines.append(cards.pwm_driver(f"Xdrv{i}", nodes, blocks, circuit, tau=tile.tau_driver, width=width))
    return lines


def _array(tile: Tile, level: str, array: str, chosen: list[int], c_f: np.ndarray, termination: npt.ArrayLike | None) -> list[str]:
    """The array between the rows ``r<i>`` and the columns' terminals ``c<j>``."""
    others = np.setdiff1d(np.arange(tile.columns), chosen)
    if termination is not None:
        load = terminations(termination, tile.columns)
    else:
        own = [summing_node_resistance(tile.circuit.gbw, float(c)) + tile.circuit.opamp_resistance for c in c_f]
        load = np.array([0.0] * len(own) if level == "ideal" else own) + tile.hold_resistance(level)
    # At level sky130 the drivers' transmission gates are the driver resistance.
    bare = tile.with_(crossbar=tile.crossbar.with_(r_driver=0.0)) if level == "sky130" else tile
    if array == "mesh":
        held = [j for j in others if load[j] > 0]
        seen = sorted([*chosen, *(int(j) for j in held)])
        text = mesh_subcircuit(bare.crossbar, seen, name="crossbar_mesh")
        return [
            text.rstrip(),
            continued(["xarray", *ports(tile.crossbar.rows, seen), "crossbar_mesh"]),
            *(f"rload{j} c{j} com {float(load[j])!r}" for j in held),
        ]
    network = reduce_columns(bare.solver(array), chosen, termination=load)
    return [
        # Transistor drivers are no ideal sources: what flows between rows moves them.
        network.subcircuit(ideal_sources=level != "sky130").rstrip(),
        continued(["xarray", *ports(tile.crossbar.rows, chosen), "crossbar_reduced"]),
    ]


def _converters(tile: Tile, g: int, members: list[int], converter: Converter) -> list[str]:
    """Ramp ``ramp<g>`` of a group with its clocks; comparator, latch and counter of each column: the code is node ``code<j>``."""
    blocks, circuit, chip = converter.blocks, converter.circuit, tile.groups[g].ramp
    lines = cards.select_lines(converter, f"{g}_") if blocks.cells == "switch" else []
    tag, n = f"{g}", len(members)
    lines += cards.ramps(converter, chip.conductance, chip.opamp_offset, [tag], rst="rrst", lines=f"{g}_", comparators=n)[0]
    lines += [*latch_clocks(converter, "macro", f"{g}"), *cards.decision_clock(converter, f"{g}")]
    for j in members:
        offset = circuit.comparator_offset + float(chip.comparator_offset[0]) + float(tile.comparator_offset[j])
        seen, shift = cards.seen_input(f"{j}", blocks, circuit, f"mac{j}")
        lines += [*shift, *cards.comparator(f"{j}", f"ramp{g}", seen, blocks, circuit, offset=offset, clock=f"dclk{g}")]
        lines += latch_and_counter(f"{j}", circuit, "macro", clock=f"{g}", load=latch_load(blocks))
    return lines


def _control(tile: Tile, chosen: list[int], stop: float) -> str:
    held = ramp_circuit(tile).t_reset
    lines = ["set numdgt=14", "run", "echo columns: tile column V_mac_V code"]
    for j in chosen:
        lines += [
            f"meas tran v find v(mac{j}) at={held:.12g}",
            f"meas tran c find v(code{j}) at={stop - tile.circuit.t_edge:.12g}",
            f"let c = c + {int(tile.groups[tile.group_of(j)].program.codes[0])}",
            f'echo tile {j} "$&v" "$&c"',
        ]
    return "\n".join([*lines, "quit"])


def read_tile(printed: str) -> dict[int, tuple[float, int]]:
    """V_mac (volts) and code of each column from what a tile's deck prints in ``ngspice -b``.

    Raises
    ------
    SimulationError
        If there is none, or a code that is no whole number to a tenth.
    """
    rows = re.findall(r"^tile (\d+) (\S+) (\S+)$", printed, re.MULTILINE)
    if not rows:
        raise SimulationError("ngspice -b printed no codes", printed[-2000:])
    for j, _, code in rows:
        if not abs(float(code) - round(float(code))) < 0.1:
            raise SimulationError(f"the counter of column {j} ended at {float(code):.3f}, between two codes")
    return {int(j): (float(v), round(float(code))) for j, v, code in rows}


def convert(
    tile: Tile,
    inputs: npt.ArrayLike,
    blocks: Blocks | str = "macro",
    array: str = "reduced",
    *,
    columns: Sequence[int] | None = None,
    **options: npt.ArrayLike,
) -> TileResult:
    """Simulates one conversion in this process: V_mac and codes of the chosen columns, in their order.

    ``options`` are those of `tile_deck`; it and `netlists.spice.simulate` say what is raised.
    """
    chosen = chosen_columns(tile.crossbar, columns)
    deck = tile_deck(tile, inputs, blocks, array, columns=chosen, **options)  # type: ignore[arg-type]
    waves = simulate(deck, [f"{name}{j}" for j in chosen for name in ("mac", "code")])
    held = ramp_circuit(tile).t_reset
    v_mac = np.array([np.interp(held, waves["time"], waves[f"mac{j}"]) for j in chosen])
    code = [read_codes(tile.groups[tile.group_of(j)].program, waves, [f"code{j}"])[0] for j in chosen]
    return TileResult(v_mac, np.array(code))
