"""The page of a study: a heading, highlights, and sections with text, a picture, a table.

The words of a page stand beside its study, in ``page.md``: Markdown with numbers filled in by Jinja. ``# title``, the lead, and
highlights ``- value :: label``; then sections ``## heading`` of paragraphs, a picture ``![caption](name)`` and a table::

    [table figures.csv where activation == "sigmoid"]
    V_read (V) <- v_read
    yield <- percent(share, 1)

Each line of a table is a column: what the reader sees, and an expression of the columns of the file; without lines the table is
shown as it is. Paragraphs after picture or table are notes. Ours beside published figures, which `published.toml` has by key::

    [beside]
    - vread-range :: other data :: what we found :: what explains the difference
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined, UndefinedError, meta

from netlists.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


UNIT = re.compile(r"(s|F|J|V|A|S|W|Hz|ohm)(?!/\1\b|\^|\*)(\b.*)?")
"""A unit that takes a prefix: that of a quantity, alone or for each of something, not of a ratio as V/V nor of a power as V^-2."""
AREA = re.compile(r"m2(| a .*)")


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
    template : str
        File in ``templates/`` that lays the page out.
    values : mapping
        What that template needs besides.
    """

    title: str
    lead: str
    highlights: Sequence[tuple[str, str]] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
    template: str = "study.html.j2"
    values: Mapping[str, Any] = field(default_factory=dict)


def percent(value: float | None, digits: int = 2) -> str:
    """Writes a share as a percentage; a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def cell(value: object) -> str:
    """Writes a number as a reader wants it: four significant digits, whole numbers whole; a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "<NA>":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        value += 0.0  # -0 is 0
        return f"{value:.0f}" if abs(value) < 1e7 and (value.is_integer() or abs(value) >= 1e4) else f"{value:.4g}"
    return str(value)


def quantity(value: object, unit: str) -> str:
    """Writes a value with its unit and the prefix of its size, ``16 ns``; a unit that takes no prefix stands behind the number."""
    if unit in ("", "1") or value is None:
        return cell(value)
    if (area := AREA.fullmatch(unit)) and isinstance(value, float):
        return f"{cell(1e12 * value)} um2{area[1]}" if value < 1e-7 else f"{cell(1e6 * value)} mm2{area[1]}"
    if UNIT.fullmatch(unit) is None or not isinstance(value, (int, float)) or not math.isfinite(value) or not value:
        return f"{cell(value)} {unit}"
    # 999.96 ns is 1 us.
    power = min(max(math.floor(math.log10(abs(float(f"{value:.4g}"))) / 3), -6), 4)
    return f"{value / 10 ** (3 * power):.4g} {'afpnum kMGT'[power + 6].strip()}{unit}"


def page_of(file: Path, folder: Path, tables: Mapping[str, pd.DataFrame] | None = None, **values: Any) -> Page:
    """Fills the words of a page with numbers.

    Parameters
    ----------
    file : Path
        The ``page.md``, or a module beside it.
    folder : Path
        The study's folder, whose tables are shown.
    tables : mapping of str to DataFrame
        Tables that are not files.
    values : dict
        What the words name.

    Raises
    ------
    InputError
        A table, a column or a value of the folder is missing.
    """
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_one_line)
    environment.globals |= {"percent": percent, "cell": cell, "quantity": quantity, **values}
    environment.filters |= {"percent": percent, "cell": cell}
    try:
        text = environment.from_string(Path(file).with_suffix(".md").read_text()).render()
    except UndefinedError as e:
        raise InputError(f"{folder}: {e.message}; run the study again") from None
    head, *bodies = re.split(r"^## ", text, flags=re.MULTILINE)
    title, *blocks = _blocks(head.removeprefix("# "))
    highlights = [line for block in blocks if block.startswith("- ") for line in block.removeprefix("- ").split("\n- ")]
    show = partial(_table, environment, folder, tables or {})
    return Page(
        title=title,
        lead=" ".join(_joined(b) for b in blocks if not b.startswith("- ")),
        highlights=[(value, label) for value, label in (_joined(line).split(" :: ") for line in highlights)],
        sections=[_section(body, show) for body in bodies],
    )


def _section(body: str, show: Any) -> Section:
    heading, *blocks = _blocks(body)
    found: dict[str, Any] = {"text": [], "notes": []}
    for block in blocks:
        if picture := re.fullmatch(r"!\[(.*)\]\((\S+)\)", _joined(block)):
            found |= {"caption": picture[1], "picture": picture[2]}
        elif block.startswith("[beside]"):
            found["table"] = _beside(block)
        elif block.startswith("[table "):
            found["table"] = show(block)
        else:
            found["notes" if {"picture", "table"} & set(found) else "text"].append(_joined(block))
    return Section(heading, **found)


def _table(environment: Environment, folder: Path, tables: Mapping[str, pd.DataFrame], block: str) -> pd.DataFrame:
    import pandas as pd

    from .tables import read_table

    head, *lines = block.split("\n")
    name, _, where = head.removeprefix("[table ").removesuffix("]").partition(" where ")
    columns = {shown: expression or shown for shown, _, expression in (line.partition(" <- ") for line in lines)}
    expressions = [*columns.values(), *filter(None, [where])]
    needed = {n: None for e in expressions for n in sorted(meta.find_undeclared_variables(environment.parse(f"{{{{ {e} }}}}")))}
    needed = {n: None for n in needed if n not in environment.globals}
    table = tables[name] if name in tables else read_table(folder, name, list(needed))
    if not lines:
        return table
    take = {shown: environment.compile_expression(e, undefined_to_none=False) for shown, e in columns.items()}
    keep = environment.compile_expression(where or "true")
    rows = [row for row in table.to_dict("records") if keep(**row)]
    return pd.DataFrame([{shown: value(**row) for shown, value in take.items()} for row in rows], columns=list(columns))


def _beside(block: str) -> pd.DataFrame:
    from .published import Beside, beside, published

    entries = [_joined(line).split(" :: ") for line in block.split("\n- ")[1:]]
    return beside([Beside(published(key), ours, data == "same data", why) for key, data, ours, why in entries])


def _blocks(text: str) -> list[str]:
    return [block.strip() for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]


def _joined(block: str) -> str:
    return " ".join(block.split())


def _one_line(value: Any) -> Any:
    return " ".join(filter(None, map(str.strip, value.splitlines()))) if isinstance(value, str) and "\n" in value else value
