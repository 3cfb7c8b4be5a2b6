"""The second runner: plain ``ngspice -b deck.cir`` in a process of its own."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from netlists.errors import SimulationError, ToolkitError

from .deck import Deck
from .pyspice import INSTALL_HINT, environment, is_error
from .raw_file import read_raw_plot

TIME_LIMIT = 7200.0
"""Seconds that a simulation may take unless told: more than any on a busy machine, less than a night with one that hangs."""


def transient_vectors(
    deck: Deck, vectors: Sequence[str], *, executable: str = "ngspice", timeout: float = TIME_LIMIT
) -> tuple[dict[str, np.ndarray], str]:
    """Run a deck's ``.tran`` card without its ``control`` block; ``time`` and the vectors asked for, and what ngspice printed.

    The process works in an empty folder with the deck's settings, and is killed after ``timeout`` seconds.

    Raises
    ------
    ToolkitError
        If the program is missing.
    SimulationError
        If it printed an error, took too long, ran no transient or left a vector out.
    """
    with tempfile.TemporaryDirectory(prefix="batch-") as folder:
        path = replace(deck, control="").write(Path(folder) / "deck.cir")
        # Written also when it is empty: ngspice would read the one in the user's home.
        (path.parent / ".spiceinit").write_text("".join(f"set {setting}\n" for setting in deck.settings))
        printed = run_batch(path, options=("-r", "out.raw"), executable=executable, timeout=timeout)
        plot = read_raw_plot(path.parent / "out.raw")
    if plot.name != "Transient Analysis":
        raise SimulationError(f"the simulation produced no transient but {plot.name!r}", printed[-2000:])
    column = {name.removeprefix("v(").removesuffix(")"): j for j, name in enumerate(plot.names)}
    try:
        return {name: plot.values[:, column[name.lower()]].copy() for name in ("time", *vectors)}, printed
    except KeyError as e:
        raise SimulationError(f"the simulation did not produce the vector {e.args[0]!r}", printed[-2000:]) from None


def run_batch(path: str | Path, *, options: Sequence[str] = (), executable: str = "ngspice", timeout: float = TIME_LIMIT) -> str:
    """Run a deck file with ``ngspice -b`` in the deck's folder and return what it printed.

    Raises
    ------
    ToolkitError
        If the program is missing.
    SimulationError
        If it printed an error, or took longer than ``timeout`` seconds.
    """
    path = Path(path).resolve()
    done = run_ngspice(["-b", *options, path.name], path.parent, executable=executable, timeout=timeout)
    printed = done.stdout + done.stderr
    errors = [line for line in printed.splitlines() if is_error(line)]
    if errors:
        raise SimulationError(f"ngspice -b {path.name} failed", "\n".join(errors))
    return printed


def run_ngspice(
    arguments: Sequence[str], folder: Path, *, executable: str = "ngspice", timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs ngspice in a process of its own, in a folder, and returns what it printed and its exit status.

    Raises
    ------
    ToolkitError
        If the program is missing.
    SimulationError
        If it took longer than ``timeout`` seconds.
    """
    try:
        return subprocess.run(
            [executable, *arguments],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise ToolkitError(f"the program {executable!r} was not found: {INSTALL_HINT}") from None
    except subprocess.TimeoutExpired:
        raise SimulationError(f"ngspice took longer than {timeout:g} s") from None


def read_transitions(printed: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transition levels from what a `transition_deck` prints.

    Returns
    -------
    volts, x : ndarray (chips, thresholds)
        Levels in volts and in activation input units.
    bracketed : ndarray of bool, same shape

    Raises
    ------
    SimulationError
        If the printed text has no complete table of transition levels.
    """
    found = {
        (name, int(chip), int(k)): float(value)
        for name, chip, k, value in re.findall(r"^(t|x|bracketed)_(\d+)_(\d+) = (\S+)", printed, re.MULTILINE)
    }
    chips, levels = (max((key[i] for key in found), default=0) for i in (1, 2))
    try:
        volts, x, bracketed = (
            np.array([[found[name, i, k] for k in range(1, levels + 1)] for i in range(chips + 1)])
            for name in ("t", "x", "bracketed")
        )
    except KeyError as e:
        raise SimulationError(f"ngspice -b printed no value {e.args[0]}", printed[-2000:]) from None
    if levels == 0:
        raise SimulationError("ngspice -b printed no transition levels", printed[-2000:])
    return volts, x, bracketed > 0
