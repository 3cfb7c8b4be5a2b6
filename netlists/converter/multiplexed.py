"""Conversions in turns on few comparators, as one transient: one whose counter has stopped leaves its comparator to another.

A counter stops at the first step at which its comparator trips, and what the comparator does before and after is known: the ramp
only climbs. So a conversion needs a comparator from one step before the one at which it is foretold to trip. `Turns` says which
conversion has which comparator when; what comes out are codes of the transient alone (`multiplexed_codes`), and a conversion that
was foretold wrongly has none.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netlists.checks import Array, check
from netlists.errors import InputError
from netlists.ramp import Chips
from netlists.spice import Deck, check_ticks, stairs, ticks

from . import cards
from .cards import is_stepped
from .converter import Converter
from .replay import UNDECIDED, ColumnCharge, Replay, events

FORGETS = 10.0
"""Time constants of a comparator from the start of a step to its latch after which nothing is left of the input before."""
NEAR = 5e-5
"""Distance from an input at which a ramp that a comparator decides on may be on its other side in another deck, volts.

Solutions of a transient differ by 3e-5 V with what else is in the deck, as ngspice stops its iterations sooner or later.
"""


@dataclass(frozen=True, eq=False)
class Turns:
    """Which conversion has which comparator, and for how long.

    Attributes
    ----------
    comparator : ndarray of int (m,)
    begin, end : ndarray of int (m,)
        First and last step of the ramp, from 0, at which it has the conversion's V_mac.
    """

    comparator: np.ndarray
    begin: np.ndarray
    end: np.ndarray

    @property
    def comparators(self) -> int:
        return int(self.comparator.max()) + 1


class Told(NamedTuple):
    """What a transient tells of its conversions.

    Attributes
    ----------
    codes : ndarray of int (m,)
        `UNDECIDED` where it does not show the first step at which the comparator trips: where it has tripped at the first step of
        its turn already, or has not at the last, or where the ramp was as high before the turn as it is at its first step.
    near : ndarray of bool (m,)
        Decided by less than `NEAR`: take the code of a comparator that has the input from the start.
    """

    codes: np.ndarray
    near: np.ndarray


def can_multiplex(converter: Converter) -> bool:
    """Whether comparators can take inputs in turns: those with equations of their own, which one step's input alone decides."""
    shortest = float(np.min(converter.clock.latch - converter.clock.step_start))
    return converter.blocks.linear and shortest > FORGETS * converter.circuit.comparator_tau


def turns(passed: np.ndarray, steps: int) -> Turns:
    """Turns on as few comparators as there can be.

    Parameters
    ----------
    passed : ndarray of int (m,)
        Thresholds that each input is foretold to pass, 0..``steps``: the step, from 0, at which its comparator trips.
    steps : int
        Steps that a comparator can trip at.
    """
    check(Array(("m",)), passed, "passed")
    order = np.argsort(passed, kind="stable")
    last = np.minimum(passed, steps - 1)
    needed = np.maximum(np.minimum(passed - 1, steps - 1), 0)
    comparator, begin = np.empty(len(passed), int), np.empty(len(passed), int)
    free: list[tuple[int, int]] = []
    for i in order.tolist():
        # The one that has been free for longest: its conversion is held for longest.
        if free and free[0][0] <= needed[i]:
            begin[i], comparator[i] = heapq.heappop(free)
        else:
            begin[i], comparator[i] = 0, len(free)
        heapq.heappush(free, (int(last[i]) + 1, int(comparator[i])))
    return Turns(comparator, begin, last)


def multiplexed_deck(converter: Converter, ramp: Chips, replay: Replay, own: Turns) -> Deck:
    """Writes a deck that converts held inputs of columns that share a ramp, on comparators that take them in turns.

    Its comparators have the offset 0: a conversion's own lowers its V_mac.

    Returns
    -------
    Deck
        Saves what `multiplexed_vectors` names. It ends with the last turn.

    Raises
    ------
    InputError
        What takes a comparator of its own for each conversion (`can_multiplex`); shapes.
    """
    circuit, blocks, clock = converter.circuit, converter.blocks, converter.clock
    if isinstance(replay.v_mac, ColumnCharge) or replay.noise is not None:
        # With noise an earlier step may have been the first.
        raise InputError("replay: comparators take turns at held inputs without noise")
    if not can_multiplex(converter):
        raise InputError("converter: comparators that take turns are those of levels ideal and macro, and faster than a step")
    ramp.check(converter.program)
    replay.check(converter.program)
    stepped = is_stepped(blocks, circuit)
    offset = circuit.comparator_offset + float(ramp.comparator_offset[0]) + replay.offset
    volts = cards.held_input(blocks, circuit, replay.v_mac) - offset
    lines = [
        *cards.head(converter, f"{len(replay)} columns in turns on one ramp: {converter}"),
        *cards.ramps(converter, ramp.conductance, ramp.opamp_offset, [""], stepped=stepped, comparators=len(replay))[0],
    ]
    order = np.lexsort((own.begin, own.comparator))
    for j, some in enumerate(np.split(order, np.flatnonzero(np.diff(own.comparator[order])) + 1)):
        if len(some) > 1:
            wave = stairs(clock.step_start[own.begin[some]], volts[some][None], cards.rise_time(circuit, stepped))
            lines += cards.sources([f"mac{j}"], wave, stepped=stepped)
        else:
            lines.append(f"Vmac{j} mac{j} 0 DC {float(volts[some[0]])!r}")
        lines += cards.comparator(f"{j}", "ramp", f"mac{j}", blocks, circuit, offset=0.0)
    if stepped:
        lines.append(f"Vtick tick 0 {ticks(events(converter), converter.stop)}")
    options, longest = cards.step_options(circuit, stepped=stepped)
    saved = [f"v({name})" for name in multiplexed_vectors(own)]
    stop = float(clock.latch[own.end.max()] + circuit.t_aperture)
    return cards.transient([*lines, options], saved, longest, stop, blocks)


def multiplexed_vectors(own: Turns) -> list[str]:
    """Vectors that `multiplexed_codes` needs."""
    return ["com", "ramp", *(f"y{j}" for j in range(own.comparators))]


def multiplexed_codes(converter: Converter, data: Mapping[str, np.ndarray], own: Turns) -> Told:
    """Codes of a deck's transient.

    Raises
    ------
    SimulationError
        A clock edge that ngspice stepped over.
    """
    program, circuit, n = converter.program, converter.circuit, int(own.end.max()) + 1
    at, time = converter.clock.latch[:n], data["time"]
    if is_stepped(converter.blocks, circuit):
        check_ticks(time, events(converter))
    y = np.array([np.interp(at, time, data[f"y{j}"] - data["com"]) for j in range(own.comparators)])
    # The first step from each on at which a comparator has tripped; ``n`` if there is none.
    where = np.where(y > 0, np.arange(n), n)
    first = np.minimum.accumulate(where[:, ::-1], axis=1)[:, ::-1][own.comparator, own.begin]
    level = np.interp(at, time, data["ramp"])
    climbs = np.append(True, level[1:] > np.maximum.accumulate(level)[:-1])
    began = (own.begin == 0) | (climbs[own.begin] & (first > own.begin))
    ended = (first <= own.end) | ((first == n) & (own.end == len(program.x) - 1))
    codes = np.where(began & ended, program.codes[np.minimum(first, len(program.x))], UNDECIDED)
    sides = np.stack([np.maximum(first - 1, own.begin), np.minimum(first, own.end)])
    return Told(codes, (np.abs(y[own.comparator, sides]) < NEAR * circuit.comparator_gain).any(axis=0))
