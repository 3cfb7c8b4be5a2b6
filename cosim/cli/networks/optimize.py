"""``cosim optimize``: the search for a design."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ...optimize.settings import OptimizeSettings
from .. import options as o
from ..commands import SAMPLES_KEPT, kept
from ..fields import Given, Options, words_of
from ..output import answer

OPTIONS = Options(without=("network", "task", "max_loss", "fixed"))


@kept(SAMPLES_KEPT)
def optimize(
    network: o.NetworkFile,
    options: Annotated[Given[OptimizeSettings], OPTIONS],
    task: o.TrainedTask = None,
    data: o.Data = None,
    max_loss: o.MaxLoss = "0.5%",
    fix: Annotated[
        list[str] | None,
        typer.Option("--set", "--fix", metavar="NAME=VALUE", help=f"Value of a variable, which then is not searched, {o.SET}"),
    ] = None,
    jobs: o.Jobs = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to write; results/optimize-TASK by default. A stopped search goes on there."),
    ] = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """The cheapest hardware that loses no more accuracy than allowed: bits, voltages, clocks, conductances, cells, arrays.

    Designs are tried with ramps in closed form on validation sequences; the best is confirmed in SPICE, and reported on test
    sequences. Variables: bits, n_in, v_read, t_step, g_max, calibration_cells, comparator_offset, array_size.

    Example: cosim optimize --task voices --network nets/voices.npz --max-loss 0.5%

    Example: cosim optimize --task voices --network nets/voices.npz --objective latency --set bits=5 --set v_read=0.2
    """
    from netlists.technology import load_profile

    from ...network import Network
    from ...optimize.run import describe, run_optimize
    from ...optimize.space import variables

    units = {v.name: v.unit for v in variables(load_profile(options.values["profile"]))}
    fixed = o.numbers_from(fix, "--set", "NAME=VALUE", "bits=5 or t_step=16n", units)
    settings = options.make(
        network=str(network),
        task=Network.load(network).task_name(o.task_or_data(task, data)),
        max_loss=o.parse_loss(max_loss),
        fixed=fixed,
    )
    folder = out or Path("results") / f"optimize-{Path(settings.task).stem}"
    summary = run_optimize(settings, folder, o.run_options(jobs, quiet, command=command_line(settings, folder)))
    answer(summary, f"{describe(summary)}\nreport: {folder / 'report.html'}", json)


def command_line(settings: OptimizeSettings, folder: Path) -> str:
    """The command that gives this folder again."""
    line = ["cosim", "optimize", "--task", settings.task, "--network", settings.network]
    line += ["--max-loss", f"{100 * settings.max_loss:.10g}%", *words_of(settings, OPTIONS)]
    for name, value in settings.fixed.items():
        line += ["--set", f"{name}={value:.12g}"]
    return shlex.join([*line, "--out", str(folder)])
