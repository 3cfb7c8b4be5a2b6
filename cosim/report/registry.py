"""The report of a study: one self-contained HTML page, made from the files in the study's folder and nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from netlists.errors import InputError
from netlists.files import read_json, write_text
from netlists.technology import RampCircuit

from .page import Page, cell, percent

PAGES = {
    "loop": "cosim.loop.page",
    "budget": "cosim.budget.pages",
    "optimize": "cosim.optimize.page",
    "models": "cosim.studies.models.page",
    "error-sources": "cosim.studies.error_sources.page",
    "nladc-calibration": "cosim.studies.calibration.run",
    "vread": "cosim.studies.vread.run",
    "stuck": "cosim.studies.stuck.run",
    "activations": "cosim.studies.activations.run",
    "kws-bits": "cosim.studies.bits.kws",
    "lm-bits": "cosim.studies.bits.lm",
    "cost": "cosim.studies.cost.run",
}
"""Module of each study; its function ``page`` makes a `Page` of a folder. They draw, which is slow to load."""


def write_report(folder: Path) -> Path:
    """Write ``report.html`` from ``summary.json``, tables and ``pictures/`` in the same folder.

    Raises
    ------
    InputError
        If one of them is missing, or the folder is not a study's.
    """
    folder = Path(folder)
    summary = read_json(folder / "summary.json", "study summary")
    name = summary.get("study") if isinstance(summary, dict) else None
    if name == "demo":
        text = _render("demo.html.j2", folder / "pictures", s=summary, parameters=RampCircuit.describe())
    elif name in PAGES:
        page: Callable[[Path], Page] = import_module(PAGES[name]).page
        text = _render("study.html.j2", folder / "pictures", s=summary, page=page(folder), command=command(summary), folder=folder)
    else:
        raise InputError(f"{folder / 'summary.json'}: study={name!r}: unknown; there are demo, {', '.join(PAGES)}")
    return write_text(folder / "report.html", text)


def command(summary: dict[str, Any]) -> str:
    """The command that makes a study's folder: the one it names, or that of its settings where they differ from the preset."""
    if "command" in summary:
        return str(summary["command"])
    line = f"cosim study {summary['study']}"
    study = getattr(import_module(PAGES[summary["study"]]), "STUDY", None)
    if study is not None:
        standard = study.settings().model_dump(mode="json")
        for name, value in summary["settings"].items():
            if name in standard and value != standard[name]:
                line += f" --set '{name}={json.dumps(value)}'"
    if summary["study"] == "error-sources":
        line += "".join(f" --task {name}" for name in summary["tasks"])
    return line


def _render(template: str, pictures: Path, **values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("cosim.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "cell": cell, "listed": _listed}
    picture = lambda title: _embedded(pictures / f"{title}.png")  # noqa: E731 - a function of the template
    return environment.get_template(template).render(picture=picture, **values)


def _embedded(path: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as e:
        raise InputError(f"{path}: the picture cannot be read ({e.strerror}); run the study again") from None


def _listed(value: object) -> str:
    """A setting on one line."""
    return ", ".join(_listed(v) for v in value) if isinstance(value, list) else cell(value)
