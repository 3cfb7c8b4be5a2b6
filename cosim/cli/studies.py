"""``cosim study``: a command for each study. It imports the study when it runs: pictures and simulators are slow to load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cosim.report import STUDIES

from . import options as o
from .commands import SAMPLES_KEPT, kept
from .output import answer


def _study(name: str, question: str) -> Callable[..., None]:
    """The command of a study with settings and a preset."""

    @kept(SAMPLES_KEPT)
    def command(
        preset: Annotated[Path | None, typer.Option(help="Settings as a TOML file, like the presets in cosim/studies.")] = None,
        set_: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="NAME=VALUE", help=f"Value of a setting, as in TOML; numbers {o.SET}"),
        ] = None,
        settings: Annotated[bool, typer.Option("--settings", help="Print the settings with what they mean, and stop.")] = False,
        out: Annotated[
            Path | None,
            typer.Option(metavar="FOLDER", help="Folder to write; results/NAME by default. A stopped study goes on there."),
        ] = None,
        work: Annotated[
            Path | None, typer.Option(help="Folder where finished parts stay; by default they lie in the output until it is done.")
        ] = None,
        jobs: o.Jobs = 0,
        quiet: o.Quiet = False,
        json: o.Json = False,
    ) -> None:
        from cosim.report import describe_settings, load_settings, load_study

        study = load_study(name)
        chosen = load_settings(study.settings, preset, set_ or [])
        if settings:
            answer(chosen.as_dict(), describe_settings(chosen), json)
            return
        folder = out or Path("results") / name
        summary = study.run(chosen, folder, o.run_options(jobs, quiet, work))
        answer(summary, f"{study.describe(summary)}\nreport: {folder / 'report.html'}", json)

    command.__doc__ = f"{question}\n\nExample: cosim study {name}"
    return command


COMMANDS = {name: _study(name, entry.question) for name, entry in STUDIES.items() if entry.question}
"""The command of each study."""
