"""Commands that run a whole study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..demo import DemoSettings, run_demo
from . import options as o
from .app import answer, note, study_app


@study_app.command()
def demo(
    out: o.Out = Path("results/demo"),
    work: Annotated[Path, typer.Option(help="Folder of the Monte Carlo runs; a stopped study goes on from there.")] = Path(
        "runs/demo"
    ),
    samples: Annotated[int, typer.Option(help="Monte Carlo samples of each ramp.")] = 208,
    held_out: Annotated[int, typer.Option(help="Fresh samples that each model is held against.")] = 64,
    chips: Annotated[int, typer.Option(help="Chips the network runs on.")] = 16,
    seed: o.Seed = 1,
    jobs: o.Jobs = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """The main job: sigmoid and tanh ramps at 3, 4 and 5 bits, from the netlist to an LSTM's accuracy, with a report.

    Example: cosim study demo
    """
    settings = DemoSettings(samples=samples, held_out=held_out, chips=chips, seed=seed)
    summary = run_demo(settings, out, work, jobs=o.workers(jobs), progress=not quiet, say=note)
    text = [
        f"{row['bits']} bits: float {row['float']:.4f}, ideal {row['ideal']:.4f}, {chips} chips {row['mean']:.4f}"
        for row in summary["accuracy"]
    ]
    answer(summary, "\n".join([*text, f"report: {out / 'report.html'}"]), json)
