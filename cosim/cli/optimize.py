"""The command that searches for a design: optimize."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options as o
from .app import answer, app, note


@app.command()
def optimize(
    task: Annotated[str, typer.Option(help="Classification task the network was trained on.")],
    network: Annotated[Path, typer.Option(help="Network file.")],
    max_loss: Annotated[
        str, typer.Option(metavar="LOSS", help="Largest loss of accuracy against floating point: 0.5% or 0.005.")
    ] = "0.5%",
    objective: Annotated[
        str, typer.Option(help="What is minimised, for an inference: energy, latency, area or edp (energy times latency).")
    ] = "energy",
    judge: Annotated[
        str,
        typer.Option(
            help="What must be within the limit: the mean over chips (mean), or the upper end of its 95 % interval "
            "over chips (chips) or over sequences (sequences)."
        ),
    ] = "mean",
    trials: Annotated[int, typer.Option(help="Designs to try, the default design first.")] = 60,
    fix: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Do not search this variable; SI units; may be repeated.")
    ] = None,
    chips: Annotated[int, typer.Option(help="Chips of each design in the search.")] = 8,
    samples: Annotated[int, typer.Option(help="Chips of each ramp that confirm a design in SPICE, 8 or more.")] = 64,
    confirm_chips: Annotated[int, typer.Option(help="Fresh chips that the confirmation runs the network on.")] = 16,
    profile: o.Profile = "taox-100-400",
    r_wire: Annotated[float, typer.Option(metavar="OHM", help="Wire resistance of a cell along rows and columns.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the chips and of the search.")] = 1,
    jobs: Annotated[
        int, typer.Option(help="Threads and ngspice processes; 0 takes every core. The numbers do not depend on it.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; results/optimize-TASK by default. A stopped search goes on there.")
    ] = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """The cheapest hardware that loses no more accuracy than allowed: bits, voltages, clocks, conductances, cells, arrays.

    Designs are tried with ramps in closed form on validation sequences; the best is confirmed in SPICE, and reported on test
    sequences. Variables: bits, n_in, v_read, t_step, g_max, calibration_cells, comparator_offset, array_size.

    Example: cosim optimize --task voices --network nets/voices.npz --max-loss 0.5%

    Example: cosim optimize --task voices --network nets/voices.npz --objective latency --fix bits=5 --fix v_read=0.2
    """
    from cosim.evaluation import parse_loss
    from cosim.report import RunOptions

    from ..optimize.run import OptimizeSettings, describe, run_optimize
    from ..optimize.space import parse_fixed

    values: dict[str, Any] = {
        "task": task, "network": str(network), "max_loss": parse_loss(max_loss), "objective": objective, "judge": judge,
        "trials": trials, "fixed": parse_fixed(fix or []), "chips": chips, "samples": samples, "confirm_chips": confirm_chips,
        "profile": profile, "r_wire": r_wire, "seed": seed,
    }  # fmt: skip
    settings = OptimizeSettings(**values)
    folder = out or Path("results") / f"optimize-{task}"
    command = command_line(settings, folder)
    summary = run_optimize(settings, folder, RunOptions(o.workers(jobs), not quiet, note), command)
    answer(summary, f"{describe(summary)}\nreport: {folder / 'report.html'}", json)


def command_line(settings: object, folder: Path) -> str:
    """The command that gives this folder again."""
    from ..optimize.run import OptimizeSettings

    assert isinstance(settings, OptimizeSettings)
    line = [
        "cosim",
        "optimize",
        "--task",
        settings.task,
        "--network",
        settings.network,
        "--max-loss",
        f"{100 * settings.max_loss:.10g}%",
    ]
    for name, field in OptimizeSettings.model_fields.items():
        value = getattr(settings, name)
        if name in ("task", "network", "max_loss", "fixed", "tries") or value == field.default:
            continue
        line += ["--" + name.replace("_", "-"), str(value)]
    for name, value in settings.fixed.items():
        line += ["--fix", f"{name}={value:.12g}"]
    return shlex.join([*line, "--out", str(folder)])
