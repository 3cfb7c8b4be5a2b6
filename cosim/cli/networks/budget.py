"""``cosim budget``: which error source costs how much accuracy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError

from ...budget.settings import BudgetSettings
from .. import options as o
from ..commands import SAMPLES_KEPT, kept
from ..fields import Given, Options, words_of
from ..output import answer

OPTIONS = Options(flags={"autozero": "auto-zero"}, without=("network", "task", "max_loss", "amounts"))


@kept(SAMPLES_KEPT)
def budget(
    *,
    network: Annotated[Path | None, typer.Option(help="Network file, such as `cosim train` writes.")] = None,
    task: o.TrainedTask = None,
    data: o.Data = None,
    options: Annotated[Given[BudgetSettings], OPTIONS],
    max_loss: o.MaxLoss = "1%",
    amounts: o.Amounts = None,
    out: o.OutFolder = Path("results/budget"),
    jobs: o.Jobs = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Error budget: accuracy lost to each error source alone and to all but it, Shapley shares, and the tolerance of each.

    A stopped budget goes on with the same command.

    Example: cosim budget --task voices --network results/error-sources/networks/voices-plain.npz --out results/budget-voices

    Example: cosim budget --network nets/vowels.npz --bits 4 --set ir_drop=0.3 --set stuck=0 --max-loss 0.5%
    """
    from cosim.network import Network

    from ...budget.run import describe, run_budget

    if network is None:
        raise InputError(
            "--network: is not given; a budget is of a trained network: train one with "
            "`cosim train --task voices --out nets/voices.npz`"
        )
    settings = options.make(
        network=str(network),
        task=Network.load(network).task_name(o.task_or_data(task, data)),
        max_loss=o.parse_loss(max_loss),
        amounts=o.numbers_from(amounts, "--set", "NAME=VALUE", "ir_drop=0.5", o.source_units()),
    )
    summary = run_budget(settings, out, o.run_options(jobs, quiet, command=command_line(settings)))
    answer(summary, f"{describe(summary)}\nreport: {out / 'report.html'}", json)


def command_line(settings: BudgetSettings) -> str:
    """The command that gives the same numbers."""
    line = ["cosim", "budget", "--task", settings.task, "--network", settings.network, *words_of(settings, OPTIONS)]
    if settings.max_loss != BudgetSettings.model_fields["max_loss"].default:
        line += ["--max-loss", f"{100 * settings.max_loss:.10g}%"]
    for name, value in settings.amounts.items():
        line += ["--set", f"{name}={value:.12g}"]
    return shlex.join(line)
