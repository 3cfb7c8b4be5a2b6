"""Run decks: one call, two runners; and trust nothing that ngspice does not prove.

``shared``  PySpice's shared library, in this process (the default: no process to start, no files)
``batch``   ``ngspice -b`` in a process of its own, which a time limit can kill

A deck with a block of the user's own, which may hang or crash ngspice, runs in a process of its own all the same,
unless this process is one that another watches over (`watched`). Elsewhere our own decks are attended (`attended`), as ngspice
can stand still in any deck: Ctrl-C leaves them at once, and while one that was left computes, others run in processes of their own.

ngspice returns 0 for many things that went wrong: a deck it refused leaves the previous circuit in place, and
`run` then returns that circuit's data. So every run is checked: the circuit must have loaded, nothing that
ngspice printed may be an error, each vector asked for must be there and finite, and time must have reached its end.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from netlists.checks import Choice, check
from netlists.errors import InputError, SimulationError
from netlists.quantities import spice_number

from .attended import attend, free
from .deck import Deck
from .program import TIME_LIMIT, transient_vectors
from .pyspice import LOCK, failure, shared_instance, thread_settings, warning_lines
from .settings import split

if TYPE_CHECKING:
    from .shared_library import NgSpice

RELEASE_EVERY = 100
QUIET = "noinit"
"""Without this variable ngspice prints the operating point before each transient, a line a node, all through Python."""
_HELD = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_SOURCE = re.compile(r"^(V\S+)( \S+ \S+ )(?:DC (\S+)|PWL\(([^)]*)\))$|^(X\S+)( \S.*_sky130 .*\bv_os=)(\S+)", re.MULTILINE)
"""A voltage source as `netlists.converter` writes it, with its value or waveform; or a block with the offset of its source vos."""
_runs = 0
_watched = False
_keeping = False
_kept: Deck | None = None
_loaded: set[str] = set()
_unset: Sequence[str] = ()
"""Settings of a simulation that was left, to be taken back once ngspice has returned."""


RUNNERS = ("shared", "batch")


def watched() -> None:
    """Says that this process is one that another ends when it takes too long or too much, and replaces when it crashes."""
    global _watched
    _watched = True


@contextmanager
def kept_circuit() -> Iterator[None]:
    """Within it, a deck with a PDK's models that differs from the last one in its voltage sources alone is not parsed again.

    ngspice then alters the sources of the circuit that it has: parsing the models takes longer than many a transient.
    """
    global _keeping
    before, _keeping = _keeping, True
    try:
        yield
    finally:
        _keeping = before
        if not before:
            _forget()


def simulate(
    deck: Deck,
    vectors: Sequence[str],
    runner: str = "shared",
    *,
    timeout: float = TIME_LIMIT,
    heard: list[str] | None = None,
) -> dict[str, np.ndarray]:
    """Runs a deck's transient and returns ``time`` and the vectors asked for.

    Parameters
    ----------
    deck : Deck
        Its ``control`` block is not run; the ``.tran`` card is.
    vectors : sequence of str
        Node names as in ``.save v(name)``, without the ``v()``.
    runner : {"shared", "batch"}
        Both solve the same text and give the same numbers.
    timeout : float
        Seconds after which ngspice is ended where it runs in a process of its own; in this one it is left where it stands still.
    heard : list of str, optional
        Takes what ngspice warns of, such as a parameter that it ignored.

    Returns
    -------
    dict of ndarray, each shape (points,)
        Volts; ``time`` in seconds. Copies: they stay valid after the next run.

    Raises
    ------
    InputError
        If there is no such runner.
    SimulationError
        With ngspice's own message, if the deck does not load, the analysis stops early, or a vector is missing or not finite.
    ToolkitError
        If ngspice itself is missing.

    Examples
    --------
    >>> deck = Deck("a divider\\nv1 in 0 1\\nr1 in out 1k\\nr2 out 0 1k\\n.save v(out)\\n.tran 1n 10n\\n")
    >>> waves = simulate(deck, ["out"])
    >>> round(float(waves["out"][-1]), 6)
    0.5
    """
    if check(Choice(RUNNERS), runner, "runner") == "shared" and (_watched or not deck.foreign):
        with LOCK:
            if free():
                return _simulate_shared(deck, vectors, heard)
    data, printed = transient_vectors(deck, vectors, timeout=timeout)
    if heard is not None:
        heard += warning_lines(printed.splitlines())
    if problem := _problem(data, _stop_time(deck)):
        raise SimulationError(problem, printed[-2000:])
    return data


def simulate_draws(deck: Deck, vectors: Sequence[str], seeds: Sequence[int]) -> list[dict[str, np.ndarray]]:
    """Runs a deck's transient once for each seed of ngspice's own generator; the deck is parsed only once.

    ``reset`` evaluates the deck's parameters again, and with them the foundry's mismatch draws, in a fraction of the time that
    parsing the models takes. A draw depends on its seed alone. The deck must not set a seed of its own.

    Parameters
    ----------
    seeds : sequence of int
        Above 0.

    Returns
    -------
    list of dict
        As `simulate` returns it, one for each seed.

    Raises
    ------
    InputError
        A deck with ``.options seed``: every draw would be the same.
    SimulationError, ToolkitError
        As `simulate`.
    """
    if re.search(r"^\.options?\b.*\bseed\s*=", deck.circuit, re.MULTILINE | re.IGNORECASE):
        raise InputError("the deck sets a seed (.options seed): it would draw the same for every seed")
    ngspice = shared_instance()
    with LOCK, _session(ngspice, deck) as signals:
        _load(ngspice, deck)
        out = []
        for seed in seeds:
            ngspice.exec_command(f"setseed {int(seed)}")
            ngspice.exec_command("reset")
            out.append(_run(ngspice, deck, vectors, signals))
            ngspice.exec_command("destroy all")
        return out


def _simulate_shared(deck: Deck, vectors: Sequence[str], heard: list[str] | None) -> dict[str, np.ndarray]:
    global _kept
    ngspice = shared_instance()
    keep = _keeping and "\n.lib " in deck.circuit
    with LOCK:
        there = keep and _kept is not None and _kept.settings == deck.settings and _skeleton(_kept) == _skeleton(deck)
        if not there:
            _forget()
        _kept = None
        with _session(ngspice, deck, keep=keep) as signals:
            if not there:
                _load(ngspice, deck)
            printed = ngspice.messages
            if keep:
                _alter(ngspice, deck)
            data = _run(ngspice, deck, vectors, signals)
            if heard is not None:
                heard += warning_lines([*printed, *ngspice.messages])
        _kept = deck if keep else None
        return data


def _alter(ngspice: NgSpice, deck: Deck) -> None:
    """Gives the circuit that ngspice has the voltage sources of a deck: all, so that it does not matter which it had before."""
    try:
        for name, _, volts, wave, block, _, offset in _SOURCE.findall(deck.circuit):
            if wave:
                ngspice.alter_wave(name.lower(), np.array(wave.replace("+", " ").split(), float))
            else:
                ngspice.exec_command(f"alter {name.lower() or f'v.{block.lower()}.vos'} = {volts or offset}")
    except Exception as e:
        raise failure(ngspice, f"ngspice did not take the deck's sources ({type(e).__name__})") from None


def _skeleton(deck: Deck) -> str:
    """A deck without what its voltage sources are."""
    return _SOURCE.sub(lambda m: f"{m[1]}{m[2]}{'PWL' if m[4] else 'DC'}" if m[1] else f"{m[5]}{m[6]}", deck.circuit)


def _forget() -> None:
    """Removes a circuit that was kept."""
    global _kept
    if _kept is not None:
        _kept = None
        with LOCK:
            _clean(shared_instance())


@contextmanager
def _session(ngspice: NgSpice, deck: Deck, *, keep: bool = False) -> Iterator[Sequence[object]]:
    """Settings of a deck while it runs, and nothing left behind of it; ``keep`` leaves the circuit, if nothing failed.

    Yields the signals that came meanwhile.
    """
    global _runs, _unset
    if not free():
        raise SimulationError("ngspice still computes in this process, in a simulation that was left; start a new process")
    with LOCK, _interrupt_afterwards() as signals:
        if _unset:
            _end_session(ngspice, _unset, keep=False)
        variables, models = split(deck.settings)
        settings = (QUIET, *thread_settings(), *variables)
        _load_models(ngspice, models)
        try:
            for setting in settings:
                ngspice.exec_command(f"set {setting}")
            yield signals
        except BaseException:
            keep = False
            raise
        finally:
            if free():
                _end_session(ngspice, settings, keep=keep)
            else:
                _unset = settings
            _runs += 1
            if _runs % RELEASE_EVERY == 0 and free():
                ngspice.release_history()


def _end_session(ngspice: NgSpice, settings: Sequence[str], *, keep: bool) -> None:
    global _unset
    _unset = ()
    _clean(ngspice, keep=keep)
    for setting in settings:
        ngspice.exec_command(f"unset {setting.partition('=')[0]}")


def _load_models(ngspice: NgSpice, models: Sequence[str]) -> None:
    """Loads compiled models, each once a process: ngspice keeps them."""
    for model in models:
        if model not in _loaded:
            try:
                ngspice.exec_command(f"osdi {model}")
            except Exception as e:
                raise failure(ngspice, f"ngspice did not load the compiled model {model} ({type(e).__name__})") from None
            if ngspice.failed:
                raise failure(ngspice, f"ngspice did not load the compiled model {model}")
            _loaded.add(model)


@contextmanager
def _interrupt_afterwards() -> Iterator[Sequence[object]]:
    """Holds Ctrl-C and its like back until ngspice has returned: raised inside one of its callbacks they would be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield ()
        return
    held: list[tuple] = []
    handlers = {n: h for n in _HELD if callable(h := signal.getsignal(n))}
    for number in handlers:
        signal.signal(number, lambda *args: held.append(args))
    try:
        yield held
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        # Also when ngspice failed: whoever handles that failure would go on working.
        if held:
            handlers[held[0][0]](*held[0])


def _load(ngspice: NgSpice, deck: Deck) -> None:
    try:
        ngspice.load_circuit(deck.circuit.rstrip() + "\n.end")
    except Exception as e:
        raise failure(ngspice, f"ngspice did not accept the deck ({type(e).__name__})") from None
    if ngspice.failed:
        raise failure(ngspice, "ngspice did not accept the deck")


def _run(ngspice: NgSpice, deck: Deck, vectors: Sequence[str], signals: Sequence[object]) -> dict[str, np.ndarray]:
    try:
        if _watched:
            ngspice.run()
        else:
            attend(ngspice, ngspice.run, signals)
    except SimulationError:
        raise
    except Exception as e:
        raise failure(ngspice, f"the simulation failed ({type(e).__name__})") from None
    plot_name = ngspice.last_plot
    if not plot_name.startswith("tran"):
        raise failure(ngspice, "the simulation produced no transient")
    plot = ngspice.plot(None, plot_name)
    try:
        data = {name: np.array(plot[name]._data, float) for name in ("time", *vectors)}
    except KeyError as e:
        raise failure(ngspice, f"the simulation did not produce the vector {e.args[0]!r}") from None
    if problem := _problem(data, _stop_time(deck)):
        raise failure(ngspice, problem)
    return data


def _problem(data: dict[str, np.ndarray], stop: float) -> str:
    """Says what is wrong with the data of a transient; empty when nothing is."""
    time = data["time"]
    if len(time) < 2 or not time[-1] >= stop * (1 - 1e-9):
        return f"the simulation stopped at {time[-1] if len(time) else 0.0:.4g} s of {stop:.4g} s"
    for name, values in data.items():
        if not np.isfinite(values).all():
            at = time[np.flatnonzero(~np.isfinite(values))[0]]
            return f"the simulation gave {name} a value that is not finite at {at:.4g} s"
    return ""


def _stop_time(deck: Deck) -> float:
    match = re.search(r"^\.tran\s+\S+\s+(\S+)", deck.circuit, re.MULTILINE | re.IGNORECASE)
    if match is None:
        raise SimulationError("the deck has no .tran analysis")
    return spice_number(match.group(1))


def _clean(ngspice: NgSpice, *, keep: bool = False) -> None:
    """Removes circuit and plots: ngspice keeps both otherwise, and a later bad deck would return old data."""
    for command in ("destroy all",) if keep else ("remcirc", "destroy all"):
        # A deck that never loaded leaves nothing to remove, and ngspice says so.
        with suppress(Exception):
            ngspice.exec_command(command)
