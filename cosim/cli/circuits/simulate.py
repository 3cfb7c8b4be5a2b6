"""``cosim simulate``: a deck from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from netlists.errors import InputError
from netlists.outside import Wave, Waves, read_outside_deck, requests, simulate_analysis
from netlists.spice import Permissions

from .. import options as o
from ..output import answer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PICTURES = ("png", "svg", "pdf")


def simulate(
    deck: Annotated[Path, typer.Argument(help="SPICE deck, from anywhere.")],
    save: Annotated[
        list[str] | None,
        typer.Option(help="Vector to keep: v(node), v(a,b), i(v1), @m1[id]; may be repeated. Default: the deck's .save, or all."),
    ] = None,
    analysis: Annotated[str | None, typer.Option(help="Which analysis, if the deck has several: tran, ac, dc or op.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture to draw: .png, .svg or .pdf.")] = None,
    out: Annotated[Path | None, typer.Option(help="Parquet file to write the vectors to.")] = None,
    allow_files: Annotated[
        bool, typer.Option("--allow-files", help="Let the deck read files outside its folder, and data files.")
    ] = False,
    allow_commands: Annotated[
        bool,
        typer.Option(
            "--allow-commands", help="Run the deck's control blocks: they can start programs and write files, in the deck's folder."
        ),
    ] = False,
    json: o.Json = False,
) -> None:
    """Run a SPICE deck in ngspice and keep, plot and summarise its vectors.

    Without the --allow options a deck can do nothing but simulate. Its control blocks are not run then: analyses and
    saves in them count as cards, printing and plotting are left out.

    Example: cosim simulate deck.cir --save "v(out)" --plot out.png --out waves.parquet
    """
    from netlists.files import write_atomic

    if plot is not None and plot.suffix.lower().removeprefix(".") not in PICTURES:
        raise InputError(f"--plot {plot}: the name must end in one of .{', .'.join(PICTURES)}")
    wanted = tuple(v for text in save or [] for v in requests(text))
    if save and not wanted:
        raise InputError("--save: names no vector; write v(node), v(a,b), i(source) or @device[parameter]")
    allowed = Permissions(files=allow_files, commands=allow_commands)
    read = read_outside_deck(deck, allowed)
    spice = read.deck(wanted, analysis)
    one = None if read.commands else read.analysis(analysis)
    if plot is not None and one is not None and one.kind == "op":
        raise InputError(f"--plot {plot}: an operating point is a single point; leave --plot away")
    folder = deck.resolve().parent if allow_files or allow_commands else None
    waves = simulate_analysis(spice, one, wanted or read.saved, folder=folder)
    if out is not None:
        table = tabulate(waves)
        write_atomic(out, lambda p: table.to_parquet(p, index=False))
    if plot is not None:
        write_atomic(plot, lambda p: draw(waves).savefig(p, format=plot.suffix.lower().removeprefix("."), dpi=130))
    answer(*_summary(deck, one.card if one else waves.kind, waves, read.skipped, plot, out), json)


def tabulate(waves: Waves) -> pd.DataFrame:
    """Vectors as columns, scales first; an AC vector as ``mag(NAME)`` and ``phase_deg(NAME)`` (degrees, unwrapped)."""
    import pandas as pd

    columns = {w.name: w.values for w in waves.scales}
    for w in waves.vectors:
        if np.iscomplexobj(w.values):
            columns[f"mag({w.name})"] = np.abs(w.values)
            columns[f"phase_deg({w.name})"] = _phase(w)
        else:
            columns[w.name] = w.values
    return pd.DataFrame(columns)


def _phase(wave: Wave) -> np.ndarray:
    return np.degrees(np.unwrap(np.angle(wave.values)))


def draw(waves: Waves) -> Figure:
    """One row of axes for each unit; in an AC analysis magnitude and phase."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scale = waves.scales[0]
    units = list(dict.fromkeys(w.unit for w in waves.vectors))
    ac = waves.kind == "ac"
    rows = len(units) + ac
    figure = Figure(figsize=(8.5, 1.2 + 2.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 1, squeeze=False, sharex=True)[:, 0]
    for axis, unit in zip(axes, units, strict=False):
        for w in (w for w in waves.vectors if w.unit == unit):
            axis.plot(scale.values, np.abs(w.values) if ac else w.values, linewidth=1.2, label=w.name)
        axis.set_ylabel({"V": "voltage (V)", "A": "current (A)"}.get(unit, f"value ({unit})" if unit else "value"))
        if ac:
            axis.set(xscale="log", yscale="log")
    if ac:
        for w in waves.vectors:
            axes[-1].plot(scale.values, _phase(w), linewidth=1.2, label=w.name)
        axes[-1].set_ylabel("phase (degrees)")
    for axis in axes:
        axis.grid(True, color="#e4e4e4", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        if len(axis.lines) <= 16:
            axis.legend(frameon=False, fontsize=8)
    axes[-1].set_xlabel(f"{scale.name} ({scale.unit})" if scale.unit else scale.name)
    return figure


def _summary(
    deck: Path, card: str, waves: Waves, skipped: tuple[str, ...], plot: Path | None, out: Path | None
) -> tuple[dict, str]:
    vectors = []
    lines = [f"{deck}: {card}, {waves.points} points"]
    for w in waves.vectors:
        values = np.abs(w.values) if np.iscomplexobj(w.values) else w.values
        name = f"|{w.name}|" if np.iscomplexobj(w.values) else w.name
        vectors.append({"name": w.name, "unit": w.unit, "min": float(values.min()), "max": float(values.max())})
        lines.append(f"  {name:<24}min {values.min():<14.6g}max {values.max():<14.6g}{w.unit}")
    lines += [f"left out: {s}" for s in skipped]
    lines += [f"wrote {p}" for p in (out, plot) if p is not None]
    data = {
        "deck": str(deck),
        "analysis": card,
        "points": waves.points,
        "scales": [
            {"name": w.name, "unit": w.unit, "min": float(w.values.min()), "max": float(w.values.max())} for w in waves.scales
        ],
        "vectors": vectors,
        "left_out": list(skipped),
        "out": str(out) if out else None,
        "plot": str(plot) if plot else None,
    }
    return data, "\n".join(lines)
