"""Where samples lie in the unit cube: at random, on a Sobol sequence, or in a Latin hypercube (scipy.stats.qmc)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Annotated

import numpy as np

from characterization.streams import scrambling_stream
from netlists.check_rules import Choice, Whole
from netlists.checks import checked
from netlists.errors import InputError

if TYPE_CHECKING:
    from scipy.stats import qmc

METHODS = ("random", "sobol", "latin-hypercube")
"""How samples are placed."""

SOBOL_BITS = 32
LARGEST_HYPERCUBE = 10_000_000
"""Numbers that a Latin hypercube may hold: every worker keeps it whole (80 MB)."""
_INSIDE = 2.0**-53
# A sequence remembers where it stands, and several threads of a run may place the samples that their workers lost.
_one_at_a_time = Lock()


@checked
@dataclass(frozen=True)
class Sampling:
    """How the samples of a plan are placed.

    Attributes
    ----------
    method : {"random", "sobol", "latin-hypercube"}
        ``random`` and ``sobol`` (scrambled, seeded) can be extended: sample i is a function of the seed and i. A sample
        of a Latin hypercube depends on how many there are.
    samples : int or None
        Size of the Latin hypercube; None for the others.
    """

    method: Annotated[str, Choice(METHODS)] = "random"
    samples: Annotated[int, Whole(2)] | None = None

    def __post_init__(self) -> None:
        if self.method != "latin-hypercube" and self.samples is not None:
            raise InputError(
                f"sampling samples={self.samples!r} with method={self.method!r}: only a latin-hypercube has a fixed size"
            )
        if self.method == "latin-hypercube" and self.samples is None:
            raise InputError("sampling samples=None: a latin-hypercube needs its size, a whole number, 2 or more")

    def check(self, samples: int) -> None:
        """Raise `InputError` if a run of so many samples is not possible."""
        if self.samples is not None and samples != self.samples:
            raise InputError(
                f"samples={samples}: the plan's latin-hypercube has {self.samples} and can be neither cut nor extended; "
                "take method sobol, or a new folder for another plan"
            )


def unit_points(sampling: Sampling, seed: int, dims: int, samples: np.ndarray) -> np.ndarray:
    """Points of the given sample numbers, shape (n, dims), above 0 and below 1; for ``sobol`` and ``latin-hypercube``.

    Parameters
    ----------
    samples : ndarray of int (n,)
        Any order. Of a Sobol sequence, increasing numbers cost least.

    Raises
    ------
    InputError
        Sample number or number of dimensions beyond what the method has.
    """
    from scipy.stats import qmc

    if sampling.samples is not None:
        if np.any(samples >= sampling.samples):
            raise InputError(f"sample {samples.max()}: the plan's latin-hypercube ends at sample {sampling.samples - 1}")
        return _hypercube(seed, dims, sampling.samples)[samples]
    if np.any(samples >= 2**SOBOL_BITS):
        raise InputError(f"sample {samples.max()}: a Sobol sequence has {2**SOBOL_BITS} points")

    if dims > qmc.Sobol.MAXDIM:
        raise InputError(f"{dims} varying numbers a chip: a Sobol sequence has at most {qmc.Sobol.MAXDIM}; take method random")
    points = np.empty((len(samples), dims))
    with _one_at_a_time:
        sequence = _sobol(seed, dims)
        for row in np.argsort(samples, kind="stable"):
            if samples[row] < sequence.num_generated:
                sequence.reset()
            if gap := int(samples[row]) - sequence.num_generated:
                sequence.fast_forward(gap)
            # One by one: SciPy warns of any number of points that is no power of 2.
            points[row] = sequence.random(1)[0]
    # The middle of the smallest interval: 0 would be minus infinity of a normal.
    return points + 2.0 ** -(SOBOL_BITS + 1)


@lru_cache(maxsize=4)
def _sobol(seed: int, dims: int) -> qmc.Sobol:
    """One sequence per process, which remembers where it stands: going on costs nothing."""
    from scipy.stats import qmc

    return qmc.Sobol(dims, scramble=True, bits=SOBOL_BITS, seed=scrambling_stream(seed))


@lru_cache(maxsize=2)
def _hypercube(seed: int, dims: int, samples: int) -> np.ndarray:
    if samples * dims > LARGEST_HYPERCUBE:
        raise InputError(
            f"a latin-hypercube of {samples} samples with {dims} numbers each: holds at most {LARGEST_HYPERCUBE}; take sobol"
        )
    from scipy.stats import qmc

    points = qmc.LatinHypercube(dims, seed=scrambling_stream(seed)).random(samples)
    return np.clip(points, _INSIDE, 1 - _INSIDE)
