"""``cosim sensitivity``: what moves a converter, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import options as o
from ..output import answer, notes
from ..ramp_options import ChipOptions


def sensitivity(
    *,
    ramp: ChipOptions,
    sample: Annotated[int | None, typer.Option(help="Drawn chip to differentiate. Default: the nominal one.")] = None,
    k_sigma: Annotated[float, typer.Option(help="Distance of the worst case, sigma.")] = 3.0,
    max_inl: o.MaxInl = 0.5,
    max_dnl: o.MaxDnl = 0.5,
    columns: o.Columns = "calibrating",
    chips: Annotated[int, typer.Option(help="Chips drawn for the linear yield and the closed form beside it.")] = 20_000,
    trim_chips: Annotated[int, typer.Option(help="Chips drawn for the order of trimming.")] = 50,
    spice: Annotated[bool, typer.Option("--spice", help="Check derivatives, worst case and trimming in ngspice.")] = False,
    spice_chips: Annotated[int, typer.Option(help="Chips simulated for the yield; 0: none.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Also write tables, pictures and a page.")] = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Derivatives of levels, max |INL| and offset by each cell and parameter; cells to trim first, worst case, linear yield.

    Example: cosim sensitivity --activation sigmoid --bits 5 --spice --out sensitivity
    """
    from characterization.plan import Limits
    from cosim.report import RunOptions
    from cosim.sensitivity import SensitivitySettings, analyse, describe, run_sensitivity

    settings = SensitivitySettings(
        ramp.plan(notes(quiet)),
        sample=sample,
        limits=Limits(max_inl=max_inl, max_dnl=max_dnl),
        columns=columns,
        k_sigma=k_sigma,
        chips=chips,
        trim_chips=trim_chips,
        spice=spice,
        spice_chips=spice_chips,
    )
    if out is None:
        found = analyse(settings)
        summary = {**found.summary, "warnings": list(found.warnings)}
    else:
        summary = run_sensitivity(settings, out, RunOptions(command=o.as_typed()))
    answer(summary, describe(summary) + (f"\n{out / 'report.html'}" if out else ""), json)
