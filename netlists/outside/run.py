"""Run a deck from outside with all its analyses, in an ngspice of its own.

A deck from outside may stop ngspice (a parameter that is not defined leaves a shared library that refuses every later
deck) or take hours (Ctrl-C must end it), and ngspice runs a ``.spiceinit`` it finds in the current folder. So it runs as
a program of its own, in an empty folder, told to read no ``.spiceinit``; results come back as ngspice's binary raw files.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from netlists.checks import Choice, check
from netlists.errors import InputError, SimulationError
from netlists.spice import TIME_LIMIT, run_ngspice

from .analysis import Analysis, Kind
from .control import MARK, ending
from .deck import OutsideDeck
from .diagnosis import cause, succeeded, telling, warnings_of, without_shown
from .dialects import COMPATIBILITY, dialect_warnings
from .results import missing_measurements, missing_vectors, numbered, read_results
from .waves import DeckResults, Waves

_COMPUTED = ("noise", "tf", "sens", "pz", "disto", "sp")
"""Analyses with vectors of their own, which ``.save`` does not name."""


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
    # Each ngspice draws its own random parameters: a seed for all makes their circuit one.
    seed = (f".options seed={1 + secrets.randbelow(2**31 - 2)}",) if len(runs) > 1 and not deck.seeded else ()
    status = 0
    for analyses in runs:
        try:
            waves, done = _run(deck, analyses, tuple(vectors), seed, compat, folder, executable, timeout, memory)
        except SimulationError as e:
            # They may say why.
            message = "\n".join([e.ngspice_message, *(f"warning: {w}" for w in dict.fromkeys(warnings))])
            raise SimulationError(str(e).partition("\nngspice: ")[0], message) from None
        printed = done.stdout
        shown += re.findall(rf"^{MARK}show .*?\n(.*?)^{MARK}shown$", printed, re.MULTILINE | re.DOTALL)
        if any(re.match(r"shell\b|!", command) for command in deck.commands):
            # A program writes when it likes, not between marks.
            shown.append("\n".join(line for line in succeeded(printed).splitlines() if not line.startswith("No. of Data Rows")))
        warnings += warnings_of(done.stderr, deck.place, every=True) + warnings_of(without_shown(printed), deck.place)
        if f"{MARK}quit" in printed and done.returncode > 0:
            status = done.returncode
            warnings.append(f"the deck ended ngspice with the status {status}, which says that something failed")
        found += waves
    if kind is not None:
        found = [w for w in found if w.kind == kind]
    if not found:
        raise SimulationError(f"the deck ran no {kind or ''} analysis".replace("  ", " "))
    warnings += [f"{name}: left out: it has values that are not finite" for waves in found for name in waves.omitted]
    warnings += [*missing_vectors(vectors, deck.saved, found, not deck.commands), *missing_measurements(deck.cards, kind, found)]
    lines = [line for text in shown for line in text.splitlines() if line.strip()]
    return DeckResults(tuple(numbered(found)), tuple(lines), tuple(dict.fromkeys(warnings)), compat, status)


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
    extra: tuple[str, ...],
    compat: str,
    folder: Path | None,
    executable: str,
    timeout: float,
    memory: int | None,
) -> tuple[list[Waves], subprocess.CompletedProcess[str]]:
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
        saving = [
            *(f"echo {MARK}end", "set filetype=binary", "unset appendwrite"),
            *("foreach cosim_plot $plots", "setplot $cosim_plot", "remzerovec", f"write {place}plot_{{$cosim_plot}}.raw", "end"),
        ]
        control = [
            *("set noinit", *ending(commands, saving), *saving),
            # Cards .four are carried out when a batch ends.
            *(() if any(c.word == ".four" for c in deck.cards) else ("quit",)),
        ]
        circuit = deck.deck(cards, (), names, extra)
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
            return read_results(deck, analyses, vectors, done.stdout, printed, plots), done
        except SimulationError as e:
            why = cause(without_shown(printed), deck.place)
            if named := next((c for c in deck.cards if why.startswith(f"{c.word}: ")), None):
                why = f"{named.file}, line {named.line}: {why}"
            message = telling(without_shown(printed), deck.place)
            if vectors and "no data saved" in printed:
                raise InputError(
                    f"vectors {', '.join(vectors)}: the circuit has none of them; ask for no vectors to get all there are"
                ) from None
            raise SimulationError(why or str(e).partition("\n")[0], message) from None
