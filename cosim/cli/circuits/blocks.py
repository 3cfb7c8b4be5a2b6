"""``cosim blocks``: the transistor-level blocks, measured, and the macro-models derived from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError

from .. import options as o
from ..output import answer, notes


def blocks(
    out: o.OutFolder = Path("results/blocks"),
    samples: Annotated[int, typer.Option(help="Mismatch samples of each offset distribution.")] = 300,
    seed: o.Seed = o.SEED,
    jobs: o.Jobs = 0,
    nominal_only: Annotated[bool, typer.Option("--nominal-only", help="Only tt, 27 C, 1.8 V: quick, no corners.")] = False,
    macro_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the macro-models' parameters go (.toml); with the corners only.")
    ] = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Measure op-amp, integrator, comparators and access transistor on the SkyWater 130 nm models (level sky130).

    Example: cosim blocks --samples 300 --seed 1 --out results/blocks
    """
    from characterization.transistors import EXTREMES, MACRO_FILE, measure_blocks, write_macro_parameters
    from netlists.technology import CORNERS

    o.check_ending("--macro-file", macro_file, (".toml",))
    if nominal_only and macro_file is not None:
        raise InputError(f"--macro-file {macro_file}: needs the corners; leave out --nominal-only")
    corners, extremes = (("tt",), ((27.0, 1.8),)) if nominal_only else (CORNERS, EXTREMES)
    summary = measure_blocks(
        out,
        samples=samples,
        seed=seed,
        corners=corners,
        extremes=extremes,
        jobs=o.workers(jobs),
        progress=notes(quiet),
    )
    lines = [f"{out}: op-amp {summary['ota']['gain_db']:.1f} dB, GBW {summary['ota']['gbw'] / 1e6:.0f} MHz"]
    for row in summary["offsets"]:
        lines.append(f"{row['block']} at {row['common_mode']:g} V: offset sigma {1e3 * row['sigma']:.2f} mV, n = {row['n']}")
    for row in summary["autozero"]:
        lines.append(
            f"auto-zero, level {row['level']}: offsets of {1e3 * row['offset_rms']:.2f} mV rms leave {1e3 * row['residue']:.4f} +-"
            f" {1e3 * row['residue_sigma']:.4f} mV (charge of the switch) and {1e3 * row['noise']:.3f} mV of noise:"
            f" {1e3 * row['left_rms']:.3f} mV rms, at most {1e3 * row['required']:.2f} mV may be left"
        )
    if not nominal_only:
        path = macro_file or MACRO_FILE
        write_macro_parameters(summary, path, tables=out)
        lines.append(f"macro-model parameters: {path.name}")
    answer(summary, "\n".join(lines), json)
