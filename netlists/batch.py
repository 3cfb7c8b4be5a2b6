"""The second runner: plain ``ngspice -b deck.cir`` in a process of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from .errors import SimulationError, ToolkitError
from .pyspice import INSTALL_HINT, is_error


def run_batch(path: str | Path, *, executable: str = "ngspice", timeout: float = 600.0) -> str:
    """Run a deck file with ``ngspice -b`` in the deck's folder and return what it printed.

    Raises
    ------
    ToolkitError
        If the program is missing.
    SimulationError
        If it printed an error, or took longer than ``timeout`` seconds.
    """
    path = Path(path).resolve()
    try:
        done = subprocess.run(
            [executable, "-b", path.name], cwd=path.parent, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise ToolkitError(f"the program {executable!r} was not found: {INSTALL_HINT}") from None
    except subprocess.TimeoutExpired:
        raise SimulationError(f"ngspice -b {path.name} took longer than {timeout:g} s") from None
    printed = done.stdout + done.stderr
    errors = [line for line in printed.splitlines() if is_error(line)]
    if errors:
        raise SimulationError(f"ngspice -b {path.name} failed", "\n".join(errors))
    return printed


def read_transitions(printed: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transition levels from what a `transition_deck` prints.

    Returns
    -------
    volts, x : ndarray (chips, 2**bits - 1)
        Levels in volts and in activation input units.
    bracketed : ndarray of bool, same shape

    Raises
    ------
    SimulationError
        If the printed text has no complete table of transition levels.
    """
    rows = [line.split()[1:] for line in printed.splitlines() if line.startswith("transition ")]
    try:
        table = np.array([[float(v) for v in row] for row in rows])
        chips, levels = int(table[:, 0].max()) + 1, int(table[:, 1].max())
        cube = table.reshape(chips, levels, 5)
    except (ValueError, IndexError):
        raise SimulationError("ngspice -b printed no complete table of transition levels", printed[-2000:]) from None
    return cube[:, :, 2], cube[:, :, 3], cube[:, :, 4] > 0
