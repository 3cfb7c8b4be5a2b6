"""The application: one entry point, one way to answer, one way to fail.

Answers go to stdout, as text or with ``--json`` as one JSON value; progress and errors go to stderr. Exit code 2 is bad
use, 1 a failure, 130 an interruption.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import Annotated

import typer
from typer.core import TyperGroup

from netlists.errors import InputError, ToolkitError

from . import tasks
from .commands import INTERRUPTED, Entry, Interrupted, group
from .output import note

HELP = """From a SPICE netlist of an in-memory ramp converter to the accuracy of a recurrent network.

Start with `cosim doctor`, then `cosim study demo`."""


def netlists() -> Mapping[str, Entry]:
    """The commands that write decks."""
    return {
        "ramp": "circuits.ramp:ramp",
        "crossbar": "circuits.crossbar:crossbar",
        "column": "circuits.tile:column",
        "tile": "circuits.tile:tile",
    }


def studies() -> Mapping[str, Entry]:
    """The studies."""
    from .studies import COMMANDS

    return COMMANDS


@cache
def commands() -> Mapping[str, Entry]:
    """All commands, in the order of the way from a netlist to an accuracy."""
    return {
        "doctor": "doctor:doctor",
        "netlist": group("Write SPICE decks that also run in plain `ngspice -b`.", netlists),
        "simulate": "circuits.simulate:simulate",
        "blocks": "circuits.blocks:blocks",
        "write-verify": "circuits.write_verify:write_verify",
        "characterize": "chips.characterize:characterize",
        "status": "chips.status:status",
        "figures": "chips.figures:figures",
        "estimate": "chips.estimate:estimate",
        "fit": "models.fit:fit",
        "validate": "models.validate:validate",
        "export": "models.export:export",
        "tasks": group(
            "The tasks a network is trained and judged on: list them, get their data.",
            lambda: {"get": "tasks:get"},
            tasks.tasks,
            alone=True,
        ),
        "train": "networks.train:train",
        "evaluate": "networks.evaluate:evaluate",
        "loop": "networks.loop:loop",
        "budget": "networks.budget:budget",
        "optimize": "networks.optimize:optimize",
        "study": group("Whole studies: simulate, fit, evaluate and write a report.", studies),
        "report": "report:report",
    }


def show_version(asked: bool) -> None:
    """Prints the version of the toolkit and ends the command, if it is asked for."""
    if asked:
        print(metadata.version("nladc-cosim"))
        raise typer.Exit


def version(
    shown: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options of the whole command."""


def application() -> TyperGroup:
    """The group of all commands."""
    return group(HELP, commands, version)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command (the process's own arguments by default) and return its exit code."""
    try:
        application()(args=arguments, prog_name="cosim")
    except InputError as e:
        note(f"error: {e}")
        return 2
    except ToolkitError as e:
        note(f"error: {e}")
        return 1
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        # The reader (head, less) went away; there is nobody left to tell.
        sys.stderr.close()
        return 1
    except Interrupted:
        return INTERRUPTED
    except SystemExit as e:
        # Where Ctrl-C met the command-line library first, all it leaves is this code.
        if e.code == INTERRUPTED:
            return _interrupted()
        return e.code if isinstance(e.code, int) else int(e.code is not None)
    return 0


def _interrupted() -> int:
    note("interrupted")
    return INTERRUPTED


def main() -> None:
    """Entry point of the ``cosim`` command."""
    sys.exit(run())
