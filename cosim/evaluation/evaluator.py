"""What chips do to a network: every conversion of every column, step, sequence and chip.

Chips run in threads, sequences side by side within a chip. An answer depends on the network, the chip, the sequence and the
seed alone: neither on the number of threads nor on which other chips or sequences run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from characterization.processes import thread_pool
from cosim.chip import Chip, ChipPath, Hardware, PulseCount, draw_chip, fits_tiles, tiled_run
from cosim.compiled import chosen_engine
from cosim.network import LANES, Network, padded, run_layer, run_network
from cosim.tasks import SequenceSet
from netlists.checks import Seed, check
from netlists.errors import InputError

LANE_COLUMNS = 2**17
"""Sequences that run side by side times columns of the widest matrix: the sums of a step stay in a core's cache."""
HELD_BYTES = 2**28
"""Chips that are held in memory together weigh at most this."""
CHUNK_STEPS = 32
DTYPES = (np.float32, np.float64)

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Answers of every chip to every sequence; a float network counts as one chip.

    Attributes
    ----------
    scores : ndarray (chips, sequences, classes)
    predictions : ndarray of int (chips, sequences)
    correct : ndarray of bool (chips, sequences)
    accuracy : ndarray (chips,)
    """

    scores: np.ndarray
    predictions: np.ndarray
    correct: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True, eq=False)
class TextEvaluation:
    """Surprise of every chip at every symbol of a text.

    Attributes
    ----------
    bits : ndarray of float32 (chips, symbols)
        -log2 of the probability that the network gave to the symbol that came; the text's first symbol is not predicted.
    bits_per_character : ndarray (chips,)
        Mean over the text.
    """

    bits: np.ndarray
    bits_per_character: np.ndarray


def draw_chips(
    network: Network,
    hardware: Hardware,
    chips: int | Sequence[int],
    rng: np.random.Generator | int | None = None,
    *,
    dtype: type = np.float32,
) -> list[Chip]:
    """Draw chips once, to evaluate them several times: with wires, factoring their networks takes most of the time.

    Parameters and errors as for `evaluate`.
    """
    indices, seed = _indices(hardware, chips, rng)
    _check_dtype(dtype)
    return [draw_chip(network, hardware, i, seed, dtype) for i in indices]


def evaluate(
    network: Network,
    data: SequenceSet,
    hardware: Hardware | None = None,
    chips: int | Sequence[int] | Sequence[Chip] | None = None,
    rng: np.random.Generator | int | None = None,
    *,
    identities: np.ndarray | None = None,
    engine: str | None = None,
    dtype: type = np.float32,
    threads: int | None = None,
    count: PulseCount | None = None,
) -> Evaluation:
    """Classify sequences on a number of chips.

    Parameters
    ----------
    network : Network
    data : SequenceSet
    hardware : Hardware or None
        None is floating point.
    chips : int, sequence of int, sequence of Chip, or None
        How many chips to draw, or the numbers of those to draw, or chips from `draw_chips`. None: one, or as many as the hardware's
        ramps describe. Chip i is the same whichever others run.
    rng : Generator, int or None
        Needed when chips are drawn or conversions are noisy: the seed of everything, or a generator that one is taken from.
    identities : ndarray of int (sequences,) or None
        Number of each sequence for the noise of its conversions; None counts from 0. Give it to keep a sequence's noise when
        sequences are picked or change places.
    engine : {"numba", "numpy"} or None
        Compiled converters, or the reference; the same codes for the same pre-activations. None: compiled, if numba is installed.
    dtype : float32 or float64
    threads : int or None
        None: one for each core.
    count : PulseCount or None
        Counts the pulses on the rows, of hardware with pulse widths.

    Raises
    ------
    InputError
        Data that does not fit the network, an engine that is not there, an activation without a ramp, draws with a number of
        columns or chips that does not fit, randomness without a generator.
    """
    engine, hardware = chosen_engine(engine), hardware or Hardware()
    network.check(data)
    counters = _identities(identities, len(data))
    groups = _chip_groups(network, hardware, chips, rng, dtype)
    order, active = data.packing()
    workers = _threads(threads)
    parts = []
    with threadpool_limits(limits=1, user_api="blas"):
        for group in groups:
            scores = np.empty((len(group), len(data), network.n_classes))
            # Pulses are counted where they are laid side by side.
            fast = [count is None and fits_tiles(chip, engine) for chip in group]
            # Tiles of their own take their weights further, and their answers do not depend on how many run.
            lanes = _lanes(network, len(data), max(-(-workers // len(group)), 1), 4 if all(fast) else 2)
            for start in range(0, len(data), lanes):
                some = order[start : start + lanes]
                running = np.clip(active - start, 0, len(some))
                running = running[: np.count_nonzero(running)]
                x: np.ndarray = np.zeros((len(running), network.n_in, padded(len(some))), dtype)
                x[:, :, : len(some)] = network.rows(data.inputs[some, : len(running)]).transpose(1, 2, 0)
                if hardware.pwm is not None:
                    x = hardware.pwm.first(network, x)
                numbers = np.zeros(x.shape[2], np.uint32)
                numbers[: len(some)] = counters[some]
                fits = [chip for chip, tiled in zip(group, fast, strict=True) if tiled]
                in_tiles = tiled_run(fits, x, running, numbers, network.pooling, workers)

                def run(
                    row: int,
                    x: np.ndarray = x,
                    running: np.ndarray = running,
                    numbers: np.ndarray = numbers,
                    in_tiles: Callable[[Chip], np.ndarray] = in_tiles,
                ) -> np.ndarray:
                    chip = group[row]  # noqa: B023 - used within this turn
                    if fast[row]:  # noqa: B023
                        return in_tiles(chip)
                    return run_network(_paths(chip, engine, count), x, running, numbers, network.pooling)

                for row, last in enumerate(_in_threads(run, range(len(group)), workers)):
                    scores[row, some] = network.read(last[:, : len(some)].astype(np.float64))
            parts.append(scores)
    scores = np.concatenate(parts)
    predictions = scores.argmax(axis=2)
    correct = predictions == data.labels
    return Evaluation(scores, predictions, correct, correct.mean(axis=1))


def evaluate_text(
    network: Network,
    symbols: np.ndarray,
    hardware: Hardware | None = None,
    chips: int | Sequence[int] | Sequence[Chip] | None = None,
    rng: np.random.Generator | int | None = None,
    *,
    streams: int = 64,
    warm_up: int = 100,
    engine: str | None = None,
    dtype: type = np.float32,
    threads: int | None = None,
    count: PulseCount | None = None,
) -> TextEvaluation:
    """Predict each symbol of a text from those before it. Memory does not grow with the text's length, but for the result.

    The text is cut into ``streams`` pieces of equal length that run side by side. Each begins with the ``warm_up`` symbols
    before it, which fill its state and do not count.

    Parameters
    ----------
    network : Network
        With an embedding, and as many classes as symbols.
    symbols : ndarray of int (length,)
    hardware, chips, rng, engine, dtype, threads, count
        As for `evaluate`; pulses of the warm-up count as well.
    """
    engine, hardware = chosen_engine(engine), hardware or Hardware()
    symbols = _check_text(network, symbols)
    for name, value, low in (("streams", streams, 1), ("warm_up", warm_up, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise InputError(f"{name}={value!r}: must be a whole number of at least {low}")
    groups = _chip_groups(network, hardware, chips, rng, dtype)
    targets = len(symbols) - 1
    length = -(-targets // min(streams, targets))
    begins = np.arange(0, targets, length)
    workers = _threads(threads)
    # A chip with few streams keeps one thread busy; several chips, or pieces of many streams, keep all.
    parts = []
    with threadpool_limits(limits=1, user_api="blas"):
        for group in groups:
            bits = np.empty((len(group), targets), np.float32)
            lanes = min(_lanes(network, len(begins), max(-(-workers // len(group)), 1)), len(begins))
            jobs = [(row, begins[i : i + lanes]) for row in range(len(group)) for i in range(0, len(begins), lanes)]

            def run(job: tuple[int, np.ndarray], bits: np.ndarray = bits, group: Sequence[Chip] = group) -> None:
                row, starts = job
                _read_text(network, group[row], symbols, starts, length, warm_up, _paths(group[row], engine, count), bits[row])

            list(_in_threads(run, jobs, workers))
            parts.append(bits)
    out = np.concatenate(parts)
    return TextEvaluation(out, out.mean(axis=1, dtype=np.float64))


def _read_text(
    network: Network,
    chip: Chip,
    symbols: np.ndarray,
    begins: np.ndarray,
    length: int,
    warm_up: int,
    both: list[list[ChipPath]],
    bits: np.ndarray,
) -> None:
    """Run some streams of a text and write the bits of their symbols."""
    dtype = chip.dtype
    assert network.embedding is not None
    embedding: np.ndarray = network.embedding.T.astype(dtype)
    if chip.hardware.pwm is not None:
        embedding = chip.hardware.pwm.first(network, embedding)
    readout: np.ndarray = network.readout.T.astype(dtype)
    targets = len(symbols) - 1
    n = len(begins)
    starts = np.maximum(begins - warm_up, 0)
    # Pieces near the text's start have fewer symbols before them, and the last piece is shorter: longest first.
    stops = np.minimum(begins + length, targets)
    order = np.argsort(starts - stops, kind="stable")
    starts, begins, stops = starts[order], begins[order], stops[order]
    lengths = stops - starts
    numbers = np.zeros(padded(n), np.uint32)
    # A piece's noise depends on where in the text it starts, not on its place among the streams.
    numbers[:n] = starts
    paths = [layer[0] for layer in both]
    states: list = [None] * len(paths)
    for first in range(0, int(lengths[0]), CHUNK_STEPS):
        steps = np.arange(first, min(first + CHUNK_STEPS, int(lengths[0])))
        active = np.sum(lengths[None, :] > steps[:, None], axis=1)
        now = int(active[0])
        at = np.minimum(starts[None, :now] + steps[:, None], targets - 1)
        x: np.ndarray = np.zeros((len(steps), network.n_in, padded(now)), dtype)
        x[:, :, :now] = embedding[:, symbols[at]].transpose(1, 0, 2)
        for depth, path in enumerate(paths):
            done = run_layer(path, x, active, numbers[: padded(now)], first_step=first, state=states[depth])
            x, states[depth] = done.outputs, done.state
        for t, h in enumerate(x):
            running = int(active[t])
            counted = np.flatnonzero(at[t, :running] >= begins[:running])
            if len(counted) == 0:
                continue
            logits = (readout[:, :-1] @ h + readout[:, -1:])[:, counted].astype(np.float64)
            logits -= logits.max(axis=0)
            chosen = logits[symbols[at[t, counted] + 1], np.arange(len(counted))]
            bits[at[t, counted]] = (np.log(np.exp(logits).sum(axis=0)) - chosen) / np.log(2.0)


def _paths(chip: Chip, engine: str, count: PulseCount | None = None) -> list[list[ChipPath]]:
    if count is not None and chip.hardware.pwm is None:
        raise InputError("count: this hardware has no pulse widths to count; give pwm")
    return [
        [ChipPath(cell, chip.hardware, engine, chip.dtype, f"{i}.{d}", count) for d, cell in enumerate(layer)]
        for i, layer in enumerate(chip.layers)
    ]


def _indices(
    hardware: Hardware, chips: int | Sequence[int] | None, rng: np.random.Generator | int | None
) -> tuple[Sequence[int], int]:
    """Numbers of the chips to draw and the seed of everything."""
    described = hardware.drawn_chips()
    if chips is None:
        chips = described or 1
    if isinstance(chips, bool) or (isinstance(chips, (int, np.integer)) and chips < 1):
        raise InputError(f"chips={chips!r}: must be a whole number, 1 or more")
    numbers = range(int(chips)) if isinstance(chips, (int, np.integer)) else [int(i) for i in chips]
    if len(numbers) == 0:
        raise InputError("chips: the list is empty; at least one chip is needed")
    if bad := [i for i in numbers if i < 0 or (described is not None and i >= described)]:
        among = "below 0" if described is None else f"not among the {described} drawn chips, 0..{described - 1}"
        raise InputError(f"chips: {bad[0]} is {among}")
    if hardware.random and rng is None:
        raise InputError("rng=None: chips are drawn or conversions are noisy; give a seed, or a numpy Generator to draw from")
    if isinstance(rng, np.random.Generator):
        return numbers, int(rng.integers(2**63))
    return numbers, 0 if rng is None else check(Seed, rng, "rng")


def _chip_groups(
    network: Network,
    hardware: Hardware,
    chips: int | Sequence[int] | Sequence[Chip] | None,
    rng: np.random.Generator | int | None,
    dtype: type,
) -> Iterator[Sequence[Chip]]:
    """Chips in groups that fit in memory together; inputs are checked before the first is drawn."""
    _check_dtype(dtype)
    if not isinstance(chips, (int, np.integer)) and chips is not None and len(chips) and isinstance(chips[0], Chip):
        ready: list[Chip] = list(chips)  # type: ignore[arg-type]
        if bad := [c for c in ready if c.dtype is not dtype or c.hardware is not hardware or c.network is not network]:
            raise InputError(
                f"chips: chip {bad[0].index} was drawn for other hardware, another network or another dtype; draw it again "
                "with `draw_chips`"
            )
        return iter([ready])
    numbers, seed = _indices(hardware, chips, rng)  # type: ignore[arg-type]
    weights = sum(w.size for layer in network.layers for p in layer.directions for w in p.values()) * np.dtype(dtype).itemsize
    at_once = int(np.clip(HELD_BYTES // weights, 2, 256))
    first = draw_chip(network, hardware, numbers[0], seed, dtype)

    def groups() -> Iterator[Sequence[Chip]]:
        group = [first]
        for i in numbers[1:]:
            if len(group) == at_once:
                yield group
                group = []
            group.append(draw_chip(network, hardware, i, seed, dtype))
        yield group

    return groups()


def _lanes(network: Network, sequences: int, pieces: int, least: int = 2) -> int:
    """Sequences to run side by side: few enough for the cache, ``least`` tiles at least, and enough pieces for all threads."""
    widest = max(m.shape[1] for layer in network.layers for m in layer.cell.matrices)
    return min(max(LANE_COLUMNS // widest // LANES * LANES, least * LANES), padded(-(-sequences // pieces)))


def _in_threads(work: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Iterator[Result]:
    """Results in the order of the jobs. Threads suffice: matrix products and converters run without Python's lock."""
    if workers == 1 or len(jobs) == 1:
        yield from map(work, jobs)
        return
    with thread_pool(workers) as pool:
        yield from pool.map(work, jobs)


def _threads(threads: int | None) -> int:
    if threads is None:
        return joblib.cpu_count()
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise InputError(f"threads={threads!r}: must be a whole number of at least 1")
    return int(threads)


def _check_dtype(dtype: type) -> None:
    if dtype not in DTYPES:
        raise InputError(f"dtype={dtype!r}: must be numpy.float32 or numpy.float64")


def _identities(identities: np.ndarray | None, n: int) -> np.ndarray:
    if identities is None:
        return np.arange(n, dtype=np.uint32)
    out = np.asarray(identities)
    if out.shape != (n,) or out.dtype.kind not in "iu" or (n and (out.min() < 0 or out.max() >= 2**32)):
        raise InputError(f"identities: have shape {out.shape} and type {out.dtype}, must be {n} whole numbers 0..2**32 - 1")
    return out.astype(np.uint32)


def _check_text(network: Network, symbols: np.ndarray) -> np.ndarray:
    if network.embedding is None:
        raise InputError("network: has no embedding; a network that reads a text needs one")
    if network.bidirectional:
        raise InputError("network: has a layer that reads backwards; it would see the symbols it predicts")
    out = np.asarray(symbols)
    if out.ndim != 1 or len(out) < 2 or out.dtype.kind not in "iu":
        raise InputError(f"symbols: have shape {out.shape} and type {out.dtype}, must be at least 2 whole numbers in a row")
    most = min(len(network.embedding), network.n_classes)
    if len(bad := np.flatnonzero((out < 0) | (out >= most))):
        raise InputError(f"symbols[{bad[0]}]={out[bad[0]]}: the network knows 0..{most - 1}")
    return out.astype(np.int64)
