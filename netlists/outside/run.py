"""Run any one analysis of a deck, in an ngspice of its own.

A deck from outside may stop ngspice (a parameter that is not defined leaves a shared library that refuses every later
deck) or take hours (Ctrl-C must end it), and ngspice runs a ``.spiceinit`` it finds in the current folder. So it runs as
a program of its own, in an empty folder, told to read no ``.spiceinit``; results come back as ngspice's binary raw file.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from netlists.errors import InputError, SimulationError
from netlists.spice import Deck, RawPlot, is_error, read_raw_plot, run_ngspice

from .analysis import PLOTS, Analysis, difference, ngspice_name

UNITS = {
    "voltage": "V",
    "current": "A",
    "time": "s",
    "frequency": "Hz",
    "temperature": "°C",
    "temp-sweep": "°C",
    "res-sweep": "Ω",
    "impedance": "Ω",
    "admittance": "S",
    "power": "W",
    "charge": "C",
    "capacitance": "F",
}
"""Unit of each of ngspice's types of vector; the others have none."""


@dataclass(frozen=True)
class Wave:
    """One vector.

    Attributes
    ----------
    name : str
        As asked for, or as ngspice names it: ``v(out)``, ``i(v1)``, ``time``, ``frequency``, ``v-sweep``.
    unit : str
    values : ndarray (points,)
        Complex in an AC analysis, else real.
    """

    name: str
    unit: str
    values: np.ndarray


@dataclass(frozen=True)
class Waves:
    """The result of an analysis.

    Attributes
    ----------
    kind : {"tran", "ac", "dc", "op"}
    scales : tuple of Wave
        Time, frequency or the swept values (inner sweep first); none for ``op``.
    vectors : tuple of Wave
    """

    kind: str
    scales: tuple[Wave, ...]
    vectors: tuple[Wave, ...]

    @property
    def points(self) -> int:
        """Length of every vector."""
        return len(self.vectors[0].values)

    def __getitem__(self, name: str) -> np.ndarray:
        for wave in (*self.scales, *self.vectors):
            if wave.name == name.lower():
                return wave.values
        raise KeyError(name)


def simulate_analysis(
    deck: Deck,
    analysis: Analysis | None,
    vectors: tuple[str, ...] = (),
    *,
    folder: Path | None = None,
    executable: str = "ngspice",
    timeout: float | None = None,
) -> Waves:
    """Runs a deck with one analysis and returns what it saves.

    Parameters
    ----------
    deck : Deck
        Must save ``vectors``. Its ``control`` commands are run as they are, so they must come from the user; if they
        run no analysis the deck's is run after them.
    analysis : Analysis or None
        What the result is checked against; None where the control commands decide.
    vectors : tuple of str
        As from `analysis.requests`; default all that were saved.
    folder : Path or None
        Where ngspice works, for decks that may read data files or run commands (then a ``.spiceinit`` there is read
        too). Default: an empty folder.

    Raises
    ------
    InputError
        If a vector asked for is not in the circuit.
    SimulationError
        With ngspice's own message, if it fails, ends early, or takes longer than ``timeout`` seconds.
    ToolkitError
        If the program is missing.
    """
    commands = deck.control.splitlines()
    if not any(re.match(r"\s*(run|tran|ac|dc|op)\b", c, re.IGNORECASE) for c in commands):
        commands.append("run")
    whole = replace(deck, control="\n".join(["set filetype=binary", *commands, "write", "quit"]))
    with tempfile.TemporaryDirectory(prefix="deck-") as own:
        path, raw = whole.write(Path(own) / "deck.cir"), Path(own) / "out.raw"
        work = Path(own) / "work"
        work.mkdir()
        # -r sets the name that the command `write` takes, whatever characters the path has.
        options = ["-b", "-r", str(raw)] if deck.control else ["-n", "-b", "-r", str(raw)]
        done = run_ngspice([*options, str(path)], folder or work, executable=executable, timeout=timeout)
        printed = "\n".join(line for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip())
        if vectors and "no data saved" in printed:
            raise InputError(f"vectors {', '.join(vectors)}: the circuit has none of them; ask for no vectors to get all there are")
        if any(is_error(line) for line in printed.splitlines()) or done.returncode or not raw.is_file():
            raise SimulationError("ngspice could not simulate the deck", _telling(printed))
        plot = read_raw_plot(raw)
    return _checked(plot.name, _waves(plot), analysis, vectors, printed)


def _telling(printed: str) -> str:
    """Lines that ngspice printed, without the tables of values and sizes around an error."""
    lines = printed.splitlines()
    first = next((i for i, line in enumerate(lines) if is_error(line)), len(lines) - 1)
    return "\n".join(lines[max(0, first - 3) : first + 8])[-2000:]


def _waves(raw: RawPlot) -> list[Wave]:
    """The vectors of a plot in ngspice's order; the scale is the first."""
    named = zip(raw.names, raw.units, raw.values.T, strict=True)
    return [Wave(name, UNITS.get(unit, ""), values.copy()) for name, unit, values in named]


def _checked(plot: str, found: list[Wave], analysis: Analysis | None, vectors: tuple[str, ...], printed: str) -> Waves:
    kinds = {name: kind for kind, name in PLOTS.items()}
    if plot not in kinds or (analysis is not None and kinds[plot] != analysis.kind):
        wanted = PLOTS[analysis.kind] if analysis else ", ".join(kinds)
        raise SimulationError(f"ngspice left the result {plot!r} instead of {wanted}", _telling(printed))
    kind = kinds[plot]
    scales: tuple[Wave, ...] = ()
    if kind != "op":
        first, *found = found
        # ngspice writes the sweep as v(v-sweep); the frequency is complex there.
        name = re.sub(r"^[vi]\((.*-sweep)\)$", r"\1", first.name)
        scales = (Wave(name, first.unit, first.values.real.copy()),)
    if analysis is not None:
        points = scales[0].values if scales else found[0].values
        if missing := analysis.shortfall(points):
            raise SimulationError(f"the {analysis.card} analysis is not complete: {missing}", _telling(printed))
        if outer := analysis.outer_sweep(points):
            unit = {"v": "V", "i": "A", "t": "°C", "r": "Ω"}.get(outer[0][0], "")
            scales = (*scales, Wave(outer[0], unit, outer[1]))
    everything = not vectors or not {"all", "allv", "alli"}.isdisjoint(vectors)
    waves = tuple(found) if everything else tuple(_find(found, v) for v in vectors)
    for wave in waves:
        if not np.all(np.isfinite(wave.values)):
            raise SimulationError(f"{wave.name} has values that are not finite", _telling(printed))
    if not waves:
        raise SimulationError("the simulation saved nothing", _telling(printed))
    return Waves(kind, scales, waves)


def _find(found: list[Wave], vector: str) -> Wave:
    """The vector asked for, under the name it was asked by."""
    if pair := difference(vector):
        ground = np.zeros_like(found[0].values)
        values = [ground if n in ("0", "gnd") else _find(found, f"v({n})").values for n in pair]
        return Wave(vector, "V", values[0] - values[1])
    name = ngspice_name(vector)
    # ngspice writes the vector @r1[i] as i(@r1[i]), v1#branch as i(v1), and a plain node as v(node).
    for candidate in (name, f"v({name})", f"i({name})", f"i({name.removesuffix('#branch')})"):
        for wave in found:
            if wave.name == candidate:
                return Wave(vector, wave.unit, wave.values)
    raise InputError(f"vector {vector!r}: the simulation has none; ask for no vectors to get all there are")
