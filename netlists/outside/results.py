"""Results of a deck from what ngspice left behind: raw files, and marks, measurements and tables among what it printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from netlists.errors import InputError, SimulationError
from netlists.spice import ANALYSES, Card, RawPlot, is_error, read_raw_plot, words

from .analysis import Analysis, difference, ngspice_name
from .control import MARK
from .deck import OutsideDeck
from .diagnosis import measurements, repeated_measurements, succeeded, without_shown
from .waves import UNITS, Wave, Waves

_Mark = tuple[str, tuple[tuple[str, str], ...], dict[str, float | None]]
_SCALED = ("tran", "ac", "dc", "noise", "disto", "sp")
_FATAL = re.compile(
    r"aborted|timestep too small|iteration limit|no convergence|not parsed|fatal|no such (subcircuit|device|model)"
    r"|unknown (subckt|model|parameter)|undefined parameter|can't find (model|subckt)|aren't any circuits"
    r"|could not find|no data saved",
    re.IGNORECASE,
)


def read_results(
    deck: OutsideDeck,
    analyses: tuple[Analysis, ...],
    vectors: tuple[str, ...],
    stdout: str,
    printed: str,
    files: dict[str, Path],
) -> list[Waves]:
    """Results of one ngspice from its raw files and from what it printed.

    Raises
    ------
    SimulationError
        It failed, ended early, or saved nothing.
    """
    lines = succeeded(printed).splitlines()
    errors = [line for line in lines if is_error(line)]
    # A measurement or a .four that fails leaves the waveforms as they are.
    measured = re.compile(r"\bmeas|wavelength longer|\bbad value", re.IGNORECASE)
    bad = [line for line in errors if (_FATAL.search(line) if deck.commands else not measured.search(line))]
    # Without a path for a direct current the operating point is what the search for it left; a transient forgets it.
    undetermined = any(a.kind != "tran" for a in analyses) and "singular matrix" in printed
    if bad or undetermined or f"{MARK}end" not in printed:
        raise SimulationError("ngspice could not simulate the deck")
    plots = {name: read_raw_plot(file) for name, file in files.items() if name != "const"}
    # Of a plot without points ngspice writes its constants.
    plots = {name: plot for name, plot in plots.items() if plot.name != "constants"}
    marks, empty = _marks(stdout)
    destroyed = any(command.split()[:1] == ["destroy"] for command in deck.commands)
    if deck.commands:
        empty += [command for name, (command, *_) in marks.items() if name not in plots]
    if (empty := [command for command in empty if command]) and not destroyed:
        raise SimulationError(f"the analysis {empty[0]!r} of the control block gave no points")
    out: list[Waves] = []
    stops = any(re.search(r"\bautostop\b", c.text, re.IGNORECASE) for c in deck.cards if c.word.startswith(".opt"))
    order = re.findall(rf"^{MARK}plot (\S+)", stdout, re.MULTILINE)
    for name, plot in sorted(plots.items(), key=lambda item: _position(item[0], order)):
        kind = _kind(name, plot)
        command, step, results = marks.get(name, ("", (), {}))
        card = analyses[0].card if analyses else f".{command}" if command and command.split()[0] != "run" else _only(deck, kind)
        out.append(_waves(plot, kind, card, step, results, vectors, deck.saved, bool(deck.commands), stops))
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


def _marks(stdout: str) -> tuple[dict[str, _Mark], list[str]]:
    """Command, steps of loops and measurements of each plot that a mark names; and the commands that made no plot."""
    found: dict[str, tuple] = {}
    empty: list[str] = []
    command, plot = "", ""
    step: dict[str, str] = {}
    lines: list[str] = []
    taken: dict[str, list[str]] = {}

    def close() -> None:
        if plot in found:
            taken.setdefault(plot, []).extend(lines)
            found[plot][2].update(repeated_measurements(taken[plot]))
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
            # An analysis that makes no plot leaves the last one current.
            known, plot = rest.strip() in found or rest.strip() == "const", rest.strip()
            if known:
                empty.append(command)
            else:
                found[plot] = (command, tuple(step.items()), {})
            close()
        elif word == "step":
            name, _, value = rest.partition("=")
            step[name.strip()] = value.strip()
        elif word == "unstep":
            step.pop(rest.strip(), None)
        elif word == "value" and lines:
            step[list(step)[-1]] = lines.pop().rpartition("=")[2].strip()
    close()
    return found, empty


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
    stops: bool,
) -> Waves:
    named = zip(plot.names, plot.units, plot.values.T, plot.lengths, strict=True)
    # A parameter that a device does not have is a vector without values.
    found = [_wave(kind, name, unit, values[:length].copy()) for name, unit, values, length in named if length]
    scales: tuple[Wave, ...] = ()
    if (kind in _SCALED or kind == "spectrum") and len(found) > 1 and re.search(r"time|frequency|sweep", found[0].name):
        first, *found = found
        # ngspice writes the sweep as v(v-sweep); the frequency is complex there.
        name = re.sub(r"^[vi]\((.*-sweep)\)$", r"\1", first.name)
        scales = (Wave(name, first.unit, first.values.real.copy()),)
    if not found:
        raise SimulationError("the simulation saved nothing")
    if not (kind == "tran" and stops):
        scales = _complete(kind, card, scales, found)
    waves = _selected(found, kind, vectors, saved, commands)
    infinite = [wave.name for wave in waves if not np.all(np.isfinite(wave.values))]
    # What is computed from a result, such as the logarithm of 0 or the noise figure of a port, leaves the result as it is.
    simulated = [n for n in infinite if kind in ("op", "dc", "ac", "tran") and re.match(r"[vi]\(", n)]
    if simulated or len(infinite) == len(waves):
        raise SimulationError(f"{(simulated or infinite)[0]} has values that are not finite")
    waves = tuple(w for w in waves if w.name not in infinite)
    return Waves(kind, scales, waves, card=card, step=step, measurements=results or None, omitted=tuple(infinite))


def _wave(kind: str, name: str, unit: str, values: np.ndarray) -> Wave:
    """A vector; ngspice takes the results of .tf, of .sens and the totals of .noise for voltages of nodes of these names."""
    if kind not in ("tf", "sens", "noise"):
        return Wave(name, UNITS.get(unit, ""), values)
    name = re.sub(r"^[vi]\((.*)\)$", r"\1", name)
    ours = {"tf": "\u03a9" if "impedance" in name else "", "sens": ""}
    return Wave(name, ours.get(kind, UNITS.get(unit, "")), values)


def missing_vectors(asked: Sequence[str], saved: Sequence[str], found: list[Waves], each: bool) -> list[str]:
    """What to say of vectors asked for, or that a deck's .save cards name, and no analysis gave, or not ``each``.

    Raises
    ------
    InputError
        If no analysis gave one that was asked for.
    """
    plain = [w for w in found if w.kind in ("op", "dc", "ac", "tran")]
    names = [v for v in asked or saved if v not in ("all", "allv", "alli")] if plain else []
    without = {v: [w for w in plain if not _gave(w, v)] for v in names}
    said = []
    for vector, lacking in without.items():
        if len(lacking) == len(plain) and asked:
            raise _absent(vector)
        if len(lacking) == len(plain):
            said.append(f"saved vector {vector}: no analysis gave it: there is no such node, or its device has no such quantity")
        elif each or asked:
            said += [f"{'' if asked else 'saved '}vector {vector}: the analysis {w.card} did not give it" for w in lacking]
    return said


def missing_measurements(cards: Sequence[Card], kind: str | None, found: list[Waves]) -> list[str]:
    """What to say of ``.meas`` cards that no analysis gave a result for."""
    taken = {name for waves in found for name in waves.measurements or {}}
    said = []
    for card in (c for c in cards if c.word in (".meas", ".measure")):
        named = [w.lower() for w in words(card.text)[1:3]]
        if len(named) == 2 and named[0] in ANALYSES and named[1].partition("=")[0] not in taken and kind in (None, named[0]):
            said.append(f"{card.file}, line {card.line}: measurement {named[1]}: no .{named[0]} analysis gave it")
    return said


def _gave(waves: Waves, vector: str) -> bool:
    there = [*waves.scales, *waves.vectors]
    return vector in (w.name for w in there) or _has(there, vector)


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
    chosen = [_find(found, v) for v in wanted if _has(found, v)]
    if vectors and not chosen:
        raise _absent(vectors[0])
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
    raise _absent(vector)


def _absent(vector: str) -> InputError:
    return InputError(f"vector {vector!r}: the simulation has none; ask for no vectors to get all there are")


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


def numbered(found: list[Waves]) -> list[Waves]:
    """Each under its name: the kind, and a number where there are several of a kind."""
    names = ["noise_total" if w.kind == "noise" and not w.scales else w.kind for w in found]
    out, count = [], dict.fromkeys(names, 0)
    for waves, name in zip(found, names, strict=True):
        count[name] += 1
        out.append(replace(waves, name=f"{name}{count[name]}" if names.count(name) > 1 else name))
    return out
