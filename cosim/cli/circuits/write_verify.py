"""``cosim write-verify``: cells programmed pulse by pulse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError

from .. import options as o
from ..output import answer, write_table


def write_verify(
    profile: Annotated[str, typer.Argument(help="Device profile: a built-in name or a .toml file.")],
    targets: Annotated[
        str | None, typer.Option(help="Conductances, uS, with commas between; 16 over the profile's range by default.")
    ] = None,
    cells: Annotated[int, typer.Option(help="Cells for each target.")] = 8,
    window: Annotated[
        float | None, typer.Option(metavar="US", help="Largest error that is accepted; the profile's by default.")
    ] = None,
    tries: Annotated[int, typer.Option(help="Pulses that a cell may take.")] = 20,
    rate_spread: Annotated[float, typer.Option(help="Sigma of the logarithm of the switching rate, cell to cell.")] = 0.2,
    pulse_spread: Annotated[float, typer.Option(help="The same, pulse to pulse.")] = 0.1,
    seed: o.Seed = o.SEED,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with a row for each cell: .csv, .json or .parquet.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Errors and pulses, as PNG and SVG: .png and .svg are both written.")
    ] = None,
    json: o.Json = False,
) -> None:
    """Program cells pulse by pulse in ngspice until each reading is within the window: what error stays, in how many pulses.

    Example: cosim write-verify taox-100-400 --targets 100,250,400 --window 2 --seed 1 --out cells.csv
    """
    from characterization.chips import WriteVerifyScheme, write_states
    from netlists.technology import load_profile

    o.check_ending("--out", out, o.TABLES)
    o.check_ending("--picture", picture, (".png", ".svg", ""))
    try:
        asked = None if targets is None else [1e-6 * o.number_of("uS")(g) for g in targets.split(",")]
    except ValueError:
        raise InputError(f"--targets {targets!r}: must be numbers in uS with commas between, such as 100,250,400") from None
    device = load_profile(profile)
    if window is not None:
        device = replace(device, program_window=1e-6 * window)
    scheme = WriteVerifyScheme(max_tries=tries, rate_spread=rate_spread, pulse_spread=pulse_spread)
    result = write_states(device, asked, cells=cells, seed=seed, scheme=scheme)
    if out is not None:
        write_table(out, result.to_frame().reset_index())
    if picture is not None:
        from cosim.report import pictures as plots

        plots.write_verify(picture, result)
    s = result.summary()
    text = (
        f"{device.name}: {s['cells'] - s['failed']} of {s['cells']} cells read within {1e6 * s['window_s']:g} uS, "
        f"{s['tries_mean']:.3g} pulses in the mean, {s['tries_max']} at most\n"
        f"error left: mean {1e6 * s['residual_mean_s']:.3g} uS, rms {1e6 * s['residual_rms_s']:.3g} uS, "
        f"largest {1e6 * s['residual_max_s']:.3g} uS"
    )
    answer(s | {"profile": device.name, "seed": seed, "out": str(out) if out else None}, text, json)
