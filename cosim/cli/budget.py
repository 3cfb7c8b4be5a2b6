"""``cosim budget``: which error source costs how much accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError

from . import options as o
from .app import answer, app, note

Amount = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SOURCE=AMOUNT", help="Amount of a source, SI units; 0 leaves it out. May be repeated."),
]


@app.command()
def budget(
    network: Annotated[Path | None, typer.Option(help="Network file, such as `cosim train` writes.")] = None,
    task: Annotated[str | None, typer.Option(help="Classification task. Default: the one the network was trained on.")] = None,
    bits: Annotated[int, typer.Option(help="Resolution of the ramps, 1..8.")] = 5,
    chips: Annotated[int, typer.Option(help="Chips, 2 or more; the same for every set of sources.")] = 8,
    permutations: Annotated[int, typer.Option(help="Orders of the sources for the Shapley shares, even, 4 or more.")] = 64,
    seed: o.Seed = 1,
    max_loss: Annotated[str, typer.Option(metavar="LOSS", help="Loss of accuracy that tolerances allow: 1% or 0.01.")] = "1%",
    profile: o.Profile = "taox-100-400",
    array_rows: Annotated[int, typer.Option(help="Cells along a column of an array.")] = 64,
    array_columns: Annotated[int, typer.Option(help="Cells along a row of an array.")] = 64,
    amounts: Amount = None,
    out: o.Out = Path("results/budget"),
    jobs: Annotated[int, typer.Option(help="Threads; 0 takes every core. The numbers do not depend on it.")] = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Error budget: accuracy lost to each error source alone and to all but it, Shapley shares, and the tolerance of each.

    A stopped budget goes on with the same command.

    Example: cosim budget --task voices --network results/error-sources/networks/voices-plain.npz --out results/budget-voices

    Example: cosim budget --network nets/vowels.npz --bits 4 --set ir_drop=0.3 --set stuck=0 --max-loss 0.5%
    """
    from cosim.evaluation import parse_loss
    from cosim.network import Network
    from cosim.report import RunOptions

    from ..budget.run import BudgetSettings, describe, run_budget

    if network is None:
        raise InputError(
            "--network: is not given; a budget is of a trained network: train one with "
            "`cosim train --task voices --out nets/voices.npz`"
        )
    settings = BudgetSettings(
        network=str(network),
        task=Network.load(network).task_name(task),
        bits=bits,
        chips=chips,
        permutations=permutations,
        seed=seed,
        max_loss=parse_loss(max_loss),
        profile=profile,
        array_rows=array_rows,
        array_columns=array_columns,
        amounts=amounts_from(amounts),
    )
    summary = run_budget(settings, out, RunOptions(jobs=o.workers(jobs), progress=not quiet, say=note))
    answer(summary, f"{describe(summary)}\nreport: {out / 'report.html'}", json)


def amounts_from(settings: list[str] | None) -> dict[str, float]:
    """``SOURCE=AMOUNT`` as numbers, by source."""
    found = {}
    for item in settings or []:
        name, separator, value = item.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            separator = ""
        if not separator:
            raise InputError(f"--set {item!r}: must be SOURCE=AMOUNT with a number in SI units, such as ir_drop=0.5")
    return found
