"""``cosim init``: a project to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError

from . import options as o
from .output import answer

PROJECT = ("plan.toml", "study.toml", "comparator.cir", "Makefile")


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; made if it is not there.")], json: o.Json = False
) -> None:
    """Write a commented project: a plan, a study, a comparator to replace, a Makefile from netlist to accuracy.

    Example: cosim init my-converter && make -C my-converter
    """
    from netlists.files import write_text

    if there := [name for name in PROJECT if (folder / name).exists()]:
        raise InputError(f"{folder / there[0]}: is there already; choose another folder")
    written = [write_text(folder / name, (files("cosim.cli") / "project" / name).read_text()) for name in PROJECT]
    text = f"{folder}: {', '.join(PROJECT)}; go on with `make -C {folder}`"
    answer({"folder": str(folder), "files": [str(path) for path in written]}, text, json)
