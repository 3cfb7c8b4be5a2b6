"""Many converters of a drawn chip on one ramp, as one transient: what a network's columns see, replayed in ngspice.

Every converter has its own V_mac, the offset of its own comparator and, if wanted, noise of its own at every decision. V_mac is
held from the start (a conversion alone), or made by the column's integrator from the charge of its cells.

The cells of a column are a Norton source. Rows at rest are held at analog ground by their drivers, so the column's conductance S,
the sum over all of its cells, does not change in time; pulses of pulse-width modulation add a current that changes only where a
pulse ends. Without wires that is the column exactly, but for the drivers' edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netlists.checks import Array, check
from netlists.errors import InputError
from netlists.ramp import Chips, RampProgram
from netlists.spice import Deck, stairs, ticks

from . import cards
from .autozero import AutoZero
from .cards import is_stepped
from .converter import Converter
from .counter import latch_and_counter, latch_clocks, latch_load, read_codes

UNDECIDED = -(2**14)
"""Of a conversion that was open when its transient ended."""


@dataclass(frozen=True, eq=False)
class ColumnCharge:
    """Charge sources of m columns: what drives their integrators.

    Attributes
    ----------
    current : ndarray (m, units)
        Current out of the summing node in each unit time of the MAC, amperes: ``v_read * sum +-(G+ - G-)`` of the rows whose
        pulses still last.
    conductance : ndarray (m,)
        Of all cells of the column, siemens.
    c_f, opamp_offset : ndarray (m,)
        Of the column's integrator, farads and volts.
    r_hold : float
        On-resistance of the switch between column and integrator, ohm.
    closed, start, opened : float
        When the switches close, the first pulses begin and the switches open, seconds.
    t_unit : float
        Unit time of the pulses, seconds.
    autozero : AutoZero or None
        Of the columns' integrators.
    """

    current: np.ndarray
    conductance: np.ndarray
    c_f: np.ndarray
    opamp_offset: np.ndarray
    r_hold: float
    closed: float
    start: float
    opened: float
    t_unit: float
    autozero: AutoZero | None = None


@dataclass(frozen=True, eq=False)
class Replay:
    """Conversions of m columns.

    Attributes
    ----------
    v_mac : ndarray (m,) or ColumnCharge
        Held input of each converter, volts, or what makes it.
    offset : ndarray (m,)
        Of each column's comparator, volts, added to those of the circuit and of the ramp's chip.
    noise : ndarray (m, n_steps) or None
        Input-referred noise voltage of each decision, volts.
    """

    v_mac: np.ndarray | ColumnCharge
    offset: np.ndarray
    noise: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offset)

    def check(self, program: RampProgram) -> None:
        """Raises `InputError` naming the array that has the wrong shape or a value that is not finite."""
        check(Array(("columns",)), self.offset, "offset")
        m = len(self)
        if isinstance(self.v_mac, ColumnCharge):
            check(Array((m, "units")), self.v_mac.current, "current")
            for name in ("conductance", "c_f", "opamp_offset"):
                check(Array((m,)), getattr(self.v_mac, name), name)
        else:
            check(Array((m,)), self.v_mac, "v_mac")
        if self.noise is not None:
            check(Array((m, program.n_steps)), self.noise, "noise")


def replay_deck(
    converter: Converter,
    ramp: Chips,
    replay: Replay,
    *,
    counters: bool = True,
    tight: bool = False,
    save: Sequence[str] = (),
    steps: int | None = None,
) -> Deck:
    """Writes a deck that converts the inputs of a number of columns that share a ramp.

    Parameters
    ----------
    converter : Converter
        The ramp's; the columns' integrators and comparators are made of its blocks too.
    ramp : Chips
        The one ramp column.
    counters : bool
        Whether latches and counters are in the deck. Without them the comparators' outputs at the latching instants are the
        decisions: a sixth of the time at level ``macro``. Latches and counters of transistors take ten seconds a code and more.
    tight : bool
        Shorter steps and tighter options, for a deck that did not converge.
    save : sequence of str
        More nodes to save, such as ``mac0``.
    steps : int, optional
        Steps of the ramp that are simulated, without counters: all by default. Inputs that none of them passes have no code.

    Returns
    -------
    Deck
        What `saved_vectors` names and `codes` reads: ``code<j>``, 1 V a code, counting from ``program.codes[0]``; without
        counters ``com`` and ``y<j>``.

    Raises
    ------
    InputError
        Counters, or integrators of columns, at level ``sky130``; more than one ramp; shapes.
    """
    charge = replay.v_mac if isinstance(replay.v_mac, ColumnCharge) else None
    program, blocks = converter.program, converter.blocks
    if blocks.level == "sky130" and (counters or charge is not None):
        raise InputError("level='sky130': is replayed from held inputs to comparators' decisions; take that, or level macro")
    if len(ramp) != 1 or ramp.comparator_noise is not None:
        raise InputError(f"ramp: holds {len(ramp)} chips; columns share one, and bring the noise of their own decisions")
    ramp.check(program)
    replay.check(program)
    converter = _clocked(converter, replay)
    # Latches that decide in picoseconds need the edges that ngspice cuts its steps at.
    stepped = is_stepped(blocks, converter.circuit) and not tight and not counters
    parts = ["latch_macro", "counter_macro"] if counters else []
    if charge is not None:
        parts.append(f"hold_switch_{blocks.level}")
        if charge.autozero is not None and blocks.level != "ideal":
            parts.append("autozero_integrator")
    title = f"{len(replay)} columns on one {program.activation} ramp of {program.bits} bits, level {blocks.level}"
    lines = [
        *cards.head(converter, title, *parts),
        *cards.ramps(converter, ramp.conductance, ramp.opamp_offset, [""], stepped=stepped, comparators=len(replay))[0],
        *(latch_clocks(converter, "macro") if counters else []),
        *([] if charge is None else _integrators(converter, charge, stepped)),
        *_converters(converter, ramp, replay, counters=counters, stepped=stepped),
    ]
    if stepped:
        lines.append(f"Vtick tick 0 {ticks(events(converter, charge), converter.stop)}")
    options, longest = cards.step_options(converter.circuit, stepped=stepped, tight=tight)
    saved = [f"v({name})" for name in (*saved_vectors(len(replay), counters=counters), *save)]
    latch, stop = converter.clock.latch, converter.stop
    if steps is not None and not counters and steps < len(latch):
        stop = float(latch[steps - 1] + converter.circuit.t_aperture)
    return cards.transient([*lines, options], saved, longest, stop, blocks)


def saved_vectors(m: int, *, counters: bool) -> list[str]:
    """Vectors that `codes` needs of a deck of ``m`` columns."""
    return [f"code{j}" for j in range(m)] if counters else ["com", *(f"y{j}" for j in range(m))]


def codes(converter: Converter, data: Mapping[str, np.ndarray], replay: Replay, *, counters: bool) -> np.ndarray:
    """Codes (m,) of a deck's transient; `UNDECIDED` where it ended before the ramp passed an input.

    Raises
    ------
    SimulationError
        A counter that ends anywhere but at a code.
    """
    m, program = len(replay), converter.program
    if not counters:
        at = _clocked(converter, replay).clock.latch[: len(program.x)]
        seen = at[at < data["time"][-1]]
        tripped = np.array([np.interp(seen, data["time"], data[f"y{j}"] - data["com"]) for j in range(m)]) > 0
        passed = np.where(tripped.any(axis=1), tripped.argmax(axis=1), len(program.x))
        return np.where(tripped.any(axis=1) | (len(seen) == len(at)), program.codes[passed], UNDECIDED)
    return read_codes(program, data, [f"code{j}" for j in range(m)])


def _clocked(converter: Converter, replay: Replay) -> Converter:
    """The converter with a reset of the ramp that lasts until the MAC is held."""
    if not isinstance(replay.v_mac, ColumnCharge):
        return converter
    circuit = converter.circuit
    return replace(converter, circuit=circuit.with_(t_reset=replay.v_mac.opened + circuit.t_settle))


def _integrators(converter: Converter, charge: ColumnCharge, stepped: bool) -> list[str]:
    """Cells, hold switch and integrator of each column; its output is node ``mac<j>``."""
    circuit, (m, units) = converter.circuit, charge.current.shape
    begin = charge.start + charge.t_unit * np.arange(units + 1)
    value = np.concatenate([charge.current, np.zeros((m, 1))], axis=1)
    t, v = stairs(begin, value, cards.rise_time(circuit, stepped))
    v[:, 0] = v[:, 1] = 0.0
    lines = [cards.reset("macrst", circuit, charge.closed), cards.hold_clock(circuit, charge.closed, charge.opened)]
    if charge.autozero is not None:
        lines.append(cards.autozero_clock(circuit, charge.autozero, charge.closed))
    # One node a column carries the current in milliamperes, as the ramp's select lines carry millisiemens.
    lines += cards.sources([f"i{j}" for j in range(m)], (t, 1e3 * v), stepped=stepped)
    for j, (g, c_f, offset) in enumerate(zip(charge.conductance, charge.c_f, charge.opamp_offset, strict=True)):
        lines += [f"Gcol{j} c{j} com i{j} 0 1m", f"Rcol{j} c{j} com {1.0 / float(g)!r}"]
        lines += cards.column_integrator(
            j,
            converter.blocks,
            circuit,
            c_f=float(c_f),
            offset=float(offset),
            r_hold=charge.r_hold,
            rst="macrst",
            autozero=charge.autozero,
        )
    return lines


def _converters(converter: Converter, ramp: Chips, replay: Replay, *, counters: bool, stepped: bool) -> list[str]:
    """Comparator and, if wanted, latch and counter of each column."""
    lines, circuit, m = [], converter.circuit, len(replay)
    if not isinstance(replay.v_mac, ColumnCharge):
        held = cards.held_input(converter.blocks, circuit, replay.v_mac).tolist()
        lines += [f"Vmac{j} mac{j} 0 DC {v!r}" for j, v in enumerate(held)]
        seen = [f"mac{j}" for j in range(m)]
    else:
        shifted = [cards.seen_input(f"{j}", converter.blocks, circuit, f"mac{j}") for j in range(m)]
        seen = [node for node, _ in shifted]
        lines += [card for _, own in shifted for card in own]
    if replay.noise is not None:
        waves = stairs(converter.clock.step_start, replay.noise, cards.rise_time(circuit, stepped))
        lines += cards.sources([f"noise{j}" for j in range(m)], waves, stepped=stepped)
        # A level that lies higher by the noise is passed like an input that lies lower by it.
        lines += [f"Enoise{j} seen{j} {seen[j]} noise{j} 0 -1" for j in range(m)]
        seen = [f"seen{j}" for j in range(m)]
    offsets = circuit.comparator_offset + float(ramp.comparator_offset[0]) + replay.offset
    for j, offset in enumerate(offsets.tolist()):
        lines += cards.comparator(f"{j}", "ramp", seen[j], converter.blocks, circuit, offset=offset, clock="dclk")
        if counters:
            lines += latch_and_counter(f"{j}", circuit, "macro", load=latch_load(converter.blocks))
    return lines


def events(converter: Converter, charge: ColumnCharge | None = None) -> np.ndarray:
    """Every time at which a waveform of a stepped deck moves, seconds, increasing."""
    times = [*converter.select, converter.clock.step_start]
    if charge is not None:
        times.append(charge.start + charge.t_unit * np.arange(charge.current.shape[1] + 1))
    return np.unique(np.round(np.concatenate(times), 15))
