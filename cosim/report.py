"""The report of a study: one self-contained HTML page, made from the files in the study's folder and nothing else."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from characterization.provenance import read_json, write_atomic
from netlists.errors import InputError
from netlists.parameters import RampCircuit


def write_report(folder: Path) -> Path:
    """Write ``report.html`` from ``summary.json`` and ``pictures/`` in the same folder.

    Raises
    ------
    InputError
        If one of them is missing.
    """
    summary = read_json(folder / "summary.json", "study summary")
    environment = Environment(
        loader=PackageLoader("cosim"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda v: f"{100 * v:.2f} %"
    environment.filters["table"] = _cell
    page = environment.get_template(f"{summary['study']}.html.j2").render(
        s=summary,
        picture=lambda name: _embedded(folder / "pictures" / f"{name}.png"),
        parameters=RampCircuit.describe(),
    )
    return write_atomic(folder / "report.html", lambda p: p.write_text(page))


def _embedded(path: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as e:
        raise InputError(f"{path}: the picture cannot be read ({e.strerror}); run the study again") from None


def _cell(value: object) -> str:
    """A number as a reader wants it: four significant digits, whole numbers whole."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.4g}"
    return str(value)
