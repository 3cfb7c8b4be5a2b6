"""Published figures, and the table that puts them beside ours."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from netlists.errors import InputError

from .page import cell


@dataclass(frozen=True)
class Published:
    """One figure.

    Attributes
    ----------
    quantity : str
    value : float or str
        A word where the source gives no number.
    source : str
    data : str
        What it was measured on.
    unit, conditions : str
    """

    quantity: str
    value: float | str
    source: str
    data: str
    unit: str = ""
    conditions: str = ""


@dataclass(frozen=True)
class Beside:
    """A published figure with ours.

    Attributes
    ----------
    published : Published
    ours : str or float
        In the same unit.
    same_data : bool
    difference : str
        What explains the difference.
    """

    published: Published
    ours: str | float
    same_data: bool
    difference: str


def published(key: str) -> Published:
    """Reads the figure of this name in ``published.toml``.

    Raises
    ------
    InputError
        There is none.
    """
    figures = _all()
    if key not in figures:
        raise InputError(f"published figure {key!r}: unknown; there are {', '.join(figures)}")
    return figures[key]


@cache
def _all() -> dict[str, Published]:
    text = files(__package__).joinpath("published.toml").read_text()
    return {key: Published(**entry) for key, entry in tomllib.loads(text).items()}


def beside(rows: Sequence[Beside]) -> pd.DataFrame:
    """Makes a table of published figures and ours."""
    return pd.DataFrame(
        {
            "quantity": r.published.quantity + (f" ({r.published.unit})" if r.published.unit else ""),
            "published": cell(r.published.value),
            "ours": cell(r.ours),
            "same data": r.same_data,
            "what explains the difference": r.difference,
            "source": r.published.source,
            "published for": r.published.data + (f"; {r.published.conditions}" if r.published.conditions else ""),
        }
        for r in rows
    )
