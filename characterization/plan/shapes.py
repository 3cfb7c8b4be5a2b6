"""Shapes of the distributions that a source of variation may have, all made from one standard normal number.

Every source is drawn as a standard normal z and then bent to its shape: the same z gives the same quantile of every
shape, correlations are set between the z, and quasi-random points enter as quantiles of z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from netlists.check_rules import Choice, Number
from netlists.checks import Positive, checked
from netlists.errors import InputError

SHAPES = ("normal", "truncated-normal", "uniform", "student-t")
"""Names of the shapes; all are symmetric about 0."""


@checked
@dataclass(frozen=True)
class Shape:
    """Shape of a distribution with mean 0; a source multiplies it by its scale, the standard deviation sigma.

    Attributes
    ----------
    kind : {"normal", "truncated-normal", "uniform", "student-t"}
        ``uniform`` spans +-sqrt(3) sigma and ``student-t`` is scaled, so that sigma is their standard deviation. Of
        ``truncated-normal``, sigma is that of the normal before truncation.
    limit : float or None
        ``truncated-normal`` only: largest deviation, in sigma.
    dof : float or None
        ``student-t`` only: degrees of freedom, above 2. The smaller, the heavier the tails.
    """

    kind: Annotated[str, Choice(SHAPES)] = "normal"
    limit: Positive | None = None
    dof: Annotated[float, Number(above=2)] | None = None

    def __post_init__(self) -> None:
        for name, kind in (("limit", "truncated-normal"), ("dof", "student-t")):
            value = getattr(self, name)
            if (value is not None) != (self.kind == kind):
                raise InputError(f"{name}={value!r} with kind={self.kind!r}: {name} belongs to {kind}, which needs it")

    def of_normal(self, z: np.ndarray) -> np.ndarray:
        """The value at the same quantile as the standard normal ``z`` (any shape), in sigma."""
        if self.kind == "normal":
            return np.asarray(z, float)
        from scipy.special import ndtr, ndtri, stdtrit

        # From the lower tail, where a probability has all its digits; the shapes are symmetric.
        p = ndtr(-np.abs(z))
        if self.limit is not None:
            outside = ndtr(-self.limit)
            below = ndtri(outside + p * (1 - 2 * outside))
        elif self.dof is not None:
            below = stdtrit(self.dof, p) * math.sqrt((self.dof - 2) / self.dof)
        else:
            below = math.sqrt(3) * (2 * p - 1)
        return np.copysign(below, z)


NORMAL = Shape()
"""The default shape of every source."""
