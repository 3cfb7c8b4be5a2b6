"""Activation functions a ramp column can follow: value, slope, domain and output range.

A ramp converter needs the inputs at which its output changes from one level to the next: ``x_k = g^-1(y_k)`` for
increasing functions (Yang et al. 2025, doi 10.1038/s41467-025-56254-6). A function that also falls crosses a level
more than once: its thresholds stay sorted in x, and each says whether the code goes up or down there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from netlists.checks import Choice, check
from netlists.errors import InputError

from . import thresholds
from .output_levels import OutputLevels
from .thresholds import Thresholds, output_range

Function = Callable[[np.ndarray], np.ndarray]

# SELU's two constants, Klambauer et al. 2017 (arXiv 1706.02515), section 2.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
CRRELU_EPSILON = 0.01
"""Value at which CRReLU's trained factor starts."""


@dataclass(frozen=True)
class Activation:
    """An activation function on the domain and output range that a converter covers.

    Attributes
    ----------
    name : str
    value, slope : callables on float arrays, shape preserved (dimensionless)
        ``g(x)`` and ``g'(x)``.
    inverse : callable or None
        ``g^-1(y)`` of a strictly increasing function that has one in closed form; None: the thresholds are searched.
    y_min, y_max : float
        Output range that the codes divide; for functions without an upper bound this is a choice.
    x_min, x_max : float
        Domain: where thresholds are searched, and over which the error of the codes is stated.
    """

    name: str
    value: Function
    inverse: Function | None
    slope: Function
    y_min: float
    y_max: float
    x_min: float = -8.0
    x_max: float = 8.0

    def levels(self, bits: int) -> OutputLevels:
        """Uniform mid-rise output levels, ``2**bits`` of them."""
        return OutputLevels.mid_rise(self.y_min, self.y_max, bits)

    def crossings(self, levels: OutputLevels, *, merge_lsb: float = thresholds.MERGE_LSB) -> Thresholds:
        """Finds where the function crosses the decision levels, sorted in x, and which way.

        Parameters
        ----------
        merge_lsb : float
            Two crossings between which the function passes a level by less than this, in output LSB, are left out.

        Raises
        ------
        InputError
            A function that never crosses a level, is not finite on its domain or wiggles too much to follow.
        """
        if self.inverse is not None:
            x = np.asarray(self.inverse(levels.decisions), float)
            if not np.all(np.isfinite(x)) or np.any(np.diff(x) <= 0):
                raise InputError(f"activation {self.name}: its {len(levels.values)}-level thresholds are not finite and increasing")
            return Thresholds(x, np.ones(len(x), int), 0)
        return thresholds.find(self.name, self.value, (self.x_min, self.x_max), levels.decisions, merge=merge_lsb * levels.lsb)

    def thresholds(self, bits: int) -> np.ndarray:
        """Ideal transition levels: where g crosses ``y_min + k * (y_max - y_min) / 2**bits``, sorted.

        Returns
        -------
        ndarray, in the activation's input units
            ``2**bits - 1`` of them for an increasing function.

        Raises
        ------
        InputError
            If ``bits`` is not a whole number from 1 to 8, and as `crossings`.
        """
        return self.crossings(self.levels(bits)).x

    def codes(self, bits: int) -> np.ndarray:
        """Code after 0, 1, ... thresholds were passed, shape (thresholds + 1,), of int."""
        return self.crossings(self.levels(bits)).codes

    def decode(self, codes: np.ndarray, bits: int) -> np.ndarray:
        """Output value a code stands for: the middle of its output step, ``y_min + (code + 1/2) * LSB``."""
        return self.y_min + (np.asarray(codes) + 0.5) * (self.y_max - self.y_min) / 2**bits

    def over(self, domain: tuple[float, float] | None = None, outputs: tuple[float, float] | None = None) -> Activation:
        """The same function saturated: cut to a domain, to an output range, or both.

        A domain alone also narrows the output range to what the function does there. Outputs beyond ``outputs`` are
        clipped to it.

        Raises
        ------
        InputError
            A range that is not two increasing finite numbers.
        """
        out = self
        if domain is not None:
            low, high = increasing_pair("domain", domain)
            y = output_range(self.name, self.value, (low, high))
            out = replace(out, inverse=None, x_min=low, x_max=high, y_min=y[0], y_max=y[1])
        if outputs is not None:
            low, high = increasing_pair("outputs", outputs)
            value, slope = self.value, self.slope

            def clipped(x: np.ndarray) -> np.ndarray:
                return np.clip(value(x), low, high)

            def slope_inside(x: np.ndarray) -> np.ndarray:
                y = value(x)
                return np.where((y < low) | (y > high), 0.0, slope(x))

            out = replace(out, value=clipped, slope=slope_inside, inverse=None, y_min=low, y_max=high)
        return out


def increasing_pair(name: str, values: tuple[float, float]) -> tuple[float, float]:
    low, high = check(tuple[float, float], values, name)
    if low >= high:
        raise InputError(f"{name}={values!r}: the lower one must come first")
    return low, high


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))


def _elu_inverse(y: np.ndarray) -> np.ndarray:
    return np.where(y > 0, y, np.log1p(np.minimum(y, 0.0)))


def _selu(x: np.ndarray) -> np.ndarray:
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0.0)))


def _selu_inverse(y: np.ndarray) -> np.ndarray:
    z = y / SELU_SCALE
    return np.where(z > 0, z, np.log1p(np.minimum(z, 0.0) / SELU_ALPHA))


def _same(x: np.ndarray) -> np.ndarray:
    return np.asarray(x, float)


def _expit(x: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(x)


def _logit(y: np.ndarray) -> np.ndarray:
    from scipy.special import logit

    return logit(y)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, x)


def _bell(x: np.ndarray) -> np.ndarray:
    """``exp(-x^2 / 2)``."""
    return np.exp(-0.5 * np.square(x))


def _ndtr(x: np.ndarray) -> np.ndarray:
    """Standard normal distribution function, without cancellation in the lower tail."""
    from scipy.special import log_ndtr

    return np.exp(log_ndtr(x))


def _mish_slope(x: np.ndarray) -> np.ndarray:
    t = np.tanh(_softplus(x))
    return t + x * (1.0 - t**2) * _expit(x)


def _crrelu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0) + CRRELU_EPSILON * x * _bell(x)


def _polyrelu(x: np.ndarray) -> np.ndarray:
    r = np.maximum(x, 0.0)
    return r * (1.0 + r * (1.0 + r)) / 3.0


def _searched(name: str, value: Function, slope: Function, x_min: float, x_max: float) -> Activation:
    """A function without a closed-form inverse, over all outputs that it has on a domain."""
    return Activation(name, value, None, slope, *output_range(name, value, (x_min, x_max)), x_min, x_max)


# Domains are choices: what pre-activations of a few standard deviations need. Sources of the less common functions: GELU,
# Hendrycks and Gimpel (arXiv 1606.08415); Swish, Ramachandran et al. (arXiv 1710.05941); Mish, Misra (arXiv 1908.08681);
# CRReLU, max(0, x) + e x exp(-x^2 / 2) with e trained from 0.01 (arXiv 2405.12954); PolyReLU, a polynomial of max(0, x),
# here of third order with equal coefficients (arXiv 2411.03884).
_ALL = (
    Activation("sigmoid", _expit, _logit, lambda x: _expit(x) * _expit(-x), 0.0, 1.0),
    Activation("tanh", np.tanh, np.arctanh, lambda x: 1.0 - np.tanh(x) ** 2, -1.0, 1.0, -4.0, 4.0),
    Activation(
        "softsign",
        lambda x: x / (1.0 + np.abs(x)),
        lambda y: y / (1.0 - np.abs(y)),
        lambda x: (1.0 + np.abs(x)) ** -2.0,
        -1.0,
        1.0,
        -16.0,
        16.0,
    ),
    Activation("softplus", _softplus, lambda y: y + np.log(-np.expm1(-y)), _expit, 0.0, 4.0, -8.0, 3.98),
    Activation("elu", _elu, _elu_inverse, lambda x: np.exp(np.minimum(x, 0.0)), -1.0, 3.0, -8.0, 3.0),
    Activation(
        "selu",
        _selu,
        _selu_inverse,
        lambda x: SELU_SCALE * np.where(x > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(x, 0.0))),
        -SELU_SCALE * SELU_ALPHA,
        3.0,
        -8.0,
        3.0 / SELU_SCALE,
    ),
    Activation("identity", _same, _same, lambda x: np.ones_like(np.asarray(x, float)), -1.0, 1.0, -1.0, 1.0),
    Activation(
        "hard-sigmoid",
        lambda x: np.clip(np.asarray(x) / 6 + 0.5, 0.0, 1.0),
        lambda y: 6 * (y - 0.5),
        lambda x: np.where(np.abs(x) < 3, 1 / 6, 0.0),
        0.0,
        1.0,
        -4.0,
        4.0,
    ),
    Activation(
        "hard-tanh", lambda x: np.clip(x, -1.0, 1.0), _same, lambda x: np.where(np.abs(x) < 1, 1.0, 0.0), -1.0, 1.0, -2.0, 2.0
    ),
    Activation("relu", lambda x: np.clip(x, 0.0, 3.0), _same, lambda x: np.where((x > 0) & (x < 3), 1.0, 0.0), 0.0, 3.0, -3.0, 4.0),
    Activation("exp", np.exp, np.log, np.exp, 0.0, np.exp(1.0), -5.0, 1.0),
)

_SEARCHED: dict[str, tuple[Function, Function, float, float]] = {
    "gelu": (lambda x: x * _ndtr(x), lambda x: _ndtr(x) + x * _bell(x) / np.sqrt(2 * np.pi), -4.0, 3.0),
    "silu": (lambda x: x * _expit(x), lambda x: _expit(x) * (1.0 + x * _expit(-x)), -8.0, 3.0),
    "mish": (lambda x: x * np.tanh(_softplus(x)), _mish_slope, -8.0, 3.0),
    "crrelu": (_crrelu, lambda x: np.where(x > 0, 1.0, 0.0) + CRRELU_EPSILON * (1 - np.square(x)) * _bell(x), -3.0, 3.0),
    "gaussian": (lambda x: np.exp(-np.square(x)), lambda x: -2.0 * x * np.exp(-np.square(x)), -3.0, 3.0),
    "polyrelu": (_polyrelu, lambda x: np.where(x > 0, (1.0 + x * (2.0 + 3.0 * x)) / 3.0, 0.0), -1.5, 1.5),
}
"""Value, slope and domain of the functions without a closed-form inverse."""


class _Registry(Mapping[str, Activation]):
    """The built-in functions by name; the output range of those that are searched is searched when one is looked up."""

    def __init__(self) -> None:
        self._known = {a.name: a for a in _ALL}
        self._names = (*self._known, *_SEARCHED)

    def __getitem__(self, name: str) -> Activation:
        if name not in self._known:
            self._known[name] = _searched(name, *_SEARCHED[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


ACTIVATIONS: Mapping[str, Activation] = _Registry()


def get_activation(name: str) -> Activation:
    """Looks an activation up by name; `InputError` lists the known ones."""
    return ACTIVATIONS[check(Choice(ACTIVATIONS), name, "activation")]
