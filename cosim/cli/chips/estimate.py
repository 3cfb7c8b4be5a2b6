"""``cosim estimate``: chips until an interval is narrow enough."""

from __future__ import annotations

from typing import Annotated

import typer

from characterization.estimates import MOST, STATISTICS, UNSEEN, Estimate, until_ci
from characterization.plan import Limits, load_plan_file
from netlists.errors import InputError
from netlists.spice import Permissions

from .. import options as o
from ..commands import SAMPLES_KEPT, kept
from ..inputs import written
from ..output import answer, notes
from ..ramp_options import ChipOptions, only_the_plan_file


@kept(SAMPLES_KEPT)
def estimate(
    *,
    context: typer.Context,
    out: o.OutFolder,
    until_ci_: Annotated[
        float, typer.Option("--until-ci", help="Half width of the 95 % interval to reach: LSB, or a share.")
    ] = 0.01,
    quantity: Annotated[str, typer.Option(help="mean, quantile or yield.")] = "mean",
    statistic: Annotated[str, typer.Option(help=f"Of mean and quantile: {', '.join(STATISTICS)}.")] = "max_inl",
    probability: Annotated[float, typer.Option(help="Of the quantile.")] = 0.95,
    max_inl: o.MaxInl = 0.5,
    max_dnl: o.MaxDnl = 0.5,
    columns: o.Columns = "all",
    before: Annotated[bool, typer.Option("--before", help="Chips before calibration.")] = False,
    control: Annotated[int, typer.Option(help="Further chips computed in closed form, as control.")] = 100_000,
    unseen: Annotated[
        float,
        typer.Option(
            help="Share of chips with a defect unknown to the closed form that the simulated chips must be able to show; 0.1 trusts"
            " the closed form after 32 chips, 0.03 after 99."
        ),
    ] = UNSEEN,
    most: Annotated[int, typer.Option(help="Stop here even if the interval is wider.")] = MOST,
    plan: o.PlanFile = None,
    ramp: ChipOptions,
    jobs: o.Jobs = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Simulate chips until a mean, quantile or yield is known well enough, with the closed form as control variate.

    The folder is an ordinary Monte Carlo run: it is resumed and extended like one, and `cosim fit` reads it.

    Example: cosim estimate --activation sigmoid --bits 5 --until-ci 0.01 --seed 1 --out runs/sigmoid5
    """
    of = {"probability": ("quantile",), "max_inl": ("yield",), "max_dnl": ("yield",), "statistic": ("mean", "quantile")}
    for name, which in of.items():
        if (
            plan is None
            and quantity in ("mean", "quantile", "yield")
            and quantity not in which
            and (flag := written(context, (name,)))
        ):
            raise InputError(f"{flag}: says nothing of a {quantity}; give --quantity {' or '.join(which)} as well")
    if plan is None:
        one = ramp.plan(notes(quiet))
        limits = Limits(max_inl=max_inl, max_dnl=max_dnl)
    else:
        only_the_plan_file(context, "max_inl", "max_dnl")
        file = load_plan_file(plan, Permissions(files=ramp.blocks.wiring.allow_files))
        if len(plans := file.plans()) != 1:
            raise InputError(f"--plan {plan}: has a sweep of {len(plans)} plans; an estimate takes one")
        one, limits = plans[0][1], file.limits

    def say(found: Estimate) -> None:
        notes(quiet)(f"{found.n_spice} chips: {found.value:.5g} +- {found.half_width:.2g}")

    stopped = until_ci(
        one,
        statistic,
        until_ci_,
        out,
        quantity=quantity,
        probability=probability if quantity == "quantile" else None,
        limits=limits if quantity == "yield" else None,
        calibrated=not before,
        columns=columns,
        n_control=control,
        most=most,
        unseen=unseen,
        jobs=o.workers(jobs),
        progress=say,
    )
    e = stopped.estimate
    what = {"mean": f"mean of {statistic}", "quantile": f"{100 * probability:g} % quantile of {statistic}", "yield": "yield"}[
        quantity
    ]
    text = (
        f"{what}, {o.whose(columns, one.columns)}: {e.value:.5g} +- {e.half_width:.2g} (95 %), {e.n_spice} chips in SPICE, "
        f"{e.n_control} in closed form; as good as {e.equivalent_plain_samples:.3g} chips without control"
    )
    answer(stopped.as_dict() | {"quantity": quantity, "columns": columns, "out": str(out)}, text, json)
