"""Limits that a chip must meet to count as good."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from netlists.check_rules import Number
from netlists.checks import checked

Limit = Annotated[float, Number(above=0, unit="LSB", endless=True)]


@checked
@dataclass(frozen=True)
class Limits:
    """What a chip must meet to count as good; infinite means no limit.

    Attributes
    ----------
    max_inl : float
        Largest |INL|, input-referred LSB.
    max_dnl : float
        Largest |DNL|, LSB.
    monotonic : bool
        Whether every level must lie above the one before.
    """

    max_inl: Limit = math.inf
    max_dnl: Limit = math.inf
    monotonic: bool = True
