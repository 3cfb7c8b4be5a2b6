"""Commands that run a whole study. Each imports its study when it runs: they draw pictures, which is slow to load."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from . import options as o
from .commands import SAMPLES_KEPT, kept
from .output import answer, note

Work = Annotated[Path, typer.Option(help="Folder of what was simulated; a stopped study goes on from there.")]


@kept(SAMPLES_KEPT)
def demo(
    out: o.Out = Path("results/demo"),
    work: Work = Path("runs/demo"),
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
    from cosim.studies.demo import DemoSettings, run_demo

    settings = DemoSettings(samples=samples, held_out=held_out, chips=chips, seed=seed)
    summary = run_demo(settings, out, work, jobs=o.workers(jobs), progress=not quiet, say=note)
    text = [
        f"{row['bits']} bits: float {row['float']:.4f}, ideal {row['ideal']:.4f}, {chips} chips {row['mean']:.4f}"
        for row in summary["accuracy"]
    ]
    answer(summary, "\n".join([*text, f"report: {out / 'report.html'}"]), json)


@kept(SAMPLES_KEPT)
def models(
    out: o.Out = Path("results/models"),
    work: Work = Path("runs/models"),
    seed: o.Seed = 1,
    jobs: o.Jobs = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """How far the ramp models can be trusted: held-out codes and chips at level macro, and what that misses of level sky130.

    It takes an hour and more of ngspice on two cores; `benchmarks/models.py` holds the result against its limits.

    Example: cosim study models
    """
    from cosim.studies.models import describe_models, run_models_study

    summary = run_models_study(out, work, seed=seed, jobs=o.workers(jobs), progress=not quiet)
    answer(summary, "\n".join([describe_models(summary), f"written: {out / 'summary.json'}"]), json)


@kept(SAMPLES_KEPT)
def error_sources(
    out: o.Out = Path("results/error-sources"),
    task: Annotated[list[str] | None, typer.Option(help="Classification task, voices by default; may be repeated.")] = None,
    chips: Annotated[int, typer.Option(help="Chips of each source, 2 or more.")] = 16,
    seed: o.Seed = 1,
    jobs: o.Threads = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """What each error source alone does to a trained LSTM at 5, 4 and 3 bits, on the same test sequences.

    Example: cosim study error-sources --task voices --task keywords-synthetic
    """
    from cosim.studies.error_sources import describe, run_error_sources

    tasks = tuple(task or ["voices"])
    summary = run_error_sources(out, tasks=tasks, chips=chips, seed=seed, threads=o.workers(jobs), progress=not quiet, say=note)
    answer(summary, f"{describe(summary)}\ntables and pictures: {out}", json)


QUESTIONS = {
    "nladc-calibration": "Ramps before and after bias calibration: as programmed, with stuck cells, with high programming error.",
    "vread": "Read voltage from 0.15 to 0.25 V: a ramp made in memory follows it, one from a fixed reference does not.",
    "activations": "Gallery of activations: compiled at 3 to 8 bits, and the 5-bit transfer curve of the nominal chip in ngspice.",
    "stuck": "Yield against cells stuck at OFF and the number of calibration cells, one-point calibration and trimming.",
    "kws-bits": "Accuracy of keyword spotting against bits, with and without weight noise and fitted chips, by training.",
    "lm-bits": "Bits per character of a language model against bits, with and without weight noise and fitted chips.",
    "cost": "Energy, latency and area beside the published table; sweeps, and accuracy against energy.",
}
"""Studies with settings and a preset, and what each answers."""


def _study(name: str, question: str) -> Callable[..., None]:
    """The command of a study with settings and a preset."""

    @kept(SAMPLES_KEPT)
    def command(
        preset: Annotated[Path | None, typer.Option(help="Settings as a TOML file, like the presets in cosim/studies.")] = None,
        set_: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="NAME=VALUE", help="Change a setting; values as in TOML; may be repeated."),
        ] = None,
        settings: Annotated[bool, typer.Option("--settings", help="Print the settings with what they mean, and stop.")] = False,
        out: Annotated[
            Path | None, typer.Option(help="Where to write; results/NAME by default. A stopped study goes on there.")
        ] = None,
        jobs: o.Jobs = 0,
        quiet: o.Quiet = False,
        json: o.Json = False,
    ) -> None:
        from cosim.report import PAGES, Run, Study, describe_settings, load_settings

        study: Study = import_module(PAGES[name]).STUDY
        chosen = load_settings(study.settings, preset, set_ or [])
        if settings:
            answer(chosen.model_dump(mode="json"), describe_settings(chosen), json)
            return
        folder = out or Path("results") / name
        summary = study.run(chosen, folder, Run(o.workers(jobs), not quiet, note))
        answer(summary, f"{study.describe(summary)}\nreport: {folder / 'report.html'}", json)

    command.__doc__ = f"{question}\n\nExample: cosim study {name}"
    return command


COMMANDS = {name: _study(name, question) for name, question in QUESTIONS.items()}
"""The commands of those studies."""
