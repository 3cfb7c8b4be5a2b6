"""Draw the rooms of the three packages and what each imports: ``python docs/draw_architecture.py``.

Writes ``docs/pictures/architecture.svg`` and ``.png``, and beside them ``architecture.json`` with what they show.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from netlists.files import write_atomic, write_json

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
NAME = "architecture"
STYLE = {"svg.fonttype": "none", "svg.hashsalt": NAME, "font.size": 8.5}
WIDTH = 1280
"""Pixels."""
ROW, HEAD, GAP = 22, 118, 34
"""Pixels: height of a room, of the names above the columns, and between two packages."""
BOX, TEXT, GRID = 12, 204, 592
"""Pixels from the left: the boxes, what a room is for, and the counts of imports."""
CHARACTERS = 80
"""Of what a room is for."""
TITLE = "The rooms, top floor first: each imports only from floors below its own"
LEGEND = """A box is a room, with its modules / lines; a band is a floor, whose rooms do not import each other.
A number: so many modules of the row's room import from the column's room.
Read a row for what a room needs, a column for who needs it."""
COLOURS = {"cosim": "#c2571a", "characterization": "#2b6f9e", "netlists": "#3f7d3a"}


class Room(NamedTuple):
    """A folder of a package, or a module that stands beside the folders."""

    package: str
    name: str
    floor: int

    @property
    def dotted(self) -> str:
        return f"{self.package}.{self.name}"

    @property
    def files(self) -> list[Path]:
        """Its modules; a module that only hands out names (``__init__.py``) is none."""
        place = ROOT / self.package / self.name
        if not place.is_dir():
            return [place.with_suffix(".py")]
        return sorted(p for p in place.rglob("*.py") if p.name != "__init__.py")

    @property
    def purpose(self) -> str:
        """What it is for: its line of the package's table of rooms, or its own docstring's first, as far as there is space."""
        table = docstring(ROOT / self.package / "__init__.py")
        found = re.search(rf"^`{self.name}`  +(.+)$", table, re.MULTILINE)
        line = found[1] if found else docstring(self.files[0]).partition("\n")[0].rstrip(".")
        line = line.replace("`", "")
        return line if len(line) <= CHARACTERS else f"{line[: CHARACTERS - 4].rsplit(' ', 1)[0].rstrip(',:;')} ..."


def docstring(path: Path) -> str:
    """Reads a module's docstring."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def rooms() -> list[Room]:
    """Reads the floors from the contracts that `make lint` checks, top floor first.

    Raises
    ------
    ValueError
        A folder or module of a package that is on no floor.
    """
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    packages = next(c["layers"] for c in contracts if "containers" not in c)
    floors = {c["containers"][0]: c["layers"] for c in contracts if "containers" in c}
    out = [Room(p, name, k) for p in packages for k, floor in enumerate(floors[p]) for name in floor.split(" | ")]
    for package in packages:
        there = {p.stem for p in (ROOT / package).iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
        if homeless := there - {"__init__", "__main__"} - {r.name for r in out if r.package == package}:
            raise ValueError(f"{package}: {', '.join(sorted(homeless))} on no floor of pyproject.toml")
    return out


def imported(path: Path) -> set[str]:
    """Reads the dotted names that a module imports, wherever in it; relative ones are made whole."""
    package = path.relative_to(ROOT).parts[:-1]
    out = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            out |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            source = ".".join((*base, *filter(None, [node.module])))
            out |= {f"{source}.{alias.name}" for alias in node.names}
    return out


def survey() -> dict[str, dict]:
    """Counts modules, lines and imports of each room.

    Returns
    -------
    dict
        By dotted name of the room: ``floor``, ``modules``, ``lines``, and ``imports``: how many of its modules import
        each other room.
    """
    everywhere = rooms()
    names = {r.dotted for r in everywhere}
    out = {}
    for room in everywhere:
        found = Counter(chain.from_iterable({".".join(n.split(".")[:2]) for n in imported(p)} for p in room.files))
        out[room.dotted] = {
            "floor": room.floor,
            "modules": len(room.files),
            "lines": sum(p.read_text().count("\n") for p in room.files),
            "imports": {name: found[name] for name in sorted(names & set(found) - {room.dotted})},
        }
    return out


def picture(data: dict[str, dict]) -> plt.Figure:
    """Draws a row for each room: its box on its floor, what it is for, and whom it imports."""
    everywhere = rooms()
    step = (WIDTH - GRID - 12) / len(everywhere)
    y = {}
    at = float(HEAD)
    for k, room in enumerate(everywhere):
        if k == 0 or room.package != everywhere[k - 1].package:
            at += GAP
        y[room.dotted] = at
        at += ROW
    height = at + 14
    figure = plt.figure(figsize=(WIDTH / 100, height / 100), dpi=100)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(height, 0))
    ax.axis("off")
    columns = {room.dotted: GRID + (k + 0.5) * step for k, room in enumerate(everywhere)}
    ax.text(BOX, 22, TITLE, size=13, va="center")
    ax.text(BOX, 40, LEGEND, va="top", linespacing=1.5)
    for room in everywhere:
        ax.text(columns[room.dotted], HEAD + GAP - 7, room.name, rotation=90, ha="center", va="bottom", color=COLOURS[room.package])
    for package, colour in COLOURS.items():
        _package(ax, package, [r for r in everywhere if r.package == package], colour, y)
    for room in everywhere:
        _row(ax, room, data[room.dotted], y, columns, step)
    return figure


def _package(ax: Axes, package: str, its: list[Room], colour: str, y: dict[str, float]) -> None:
    """Its name, and a band for each floor."""
    ax.text(BOX, y[its[0].dotted] - 9, package, size=12, weight="bold", color=colour)
    for floor in {r.floor for r in its}:
        on = [r for r in its if r.floor == floor]
        shade = "#ebebeb" if floor % 2 == 0 else "#f8f8f8"
        ax.add_patch(Rectangle((BOX - 6, y[on[0].dotted]), WIDTH - BOX, ROW * len(on), color=shade, lw=0, zorder=0))


def _row(ax: Axes, room: Room, found: dict, y: dict[str, float], columns: dict[str, float], step: float) -> None:
    """One room."""
    colour, top = COLOURS[room.package], y[room.dotted]
    middle = top + ROW / 2
    ax.add_patch(Rectangle((BOX, top + 2), TEXT - BOX - 10, ROW - 4, facecolor="white", edgecolor=colour, lw=1.2))
    ax.text(BOX + 6, middle, room.name, va="center", weight="bold", color=colour)
    size = f"{found['modules']} / {found['lines']:,}" if found["modules"] > 1 else f"{found['lines']:,}"
    ax.text(TEXT - 15, middle, size, va="center", ha="right", size=7.5, color="#555555")
    ax.text(TEXT, middle, room.purpose, va="center", size=7.5)
    x = columns[room.dotted]
    ax.add_patch(Rectangle((x - step / 2 + 1, top + 2), step - 2, ROW - 4, color=colour, lw=0))
    for name, count in found["imports"].items():
        shade = COLOURS[name.partition(".")[0]]
        alpha = min(0.12 + 0.05 * count, 0.6)
        ax.add_patch(Rectangle((columns[name] - step / 2 + 1, top + 2), step - 2, ROW - 4, facecolor=shade, alpha=alpha, lw=0))
        ax.text(columns[name], middle, str(count), ha="center", va="center", size=7.5)


def draw(folder: Path) -> None:
    """Writes the picture and what it shows."""
    data = survey()
    with matplotlib.rc_context(STYLE):
        figure = picture(data)
        for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
            save = partial(figure.savefig, format=suffix[1:], facecolor="white", metadata=metadata)
            write_atomic(folder / f"{NAME}{suffix}", save)
        plt.close(figure)
    write_json(folder / f"{NAME}.json", data)


if __name__ == "__main__":
    draw(FOLDER / "pictures")
