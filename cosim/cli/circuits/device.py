"""``cosim device``: a device profile from tables of measured cells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError, ToolkitError

from ...studies.devices.settings import DevicesSettings
from .. import options as o
from ..fields import Given, Options
from ..output import answer, notes


def device(
    *,
    tables: Annotated[
        list[Path], typer.Argument(metavar="TABLE.csv...", help="Tables: written cells, repeated reads, I-V sweeps.")
    ],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Profile to write, a .toml file; TABLE.toml by default.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder of the report; PROFILE-report by default.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=NAME[:UNIT]",
            help="What a column is where its name does not say it: cell, target, measured, time, read, note, row, column, voltage, "
            "current or sweep; may be repeated.",
        ),
    ] = None,
    options: Annotated[Given[DevicesSettings], Options(without=("data", "tables", "columns", "name"))],
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Fit a device profile to tables of measured cells: error left by write-verify, drift, read noise, curvature, stuck cells.

    Columns are recognised by names such as target_uS, measured_uS, time_s, read, note; what they are taken for is printed.
    The profile goes wherever a profile does: `evaluate --weights mine.toml`, `budget --profile mine.toml`.

    Example: cosim device written.csv reads.csv -o mine.toml --g-hrs-us 30

    Example: cosim device chip7.csv --column target=Ziel:uS --column measured=Ist:kohm --resample -o chip7.toml
    """
    from cosim.report import RunOptions
    from netlists.files import make_folder, write_bytes

    from ...studies.devices.run import PROFILE, STUDY, describe

    path = out or Path(tables[0].with_suffix(".toml").name)
    if path.suffix != ".toml":
        raise InputError(f"--out {path}: must end in .toml, as every command takes a profile file by that ending")
    folder = report or path.with_name(f"{path.stem}-report")
    # A profile's name has no blanks, its file's may.
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", re.sub(r"^[^A-Za-z]+", "", path.stem))[:40] or "measured"
    if name != path.stem:
        notes(quiet)(f"{path}: the profile is called {name}")
    settings = options.make(data=".", tables=[str(t) for t in tables], columns=tuple(column or ()), name=name)
    summary = STUDY.run(settings, folder, RunOptions(1, False, notes(quiet)))
    write_bytes(make_folder(path.parent) / path.name, (folder / PROFILE).read_bytes())
    answer(summary | {"out": str(path)}, f"{describe(summary)}\nprofile: {path}\nreport: {folder / 'report.html'}", json)
    if failed := [c["what"] for c in summary["checks"] if not c["passed"]]:
        raise ToolkitError(
            f"held-out check failed: {'; '.join(failed)}: {path} was written, but its laws are not those of the table; "
            "look at the report"
            + (", and take --resample to draw from the table itself" if any("written" in what for what in failed) else "")
        )
