"""``cosim figures``: figures of merit of a Monte Carlo run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import options as o
from ..output import answer, write_table

_TITLES = {
    "max_inl_in": "max |INL|, input LSB",
    "max_inl_out": "max |INL|, output LSB",
    "max_dnl": "max |DNL|, LSB",
    "offset": "offset, input units",
    "gain": "gain",
    "missing_codes": "missing codes",
    "enob": "effective bits",
}
_WHOSE = {
    "calibrating": "the column that calibrated the ramp",
    "any": "any other column of the chip",
    "all": "a chip with all its {columns} columns (each figure of its worst one)",
}


def figures(
    run: o.RunFolder,
    max_inl: o.MaxInl = 0.5,
    max_dnl: o.MaxDnl = 0.5,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write three rows a chip and calibration state: .csv, .json or .parquet."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also draw levels, INL and DNL bands and yield against the limit: .png, .svg or .pdf."),
    ] = None,
    json: o.Json = False,
) -> None:
    """Figures of merit of a run: INL, DNL, offset, gain, missing codes, noise, effective bits, yield.

    Each of the column that calibrated the ramp, of another column, and of a chip with all its columns.

    Example: cosim figures runs/sigmoid5 --max-inl 0.5 --table chips.csv --plot chips.png
    """
    import pandas as pd

    from characterization.chips import COLUMN_SCOPES
    from characterization.estimates import summary
    from characterization.plan import Limits
    from characterization.run import load_run

    o.check_ending("--table", table, o.TABLES)
    o.check_ending("--plot", plot, o.PICTURES)
    loaded = load_run(run)
    limits = Limits(max_inl=max_inl, max_dnl=max_dnl)
    found = summary(loaded, limits)
    if table is not None:
        rows = pd.concat([loaded.figures(columns) for columns in COLUMN_SCOPES], ignore_index=True)
        write_table(table, rows)
    if plot is not None:
        from ...report import draw_run, write_figure

        write_figure(plot, draw_run(loaded, limits))
    answer(found, "\n".join(_lines(found)), json)


def _lines(found: dict) -> list[str]:
    columns = found["columns_of_a_chip"]
    lines = [
        f"{found['activation']}, {found['bits']} bits: {found['samples']} samples, {found['failed']} failed"
        + "".join(f"; {n} {kind}" for kind, n in found["failures"].items()),
        f"conversion time {found['conversion_time_s'] * 1e9:.0f} ns; calibration {found['calibration']}",
    ]
    limits = found["limits"]
    for scope, whose in _WHOSE.items():
        entry = found["columns"][scope]
        lines += [
            "",
            whose.format(columns=columns),
            f"{'':24}{'before calibration':>34}{'after calibration':>34}",
            f"{'':24}" + f"{'mean':>12}{'median':>11}{'95 %':>11}" * 2,
        ]
        for name, title in _TITLES.items():
            if name in entry["before"] or name in entry["after"]:
                cells = [entry[state].get(name) for state in ("before", "after")]
                numbers = (f"{c['mean']:12.4g}{c['median']:11.4g}{c['p95']:11.4g}" if c else f"{'':34}" for c in cells)
                lines.append(f"{title:24}" + "".join(numbers))
        lines += [_yield(state, share) for state, share in entry["yield"].items() if share["tested"]]
    lines += ["", f"limits: max |INL| {limits['max_inl']}, max |DNL| {limits['max_dnl']} LSB, monotonic"]
    if noise := found["noise_rms_lsb"]:
        lines.append(f"noise of a conversion   {min(noise):.4f}..{max(noise):.4f} LSB rms over the transition levels")
    return lines


def _yield(state: str, share: dict) -> str:
    return (
        f"yield {state:6} {100 * share['value']:.2f} % ({share['good']} of {share['tested']};"
        f" 95 % interval {100 * share['low']:.2f}..{100 * share['high']:.2f} %)"
    )
