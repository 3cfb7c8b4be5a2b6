"""Many converters of a drawn chip on one ramp, as one transient: what a network's columns see, replayed in ngspice.

Every converter has its own V_mac, the offset of its own comparator and, if wanted, noise of its own at every decision. V_mac is
held from the start (a conversion alone), or made by the column's integrator from the charge of its cells.

The cells of a column are a Norton source. Rows at rest are held at analog ground by their drivers, so the column's conductance S,
the sum over all of its cells, does not change in time; pulses of pulse-width modulation add a current that changes only where a
pulse ends. Without wires that is the column exactly, but for the drivers' edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from . import level_blocks
from .deck import Deck
from .errors import InputError, SimulationError
from .level_blocks import MACRO, Blocks
from .parameters import RampCircuit
from .program import RampProgram
from .ramp_clock import select_pulses, timing
from .ramp_column import LONGEST_STEP, OPTIONS, STEPPED_OPTIONS, TIGHT_OPTIONS, Chips
from .waveforms import pulses, pwl, pwl_texts, stairs, ticks, time_functions

LEVELS = ("macro", "sky130")
WHOLE = 0.25
"""How far a counter may end from a whole number: each count loses up to 1e-3."""


@dataclass(frozen=True, eq=False)
class ColumnCharge:
    """What drives the integrators of m columns.

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
        """Raise `InputError` naming the array that has the wrong shape or a value that is not finite."""
        m = len(self)
        arrays: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {"offset": (self.offset, (m,))}
        if isinstance(self.v_mac, ColumnCharge):
            units = np.shape(self.v_mac.current)[-1:]
            arrays["current"] = (self.v_mac.current, (m, *units))
            arrays |= {name: (getattr(self.v_mac, name), (m,)) for name in ("conductance", "c_f", "opamp_offset")}
        else:
            arrays["v_mac"] = (self.v_mac, (m,))
        if self.noise is not None:
            arrays["noise"] = (self.noise, (m, program.n_steps))
        for name, (values, shape) in arrays.items():
            if np.shape(values) != shape or m == 0 or not np.all(np.isfinite(values)):
                raise InputError(f"{name}: must be finite with shape {shape} of 1 converter or more, has shape {np.shape(values)}")


def replay_deck(
    program: RampProgram,
    circuit: RampCircuit,
    ramp: Chips,
    replay: Replay,
    *,
    blocks: Blocks = MACRO,
    counters: bool = True,
    tight: bool = False,
    save: Sequence[str] = (),
) -> Deck:
    """Deck of the conversions of a number of columns that share a ramp.

    Parameters
    ----------
    ramp : Chips
        The one ramp column.
    blocks : Blocks
        Level ``macro`` or ``sky130``.
    counters : bool
        Whether latches and counters are in the deck. Without them the comparators' outputs at the latching instants are the
        decisions: a sixth of the time at level ``macro``. Latches and counters of transistors take ten seconds a code and more.
    tight : bool
        Shorter steps and tighter options, for a deck that did not converge.
    save : sequence of str
        More nodes to save, such as ``mac0``.

    Returns
    -------
    Deck
        What `saved_vectors` names and `codes` reads: ``code<j>``, 1 V a code, counting from ``program.codes[0]``; without
        counters ``com`` and ``y<j>``.

    Raises
    ------
    InputError
        A level that is not of `LEVELS`; counters, or integrators of columns, at level ``sky130``; more than one ramp; shapes.
    """
    if blocks.level not in LEVELS:
        raise InputError(f"level={blocks.level!r}: a network's conversions are replayed at level {' or '.join(LEVELS)}")
    transistors = blocks.level == "sky130"
    charge = replay.v_mac if isinstance(replay.v_mac, ColumnCharge) else None
    if transistors and (counters or charge is not None):
        raise InputError("level='sky130': is replayed from held inputs to comparators' decisions; take that, or level macro")
    if len(ramp) != 1 or ramp.comparator_noise is not None:
        raise InputError(f"ramp: holds {len(ramp)} chips; columns share one, and bring the noise of their own decisions")
    ramp.check(program)
    replay.check(program)
    circuit = _clocked(circuit, replay)
    # Latches that decide in picoseconds need the edges that ngspice cuts its steps at.
    stepped = not transistors and not tight and not counters
    parts = ["latch_macro", "counter_macro"] if counters else []
    if charge is not None:
        parts.append("hold_switch_macro")
    cards = [
        f".title {len(replay)} columns on one {program.activation} ramp of {program.bits} bits, level {blocks.level}",
        blocks.text(*parts),
        f"Vcom com 0 DC {circuit.v_cm!r}",
        *([f"Vdd vdd 0 DC {circuit.v_dd!r}"] if transistors else []),
        *_ramp(program, circuit, ramp, blocks, stepped),
        *(_clocks(program, circuit) if counters else []),
        *([] if charge is None else _integrators(circuit, charge, stepped)),
        *_converters(program, circuit, ramp, replay, blocks, counters=counters, stepped=stepped),
    ]
    clock = timing(program, circuit)
    stop = clock.stop + 2 * _count_time(circuit)
    if stepped:
        cards.append(f"Vtick tick 0 {ticks(_events(program, circuit, charge), stop)}")
    options, longest = (STEPPED_OPTIONS, LONGEST_STEP * circuit.t_pulse) if stepped else (OPTIONS, circuit.t_pulse / 4)
    if tight:
        options, longest = TIGHT_OPTIONS, circuit.t_pulse / 16
    saved = [*saved_vectors(len(replay), counters=counters), *save]
    card = [".save " + " ".join(f"v({name})" for name in saved[i : i + 16]) for i in range(0, len(saved), 16)]
    return Deck("\n".join([*cards, options, *card, f".tran {longest!r} {stop!r} 0 {longest!r}"]) + "\n", "", blocks.settings)


def saved_vectors(m: int, *, counters: bool) -> list[str]:
    """What `codes` needs of a deck of ``m`` columns."""
    return [f"code{j}" for j in range(m)] if counters else ["com", *(f"y{j}" for j in range(m))]


def codes(
    program: RampProgram, circuit: RampCircuit, data: Mapping[str, np.ndarray], replay: Replay, *, counters: bool
) -> np.ndarray:
    """Codes (m,) of a deck's transient.

    Raises
    ------
    SimulationError
        A counter that ends anywhere but at a code.
    """
    m = len(replay)
    if not counters:
        circuit = _clocked(circuit, replay)
        at = timing(program, circuit).latch[: len(program.x)]
        y = np.array([np.interp(at, data["time"], data[f"y{j}"] - data["com"]) for j in range(m)])
        tripped = y > 0
        return program.codes[np.where(tripped.any(axis=1), tripped.argmax(axis=1), len(program.x))]
    last = program.codes[0] + np.array([data[f"code{j}"][-1] for j in range(m)])
    code = np.rint(last)
    bad = np.flatnonzero((np.abs(last - code) > WHOLE) | (code < 0) | (code >= 2**program.bits))
    if len(bad):
        raise SimulationError(f"the counter of converter {bad[0]} ended at {last[bad[0]]:.6g}: not a code of {program.bits} bits")
    return code.astype(int)


def _clocked(circuit: RampCircuit, replay: Replay) -> RampCircuit:
    """The circuit with a reset of the ramp that lasts until the MAC is held."""
    if not isinstance(replay.v_mac, ColumnCharge):
        return circuit
    return circuit.with_(t_reset=replay.v_mac.opened + circuit.t_settle)


def _count_time(circuit: RampCircuit) -> float:
    return circuit.t_settle / 4


def _edge(circuit: RampCircuit, stepped: bool) -> float:
    """Rise time of select pulses and staircases, seconds: in stepped decks shorter than any time step after a tick."""
    return circuit.t_edge / 100 if stepped else circuit.t_edge


def _source(name: str, waves: tuple[np.ndarray, np.ndarray], stepped: bool) -> str:
    return _sources([name], (waves[0], waves[1][None]), stepped)[0]


def _sources(names: list[str], waves: tuple[np.ndarray, np.ndarray], stepped: bool) -> list[str]:
    """Voltage sources from node of the same name to ground, with waveforms of the same breakpoints."""
    kind, texts = ("B", [f"v={w}" for w in time_functions(*waves)]) if stepped else ("V", pwl_texts(*waves))
    return [f"{kind}{name} {name} 0 {text}" for name, text in zip(names, texts, strict=True)]


def _falling(at: float, circuit: RampCircuit) -> str:
    edge = circuit.t_edge
    return pwl(np.array([0.0, at - 3 * edge, at - 2 * edge]), np.array([circuit.v_dd, circuit.v_dd, 0.0]))


def _ramp(program: RampProgram, circuit: RampCircuit, ramp: Chips, blocks: Blocks, stepped: bool) -> list[str]:
    start, stop = select_pulses(program, circuit)
    cards, nodes = [f"Vrst rst 0 {_falling(circuit.t_reset, circuit)}"], []
    for name, sign in (("selp", 1), ("seln", -1)):
        use = np.flatnonzero(program.polarity == sign)
        nodes.append(name if len(use) else "0")
        if len(use):
            waves = pulses(start[use], stop[use], 1e3 * ramp.conductance[0, use], _edge(circuit, stepped))
            cards.append(_source(name, waves, stepped))
    c_f, offset = program.feedback_capacitance(circuit), circuit.opamp_offset + float(ramp.opamp_offset[0])
    return [
        *cards,
        f"Xcells {nodes[0]} {nodes[1]} sum com ramp_cells_selected v_read={circuit.v_read!r}",
        level_blocks.integrator("ramp", "sum ramp com rst", blocks.level, circuit, c_f=c_f, offset=offset),
    ]


def _clocks(program: RampProgram, circuit: RampCircuit) -> list[str]:
    """Clocks of latches and counters, as in `ramp_column.conversion_deck`: the counter reads at the start of the next period."""
    clock, edge = timing(program, circuit), circuit.t_edge
    t, v = pulses(clock.latch - circuit.t_settle / 2, clock.latch, np.full(program.n_steps, circuit.v_dd), edge)
    count = clock.latch[: len(program.x)] + circuit.t_aperture + edge
    step = pulses(count, count + _count_time(circuit), program.code_step.astype(float), edge)
    # A latch that held before its first decision would have two operating points.
    return [f"Vclk clk 0 {pwl(np.append(0.0, t[3:]), np.append(circuit.v_dd, v[3:]))}", f"Vstep step 0 {pwl(*step)}"]


def _integrators(circuit: RampCircuit, charge: ColumnCharge, stepped: bool) -> list[str]:
    """Cells, hold switch and integrator of each column; its output is node ``mac<j>``."""
    m, units = charge.current.shape
    edge = _edge(circuit, stepped)
    begin = charge.start + charge.t_unit * np.arange(units + 1)
    value = np.concatenate([charge.current, np.zeros((m, 1))], axis=1)
    t, v = stairs(begin, np.concatenate([np.zeros((m, 1)), value], axis=1)[:, 1:], edge)
    v[:, 0] = v[:, 1] = 0.0
    clock = pulses(np.array([charge.closed]), np.array([charge.opened]), np.array([circuit.v_dd]), circuit.t_edge)
    cards = [f"Vmacrst macrst 0 {_falling(charge.closed, circuit)}", f"Vhold hold 0 {pwl(*clock)}"]
    # One node a column carries the current in milliamperes, as the ramp's select lines carry millisiemens.
    cards += _sources([f"i{j}" for j in range(m)], (t, 1e3 * v), stepped)
    for j in range(m):
        offset = circuit.opamp_offset + float(charge.opamp_offset[j])
        cards += [
            f"Gcol{j} c{j} com i{j} 0 1m",
            f"Rcol{j} c{j} com {1.0 / float(charge.conductance[j])!r}",
            level_blocks.hold_switch(f"hold{j}", f"c{j} s{j} hold", "macro", circuit, r_on=charge.r_hold),
            level_blocks.integrator(
                f"int{j}", f"s{j} mac{j} com macrst", "macro", circuit, c_f=float(charge.c_f[j]), offset=offset
            ),
        ]
    return cards


def _converters(
    program: RampProgram, circuit: RampCircuit, ramp: Chips, replay: Replay, blocks: Blocks, *, counters: bool, stepped: bool
) -> list[str]:
    """Comparator and, if wanted, latch and counter of each column."""
    cards = []
    if not isinstance(replay.v_mac, ColumnCharge):
        cards += [f"Vmac{j} mac{j} 0 DC {v!r}" for j, v in enumerate(replay.v_mac.tolist())]
    seen = [f"mac{j}" for j in range(len(replay))]
    if replay.noise is not None:
        waves = stairs(timing(program, circuit).step_start, replay.noise, _edge(circuit, stepped))
        cards += _sources([f"noise{j}" for j in range(len(replay))], waves, stepped)
        # A level that lies higher by the noise is passed like an input that lies lower by it.
        cards += [f"Enoise{j} seen{j} mac{j} noise{j} 0 -1" for j in range(len(replay))]
        seen = [f"seen{j}" for j in range(len(replay))]
    offsets = circuit.comparator_offset + float(ramp.comparator_offset[0]) + replay.offset
    for j, offset in enumerate(offsets.tolist()):
        cards.append(level_blocks.comparator(f"cmp{j}", f"ramp {seen[j]} y{j} com", blocks.level, circuit, offset=offset))
        if counters:
            cards += [
                f"Xlat{j} y{j} clk q{j} com latch_macro v_dd={circuit.v_dd!r}",
                f"Xcnt{j} q{j} step code{j} counter_macro t_cnt={_count_time(circuit)!r}",
            ]
    return cards


def _events(program: RampProgram, circuit: RampCircuit, charge: ColumnCharge | None) -> np.ndarray:
    """Every time at which a waveform of a stepped deck moves, seconds, increasing."""
    times = [*select_pulses(program, circuit), timing(program, circuit).step_start]
    if charge is not None:
        times.append(charge.start + charge.t_unit * np.arange(charge.current.shape[1] + 1))
    return np.unique(np.round(np.concatenate(times), 15))
