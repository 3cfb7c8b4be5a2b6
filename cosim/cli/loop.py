"""The command that puts ngspice into the loop: loop."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cosim.network import Network
from netlists.errors import InputError
from netlists.outside import load_user_subcircuit
from netlists.spice import Permissions

from ..loop.settings import LEVELS, MODES, ON_FAILURE, SCOPES, SKY130_COLUMNS_A_GATE, LoopSettings
from ..tasks import load_task
from . import options as o
from .app import answer, app, note


@app.command()
def loop(
    network: Annotated[Path, typer.Option(help="Network file.")],
    task: Annotated[str | None, typer.Option(help="Task. Default: the one the network was trained on.")] = None,
    bits: o.Bits = 5,
    mode: Annotated[
        str, typer.Option(help=f"Whose codes make the next state, ngspice's or the model's: {', '.join(MODES)}.")
    ] = "closed",
    level: Annotated[str, typer.Option(help=f"Level of circuit detail: {', '.join(LEVELS)}.")] = "macro",
    scope: Annotated[
        str, typer.Option(help=f"What ngspice simulates: {', '.join(SCOPES)}; each adds to the one before.")
    ] = "converter",
    gates: Annotated[str | None, typer.Option(metavar="A,B", help="Gates that are simulated, such as f,i. Default: all.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="0,1,...",
            help=f"Columns that are simulated, 4-7 being 4,5,6,7. Default: all; at sky130 {SKY130_COLUMNS_A_GATE} of each gate.",
        ),
    ] = None,
    latches: Annotated[
        bool, typer.Option("--latches", help="Latches and counters in ngspice too; some 20 times the time. Level macro only.")
    ] = False,
    noise: Annotated[
        bool, typer.Option("--noise", help="Comparator noise at each decision, the same for ngspice and model.")
    ] = False,
    comparator: o.Comparator = None,
    allow_files: o.AllowFiles = False,
    pwm_bits: Annotated[int, typer.Option(help="Pulse widths of inputs and states, sign included.")] = 5,
    profile: o.Profile = "taox-100-400",
    utterances: Annotated[int, typer.Option(help="Test sequences.")] = 20,
    on_failure: Annotated[
        str, typer.Option(help=f"A conversion that ngspice cannot do in a closed loop: {', '.join(ON_FAILURE)} (the model's code).")
    ] = "stop",
    seed: Annotated[int, typer.Option(help="Decides the chip, the sequences and the noise.")] = 1,
    jobs: o.Jobs = 0,
    out: o.Out = Path("results/loop"),
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """A network on test sequences with ngspice in the loop: at every step it converts the columns, and its codes make the state.

    The model runs the same sequences on the same drawn chip, with transition levels that were measured in ngspice. A loop that
    was stopped goes on when it is started again.

    Example: cosim loop --task vowels --network nets/vowels.npz --bits 5 --utterances 20

    Example: cosim loop --network nets/vowels.npz --level sky130 --utterances 4 --mode shadow

    Example: cosim loop --network nets/vowels.npz --comparator mycomp.cir:mycomp --utterances 4
    """
    net = Network.load(network)
    settings = LoopSettings(
        task=net.task_name(task),
        bits=bits,
        mode=mode,
        level=level,
        scope=scope,
        latches=latches,
        noise=noise,
        utterances=utterances,
        gates=None if gates is None else tuple(g.strip() for g in gates.split(",")),
        columns=None if columns is None else parse_columns(columns),
        pwm_bits=pwm_bits,
        profile=profile,
        seed=seed,
        comparator=None if comparator is None else load_user_subcircuit(comparator, "comparator", Permissions(files=allow_files)),
    )
    # It draws pictures, which is slow to load.
    from ..loop.run import run_loop

    summary = run_loop(
        net,
        load_task(settings.task),
        settings,
        out,
        jobs=o.workers(jobs),
        on_failure=on_failure,
        progress=not quiet,
        say=(lambda _: None) if quiet else note,
        command=shlex.join(["cosim", *sys.argv[1:]]),
    )
    answer(summary, "\n".join([describe(summary), f"report: {out / 'report.html'}"]), json)


def parse_columns(text: str) -> tuple[int, ...]:
    """Column numbers from ``0,1,4-7``."""
    out: list[int] = []
    for item in text.split(","):
        first, dash, last = item.strip().partition("-")
        try:
            low = int(first)
            high = int(last) if dash else low
        except ValueError:
            high, low = 0, 1
        if not 0 <= low <= high:
            raise InputError(f"--columns {text!r}: {item.strip()!r} must be a column number or a range such as 4-7")
        out += range(low, high + 1)
    return tuple(out)


def describe(summary: dict[str, Any]) -> str:
    """A few lines for the terminal."""
    s = summary
    lines = [
        f"{s['conversions']} conversions ({s['failed']} failed), {s['conversions_per_second']:.0f} a second",
        f"codes equal {100 * (s['codes_equal'] or 0):.3f} %, within 1 {100 * (s['codes_within_1'] or 0):.3f} %;"
        f" {s['disagreements']} differ",
    ]
    if s["paired"] is None:
        return "\n".join([*lines, f"accuracy of the model {100 * s['metric_model']:.2f} %"])
    p = s["paired"]
    return "\n".join(
        [
            *lines,
            f"accuracy: ngspice {100 * s['metric_spice']:.2f} %, model {100 * s['metric_model']:.2f} %; difference"
            f" {100 * p['difference']:+.2f} % ({100 * p['low']:+.2f} to {100 * p['high']:+.2f} %), McNemar p = {p['p']:.3g}",
        ]
    )
