"""The application: one entry point, one way to answer, one way to fail.

Answers go to stdout, as text or with ``--json`` as one JSON value; progress and errors go to stderr. Exit code 2 is bad
use, 1 a failure, 130 Ctrl-C, 143 and 129 SIGTERM and SIGHUP.
"""

from __future__ import annotations

import atexit
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Annotated

import typer
from typer.core import TyperGroup

from netlists.errors import InputError, ToolkitError

from . import tasks
from .commands import Entry, Interrupted, group
from .output import note
from .signals import exit_code, ignore, listen

FLAGS = {
    "Permissions(files=True)": "--allow-files",
    "Permissions(commands=True)": "--allow-commands",
    "ports={'inp': 'plus', ...}": "--ports inp=plus,...",
    "ports={'inp': its negative input, 'inn': its positive input}": "--ports inp=ITS_NEGATIVE_INPUT,inn=ITS_POSITIVE_INPUT",
    "bias={'VBN': '0.65'}": "--bias VBN=0.65",
    "say so with pdk='": "say so with --pdk '",
    "ask for no vectors": "leave --save away",
    "on_failure='model'": "--on-failure model",
    "are different converters; give one of bits, ramps and adc": "are different converters; give one of --bits, models of ramps "
    "(--sigmoid, --tanh, --model) and --adc-bits",
    "has no thresholds; give bits, ramps or adc": "has no thresholds; give --bits, models of ramps or --adc-bits",
    "take n_control=": "take --control ",
    "take half_width=": "take --until-ci ",
    "pooling=None: ": "--readout: ",
    "pooling='": "--readout='",
    "hidden_activation=None: ": "--hidden-activation: ",
    "scaling=None: ": "--scaling: ",
    "ignore it by the beginning of its name": "--ignore it by the beginning of its name",
    "belong together (prefix)": "belong together (--prefix)",
    "say which (state)": "say which (--state)",
    "readout: ": "--dense: ",
    "readout='": "--dense '",
    "task=None: the network does not say what task it was trained on; name one": "--task, --data: the network does not say what "
    "task it was trained on; give one of them",
    "; or give outputs to check": "; or give the model's own outputs with --check",
    "; noise= gives another": "; --noise gives another",
    "with column ": "with --column ",
    "give column ": "give --column ",
    "say with stuck_beyond": "say with --stuck-beyond-us",
    "or a base profile": "or a --base profile",
    "give g_min and g_max": "give --g-min-us and --g-max-us",
    "takes no source;": "takes no --from;",
    "`get_task({}, source=FOLDER)`": "`cosim tasks get {} --from FOLDER`",
    "`get_task({}, again=True)`": "`cosim tasks get {} --again`",
    "`get_task({})`": "`cosim tasks get {}`",
    "`import_network({})`": "`cosim import {} --out NETWORK.npz --check inputs.npz scores.npz`",
    "source=FOLDER": "--from FOLDER",
    "give their folder as source": "name their folder with --from",
    "give the .tgz as source": "name the .tgz with --from",
    "give it as source": "name it with --from",
    "own data is named by its path": "own data is named by its path, with --data",
}
"""What messages of the layers below say, as it is said on the command line; ``{}`` stands for a text in quotes."""

TRACEBACK = "NLADC_COSIM_TRACEBACK"
"""With this in the environment an error that the toolkit did not foresee ends in a traceback."""

HELP = """From a SPICE netlist of an in-memory ramp converter to the accuracy of a recurrent network.

Start with `cosim doctor`, then `cosim study demo`. Exit codes: 0 done, 1 failed, 2 wrong use, 128 + n ended by signal n
(130 Ctrl-C; what is finished is kept)."""


NETLISTS = {
    "ramp": "circuits.ramp:ramp",
    "crossbar": "circuits.crossbar:crossbar",
    "column": "circuits.tile:column",
    "tile": "circuits.tile:tile",
}
COMMANDS: dict[str, Entry] = {
    "doctor": "doctor:doctor",
    "init": "init:init",
    "netlist": group("Write SPICE decks that also run in plain `ngspice -b`.", NETLISTS.copy),
    "simulate": "circuits.simulate:simulate",
    "comparator": "circuits.datasheet:comparator",
    "opamp": "circuits.datasheet:opamp",
    "blocks": "circuits.blocks:blocks",
    "device": "circuits.device:device",
    "write-verify": "circuits.write_verify:write_verify",
    "characterize": "chips.characterize:characterize",
    "status": "chips.status:status",
    "reproduce": "chips.reproduce:reproduce",
    "figures": "chips.figures:figures",
    "estimate": "chips.estimate:estimate",
    "sensitivity": "chips.sensitivity:sensitivity",
    "fit": "models.fit:fit",
    "validate": "models.validate:validate",
    "export": "models.export:export",
    "tasks": group(
        "The tasks a network is trained and judged on: list them, get their data.",
        lambda: {"get": "tasks:get", "make": "make_task:make"},
        tasks.tasks,
        alone=True,
    ),
    "import": "networks.import_network:import_network",
    "train": "networks.train:train",
    "evaluate": "networks.evaluate:evaluate",
    "loop": "networks.loop:loop",
    "budget": "networks.budget:budget",
    "optimize": "networks.optimize:optimize",
    "study": group(
        "Whole studies: simulate, fit, evaluate and write a report.", lambda: import_module("cosim.cli.studies").COMMANDS
    ),
    "compare": "chips.compare:compare",
    "report": "report:report",
    "view": "chips.view:view",
}
"""All commands, in the order of the way from a netlist to an accuracy."""


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
    return group(HELP, COMMANDS.copy, version, completion=True)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command (the process's own arguments by default) and return its exit code."""
    try:
        code = application()(args=arguments, prog_name="cosim", standalone_mode=False)
        if code == exit_code(KeyboardInterrupt()):
            note("interrupted")
        return code if isinstance(code, int) else 0
    except InputError as e:
        note(f"error: {_with_flags(e)}")
        return 2
    except ToolkitError as e:
        note(f"error: {_with_flags(e)}")
        return 1
    except KeyboardInterrupt as e:
        note("interrupted")
        return exit_code(e)
    except BrokenPipeError:
        # The reader (head, less) went away; there is nobody left to tell.
        sys.stderr.close()
        return 1
    except OSError as e:
        note(f"error: {f'{e.filename}: ' if e.filename else ''}{e.strerror or e}")
        return 1
    except MemoryError as e:
        note(f"error: out of memory ({e})")
        return 1
    except Exception as e:
        if isinstance(said := getattr(e, "exit_code", None), int) and (words := getattr(e, "format_message", None)):
            # Wrong use, as the command-line library puts it.
            note(_usage(_with_value(words(), e), getattr(getattr(e, "ctx", None), "command_path", "cosim")))
            return said
        if TRACEBACK in os.environ:
            raise
        note(f"error: {type(e).__name__}: {str(e)[:500]} (a fault of this toolkit: set {TRACEBACK}=1 to see where)")
        return 1
    except SystemExit as e:
        # Where Ctrl-C met the command-line library first, all it leaves is this code.
        if e.code == exit_code(KeyboardInterrupt()) and not isinstance(e, Interrupted):
            note("interrupted")
        return e.code if isinstance(e.code, int) else int(e.code is not None)


def _usage(words: str, command: str) -> str:
    """A line about wrong use; help, which is many lines, as it is."""
    return words if "\n" in words else f"error: {words[:1].lower()}{words[1:].rstrip('.')} (see `{command} --help`)"


def _with_value(words: str, error: Exception) -> str:
    """What the command-line library says of a value, and the value itself, which it leaves out."""
    try:
        first = error.__cause__.errors()[0]  # type: ignore[union-attr]
    except (AttributeError, IndexError):
        return words.replace("Value error, ", "")
    said = str(first["msg"]).replace("Value error, ", "")
    wrong = "" if repr(first["input"]) in said else f"{first['input']!r}: "
    return words.replace(str(first["msg"]), wrong + said.replace("Input should be", "must be").partition(", unable")[0])


def _with_flags(error: Exception) -> str:
    text = str(error)
    for words, flag in FLAGS.items():
        # Not what is a flag already.
        pattern = re.escape(words).replace(re.escape("{}"), "'([^']*)'")
        text = re.sub(rf"(?<!-){pattern}", flag.replace("\\", r"\\").replace("{}", r"\1"), text)
    return text


def main() -> None:
    """Entry point of the ``cosim`` command."""
    listen()
    missing = _fill_streams()
    code = run()
    if missing and code == 0:
        note(f"error: the answer cannot be written ({missing} is closed)")
        code = 1
    try:
        sys.stdout.flush()
    except OSError as e:
        # The interpreter would try again as it ends, and print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        note(f"error: the answer cannot be written ({e.strerror})")
        code = 1
    if code == 0:
        ignore()
    _leave(code)
    sys.exit(code)


def _fill_streams() -> str:
    """Puts something in the place of a stdout or stderr that is closed, says so of stdout, and lets both take every letter."""
    closed = [name for name in ("stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    return "stdout" if "stdout" in closed else ""


def _leave(code: int) -> None:
    """Ends the process at once where threads still compute what nobody waits for."""
    processes = sys.modules.get("characterization.processes")
    spice = sys.modules.get("netlists.spice.attended")
    if (processes is not None and processes.threads_given_up()) or (spice is not None and not spice.free()):
        ignore()
        if processes is not None:
            processes.end_workers()
        atexit._run_exitfuncs()
        os._exit(code)
