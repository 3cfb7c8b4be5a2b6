"""``cosim loop``: ngspice in the loop of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...loop.settings import ON_FAILURE, SKY130_COLUMNS_A_GATE, LoopSettings
from ...tasks import load_task
from .. import options as o
from ..commands import SAMPLES_KEPT, kept
from ..fields import Given, Options
from ..output import answer, notes
from ..ramp_options import BlockOptions


@kept(SAMPLES_KEPT)
def loop(
    *,
    network: o.NetworkFile,
    task: o.TrainedTask = None,
    data: o.Data = None,
    options: Annotated[
        Given[LoopSettings],
        Options(
            flags={"autozero": "auto-zero"},
            without=("task", "gates", "columns", "comparator", "opamp"),
            helps={
                "array_rows": "Cells along a column of an array. 0 is one array a matrix",
                "array_columns": "Cells along a row of an array, likewise",
            },
        ),
    ],
    gates: Annotated[str | None, typer.Option(metavar="A,B", help="Gates that are simulated, such as f,i. Default: all.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="0,1,...",
            help=f"Columns that are simulated, 4-7 being 4,5,6,7. Default: all; at sky130 {SKY130_COLUMNS_A_GATE} of each gate.",
        ),
    ] = None,
    blocks: BlockOptions,
    on_failure: Annotated[
        str, typer.Option(help=f"A conversion that ngspice cannot do in a closed loop: {', '.join(ON_FAILURE)} (the model's code).")
    ] = "stop",
    jobs: o.Jobs = 0,
    out: o.OutFolder = Path("results/loop"),
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """A network on test sequences with ngspice in the loop: at every step it converts the columns, and its codes make the state.

    The model runs the same sequences on the same drawn chip, with transition levels that were measured in ngspice. A loop that
    was stopped goes on when it is started again.

    Example: cosim loop --task vowels --network nets/vowels.npz --bits 5 --utterances 20

    Example: cosim loop --network nets/vowels.npz --level sky130 --utterances 4 --mode shadow

    Example: cosim loop --network nets/vowels.npz --comparator mycomp.cir:mycomp --utterances 4

    Example: cosim loop --network nets/vowels.npz --scope tile --opamp myamp/block.json --columns 0-3 --utterances 1
    """
    from ...loop.run import describe, run_loop
    from ...network import Network

    net = Network.load(network)
    settings = options.or_none("array_rows", "array_columns").make(
        task=net.task_name(o.task_or_data(task, data)),
        gates=None if gates is None else tuple(g.strip() for g in gates.split(",")),
        columns=None if columns is None else o.columns_from(columns, "--columns"),
        **blocks.read(notes(quiet)),
    )
    summary = run_loop(
        net,
        load_task(settings.task),
        settings,
        out,
        o.run_options(jobs, quiet, command=o.as_typed()),
        on_failure=on_failure,
    )
    answer(summary, "\n".join([describe(summary), f"report: {out / 'report.html'}"]), json)
