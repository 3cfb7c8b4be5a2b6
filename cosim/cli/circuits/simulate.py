"""``cosim simulate``: a deck from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from netlists.checks import Number, Seconds, check
from netlists.errors import InputError
from netlists.outside import COMPATIBILITY, DeckResults, Wave, Waves, read_outside_deck, requests, simulate_outside
from netlists.spice import TIME_LIMIT, Permissions

from .. import options as o
from ..output import answer, write_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Gibibytes = Annotated[float, Number(0.1, 1e6, unit="GiB")]


def simulate(
    deck: Annotated[Path, typer.Argument(help="SPICE deck, from anywhere.")],
    save: Annotated[
        list[str] | None,
        typer.Option(help="Vector to keep: v(node), v(a,b), i(v1), @m1[id]; may be repeated. Default: the deck's .save, or all."),
    ] = None,
    analysis: Annotated[str | None, typer.Option(help="Only the analyses of this kind: tran, ac, dc, op, noise, tf ...")] = None,
    compat: Annotated[
        str | None,
        typer.Option(metavar="MODE", help=f"ngspice's compatibility mode: {', '.join(COMPATIBILITY)}. Open PDKs need hsa."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Picture to draw: .png, .svg or .pdf.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where the vectors go: .csv, .json, .parquet, or .raw, which ngspice and waveform viewers load."
        ),
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="When ngspice is ended.")] = TIME_LIMIT,
    memory_limit: Annotated[
        float | None,
        typer.Option(metavar="GIB", help="Memory that ngspice may take. Default: three quarters of this computer's."),
    ] = None,
    allow_files: Annotated[
        bool, typer.Option("--allow-files", help="Let the deck read files outside its folder, and data files.")
    ] = False,
    allow_commands: Annotated[
        bool,
        typer.Option(
            "--allow-commands",
            help="Run all commands of its control blocks: they can start programs and write files, in its folder.",
        ),
    ] = False,
    json: o.Json = False,
) -> None:
    """Run all analyses of a SPICE deck in ngspice, and keep, plot and summarise what comes of them.

    Without the --allow options a deck can do nothing but simulate: of its control blocks analyses, loops, alter, let, meas and
    print are run; plots and files are left out, with a note.

    Example: cosim simulate deck.cir --save "v(out)" --plot out.png --out waves.parquet
    """
    o.check_ending("--plot", plot, o.PICTURES)
    o.check_ending("--out", out, (*o.TABLES, ".raw"))
    wanted = tuple(v for text in save or [] for v in requests(text))
    if save and not wanted:
        raise InputError("--save: names no vector; write v(node), v(a,b), i(source) or @device[parameter]")
    allowed = Permissions(files=allow_files, commands=allow_commands)
    read = read_outside_deck(deck, allowed)
    if plot is not None and not read.commands and all(a.kind in ("op", "tf") for a in read.chosen(analysis)):
        raise InputError(f"--plot {plot}: an operating point is a single point; leave --plot away")
    memory = None if memory_limit is None else int(check(Gibibytes, memory_limit, "memory_limit") * 2**30)
    check(Seconds, time_limit, "time_limit")
    folder = deck.resolve().parent if allow_files or allow_commands else None
    results = simulate_outside(read, wanted, analysis, compat=compat or "", folder=folder, timeout=time_limit, memory=memory)
    _write(results, deck, plot, out)
    answer(*_summary(deck, results, read.skipped, plot, out), json)
    if results.status:
        raise typer.Exit(1)


def _write(results: DeckResults, deck: Path, plot: Path | None, out: Path | None) -> None:
    from netlists.files import write_atomic
    from netlists.spice import write_raw_plots

    if out is not None and out.suffix.lower() == ".raw":
        plots = [w.raw_plot() for w in results.waves]
        write_atomic(out, lambda p: write_raw_plots(p, plots, deck.name))
    elif out is not None:
        write_table(out, tabulate_all(results))
    if plot is not None:
        drawn = [w for w in results.waves if w.scales and w.points > 1]
        if not drawn:
            raise InputError(f"--plot {plot}: an operating point is a single point; leave --plot away")
        write_atomic(plot, lambda p: draw_all(drawn).savefig(p, format=plot.suffix.lower().removeprefix("."), dpi=130))


def tabulate(waves: Waves) -> pd.DataFrame:
    """Vectors as columns, scales first; an AC vector as ``mag(NAME)`` and ``phase_deg(NAME)`` (degrees, unwrapped)."""
    import pandas as pd

    columns = {w.name: w.values for w in waves.scales}
    for w in (w for w in waves.vectors if len(w.values) <= waves.points):
        values = w.values if len(w.values) == waves.points else _lengthened(w.values, waves.points)
        if np.iscomplexobj(values):
            columns[f"mag({w.name})"] = np.abs(values)
            columns[f"phase_deg({w.name})"] = np.degrees(np.unwrap(np.angle(values)))
        else:
            columns[w.name] = values
    return pd.DataFrame(columns)


def _lengthened(values: np.ndarray, points: int) -> np.ndarray:
    """A number in every row; any other shorter vector with no value in the rows that are left."""
    if len(values) == 1:
        return np.repeat(values, points)
    return np.append(values, np.full(points - len(values), np.nan, values.dtype))


def tabulate_all(results: DeckResults) -> pd.DataFrame:
    """The analyses one below the other: the column ``analysis`` names them, if there are several, with the steps of loops."""
    import pandas as pd

    tables = []
    for waves in results.waves:
        table = tabulate(waves)
        if len(results.waves) > 1:
            for name, value in reversed(waves.step):
                table.insert(0, f"step {name}", _number(value))
            table.insert(0, "analysis", waves.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _number(text: str) -> float | str:
    from netlists.quantities import spice_number

    try:
        return spice_number(text)
    except InputError:
        return text


def draw_all(found: list[Waves]) -> Figure:
    """The analyses of each kind over one another, kinds from left to right; a row of axes for each unit."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys(w.kind for w in found))
    units = {kind: list(dict.fromkeys(v.unit for w in found if w.kind == kind for v in w.vectors)) for kind in kinds}
    rows = max(len(units[k]) + (k == "ac") for k in kinds)
    figure = Figure(figsize=(8.5 * len(kinds), 1.2 + 2.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for column, part in zip(kinds, figure.subfigures(1, len(kinds), squeeze=False)[0], strict=True):
        of_kind = [w for w in found if w.kind == column]
        axes = part.subplots(len(units[column]) + (column == "ac"), 1, squeeze=False, sharex=True)[:, 0]
        for waves in of_kind:
            _draw(axes, waves, units[column], f" {waves.name}" if len(of_kind) > 1 else "")
        for axis in axes:
            axis.grid(True, color="#e4e4e4", linewidth=0.6)
            axis.spines[["top", "right"]].set_visible(False)
            if 0 < len(axis.get_legend_handles_labels()[0]) <= 16:
                axis.legend(frameon=False, fontsize=8)
        scale = of_kind[0].scales[0]
        axes[-1].set_xlabel(f"{scale.name} ({scale.unit})" if scale.unit else scale.name)
    return figure


def _draw(axes: Any, waves: Waves, units: list[str], suffix: str) -> None:
    """One analysis: a row for each unit; in an AC analysis magnitude and phase."""
    scale, ac = waves.scales[0], waves.kind == "ac"
    whole = [w for w in waves.vectors if len(w.values) == waves.points]
    for axis, unit in zip(axes, units, strict=False):
        for w in (w for w in whole if w.unit == unit):
            axis.plot(scale.values, np.abs(w.values) if ac else w.values, linewidth=1.2, label=w.name + suffix)
        axis.set_ylabel({"V": "voltage (V)", "A": "current (A)"}.get(unit, f"value ({unit})" if unit else "value"))
        if ac or waves.kind == "noise":
            axis.set(xscale="log", yscale="log")
    if ac:
        for w in whole:
            axes[-1].plot(scale.values, np.degrees(np.unwrap(np.angle(w.values))), linewidth=1.2, label=w.name + suffix)
        axes[-1].set_ylabel("phase (degrees)")


def _extremes(wave: Wave) -> dict[str, Any]:
    values = np.abs(wave.values) if np.iscomplexobj(wave.values) else wave.values
    return {"name": wave.name, "unit": wave.unit, "min": float(values.min()), "max": float(values.max())}


def _one(waves: Waves) -> dict[str, Any]:
    return {
        "name": waves.name,
        "analysis": waves.card,
        "step": dict(waves.step),
        "points": waves.points,
        "scales": [_extremes(w) for w in waves.scales],
        "vectors": [_extremes(w) for w in waves.vectors],
        "measurements": waves.measurements or {},
    }


def _summary(deck: Path, results: DeckResults, skipped: tuple[str, ...], plot: Path | None, out: Path | None) -> tuple[dict, str]:
    analyses = [_one(w) for w in results.waves]
    lines = []
    for waves, found in zip(results.waves, analyses, strict=True):
        at = "".join(f", {name} = {value}" for name, value in waves.step)
        title = f"{waves.name}: {waves.card or waves.kind}" if len(analyses) > 1 else waves.card or waves.name
        lines.append(f"{deck}: {title}{at}, {waves.points} points")
        for w, v in zip(waves.vectors, found["vectors"], strict=True):
            name = f"|{w.name}|" if np.iscomplexobj(w.values) else w.name
            lines.append(f"  {name:<23} min {v['min']:<14.6g}max {v['max']:<14.6g}{w.unit}")
        lines += [f"  {k:<23} {'failed' if v is None else f'{v:g}'}" for k, v in found["measurements"].items()]
    lines += [f"printed: {line}" for line in results.printed]
    lines += [f"left out: {s}" for s in skipped]
    warnings = list(results.warnings)
    if out is not None:
        other = [(w, v) for w in results.waves for v in w.vectors if len(v.values) != w.points]
        names = [f"{v.name} of {w.name} ({len(v.values)})" for w, v in other if out.suffix == ".raw" or len(v.values) > w.points]
        warnings += [f"{out}: of another length than their analysis and not in it: vectors {', '.join(names)}"] if names else []
    lines += [f"wrote {p}" for p in (out, plot) if p is not None]
    single = {k: analyses[0][k] for k in ("analysis", "points", "scales", "vectors")} if len(analyses) == 1 else {}
    data = {
        "deck": str(deck),
        **single,
        "analyses": analyses,
        "compat": results.compat or None,
        "status": results.status,
        "printed": list(results.printed),
        "left_out": list(skipped),
        "warnings": [w.replace("compat='", "--compat '") for w in warnings],
        "out": str(out) if out else None,
        "plot": str(plot) if plot else None,
    }
    return data, "\n".join(lines)
