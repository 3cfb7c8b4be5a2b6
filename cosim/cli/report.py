"""``cosim report``: the page of a study again, from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options as o
from .output import answer


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished study, such as results/demo.")],
    json: o.Json = False,
) -> None:
    """Write the report of a study again, from the files in its folder; nothing is simulated.

    Example: cosim report results/demo
    """
    from cosim.report import changed_files, write_report

    page = write_report(folder)
    answer({"report": str(page), "warnings": changed_files(folder)}, f"report: {page}", json)
