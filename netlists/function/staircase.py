"""Ramps with thresholds and output levels of their own: fitted to the pre-activations of data, or learned.

A staircase is what a converter computes: so many thresholds, and the output between each two. Its ramp is compiled as any
function's, through the table of `Staircase.table`, whose codes change exactly at the thresholds; what a code stands for is a
digital table. Three ways to fit one to observed inputs:

``quantile``   codes are equally likely
``k-means``    least mean square error of the input (Lloyd's iteration)
``lloyd-max``  least mean square error of the output (Lloyd 1982, doi 10.1109/TIT.1982.1056489)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np

from netlists.checks import Array, Bits, Choice, Items, Number, check, checked
from netlists.errors import InputError

from .activations import Activation, get_activation
from .output_levels import OutputLevels
from .table import ActivationTable

FITS = ("quantile", "k-means", "lloyd-max")
HELD_BACK = 0.001
"""Share of the inputs at each end that a fit leaves out: a few far ones would take a code for themselves."""
STEP_RATIO = 16.0
"""Largest step of a fitted or learned ramp over its smallest: assumption, half of what a 4 to 1 device can with pulses."""
_CODES = {2**b for b in range(1, 9)}

HeldBack = Annotated[float, Number(0, below=0.5)]
StepRatio = Annotated[float, Number(1, 512)]


@checked
@dataclass(frozen=True)
class Staircase:
    """A converter's outputs by its own thresholds.

    Attributes
    ----------
    thresholds : tuple of float (2**bits - 1,)
        Increasing, input units.
    values : tuple of float (2**bits,)
        Output below the first, between each two, above the last.
    """

    thresholds: Annotated[tuple[float, ...], Items(1, increasing=True)]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) not in _CODES or len(self.thresholds) != len(self.values) - 1:
            raise InputError(
                f"staircase: has {len(self.thresholds)} thresholds and {len(self.values)} values; must be 2**bits - 1 and 2**bits, "
                "bits of 1..8"
            )

    @property
    def bits(self) -> int:
        return len(self.values).bit_length() - 1

    def table(self, name: str) -> ActivationTable:
        """The function whose uniform ramp of `bits` has these thresholds: the code, over ``2**bits``."""
        return _table(self, name)

    def convert(self, x: np.ndarray) -> np.ndarray:
        """Outputs for inputs of any shape."""
        return np.array(self.values)[np.searchsorted(self.thresholds, x, side="left")]


@lru_cache(maxsize=256)
def _table(stairs: Staircase, name: str) -> ActivationTable:
    x, n = np.array(stairs.thresholds), len(stairs.thresholds)
    first, last = (x[1] - x[0], x[-1] - x[-2]) if n > 1 else (1.0, 1.0)
    at = np.concatenate([[x[0] - first, x[0] - first / 2], x, [x[-1] + last / 2, x[-1] + last]])
    codes = np.concatenate([[0.0, 0.5], np.arange(1.0, n + 1), [n + 0.5, n + 1.0]])
    return ActivationTable(name, tuple(at.tolist()), tuple((codes / (n + 1)).tolist()))


def uniform_staircase(activation: str, bits: int) -> Staircase:
    """The staircase of a built-in increasing function with uniform output levels: where learning may start.

    Raises
    ------
    InputError
        A function that falls somewhere: its counter counts both ways.
    """
    act = get_activation(activation)
    found = act.crossings(levels := act.levels(bits))
    if np.any(found.code_step < 0) or len(found.x) != 2**bits - 1:
        raise InputError(f"activation {activation}: its codes go up and down, or not all are used; a staircase only goes up")
    return Staircase(tuple(found.x.tolist()), tuple(levels.values.tolist()))


def fit_staircase(
    samples: np.ndarray,
    activation: str | Activation,
    bits: int,
    *,
    fit: str = "lloyd-max",
    held_back: float = HELD_BACK,
    step_ratio: float = STEP_RATIO,
) -> Staircase:
    """Fits thresholds and output levels to observed inputs of an activation.

    Parameters
    ----------
    samples : ndarray
        Pre-activations, input units; all shapes are flattened.
    activation : str or Activation
        Increasing function that the converter stands for.
    bits : int
        1..8.
    fit : {"quantile", "k-means", "lloyd-max"}
    held_back : float
        Share of the samples at each end that the fit does not see; they get the outermost codes all the same.
    step_ratio : float
        Largest step over the smallest that cells are to make; see `holdable`.

    Returns
    -------
    Staircase
        Each value is the mean output of the samples that have its code.

    Raises
    ------
    InputError
        Samples that are not finite, too few different ones, or a function that does not rise.
    """
    x = np.sort(check(Annotated[np.ndarray, Array()], samples, "samples").ravel())
    check(Choice(FITS), fit, "fit")
    check(Bits, bits, "bits")
    check(HeldBack, held_back, "held_back")
    act = get_activation(activation) if isinstance(activation, str) else activation
    left_out = int(held_back * len(x))
    x = x[left_out : len(x) - left_out]
    n = 2**bits
    if len(np.unique(x)) < n:
        raise InputError(f"samples: have {len(np.unique(x))} different inputs, {bits} bits need {n} at least; observe more")
    if np.any(np.diff(y := np.asarray(act.value(x), float)) < 0):
        raise InputError(f"activation {act.name}: falls between the samples; a fitted ramp takes a function that rises")
    if fit == "quantile":
        levels = np.quantile(x, np.arange(1, n) / n)
    elif fit == "k-means":
        levels = OutputLevels.lloyd_max(x, float(x[0]), float(x[-1]), bits).decisions
    else:
        decisions = OutputLevels.lloyd_max(y, float(y[0]), float(y[-1]), bits).decisions
        levels = np.interp(decisions, *_strictly(y, x))
    if len(levels) < n - 1:
        raise InputError(f"samples: {fit} uses {len(levels) + 1} of {n} codes only; take fewer bits or another fit")
    levels = holdable(levels, step_ratio)
    cut = np.concatenate([[0], np.searchsorted(x, levels, side="right"), [len(x)]])
    ends = np.concatenate([x[:1], levels, x[-1:]])
    middle = np.asarray(act.value(0.5 * (ends[1:] + ends[:-1])), float)
    values = [float(y[a:b].mean()) if b > a else float(m) for a, b, m in zip(cut, cut[1:], middle, strict=False)]
    return Staircase(tuple(levels.tolist()), tuple(values))


def _strictly(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs without those whose y repeats."""
    keep = np.append(True, np.diff(y) > 0)
    return y[keep], x[keep]


def holdable(thresholds: np.ndarray, step_ratio: float = STEP_RATIO) -> np.ndarray:
    """Moves thresholds, as little as possible, until they rise and the largest step is at most ``step_ratio`` of the smallest.

    Small steps are widened to that part of the largest (least squares), which only makes others smaller.

    Parameters
    ----------
    thresholds : ndarray (n,)
    step_ratio : float
        1..512; the conductance range of the device and the pulses of its scheme hold it (`netlists.ramp.cells`).
    """
    check(StepRatio, step_ratio, "step_ratio")
    x = np.sort(np.asarray(thresholds, float))
    steps = np.diff(x)
    if len(steps) == 0 or (steps.min() > 0 and steps.max() <= step_ratio * steps.min()):
        return x
    from scipy.optimize import isotonic_regression

    # A little more than asked for, so that rounding stays within.
    ladder = steps.max() / step_ratio * 1.0001 * np.arange(len(x))
    return np.asarray(isotonic_regression(x - ladder).x + ladder)
