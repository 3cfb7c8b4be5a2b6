"""The application: one entry point, one way to answer, one way to fail.

Answers go to stdout, as text or with ``--json`` as one JSON value; progress and errors go to stderr. Exit code 2 is bad
use, 1 a failure, 130 an interruption.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from netlists.errors import InputError, ToolkitError

from .inputs import Application

app = Application(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="From a SPICE netlist of an in-memory ramp converter to the accuracy of a recurrent network.\n\n"
    "Start with `cosim doctor`, then `cosim study demo`.",
)
study_app = Application(no_args_is_help=True, help="Whole studies: simulate, fit, evaluate and write a report.")
netlist_app = Application(no_args_is_help=True, help="Write SPICE decks that also run in plain `ngspice -b`.")
app.add_typer(study_app, name="study")
app.add_typer(netlist_app, name="netlist")


FLAGS = {
    "Permissions(files=True)": "--allow-files",
    "Permissions(commands=True)": "--allow-commands",
    "choose one by its kind": "choose one with --analysis",
    "ask for no vectors": "leave --save away",
}
"""What messages of the layers below say, as it is said on the command line."""

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 plus the signal's number."""


def answer(data: Any, text: str, as_json: bool) -> None:
    """Print the answer of a command, machine-readable or for reading, and what it warns of (``warnings``) on stderr."""
    for line in data.get("warnings", ()) if isinstance(data, dict) else ():
        note(f"warning: {line}")
    print(json.dumps(data, indent=1, allow_nan=False) if as_json else text)


def note(text: str) -> None:
    """A line about what is going on, on stderr."""
    print(text, file=sys.stderr, flush=True)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command (the process's own arguments by default) and return its exit code."""
    from . import (  # noqa: F401 - they register their commands
        blocks,
        budget,
        circuits,
        estimate,
        evaluate,
        export,
        figures,
        loop,
        models,
        netlists,
        networks,
        optimize,
        report,
        runs,
        simulate,
        studies,
        tasks,
        write_verify,
    )

    try:
        app(args=arguments)
    except InputError as e:
        text = str(e)
        for words, flag in FLAGS.items():
            text = text.replace(words, flag)
        note(f"error: {text}")
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
    except SystemExit as e:
        # Where Ctrl-C met the command-line library first, all it leaves is this code.
        if e.code == INTERRUPTED:
            return _interrupted()
        return e.code if isinstance(e.code, int) else int(e.code is not None)
    return 0


def _interrupted() -> int:
    note("interrupted: finished samples are kept; the same command goes on from there")
    return INTERRUPTED


def main() -> None:
    """Entry point of the ``cosim`` command."""
    sys.exit(run())
