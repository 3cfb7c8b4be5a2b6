"""Pictures of the demo."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from characterization.figures import inl_dnl as figures
from characterization.plan import RampPlan
from characterization.run import Run
from cosim.evaluation import Comparison
from cosim.report import BEFORE, IDEAL, MEASURED, band, new_figure
from netlists.ramp import to_volts


def ramp(plan: RampPlan, waves: dict[str, np.ndarray]) -> Figure:
    """Draws the ramp voltage of the nominal chip against its ideal levels, and the difference at the latching instants."""
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
    return figure


def transfer(ramps: dict[tuple[str, int], tuple[RampPlan, np.ndarray]]) -> Figure:
    """Draws code against input for measured chips, over the activation that the codes are to be."""
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
    return figure


def inl_dnl(runs: dict[tuple[str, int], Run]) -> Figure:
    """Draws INL and DNL over k: median and 5-95 % band of the Monte Carlo chips, before and after calibration."""
    figure, axes = new_figure(9.5, 3.1 * len(runs), len(runs), 2)
    for row, ((a, b), run) in zip(axes, runs.items(), strict=True):
        program = run.plan.program()
        for calibrated, colour, label in ((False, BEFORE, "before calibration"), (True, MEASURED, "after one-point calibration")):
            x = run.levels(calibrated=calibrated)
            for axis, values in ((row[0], figures.inl_input(x, program)), (row[1], figures.dnl(x, program))):
                low, median, high = np.nanquantile(values, [0.05, 0.5, 0.95], axis=0)
                k = np.arange(1, len(median) + 1)
                band(axis, k, low, median, high, colour, linewidth=1.4, label=label)
        row[0].set(title=f"{a}, {b} bits: INL", xlabel="transition k", ylabel="LSB, input-referred")
        row[1].set(title=f"{a}, {b} bits: DNL", xlabel="transition k", ylabel="LSB")
        row[0].legend(fontsize=8)
    figure.suptitle("median and 5-95 % of the Monte Carlo chips", fontsize=10)
    return figure


def accuracy(results: list[Comparison]) -> Figure:
    """Draws accuracy against bits: float, ideal ramps, chips one by one and their mean with both kinds of interval."""
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
    return figure
