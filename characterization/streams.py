"""Every random stream of the toolkit and the key that makes it; no other module derives a key.

A stream is a function of a seed and a key alone: taking a source out, or drawing more chips, leaves the others as they are.
Streams that may be drawn from the same seed (`TOGETHER`) have different keys.

======================= ============================================= ================================================
stream                  key after the seed                            what is drawn from it
======================= ============================================= ================================================
`sample_stream`         (sample, `SampleSource`)                      one source of variation of one sample of a plan
`scrambling_stream`     (0,)                                          scrambling of a Sobol sequence, a Latin hypercube
`population_stream`     (0, 0, 0)                                     chips in closed form that are no samples
`columns_stream`        (0, 0, 1)                                     columns of these chips
`input_stream`          (sample, 99)                                  inputs that a held-out chip converts
`input_pair_stream`     (sample, 98, pair)                            pairs of inputs that a chip of transistors converts
`validation_stream`     (`ValidationSource`, 97)                      chips that a model draws to be held against SPICE
`offset_seed`           [deck], whole                                 ngspice's own generator in a deck of comparators
`chip_sequence`         (chip, layer, direction, matrix,              one source of one matrix of a network's chip
                        `ChipSource`, part)
`chip_ramp_stream`      (chip, `ChipSource.RAMP`, ramp)               a ramp of a network's chip, from a fitted model
`loop_stream`           (7, `LoopSource`, ...)                        noise, sequences and drives of a loop with ngspice
`part_sequences`        (0,), (1,), ...                               parts of a computation that has a seed of its own
`error_source_stream`   [1]                                           hardware of the study of error sources
`network_chips_stream`  [network's seed]                              chips that a trained network is judged on
`ramp_seed`             [0, ramp], whole                              seed of the plan whose sample i is a ramp of chip i
`proposal_seed`         [trial, attempt], whole                       sampler that proposes a design
======================= ============================================= ================================================

Keys in round brackets are spawn keys of `numpy.random.SeedSequence`, those in square brackets stand beside the seed in its
entropy, and "whole" means that a whole number comes out, a seed for something else. A computation that needs one
stream takes ``numpy.random.default_rng(seed)``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np


class SampleSource(IntEnum):
    """Sources of variation of a plan's sample; the number makes the stream: new ones go to the end."""

    (
        PROGRAMMING,
        STUCK,
        OPAMP_OFFSET,
        COMPARATOR_OFFSET,
        COLUMN_OFFSET,
        REPROGRAMMING,
        READ_NOISE,
        COMPARATOR_NOISE,
        CONDUCTANCE_GAIN,
        TRIMMING,
        SEARCHING,
        COLUMN_TRIM,
    ) = range(12)
    CURVATURE, RELAXATION, OPAMP_NOISE, LASTING, WRITE_ORDER = 30, 31, 32, 33, 34


class ValidationSource(IntEnum):
    """What a model draws when it is validated: sets as large as the measured one, and its own distribution."""

    EXPECTED, REFERENCE = range(2)


class ChipSource(IntEnum):
    """Error sources of a network's chip."""

    RAMP, CONVERSION, THRESHOLD, DEVICE, READ, ADC, STATE, STATE_THRESHOLD, OFFSET, DELAY, OPAMP, TRIM = range(12)
    SHARED, STATE_SHARED = 12, 13


class LoopSource(IntEnum):
    """What a loop with ngspice draws beside its chip."""

    NOISE, SEQUENCES, DRIVE = 4, 5, 6


# Second or first numbers of keys; below the first of them there is room for new sources of a sample.
_VALIDATION, _INPUT_PAIR, _INPUT = 97, 98, 99
_LOOP = 7


def sample_stream(seed: int, sample: int, source: SampleSource) -> np.random.Generator:
    """One source of variation in one sample of a plan with this seed."""
    return _stream(seed, sample, source)


def scrambling_stream(seed: int) -> np.random.Generator:
    """Scrambling of the points of a plan whose samples are not placed at random."""
    return _stream(seed, 0)


def population_stream(seed: int) -> np.random.Generator:
    """Chips of a plan's distribution that are no sample of any run."""
    return _stream(seed, 0, 0, 0)


def columns_stream(seed: int) -> np.random.Generator:
    """Columns of the chips of `population_stream`: their comparators and trimming cells."""
    return _stream(seed, 0, 0, 1)


def input_stream(seed: int, sample: int) -> np.random.Generator:
    """Inputs that a held-out chip converts."""
    return _stream(seed, sample, _INPUT)


def input_pair_stream(seed: int, sample: int, pair: int) -> np.random.Generator:
    """A pair of inputs that a chip with comparators of transistors converts."""
    return _stream(seed, sample, _INPUT_PAIR, pair)


def validation_stream(seed: int, source: ValidationSource) -> np.random.Generator:
    """Chips that a model draws to be held against those of a plan with this seed."""
    return _stream(seed, source, _VALIDATION)


def offset_seed(seed: int, deck: int) -> int:
    """Seed of ngspice's own generator in a deck of comparators, 1..2^31 - 2."""
    return _whole(seed, deck) % (2**31 - 2) + 1


def chip_sequence(
    seed: int, chip: int, layer: int, direction: int, matrix: int, source: ChipSource, part: int
) -> np.random.SeedSequence:
    """One error source of (a part of) one matrix on a network's chip; kernels take keys from it, others a generator."""
    return _sequence(seed, chip, layer, direction, matrix, source, part)


def chip_ramp_stream(seed: int, chip: int, ramp: int) -> np.random.Generator:
    """A ramp of a network's chip that a fitted model draws; its number is that of its activation in alphabetical order."""
    return _stream(seed, chip, ChipSource.RAMP, ramp)


def loop_stream(seed: int, source: LoopSource, *number: int) -> np.random.Generator:
    """What is not of the chip: of a matrix and, for noise, of a step and a sequence."""
    return _stream(seed, _LOOP, source, *number)


def part_sequences(seed: int, n: int) -> list[np.random.SeedSequence]:
    """One for each of ``n`` parts of a computation; more parts leave the first ones as they are."""
    return np.random.SeedSequence(seed).spawn(n)


def error_source_stream(seed: int) -> np.random.Generator:
    """Hardware of the study of error sources: the same chips for every source, amount and resolution."""
    return np.random.default_rng([seed, 1])


def network_chips_stream(seed: int, network: int) -> np.random.Generator:
    """Chips that a network trained with the seed ``network`` is judged on."""
    return np.random.default_rng([seed, network])


def ramp_seed(seed: int, ramp: int) -> int:
    """Seed of the plan of a network's ramp, whose sample i is on chip i: ramps of two activations must not share their errors.

    ``ramp`` is the number of its activation in alphabetical order.
    """
    return _whole(seed, 0, ramp)


def proposal_seed(seed: int, trial: int, attempt: int) -> int:
    """Seed of the sampler that proposes the design of a trial, 1 or more: the design of trial 0 is given."""
    return _whole(seed, trial, attempt)


TOGETHER: dict[str, tuple[Callable[..., Any], ...]] = {
    "a plan": (
        sample_stream,
        scrambling_stream,
        population_stream,
        columns_stream,
        input_stream,
        input_pair_stream,
        validation_stream,
        offset_seed,
    ),
    "the evaluation of a network": (chip_sequence, chip_ramp_stream, ramp_seed, part_sequences),
    # Its chip has no fitted ramps.
    "the loop": (chip_sequence, ramp_seed, loop_stream),
    "a budget": (chip_sequence, ramp_seed, part_sequences),
    "the study of error sources": (error_source_stream,),
    "the studies of resolution": (network_chips_stream,),
    "an export": (chip_ramp_stream,),
    "a search": (chip_sequence, chip_ramp_stream, ramp_seed, proposal_seed),
}
"""Streams that come from one seed, by what has it."""


def _sequence(seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=key)


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(_sequence(seed, *key))


def _whole(*numbers: int) -> int:
    return int(np.random.SeedSequence(list(numbers)).generate_state(1)[0])
