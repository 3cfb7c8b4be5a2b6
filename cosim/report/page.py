"""The page of a study: a heading, highlights, and sections with text, a picture, a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True, eq=False)
class Section:
    """One section.

    Attributes
    ----------
    heading : str
    text : sequence of str
        Paragraphs before picture and table.
    picture : str or None
        Name of a picture in ``pictures/``, without ``.png``.
    caption : str
        Of the picture.
    table : DataFrame or None
        Columns are named as the reader sees them, units included.
    notes : sequence of str
        Paragraphs after the table.
    """

    heading: str
    text: Sequence[str] = ()
    picture: str | None = None
    caption: str = ""
    table: pd.DataFrame | None = None
    notes: Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        return [] if self.table is None else [str(c) for c in self.table.columns]

    @property
    def rows(self) -> list[list[Any]]:
        return [] if self.table is None else [list(row) for row in self.table.itertuples(index=False, name=None)]


@dataclass(frozen=True, eq=False)
class Page:
    """A whole page.

    Attributes
    ----------
    title : str
    lead : str
        What was asked and what was found, in a paragraph.
    highlights : sequence of (value, label)
        Up to four.
    sections : sequence of Section
    """

    title: str
    lead: str
    highlights: Sequence[tuple[str, str]] = ()
    sections: Sequence[Section] = field(default_factory=tuple)


def percent(value: float | None, digits: int = 2) -> str:
    """A share as a percentage; a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def cell(value: object) -> str:
    """A number as a reader wants it: four significant digits, whole numbers whole; a dash where there is none."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.4g}"
    return str(value)
