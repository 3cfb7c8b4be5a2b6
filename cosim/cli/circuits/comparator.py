"""``cosim comparator``: the datasheet of a comparator of your own."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import ToolkitError
from netlists.outside import PDKS, Wiring, load_user_subcircuit
from netlists.spice import Permissions
from netlists.technology import CORNERS, RampCircuit

from .. import options as o
from ..output import answer, be_silent, note
from ..ramp_options import AllowFiles, Bias, Param, Ports


def comparator(
    *,
    where: Annotated[str, typer.Argument(metavar="FILE:NAME", help="File and subcircuit.")],
    out: o.Out,
    ports: Ports = None,
    bias: Bias = None,
    param: Param = None,
    pdk: Annotated[
        str,
        typer.Option(help=f"Library of its models: {', '.join(filter(None, PDKS))}; none if the file has all it needs."),
    ] = "",
    supply: Annotated[float, typer.Option(help="Nominal supply, V.")] = RampCircuit.v_dd,
    v_cm: Annotated[float, typer.Option("--v-cm", help="Analog ground, V.")] = RampCircuit.v_cm,
    corners: Annotated[str, typer.Option(help="Corners of the library.")] = ",".join(CORNERS),
    temperatures: Annotated[str, typer.Option(help="Extremes, deg C; measured beside 27.")] = "-40,125",
    spread: Annotated[float, typer.Option(help="Supplies go this share below and above.")] = 0.1,
    samples: Annotated[int, typer.Option(help="Instances with mismatch.")] = 300,
    chips: Annotated[int, typer.Option(help="Converters on which the macro-model is held against the block; 0: none.")] = 16,
    seed: o.Seed = 1,
    limits: Annotated[
        Path | None, typer.Option(help="Limits (TOML): [noise] max = 1e-3; exit code 1 where one is not met.")
    ] = None,
    allow_files: AllowFiles = False,
    jobs: o.Jobs = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Datasheet of a comparator of your own, over corners, temperature, supply and mismatch, and its block file for all commands.

    Example: cosim comparator mycomp.spice:mycomp --pdk sky130 --bias VBN=0.65 --limits limits.toml --out mycomp

    Example: cosim characterize --comparator mycomp/block.json --out runs/mine
    """
    from cosim.report import RunOptions

    from ...datasheet.figures import load_limits
    from ...datasheet.run import BLOCK, describe, make_datasheet
    from ...datasheet.settings import DatasheetSettings

    wiring = Wiring.parse("comparator", ports or [], bias or [], param or [])
    own = load_user_subcircuit(where, "comparator", Permissions(files=allow_files), wiring, pdk)
    note(f"comparator {own.wiring}")
    settings = DatasheetSettings(
        own,
        v_dd=supply,
        v_cm=v_cm,
        corners=tuple(c.strip() for c in corners.split(",")),
        temperatures=o.floats_from(temperatures, "--temperatures"),
        spread=spread,
        samples=samples,
        chips=chips,
        seed=seed,
    )
    options = RunOptions(o.workers(jobs), not quiet, be_silent if quiet else note)
    summary = make_datasheet(settings, out, options, limits=load_limits(limits), command=shlex.join(["cosim", *sys.argv[1:]]))
    answer(summary, f"{describe(summary)}\ndatasheet: {out / 'report.html'}; for other commands: --comparator {out / BLOCK}", json)
    if summary["failed"]:
        raise ToolkitError(f"limits {limits}: not met by {', '.join(summary['failed'])}")
