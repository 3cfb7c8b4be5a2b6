"""Run a test bench with plain ``ngspice -b`` and read back the tables it writes.

A bench is a `Deck` whose control block runs any analyses (``op``, ``ac``, ``noise``, ``dc``, ``tran``) and writes
its vectors with ``wrdata NAME.txt ...`` after ``set wr_singlescale``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from netlists.errors import SimulationError
from netlists.spice import TIME_LIMIT, Deck, init_lines, read_raw_plot, run_batch, subcircuits, warning_lines
from netlists.technology import pdk

OPTIONS = ".options reltol=1e-4 abstol=1e-13 vntol=1e-7 chgtol=1e-16 gmin=1e-15\n"


def header(title: str, conditions: pdk.Conditions, *names: str, mismatch: bool = False, seed: int | None = None) -> str:
    """First lines of a SKY130 bench: title, models, blocks, temperature, analog ground ``com``.

    Each circuit of a bench has its own supply source, so that its current can be told from the others'.
    """
    draws = f".options seed={seed}\n" if seed is not None else ""
    return (
        f"{title}\n{pdk.lib_card(conditions.corner, mismatch=mismatch)}\n{draws}{subcircuits(*names)}"
        f".temp {conditions.temperature!r}\nvcom com 0 {conditions.v_cm!r}\n"
    )


def run_bench(
    deck: Deck,
    tables: Sequence[str],
    *,
    timeout: float = TIME_LIMIT,
    settings: Sequence[str] = pdk.SETTINGS,
    heard: list[str] | None = None,
) -> dict[str, np.ndarray]:
    """Runs a bench and returns the tables it wrote.

    Parameters
    ----------
    settings : sequence of str
        ngspice's variables that the models need; those of SKY130 by default.
    heard : list of str, optional
        Takes what ngspice warns of.

    Returns
    -------
    dict of ndarray, each shape (points, columns)
        Column 0 is the scale (time, frequency, swept value); a complex vector takes two columns, real and imaginary.

    Raises
    ------
    SimulationError
        If ngspice reports an error, or a table is missing, empty or not finite.
    """
    with _bench(deck, settings, timeout) as (folder, printed):
        if heard is not None:
            heard += warning_lines(printed.splitlines())
        out = {}
        for name in tables:
            try:
                out[name] = np.loadtxt(folder / f"{name}.txt", ndmin=2)
            except (OSError, ValueError):
                raise SimulationError(f"the bench wrote no table {name!r}", printed[-2000:]) from None
            if not out[name].size or not np.all(np.isfinite(out[name])):
                raise SimulationError(f"the bench's table {name!r} is empty or not finite", printed[-2000:])
    return out


def run_listing(deck: Deck, settings: Sequence[str]) -> str:
    """Runs a bench and returns what ngspice printed, as of its command ``listing``."""
    with _bench(deck, settings, TIME_LIMIT) as (_, printed):
        return printed


def run_plot(deck: Deck, settings: Sequence[str], *, timeout: float = TIME_LIMIT) -> dict[str, np.ndarray]:
    """Runs a bench that writes its current plot (``write bench.raw``), and returns each vector (points,) by its name.

    Raises
    ------
    SimulationError
        As `run_bench`.
    """
    with _bench(deck, settings, timeout) as (folder, _):
        plot = read_raw_plot(folder / "bench.raw")
    return dict(zip(plot.names, plot.values.T, strict=True))


@contextmanager
def _bench(deck: Deck, settings: Sequence[str], timeout: float) -> Iterator[tuple[Path, str]]:
    """Runs a bench in a folder of its own; what it printed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = deck.write(Path(folder) / "bench.cir")
        (path.parent / ".spiceinit").write_text(init_lines(settings))
        yield path.parent, run_batch(path, timeout=timeout, confined=True)


def commands(*steps: str | tuple[str, Sequence[str]]) -> str:
    """Control block of ngspice's commands, and of tables (name, vectors) that it writes."""
    lines = [step if isinstance(step, str) else f"wrdata {step[0]}.txt {' '.join(step[1])}" for step in steps]
    return "\n".join(["set wr_singlescale", "set numdgt=10", *lines, "quit"])


def table(name: str, vectors: Sequence[str], analysis: str) -> str:
    """Control block that writes many vectors as one table; ngspice cuts a command line at about 1,000 characters."""
    return commands(analysis, *((f"{name}{j // 32}", vectors[j : j + 32]) for j in range(0, len(vectors), 32)))


def mismatch_tables(name: str, n: int) -> list[str]:
    """Names of the tables that `table` splits ``n`` vectors into, 32 each."""
    return [f"{name}{j}" for j in range((n + 31) // 32)]
