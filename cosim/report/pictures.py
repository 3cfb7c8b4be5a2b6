"""House style of pictures, drawn without a display and written as PNG and SVG."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from netlists.errors import InputError
from netlists.files import write_atomic

if TYPE_CHECKING:
    import pandas as pd

    from characterization.chips import WriteVerifyResult

# Blue for what is ideal, orange for what ngspice measured, grey before calibration: told apart without colour vision too.
IDEAL, MEASURED, BEFORE = "#0b4f9c", "#d95f02", "#8a8a8a"
PICTURES = (".png", ".svg", ".pdf")
matplotlib.rcParams["svg.hashsalt"] = "nladc-cosim"
matplotlib.rcParams["font.size"] = 10


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, *, dpi: int = 130, **grid: Any
) -> tuple[Figure, np.ndarray]:
    """Makes a figure of so many inches and its axes, ndarray (rows, columns)."""
    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **grid)
    for axis in axes.flat:
        axis.grid(True, color="#e4e4e4", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def band(axis: Axes, x: Any, lines: Any, colour: str, line: str = "-", *, alpha: float = 0.3, **style: Any) -> None:
    """Draws the band between the lowest and the highest of three lines, and the one in the middle."""
    low, middle, high = lines
    axis.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0)
    axis.plot(x, middle, line, color=colour, **style)


def yield_bars(axis: Axes, x: Any, rows: pd.DataFrame, **style: Any) -> None:
    """Draws yields, columns ``yield``, ``low`` and ``high`` of the rows, with their intervals in per cent."""
    error = 100 * np.array([rows["yield"] - rows["low"], rows["high"] - rows["yield"]])
    axis.errorbar(x, 100 * rows["yield"], yerr=np.maximum(error, 0), **style)
    axis.set(ylim=(-3, 103), ylabel="yield (%)")


def point_names(axis: Axes, names: Iterable[str], x: Any, y: Any, shift: tuple[float, float], **style: Any) -> None:
    """Writes a name beside each point, shifted by so many typographic points."""
    for name, *at in zip(names, x, y, strict=True):
        axis.annotate(name, (at[0], at[1]), xytext=shift, textcoords="offset points", **{"fontsize": 8} | style)


def save_figure(figure: Figure, path: Path) -> None:
    """Writes ``path`` as PNG and SVG, each complete or not at all; the same picture gives the same bytes."""
    write_atomic(path.with_suffix(".png"), lambda p: figure.savefig(p, format="png"))
    write_atomic(path.with_suffix(".svg"), lambda p: figure.savefig(p, format="svg", metadata={"Date": None}))


def write_figure(path: Path, figure: Figure) -> None:
    """Writes one file of the kind that its suffix names, complete or not at all.

    Raises
    ------
    InputError
        A suffix that is not of ``PICTURES``.
    """
    if path.suffix.lower() not in PICTURES:
        raise InputError(f"{path}: a picture must end in {', '.join(PICTURES)}")
    kind = path.suffix.lower().removeprefix(".")
    metadata: dict[str, Any] = {} if kind == "png" else {"Date": None} if kind == "svg" else {"CreationDate": None}
    write_atomic(path, lambda p: figure.savefig(p, format=kind, metadata=metadata))


def write_verify(path: Path, result: WriteVerifyResult) -> None:
    """Error that write-verify left in each cell, with its window, and how many pulses the cells took."""
    figure, axes = new_figure(8.5, 3.6, 1, 2)
    left, right = axes[0]
    ok = result.verified
    left.axhspan(-1e6 * result.window, 1e6 * result.window, color=IDEAL, alpha=0.12, label="window")
    left.plot(1e6 * result.target[ok], 1e6 * result.residual[ok], ".", color=MEASURED, label="cells, ngspice")
    left.plot(1e6 * result.target[~ok], 1e6 * result.residual[~ok], "x", color="black", label="not verified")
    left.set(xlabel="target (uS)", ylabel="final - target (uS)")
    left.legend(frameon=False, fontsize=8)
    right.hist(result.tries, bins=np.arange(result.tries.max() + 2) - 0.5, color=MEASURED)
    right.set(xlabel="pulses", ylabel="cells")
    save_figure(figure, path)
