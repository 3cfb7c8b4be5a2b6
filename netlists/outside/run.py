"""Run a deck from outside with all its analyses, in an ngspice of its own.

A deck from outside may stop ngspice (a parameter that is not defined leaves a shared library that refuses every later
deck) or take hours (Ctrl-C must end it), and ngspice runs a ``.spiceinit`` it finds in the current folder. So it runs as
a program of its own, in an empty folder, told to read no ``.spiceinit``; results come back as ngspice's binary raw files.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from netlists.checks import Choice, check
from netlists.errors import InputError, SimulationError
from netlists.spice import ANALYSES, TIME_LIMIT, RawPlot, is_error, read_raw_plot, run_ngspice

from .analysis import Analysis, Kind, difference, ngspice_name
from .control import MARK
from .deck import OutsideDeck
from .diagnosis import cause, measurements, succeeded, telling, warnings_of, without_shown
from .dialects import COMPATIBILITY, dialect_warnings

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
    "voltage-density": "V/√Hz",
    "current-density": "A/√Hz",
}
"""Unit of each of ngspice's types of vector; the others have none."""

_SCALED = ("tran", "ac", "dc", "noise", "disto", "sp")
_COMPUTED = ("noise", "tf", "sens", "pz", "disto", "sp")
"""Analyses with vectors of their own, which ``.save`` does not name."""


@dataclass(frozen=True)
class Wave:
    """One vector.

    Attributes
    ----------
    name : str
        As asked for, or as ngspice names it: ``v(out)``, ``i(v1)``, ``time``, ``frequency``, ``v-sweep``.
    unit : str
    values : ndarray (points,)
        Complex in an AC analysis, else real. Length 1 for a number that a control block computed beside the vectors.
    """

    name: str
    unit: str
    values: np.ndarray


@dataclass(frozen=True)
class Waves:
    """The result of an analysis.

    Attributes
    ----------
    kind : str
        "tran", "ac", "dc", "op", "noise", "tf" ..., "four" for the table of a ``.four`` card, "spectrum" or what else a
        control block made.
    scales : tuple of Wave
        Time, frequency or the swept values (inner sweep first); none for ``op`` and other single points.
    vectors : tuple of Wave
    name : str
        Its name in the simulation: the kind, with a number where there are several of a kind.
    card : str
        What was run, such as ``.tran 1n 1u``.
    step : tuple of (str, str)
        What a loop of a control block has set when it ran: names and values.
    measurements : dict
        Results of ``.meas``; None for one that failed.
    """

    kind: str
    scales: tuple[Wave, ...]
    vectors: tuple[Wave, ...]
    name: str = ""
    card: str = ""
    step: tuple[tuple[str, str], ...] = ()
    measurements: dict[str, float | None] | None = None

    @property
    def points(self) -> int:
        """Length of every vector."""
        return max(len(w.values) for w in (*self.scales, *self.vectors))

    def __getitem__(self, name: str) -> np.ndarray:
        for wave in (*self.scales, *self.vectors):
            if wave.name == name.lower():
                return wave.values
        raise KeyError(name)

    def raw_plot(self) -> RawPlot:
        """It as a plot of a raw file."""
        title = {"tran": "Transient Analysis", "ac": "AC Analysis", "dc": "DC transfer characteristic", "op": "Operating Point"}
        waves = [w for w in (*self.scales[:1], *self.vectors) if len(w.values) == self.points]
        types = {unit: name for name, unit in reversed(UNITS.items())}
        names = tuple(w.name.replace(" ", "") for w in waves)
        values = np.stack([w.values for w in waves], axis=1)
        return RawPlot(title.get(self.kind, self.name), names, tuple(types.get(w.unit, "notype") for w in waves), values)


@dataclass(frozen=True)
class DeckResults:
    """All that came of a deck.

    Attributes
    ----------
    waves : tuple of Waves
        One an analysis, in the order in which they ran.
    printed : tuple of str
        What ``print`` and other commands of its control blocks printed.
    warnings : tuple of str
        Of the deck and of ngspice.
    compat : str
        ngspice's compatibility mode; empty for none.
    """

    waves: tuple[Waves, ...]
    printed: tuple[str, ...]
    warnings: tuple[str, ...]
    compat: str

    def __getitem__(self, name: str) -> Waves:
        for waves in self.waves:
            if waves.name == name:
                return waves
        raise KeyError(name)


def simulate_outside(
    deck: OutsideDeck,
    vectors: Sequence[str] = (),
    kind: str | None = None,
    *,
    compat: str = "",
    folder: Path | None = None,
    executable: str = "ngspice",
    timeout: float = TIME_LIMIT,
    memory: int | None = None,
) -> DeckResults:
    """Runs all analyses of a deck, or those of a kind.

    Parameters
    ----------
    vectors : sequence of str
        As from `analysis.requests`; default those of its ``.save`` cards, else all.
    kind : str, optional
        ``tran``, ``ac``, ``dc``, ``op``, ``noise``, ``tf`` ...
    compat : str
        ngspice's compatibility mode (``ngbehavior``), one of `COMPATIBILITY`: HSPICE, PSpice or LTspice.
    folder : Path or None
        Where ngspice works, for decks that may read data files or run commands. Default: an empty folder.
    timeout : float
        Seconds that each ngspice may take: one an analysis, or one for the control blocks.
    memory : int, optional
        Bytes that it may take; default three quarters of the computer's.

    Raises
    ------
    InputError
        If a vector asked for is not in the circuit.
    SimulationError
        Why in a line, and with ngspice's own message, if it fails, ends early, or takes longer than ``timeout`` seconds.
    ToolkitError
        If the program is missing.
    """
    check(Kind | None, kind, "analysis")
    if compat:
        check(Choice(COMPATIBILITY), compat, "compat")
    warnings = [*deck.warnings, *([] if compat else dialect_warnings(deck.cards, deck.path.name)), *_init_files(deck.path)]
    runs = [()] if deck.commands else [(a,) for a in deck.chosen(kind)]
    found: list[Waves] = []
    shown: list[str] = []
    for analyses in runs:
        waves, printed = _run(deck, analyses, tuple(vectors), compat, folder, executable, timeout, memory)
        shown += re.findall(rf"^{MARK}show .*?\n(.*?)^{MARK}shown$", printed, re.MULTILINE | re.DOTALL)
        warnings += warnings_of(without_shown(printed), deck.place)
        found += waves
    if kind is not None:
        found = [w for w in found if w.kind == kind]
    if not found:
        raise SimulationError(f"the deck ran no {kind or ''} analysis".replace("  ", " "))
    lines = [line for text in shown for line in text.splitlines() if line.strip()]
    return DeckResults(tuple(_numbered(found)), tuple(lines), tuple(dict.fromkeys(warnings)), compat)


def _init_files(path: Path) -> list[str]:
    """What to say of ``.spiceinit`` files, which plain ngspice would run."""
    said = []
    for file in {path.resolve().parent / ".spiceinit", Path(os.path.expanduser("~/.spiceinit"))}:
        if file.is_file():
            try:
                mode = re.search(r"^\s*set\s+ngbehavior\s*=\s*(\w+)", file.read_text(errors="replace"), re.MULTILINE)
            except OSError:
                mode = None
            hint = f"; it sets ngbehavior={mode[1]}: compat={mode[1]!r} does" if mode else ""
            said.append(f"{file} is not run, which plain ngspice would do{hint}")
    return said


def _run(
    deck: OutsideDeck,
    analyses: tuple[Analysis, ...],
    vectors: tuple[str, ...],
    compat: str,
    folder: Path | None,
    executable: str,
    timeout: float,
    memory: int | None,
) -> tuple[list[Waves], str]:
    """One ngspice: an analysis of the cards, or the control blocks."""
    computed = any(a.kind in _COMPUTED for a in analyses) or bool(
        re.search(rf"^(?:{'|'.join(_COMPUTED)})\b", "\n".join(deck.commands), re.MULTILINE | re.IGNORECASE)
    )
    saved = vectors or deck.saved
    names = (*saved, *(["all"] if computed and saved else []))
    with tempfile.TemporaryDirectory(prefix="deck-") as own:
        work = Path(own) / "work"
        work.mkdir()
        place = "" if folder is None else os.path.relpath(work.resolve(), folder.resolve()) + "/"
        commands = deck.commands or ("run", f"echo {MARK}plot $curplot")
        cards = deck.analyses if deck.commands else analyses
        control = [
            *("set noinit", *commands, f"echo {MARK}end", "set filetype=binary", "unset appendwrite"),
            *("foreach cosim_plot $plots", "setplot $cosim_plot", f"write {place}plot_{{$cosim_plot}}.raw", "end"),
            # Cards .four are carried out when a batch ends.
            *(() if any(c.word == ".four" for c in deck.cards) else ("quit",)),
        ]
        circuit = deck.deck(cards, (), names, ())
        text = replace(circuit, control="\n".join(control))
        path = text.write(Path(own) / "deck.cir")
        settings = [f"ngbehavior={compat}"] if compat else []
        options = [word for setting in settings for word in ("-D", setting)]
        line = ["-n", *options, "-b", str(path)]
        # Whoever names a folder has let the deck use files.
        limits: dict[str, Any] = {"timeout": timeout, "memory": memory, "confined": folder is None}
        done = run_ngspice(line, folder or work, executable=executable, **limits)
        printed = f"{done.stderr}\n{done.stdout}"
        plots = {p.stem.removeprefix("plot_"): p for p in work.glob("plot_*.raw")}
        try:
            return _results(deck, analyses, vectors, done.stdout, printed, plots), printed
        except SimulationError as e:
            why = cause(without_shown(printed), deck.place)
            message = telling(without_shown(printed), deck.place)
            if vectors and "no data saved" in printed:
                raise InputError(
                    f"vectors {', '.join(vectors)}: the circuit has none of them; ask for no vectors to get all there are"
                ) from None
            raise SimulationError(why or str(e).partition("\n")[0], message) from None


_FATAL = re.compile(
    r"aborted|timestep too small|iteration limit|no convergence|not parsed|fatal|no such (subcircuit|device|model)"
    r"|unknown (subckt|model|parameter)|undefined parameter|can't find (model|subckt)|aren't any circuits"
    r"|could not find|no data saved",
    re.IGNORECASE,
)


def _results(
    deck: OutsideDeck,
    analyses: tuple[Analysis, ...],
    vectors: tuple[str, ...],
    stdout: str,
    printed: str,
    files: dict[str, Path],
) -> list[Waves]:
    lines = succeeded(printed).splitlines()
    errors = [line for line in lines if is_error(line)]
    # A measurement or a .four that fails leaves the waveforms as they are.
    measured = re.compile(r"\bmeas|wavelength longer", re.IGNORECASE)
    bad = [line for line in errors if (_FATAL.search(line) if deck.commands else not measured.search(line))]
    # Without a path for a direct current the operating point is what the search for it left; a transient forgets it.
    undetermined = any(a.kind != "tran" for a in analyses) and "singular matrix" in printed
    if bad or undetermined or f"{MARK}end" not in printed:
        raise SimulationError("ngspice could not simulate the deck")
    marks = _marks(stdout)
    out: list[Waves] = []
    order = re.findall(rf"^{MARK}plot (\S+)", stdout, re.MULTILINE)
    names = sorted((n for n in files if n != "const"), key=lambda n: (order.index(n) if n in order else len(order), _number(n)))
    for name in sorted(names, key=lambda n: _position(n, order)):
        plot = read_raw_plot(files[name])
        kind = _kind(name, plot)
        command, step, results = marks.get(name, ("", (), {}))
        card = analyses[0].card if analyses else f".{command}" if command and command.split()[0] != "run" else _only(deck, kind)
        out.append(_waves(plot, kind, card, step, results, vectors, deck.saved, bool(deck.commands)))
    if not out:
        raise SimulationError("the simulation saved nothing")
    if analyses:
        results = measurements(lines)
        out = [replace(w, measurements=results or None) for w in out[:1]] + out[1:]
    return [*out, *_fourier(stdout)]


def _number(name: str) -> int:
    return int(re.sub(r"\D", "", name) or 0)


def _position(name: str, order: list[str]) -> tuple[int, int]:
    """Plots in the order of their analyses; the spectrum of a noise analysis, which has no mark, before its total."""
    if name in order:
        return order.index(name), 1
    after = re.sub(r"\d+$", "", name) + str(_number(name) + 1)
    return (order.index(after), 0) if after in order else (len(order), _number(name))


def _marks(stdout: str) -> dict[str, tuple[str, tuple[tuple[str, str], ...], dict[str, float | None]]]:
    """Command, steps of loops and measurements of each plot that a mark names."""
    found: dict[str, tuple] = {}
    command, plot = "", ""
    step: dict[str, str] = {}
    lines: list[str] = []

    def close() -> None:
        if plot in found:
            found[plot][2].update(measurements(lines))
        lines.clear()

    for line in without_shown(stdout).splitlines():
        if not line.startswith(MARK):
            lines.append(line)
            continue
        word, _, rest = line.removeprefix(MARK).partition(" ")
        if word == "analysis":
            close()
            command, plot = rest.strip(), ""
        elif word == "plot":
            plot = rest.strip()
            found[plot] = (command, tuple(step.items()), {})
            close()
        elif word == "step":
            name, _, value = rest.partition("=")
            step[name.strip()] = value.strip()
        elif word == "value" and lines:
            step[list(step)[-1]] = lines.pop().rpartition("=")[2].strip()
    close()
    return found


def _only(deck: OutsideDeck, kind: str) -> str:
    cards = [a.card for a in deck.analyses if a.kind == kind]
    return cards[0] if len(cards) == 1 else f".{kind}" if kind in ANALYSES else ""


def _kind(name: str, plot: RawPlot) -> str:
    kind = re.sub(r"\d+$", "", name)
    return "spectrum" if "pectrum" in plot.name else kind if kind in ANALYSES else kind or plot.name


def _waves(
    plot: RawPlot,
    kind: str,
    card: str,
    step: tuple[tuple[str, str], ...],
    results: dict[str, float | None],
    vectors: tuple[str, ...],
    saved: tuple[str, ...],
    commands: bool,
) -> Waves:
    named = zip(plot.names, plot.units, plot.values.T, plot.lengths, strict=True)
    found = [Wave(name, UNITS.get(unit, ""), values[:length].copy()) for name, unit, values, length in named]
    scales: tuple[Wave, ...] = ()
    if (kind in _SCALED or kind == "spectrum") and len(found) > 1 and re.search(r"time|frequency|sweep", found[0].name):
        first, *found = found
        # ngspice writes the sweep as v(v-sweep); the frequency is complex there.
        name = re.sub(r"^[vi]\((.*-sweep)\)$", r"\1", first.name)
        scales = (Wave(name, first.unit, first.values.real.copy()),)
    if not found:
        raise SimulationError("the simulation saved nothing")
    scales = _complete(kind, card, scales, found)
    waves = _selected(found, kind, vectors, saved, commands)
    for wave in waves:
        if not np.all(np.isfinite(wave.values)):
            raise SimulationError(f"{wave.name} has values that are not finite")
    return Waves(kind, scales, waves, card=card, step=step, measurements=results or None)


def _complete(kind: str, card: str, scales: tuple[Wave, ...], found: list[Wave]) -> tuple[Wave, ...]:
    """The scales, with the outer one of a nested sweep, of an analysis that has run to its end."""
    arguments = tuple(card.split()[1:])
    if kind not in ANALYSES or not card.startswith(f".{kind}") or (kind in ("tran", "ac", "dc") and len(arguments) < 2):
        return scales
    analysis = Analysis(kind, arguments)
    points = scales[0].values if scales else found[0].values
    if missing := analysis.shortfall(points):
        raise SimulationError(f"the {card} analysis is not complete: {missing}")
    if outer := analysis.outer_sweep(points):
        unit = {"v": "V", "i": "A", "t": "°C", "r": "Ω"}.get(outer[0][0], "")
        return (*scales, Wave(outer[0], unit, outer[1]))
    return scales


def _selected(found: list[Wave], kind: str, vectors: tuple[str, ...], saved: tuple[str, ...], commands: bool) -> tuple[Wave, ...]:
    wanted = vectors or saved
    if not wanted or (not vectors and kind not in ("op", "dc", "ac", "tran")) or not {"all", "allv", "alli"}.isdisjoint(wanted):
        return tuple(found)
    if kind not in ("op", "dc", "ac", "tran"):
        return tuple(w for w in found if w.name in vectors) or tuple(found)
    chosen = [_find(found, v) for v in wanted if vectors or _has(found, v)]
    if commands and not vectors:
        names = {w.name for w in chosen}
        chosen += [w for w in found if w.name not in names and not re.match(r"[vi]\(", w.name)]
    return tuple(chosen) or tuple(found)


def _has(found: list[Wave], vector: str) -> bool:
    try:
        _find(found, vector)
    except InputError:
        return False
    return True


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


def _fourier(stdout: str) -> list[Waves]:
    """Tables that ``.four`` cards print."""
    out = []
    for block in re.finditer(
        r"^Fourier analysis for (\S+):\n\s*No\. Harmonics.*?THD: (\S+) %.*?\n(.*?)(?:\n\s*\n|\Z)",
        stdout + "\n\n",
        re.MULTILINE | re.DOTALL,
    ):
        rows = [line.split() for line in block[3].splitlines() if re.match(r"\s*\d+\s", line)]
        table = np.array([[float(x) for x in row[:4]] for row in rows]).reshape(-1, 4)
        if not len(table):
            continue
        scale = Wave("frequency", "Hz", table[:, 1])
        waves = (Wave(f"mag({block[1]})", "", table[:, 2]), Wave(f"phase_deg({block[1]})", "", table[:, 3]))
        out.append(
            Waves(
                "four",
                (scale,),
                waves,
                card=f".four {table[1, 1] if len(table) > 1 else 0:g} {block[1]}",
                measurements={"thd_percent": float(block[2])},
            )
        )
    return out


def _numbered(found: list[Waves]) -> list[Waves]:
    """Each under its name: the kind, and a number where there are several of a kind."""
    names = ["noise_total" if w.kind == "noise" and not w.scales else w.kind for w in found]
    out, count = [], dict.fromkeys(names, 0)
    for waves, name in zip(found, names, strict=True):
        count[name] += 1
        out.append(replace(waves, name=f"{name}{count[name]}" if names.count(name) > 1 else name))
    return out
