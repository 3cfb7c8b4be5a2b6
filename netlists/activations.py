"""Activation functions a ramp column can follow: value, inverse, slope and output range.

A ramp converter needs the inverse: its thresholds are ``x_k = g^-1(y_k)`` for output levels ``y_k``
(Yang et al. 2025, doi 10.1038/s41467-025-56254-6). Every function here is strictly increasing on the
range of ``x`` it is used on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from .errors import InputError

Function = Callable[[np.ndarray], np.ndarray]

# SELU's two constants, Klambauer et al. 2017 (arXiv 1706.02515), section 2.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@dataclass(frozen=True)
class Activation:
    """An increasing activation function on the output range a converter covers.

    Attributes
    ----------
    name : str
    value, inverse, slope : callables on float arrays, shape preserved (dimensionless)
        ``g(x)``, ``g^-1(y)`` and ``g'(x)``.
    y_min, y_max : float
        Output range that the codes divide; for functions without an upper bound this is a choice.
    """

    name: str
    value: Function
    inverse: Function
    slope: Function
    y_min: float
    y_max: float

    def thresholds(self, bits: int) -> np.ndarray:
        """Ideal transition levels ``x_k = g^-1(y_min + k * (y_max - y_min) / 2**bits)``.

        Returns
        -------
        ndarray, shape (2**bits - 1,), in the activation's input units

        Raises
        ------
        InputError
            If ``bits`` is not a whole number from 1 to 8.
        """
        check_bits(bits)
        k = np.arange(1, 2**bits)
        return self.inverse(self.y_min + k * (self.y_max - self.y_min) / 2**bits)

    def decode(self, codes: np.ndarray, bits: int) -> np.ndarray:
        """Output value a code stands for: the middle of its output step, ``y_min + (code + 1/2) * LSB``."""
        return self.y_min + (np.asarray(codes) + 0.5) * (self.y_max - self.y_min) / 2**bits


def check_bits(bits: int) -> None:
    """Raise `InputError` unless ``bits`` is a whole number from 1 to 8."""
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)) or not 1 <= bits <= 8:
        raise InputError(f"bits={bits}: the ramp column has 2**bits cells and takes 1..8 bits")


def _elu_inverse(y: np.ndarray) -> np.ndarray:
    return np.where(y > 0, y, np.log1p(np.minimum(y, 0.0)))


def _selu(x: np.ndarray) -> np.ndarray:
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0.0)))


def _selu_inverse(y: np.ndarray) -> np.ndarray:
    z = y / SELU_SCALE
    return np.where(z > 0, z, np.log1p(np.minimum(z, 0.0) / SELU_ALPHA))


_ALL = (
    Activation("sigmoid", expit, logit, lambda x: expit(x) * expit(-x), 0.0, 1.0),
    Activation("tanh", np.tanh, np.arctanh, lambda x: 1.0 - np.tanh(x) ** 2, -1.0, 1.0),
    Activation(
        "softsign", lambda x: x / (1.0 + np.abs(x)), lambda y: y / (1.0 - np.abs(y)), lambda x: (1.0 + np.abs(x)) ** -2.0, -1.0, 1.0
    ),
    Activation("softplus", lambda x: np.logaddexp(0.0, x), lambda y: y + np.log(-np.expm1(-y)), expit, 0.0, 4.0),
    Activation(
        "elu",
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
        _elu_inverse,
        lambda x: np.exp(np.minimum(x, 0.0)),
        -1.0,
        3.0,
    ),
    Activation(
        "selu",
        _selu,
        _selu_inverse,
        lambda x: SELU_SCALE * np.where(x > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(x, 0.0))),
        -SELU_SCALE * SELU_ALPHA,
        3.0,
    ),
    Activation(
        "identity",
        lambda x: np.asarray(x, float),
        lambda y: np.asarray(y, float),
        lambda x: np.ones_like(np.asarray(x, float)),
        -1.0,
        1.0,
    ),
)

ACTIVATIONS: dict[str, Activation] = {a.name: a for a in _ALL}


def get_activation(name: str) -> Activation:
    """Look an activation up by name; `InputError` lists the known ones."""
    try:
        return ACTIVATIONS[name]
    except (KeyError, TypeError):
        raise InputError(f"activation={name!r}: unknown; this toolkit has {', '.join(ACTIVATIONS)}") from None
