"""Pictures of a study, as PNG and SVG; drawn without a display."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from characterization.chips import WriteVerifyResult
from characterization.figures import inl_dnl as figures
from characterization.plan import RampPlan
from characterization.run import Run
from cosim.evaluation import Comparison
from netlists.files import write_atomic
from netlists.ramp import to_volts

# Blue for what is ideal, orange for what ngspice measured, grey before calibration: told apart without colour vision too.
IDEAL, MEASURED, BEFORE = "#0b4f9c", "#d95f02", "#8a8a8a"
matplotlib.rcParams["svg.hashsalt"] = "nladc-cosim"
matplotlib.rcParams["font.size"] = 10


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """A figure of so many inches and its axes, ndarray (rows, columns)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.grid(True, color="#e4e4e4", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save_figure(figure: Figure, path: Path, dpi: int = 130) -> None:
    """Write ``path`` as PNG and SVG, each complete or not at all; the same picture gives the same bytes."""
    write_atomic(path.with_suffix(".png"), lambda p: figure.savefig(p, format="png", dpi=dpi))
    write_atomic(path.with_suffix(".svg"), lambda p: figure.savefig(p, format="svg", metadata={"Date": None}))


def ramp(path: Path, plan: RampPlan, waves: dict[str, np.ndarray]) -> None:
    """Ramp voltage of the nominal chip against its ideal levels, and the difference at the latching instants."""
    program, circuit = plan.program(), plan.circuit
    levels = to_volts(program.x, program, circuit)
    figure, axes = new_figure(8.5, 5.6, 2, 1)
    top, bottom = axes[:, 0]
    t = 1e9 * waves["time"]
    top.plot(t, waves["ramp"], color=MEASURED, linewidth=1.3, label="V_ramp, ngspice")
    top.hlines(levels, t[0], t[-1], color=IDEAL, linewidth=0.5, alpha=0.55, label="ideal transition levels")
    top.plot(
        1e9 * waves["latch"][:-1],
        np.interp(waves["latch"][:-1], waves["time"], waves["ramp"]),
        ".",
        color="black",
        markersize=4,
        label="latching instants",
    )
    top.set(
        ylabel="voltage (V)",
        xlabel="time (ns)",
        title=f"{plan.name}, {plan.bits} bits: calibration cells set the start, then {program.n_steps} ramp steps",
    )
    top.legend(loc="lower right", fontsize=8, framealpha=0.95)
    difference = np.interp(waves["latch"][:-1], waves["time"], waves["ramp"]) - levels
    bottom.axhline(0, color=IDEAL, linewidth=1)
    bottom.plot(np.arange(1, len(levels) + 1), 1e3 * difference, "o-", color=MEASURED, markersize=3, linewidth=1)
    bottom.set(xlabel="ramp step k", ylabel="V_ramp - ideal (mV)", title="error of the nominal chip at the latching instants")
    save_figure(figure, path)


def transfer(path: Path, ramps: dict[tuple[str, int], tuple[RampPlan, np.ndarray]]) -> None:
    """Code against input for measured chips, over the activation that the codes are to be."""
    rows = sorted({a for a, _ in ramps})
    columns = sorted({b for _, b in ramps})
    figure, axes = new_figure(3.2 * len(columns), 2.6 * len(rows), len(rows), len(columns))
    for (a, b), (plan, levels) in ramps.items():
        axis: Axes = axes[rows.index(a), columns.index(b)]
        act, program = plan.function, plan.program()
        edge = program.lsb[0]
        x = np.linspace(program.x[0] - edge, program.x[-1] + edge, 801)
        good = levels[np.isfinite(levels).all(axis=1)][:20]
        decoded = program.values[figures.codes(np.broadcast_to(x, (len(good), len(x))), good)]
        axis.plot(x, decoded.T, color=MEASURED, linewidth=0.5, alpha=0.35)
        axis.plot(x, act.value(x), color=IDEAL, linewidth=1.2)
        axis.set(title=f"{a}, {b} bits", xlabel="x", ylabel="decoded code" if b == columns[0] else "")
    figure.suptitle("transfer curves: g(x) (blue) and 20 measured chips (orange)", fontsize=10)
    save_figure(figure, path)


def inl_dnl(path: Path, runs: dict[tuple[str, int], Run]) -> None:
    """INL and DNL over k: median and 5-95 % band of the Monte Carlo chips, before and after calibration."""
    figure, axes = new_figure(9.5, 3.1 * len(runs), len(runs), 2)
    for row, ((a, b), run) in zip(axes, runs.items(), strict=True):
        program = run.plan.program()
        for calibrated, colour, label in ((False, BEFORE, "before calibration"), (True, MEASURED, "after one-point calibration")):
            x = run.levels(calibrated=calibrated)
            for axis, values in ((row[0], figures.inl_input(x, program)), (row[1], figures.dnl(x, program))):
                low, median, high = np.nanquantile(values, [0.05, 0.5, 0.95], axis=0)
                k = np.arange(1, len(median) + 1)
                axis.fill_between(k, low, high, color=colour, alpha=0.3, linewidth=0)
                axis.plot(k, median, color=colour, linewidth=1.4, label=label)
        row[0].set(title=f"{a}, {b} bits: INL", xlabel="transition k", ylabel="LSB, input-referred")
        row[1].set(title=f"{a}, {b} bits: DNL", xlabel="transition k", ylabel="LSB")
        row[0].legend(fontsize=8)
    figure.suptitle("median and 5-95 % of the Monte Carlo chips", fontsize=10)
    save_figure(figure, path)


def accuracy(path: Path, results: list[Comparison]) -> None:
    """Accuracy against bits: float, ideal ramps, chips one by one and their mean with both kinds of interval."""
    figure, axes = new_figure(7, 4.2)
    axis = axes[0, 0]
    bits = np.array([r.bits[0] for r in results], float)
    first = results[0].float_
    axis.axhline(first.value, color="black", linewidth=1, linestyle="--", label="float")
    axis.axhspan(
        first.low, first.high, color="black", alpha=0.06, linewidth=0, label=f"float, 95 % for {first.total} test sequences"
    )
    ideal = np.array([r.ideal.value for r in results])
    axis.plot(bits - 0.12, ideal, "s", color=IDEAL, markersize=7, label="ideal ramps")
    for b, r in zip(bits, results, strict=True):
        axis.plot(
            np.full(len(r.chips), b + 0.12) + np.linspace(-0.05, 0.05, len(r.chips)),
            r.chips,
            ".",
            color=MEASURED,
            alpha=0.45,
            markersize=5,
        )
        o = r.over_chips
        half = 0.0 if o.low is None else o.mean - o.low
        axis.errorbar(
            b + 0.12,
            o.mean,
            yerr=half,
            color=MEASURED,
            marker="o",
            capsize=4,
            label=f"{o.chips} fitted chips: mean, 95 % interval" if b == bits[0] else None,
        )
    axis.set(
        xlabel="bits of the ramp converters",
        ylabel=results[0].metric,
        xticks=bits,
        xticklabels=[str(int(b)) for b in bits],
        xlim=(bits[0] - 0.5, bits[-1] + 0.5),
    )
    axis.legend(fontsize=8, loc="lower right")
    save_figure(figure, path)


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
