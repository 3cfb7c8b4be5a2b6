"""``cosim compare``: two results side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import options as o
from ..output import answer, notes

Result = Annotated[
    Path, typer.Argument(help="A run's folder, a model (.json), a folder of results, or a saved `cosim evaluate --json` (.json).")
]


def compare(
    first: Result,
    second: Result,
    max_inl: o.MaxInl = 0.5,
    max_dnl: o.MaxDnl = 0.5,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder for tables, pictures and a page.")] = None,
    json: o.Json = False,
) -> None:
    """Set two results of one kind side by side: settings that differ, figures with the interval of their difference, pictures.

    Chips of two runs of the same seed are the same draws, so that differences are paired. It ends with exit code 0 whatever
    differs; --max-inl and --max-dnl are limits of the yield of runs.

    Example: cosim compare runs/sigmoid5 runs/sigmoid5-wide --out compared

    Example: cosim compare models/sigmoid4.json models/sigmoid5.json --json

    Example: cosim compare results/kws-bits mine/kws-bits
    """
    from characterization.plan import Limits

    from ...report import RunOptions
    from ...side_by_side import compare_results, write_side_by_side

    found = compare_results(first, second, Limits(max_inl=max_inl, max_dnl=max_dnl))
    if out is not None:
        write_side_by_side(found, out, RunOptions(progress=False, say=notes(quiet=True), command=o.as_typed()))
    written = [] if out is None else [f"report: {out / 'report.html'}"]
    answer(found.as_dict() | {"out": None if out is None else str(out)}, "\n".join([found.report(), *written]), json)
