"""Who turns pre-activations into codes: ngspice, in decks of many columns over worker processes, or the model.

Every answer of ngspice is stored (`ResumingSimulator`), so that a loop that was stopped goes on with the same codes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import joblib
import numpy as np

from characterization.processes import in_workers
from characterization.resume import Parts
from netlists.converter import (
    Blocks,
    ColumnCharge,
    Converter,
    Replay,
    Tile,
    can_multiplex,
    multiplexed_codes,
    multiplexed_deck,
    multiplexed_vectors,
    replay_deck,
    saved_vectors,
    tile_deck,
    turns,
)
from netlists.converter.replay import UNDECIDED, codes
from netlists.errors import InputError, SimulationError
from netlists.files import sha256_of
from netlists.ramp import Chips, RampProgram, to_volts, transition_levels
from netlists.spice import simulate
from netlists.technology import RampCircuit

from .array import LoopArray
from .chip import LoopChip
from .column import column_charge, some_charges
from .settings import LoopSettings

FAILED = -1
"""Code of a conversion that ngspice could not do."""
AHEAD = 2
"""Steps after the one that should pass a deck's highest input: what is open at its end is converted again, on the whole ramp."""
HELD_A_DECK = 96
"""Conversions in a deck in which each has a comparator of its own: so many that the ramp costs little."""
TURNS_A_DECK = 1024
"""Conversions in a deck in which they take comparators in turns: those of 5 bits need about 80 comparators."""


class Step(NamedTuple):
    """What the chosen columns of an array convert at one step.

    Attributes
    ----------
    array : LoopArray
    number : int
        Of the step.
    x : ndarray (columns, sequences)
        Pre-activations of the chosen columns.
    drive : ndarray of int (inputs, sequences)
        Pulse widths of all rows.
    identities : ndarray of int (sequences,)
    """

    array: LoopArray
    number: int
    x: np.ndarray
    drive: np.ndarray
    identities: np.ndarray


class Failure(NamedTuple):
    """A conversion without a code: its place among the step's (chosen column, sequence), and ngspice's message."""

    row: int
    sequence: int
    message: str


@dataclass(frozen=True, eq=False)
class Answer:
    """Codes of a step.

    Attributes
    ----------
    codes : ndarray of int (columns, sequences)
        `FAILED` where there is none.
    failures : list of Failure
    retried : int
        Conversions that failed alone and were tried once more, with shorter steps.
    repeated : int
        Conversions that took a comparator in turns with others and then had one of their own, which gave the code: they were near
        a level, foretold wrongly, or in a deck that failed.
    foretold_wrong : int
        Of those, the ones that tripped at another step than their turn was for.
    wall, busy : float
        Seconds that went by, and that workers spent.
    """

    codes: np.ndarray
    failures: list[Failure] = field(default_factory=list)
    retried: int = 0
    wall: float = 0.0
    busy: float = 0.0
    repeated: int = 0
    foretold_wrong: int = 0


class Simulator(Protocol):
    def answer(self, step: Step) -> Answer: ...


class ModelSimulator:
    """The behavioural converter with the chip's own levels: what ngspice is held against."""

    def __init__(self, chip: LoopChip) -> None:
        self.chip = chip

    def answer(self, step: Step) -> Answer:
        array = step.array
        x = step.x + self.chip.integrated(array, step.drive)
        passed = self.chip.passed(array, array.chosen, x, step.number, step.identities)
        out = [self.chip.ramps[array.gate(j).activation].program.codes[p] for j, p in zip(array.chosen, passed, strict=True)]
        return Answer(np.array(out))


@dataclass(frozen=True, eq=False)
class Batch:
    """Conversions that share a deck: everything a worker needs.

    ``passed`` are the thresholds that each is foretold to pass, where they take comparators in turns.
    """

    places: np.ndarray
    program: RampProgram
    circuit: RampCircuit
    ramp: Chips
    blocks: Blocks
    replay: Replay
    counters: bool
    passed: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class TileBatch:
    """One input vector of a whole tile, of which some columns are converted."""

    places: np.ndarray
    tile: Tile
    blocks: Blocks
    drive: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True, eq=False)
class Done:
    """What became of a batch."""

    places: np.ndarray
    codes: np.ndarray
    messages: dict[int, str]
    retried: int
    seconds: float
    repeated: int = 0
    foretold_wrong: int = 0


class SpiceSimulator:
    """ngspice.

    Parameters
    ----------
    jobs : int
        Worker processes, one ngspice each; they stay between steps. 1 is this process.
    runner : {"shared", "batch"}
        As for `netlists.spice.engine.simulate`; whole tiles take the first.
    """

    def __init__(self, chip: LoopChip, jobs: int = 1, runner: str = "shared") -> None:
        self.chip, self.jobs, self.runner = chip, jobs, runner

    def answer(self, step: Step) -> Answer:
        begun = time.perf_counter()
        out = np.full(step.x.shape, FAILED)
        failures, retried, repeated, wrong, busy = [], 0, 0, 0, 0.0
        for part in in_workers((joblib.delayed(convert)(b, self.runner) for b in self.batches(step)), self.jobs):
            rows, sequences = np.unravel_index(part.places, out.shape)
            out[rows, sequences] = part.codes
            failures += [Failure(int(rows[i]), int(sequences[i]), message) for i, message in part.messages.items()]
            retried += part.retried
            repeated += part.repeated
            wrong += part.foretold_wrong
            busy += part.seconds
        return Answer(out, sorted(failures), retried, time.perf_counter() - begun, busy, repeated, wrong)

    def batches(self, step: Step) -> Iterator[Batch | TileBatch]:
        """Decks of a step: the columns of one ramp, of all sequences; or the tile, a sequence at a time."""
        array, settings = step.array, self.chip.settings
        if settings.scope == "tile":
            places = np.arange(step.x.size).reshape(step.x.shape)
            blocks = next(iter(self.chip.ramps.values())).plan.blocks
            for sequence, own in enumerate(places.T):
                yield TileBatch(own, array.tile, blocks, array.driven(step.drive[:, sequence]), array.chosen)
            return
        noise = None
        if self.chip.noise_sigma > 0:
            noise = self.chip.noise(array, array.chosen, step.number, step.identities)
        for activation, ramp in self.chip.ramps.items():
            rows = np.flatnonzero([array.gate(j).activation == activation for j in array.chosen])
            if len(rows) == 0:
                continue
            places = (rows[:, None] * step.x.shape[1] + np.arange(step.x.shape[1])).ravel()
            in_turns = (
                settings.scope == "converter" and noise is None and not settings.latches and can_multiplex(ramp.plan.converter)
            )
            # Every worker has its share, of decks that are not too large.
            size = min(deck_size(settings, in_turns=in_turns), max(-(-len(places) // self.jobs), 1))
            passed = None
            if in_turns:
                passed = self.chip.passed(array, array.chosen, step.x, step.number, None).ravel()
                # Inputs of one deck are far from one another: they take fewer comparators.
                decks = -(-len(places) // size)
                split = [places[i::decks] for i in range(decks)]
            else:
                if settings.scope == "converter":
                    # Inputs that one deck holds are near to one another: its ramp ends where the last of them is passed.
                    places = places[np.argsort(step.x.ravel()[places], kind="stable")]
                split = [places[first : first + size] for first in range(0, len(places), size)]
            for some in split:
                row, sequence = np.unravel_index(some, step.x.shape)
                column = array.chosen[row]
                v_mac: np.ndarray | ColumnCharge
                if settings.scope == "column":
                    v_mac = column_charge(array.tile, column, array.driven(step.drive[:, sequence]))
                else:
                    scale = np.array([array.gate(j).full_scale for j in column])
                    v_mac = to_volts((step.x[row, sequence] + array.trim[column]) / scale, ramp.program, ramp.plan.circuit)
                own = None if noise is None else noise[row, sequence, : ramp.program.n_steps]
                replay = Replay(v_mac, array.tile.comparator_offset[column], own)
                foretold = None if passed is None else passed[some]
                yield Batch(
                    some, ramp.program, ramp.plan.circuit, ramp.column, ramp.plan.blocks, replay, settings.latches, foretold
                )


def deck_size(settings: LoopSettings, *, in_turns: bool = False) -> int:
    """Conversions in a deck: so many that the ramp costs little, and for latches few, whose time grows faster than their number."""
    if settings.latches or settings.level == "sky130":
        return 32
    return TURNS_A_DECK if in_turns else HELD_A_DECK


def convert(batch: Batch | TileBatch, runner: str = "shared") -> Done:
    """Codes of a batch, in this process."""
    return _convert_tile(batch) if isinstance(batch, TileBatch) else _convert_columns(batch, runner)


def _convert_tile(batch: TileBatch) -> Done:
    """Codes of a tile. Where its deck fails, no column has one."""
    begun = time.perf_counter()
    out, messages = np.full(len(batch.places), FAILED), dict[int, str]()
    try:
        out[:] = tile_deck.convert(batch.tile, batch.drive, batch.blocks, columns=batch.columns.tolist()).code
    except SimulationError as e:
        messages = dict.fromkeys(range(len(out)), str(e))
    return Done(batch.places, out, messages, 0, time.perf_counter() - begun)


def _convert_columns(batch: Batch, runner: str) -> Done:
    """Codes of columns; what ngspice fails on is halved until conversions stand alone, and each tried once with shorter steps."""
    begun = time.perf_counter()
    out, messages, retried = np.full(len(batch.places), FAILED), dict[int, str](), 0
    converter, counters = Converter(batch.program, batch.circuit, batch.blocks), batch.counters
    decks, wrong = ([np.arange(len(out))], 0) if batch.passed is None else _take_turns(converter, batch, runner, out)
    repeated = 0 if batch.passed is None else sum(map(len, decks))
    todo = [(use, False, False) for use in decks]
    while todo:
        use, tight, whole = todo.pop()
        replay = take(batch.replay, use)
        try:
            steps = None if whole else _steps(converter, batch, replay)
            deck = replay_deck(converter, batch.ramp, replay, counters=counters, tight=tight, steps=steps)
            data = simulate(deck, saved_vectors(len(use), counters=counters), runner)
            out[use] = codes(converter, data, replay, counters=counters)
            if np.any(open_ := out[use] == UNDECIDED):
                todo.append((use[open_], tight, True))
        except SimulationError as e:
            if len(use) > 1:
                todo += [(half, False, whole) for half in np.array_split(use, 2)]
            elif tight:
                messages[int(use[0])] = str(e)
            else:
                retried += 1
                todo.append((use, True, whole))
    return Done(batch.places, out, messages, retried, time.perf_counter() - begun, repeated, wrong)


def _take_turns(converter: Converter, batch: Batch, runner: str, out: np.ndarray) -> tuple[list[np.ndarray], int]:
    """Fills in the codes of conversions on shared comparators; decks of those that are left, and how many were foretold wrongly."""
    assert batch.passed is not None
    assert not isinstance(batch.replay.v_mac, ColumnCharge)
    own = turns(batch.passed, len(batch.program.x))
    by_input = np.argsort(batch.replay.v_mac, kind="stable")
    try:
        data = simulate(multiplexed_deck(converter, batch.ramp, batch.replay, own), multiplexed_vectors(own), runner)
        told = multiplexed_codes(converter, data, own)
    except SimulationError:
        # Decks of fewer conversions will tell which of them it was.
        return _pieces(by_input), 0
    wrong = told.codes == UNDECIDED
    done = ~wrong & ~told.near
    out[done] = told.codes[done]
    # Alone: comparators that trip elsewhere move the ramp, by what ngspice leaves of an iteration.
    alone = [np.array([i]) for i in np.flatnonzero(told.near)]
    return [*alone, *_pieces(by_input[(wrong & ~told.near)[by_input]])], int(wrong.sum())


def _pieces(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[first : first + HELD_A_DECK] for first in range(0, len(rows), HELD_A_DECK)]


def _steps(converter: Converter, batch: Batch, replay: Replay) -> int | None:
    """Steps of the ramp that pass every held input by `AHEAD`, as the closed form has it; None: all."""
    if isinstance(replay.v_mac, ColumnCharge):
        return None
    levels = transition_levels(converter.program, converter.circuit, batch.ramp)[0]
    highest = float(np.max(replay.v_mac - replay.offset))
    return int(np.searchsorted(levels, highest)) + 1 + AHEAD


def take(replay: Replay, rows: np.ndarray) -> Replay:
    """Some of the conversions."""
    v = some_charges(replay.v_mac, rows) if isinstance(replay.v_mac, ColumnCharge) else replay.v_mac[rows]
    return Replay(v, replay.offset[rows], None if replay.noise is None else replay.noise[rows])


class ResumingSimulator:
    """A simulator whose answers are stored, a part a step.

    Parameters
    ----------
    parts : Parts
    tell : callable
        Told of each answer: the answer, and whether it was there already.
    """

    def __init__(self, inner: Simulator, parts: Parts, tell: Callable[[Answer, bool], None]) -> None:
        self.inner, self.parts, self.tell = inner, parts, tell

    def answer(self, step: Step) -> Answer:
        asked = sha256_of(np.ascontiguousarray(step.x).tobytes())
        there = True

        def ask() -> dict[str, np.ndarray]:
            nonlocal there
            there = False
            return _packed(self.inner.answer(step)) | {"asked": np.array(asked)}

        # Not `step-...`: parts of that name are without what comparators in turns are counted by.
        stored = self.parts.arrays(f"answer-{step.array.key}-{step.number:04d}", ask)
        if str(stored["asked"]) != asked:
            raise InputError(
                f"{self.parts.folder}: step {step.number} of array {step.array.key} holds the codes of other pre-activations: this "
                "machine or its libraries compute other last bits than those the loop began on; go on there, or delete the folder"
            )
        answer = _unpacked(stored)
        self.tell(answer, there)
        return answer


def _packed(answer: Answer) -> dict[str, np.ndarray]:
    return {
        "codes": answer.codes.astype(np.int16),
        "failed": np.array([(f.row, f.sequence) for f in answer.failures], int).reshape(-1, 2),
        "messages": np.array([f.message for f in answer.failures], str),
        "figures": np.array([answer.retried, answer.wall, answer.busy, answer.repeated, answer.foretold_wrong]),
    }


def _unpacked(stored: dict[str, np.ndarray]) -> Answer:
    failures = [Failure(int(r), int(s), str(m)) for (r, s), m in zip(stored["failed"], stored["messages"], strict=True)]
    retried, wall, busy, repeated, wrong = stored["figures"].tolist()
    return Answer(stored["codes"].astype(int), failures, int(retried), wall, busy, int(repeated), int(wrong))
