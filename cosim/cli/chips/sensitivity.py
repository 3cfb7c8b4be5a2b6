"""``cosim sensitivity``: what moves a converter, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError

from .. import options as o
from ..fields import parameters_of
from ..inputs import written
from ..output import answer, notes
from ..ramp_options import ChipOptions

OF_A_RAMP = (
    "sample", "k_sigma", "max_inl", "max_dnl", "columns", "chips", "trim_chips", "spice", "spice_chips", "activation",
)  # fmt: skip
OF_A_NETWORK = ("task", "data", "model", "split", "width", "network_chips")


def sensitivity(
    context: typer.Context,
    *,
    ramp: ChipOptions,
    network: Annotated[
        Path | None,
        typer.Option(help="Network whose loss is differentiated, in place of one ramp's levels, on ramps of the options."),
    ] = None,
    task: o.TrainedTask = None,
    data: o.Data = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Fitted models of the network's ramps in place of the options; one for each activation."),
    ] = None,
    split: Annotated[str, typer.Option(help="Sequences of --network: test or validation.")] = "test",
    width: Annotated[float, typer.Option(help="Rms noise that smooths a step of --network's ramps, local steps.")] = 0.5,
    network_chips: Annotated[
        int, typer.Option(help="Chips drawn to see whether the gradient foretells --network's losses; 0: none.")
    ] = 64,
    sample: Annotated[int | None, typer.Option(help="Drawn chip to differentiate. Default: the nominal one.")] = None,
    k_sigma: Annotated[float, typer.Option(help="Distance of the worst case, sigma.")] = 3.0,
    max_inl: o.MaxInl = 0.5,
    max_dnl: o.MaxDnl = 0.5,
    columns: o.Columns = "calibrating",
    chips: Annotated[int, typer.Option(help="Chips drawn for the linear yield and the closed form beside it.")] = 20_000,
    trim_chips: Annotated[int, typer.Option(help="Chips drawn for the order of trimming.")] = 50,
    spice: Annotated[bool, typer.Option("--spice", help="Check derivatives, worst case and trimming in ngspice.")] = False,
    spice_chips: Annotated[int, typer.Option(help="Chips simulated for the yield; 0: none.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Also write tables, pictures and a page.")] = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Derivatives of levels, max |INL| and offset by each cell and parameter; cells to trim first, worst case, linear yield.

    With --network: derivatives of the network's loss, smoothed, by each cell and parameter of its ramps and each column's
    comparator, ranked; and the rank correlation with loss and accuracy of drawn chips, evaluated as by cosim evaluate.

    Example: cosim sensitivity --activation sigmoid --bits 5 --spice --out sensitivity

    Example: cosim sensitivity --network nets/vowels.npz --bits 4 --out moved

    Example: cosim sensitivity --network nets/mine.npz --data mine.npz --model models/sigmoid5.json --model models/tanh5.json
    """
    from characterization.plan import Limits
    from cosim.report import RunOptions
    from cosim.sensitivity import SensitivitySettings, analyse, describe, run_sensitivity

    if network is not None:
        if given := written(context, OF_A_RAMP):
            raise InputError(f"{given}: asks about one ramp; leave it away with --network")
        if model and (given := written(context, set(parameters_of(ChipOptions)) - {"seed"})):
            raise InputError(f"{given}: cannot be given with --model; a model has its plan")
        _of_network(ramp, network, o.task_or_data(task, data), model or [], (split, width, network_chips), (out, quiet, json))
        return
    if given := written(context, OF_A_NETWORK):
        raise InputError(f"{given}: is of a network; give --network as well")
    settings = SensitivitySettings(
        ramp.plan(notes(quiet)),
        sample=sample,
        limits=Limits(max_inl=max_inl, max_dnl=max_dnl),
        columns=columns,
        k_sigma=k_sigma,
        chips=chips,
        trim_chips=trim_chips,
        spice=spice,
        spice_chips=spice_chips,
    )
    if out is None:
        found = analyse(settings)
        summary = {**found.summary, "warnings": list(found.warnings)}
    else:
        summary = run_sensitivity(settings, out, RunOptions(command=o.as_typed()))
    answer(summary, describe(summary) + (f"\n{out / 'report.html'}" if out else ""), json)


def _of_network(
    ramp: ChipOptions,
    network: Path,
    task: str | None,
    models: list[Path],
    asked: tuple[str, float, int],
    way: tuple[Path | None, bool, bool],
) -> None:
    """The command with a network."""
    from cosim.network import Network
    from cosim.report import RunOptions
    from cosim.sensitivity import network as of

    out, quiet, json = way
    split, width, chips = asked
    settings = of.NetworkSensitivitySettings(
        str(network),
        Network.load(network).task_name(task),
        ramp.plan(notes(quiet)),
        tuple(map(str, models)),
        split=split,
        width=width,
        chips=chips,
        seed=ramp.seed,
    )
    if out is None:
        found = of.analyse_network(settings)
        summary = {**found.summary, "settings": settings.as_dict(), "warnings": list(found.warnings)}
    else:
        summary = of.run_network_sensitivity(settings, out, RunOptions(command=o.as_typed()))
    answer(summary, of.describe_network(summary) + (f"\n{out / 'report.html'}" if out else ""), json)
