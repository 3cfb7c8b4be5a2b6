"""A bare loop on ngspice's shared library: ``python benchmarks/bare_ngspice.py`` tries its settings.

The peer of `mc.py`: it loads decks, runs them and reads their vectors. They are written before the clock starts, in the plain way,
from chips that are drawn. Nothing is drawn, written, checked or searched while it runs, and no callback of Python is called at a
time point. The decks are, word for word, those that this toolkit wrote at its commit 5aaa595 (blocks in ``plain_blocks.cir``), so
that the peer does not move with us.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PySpice.Spice.NgSpice.Shared import ffi

from netlists.converter import Converter, integrator_values
from netlists.ramp import Chips, select_pulses, tick_times, transition_levels
from netlists.spice import pulses, shared_instance, stairs

PLAIN_BLOCKS = Path(__file__).with_name("plain_blocks.cir")
SPAN = 2e-3
OPTIONS = ".options reltol=1e-3 abstol=1e-10 trtol=100 xmu=0.45"
LONGEST_STEP = 0.6180339887
QUIET = ("noinit", "num_threads=1")
"""Without the first ngspice prints the operating point, through Python."""
BATCHES = (4, 8, 16, 27)
"""Chips a deck that are tried."""


def _wave(head: str, inner: str, times: np.ndarray, values: np.ndarray) -> str:
    pairs = [f"{t:.9g}{inner}{v:.12g}" for t, v in zip(times.tolist(), values.tolist(), strict=True)]
    outer = "," if inner == "," else " "
    lines = [outer.join(pairs[i : i + 24]) for i in range(0, len(pairs), 24)]
    return head + f"{outer.rstrip()}\n+ ".join(lines) + ")"


def _source(name: str, waves: tuple[np.ndarray, np.ndarray]) -> str:
    times, values = waves
    return f"B{name} {name} 0 v=" + _wave("pwl(time,", ",", np.append(times, 1.0), np.append(values, values[-1]))


def _called(values: dict[str, float]) -> str:
    return " ".join(f"{key}={float(value)!r}" for key, value in values.items())


def plain_deck(converter: Converter, chips: Chips) -> str:
    """Deck of the chips' transition levels with a pair of comparators each, around the closed form's levels."""
    program, c, clock = converter.program, converter.circuit, converter.clock
    start, stop = select_pulses(program, c)
    used = {name: np.flatnonzero(program.polarity == sign) for name, sign in (("selp", 1), ("seln", -1))}
    falls = np.array([0.0, c.t_reset - 3 * c.t_edge, c.t_reset - 2 * c.t_edge])
    ticks = np.concatenate([[0.0], tick_times(program, c), [clock.stop]])
    lines = [
        f".title {converter}: transition levels",
        PLAIN_BLOCKS.read_text().rstrip(),
        f"Vcom com 0 DC {c.v_cm!r}",
        "Vrst rst 0 " + _wave("PWL(", " ", falls, np.array([c.v_dd, c.v_dd, 0.0])),
        "Vtick tick 0 " + _wave("PWL(", " ", ticks, np.arange(len(ticks)) % 2),
    ]
    guess = transition_levels(program, c, chips)
    guess -= c.comparator_shift(guess - c.v_cm)
    for i in range(len(chips)):
        for name, cells in used.items():
            if len(cells):
                wave = pulses(start[cells], stop[cells], 1e3 * chips.conductance[i, cells], c.t_edge / 100)
                lines.append(_source(f"{name}{i}", wave))
        up, down = (f"{name}{i}" if len(cells) else "0" for name, cells in used.items())
        lines.append(f"Xcells{i} {up} {down} sum{i} com ramp_cells_selected v_read={c.v_read!r}")
        offset = c.opamp_offset + float(chips.opamp_offset[i])
        values = integrator_values("macro", c, c_f=program.feedback_capacitance(c), offset=offset)
        lines.append(f"Xint{i} sum{i} ramp{i} com rst integrator_macro {_called(values)}")
        lines.append(_source(f"mac{i}", stairs(clock.step_start[: len(program.x)], guess[i], c.t_edge / 100)))
        values = {"v_os": c.comparator_offset + float(chips.comparator_offset[i]), "gain": c.comparator_gain}
        values |= {"tau": c.comparator_tau, "v_sat": c.comparator_limit}
        for probe, shift in (("a", -SPAN), ("b", SPAN)):
            lines.append(f"Vprobe{probe}{i} mac{probe}{i} mac{i} DC {shift!r}")
            lines.append(f"Xcmp{probe}{i} ramp{i} mac{probe}{i} y{probe}{i} com comparator_macro {_called(values)}")
    saved = [f"v(y{probe}{i})" for i in range(len(chips)) for probe in "ab"] + ["v(com)"]
    save = "\n+ ".join(" ".join(saved[i : i + 16]) for i in range(0, len(saved), 16))
    step = LONGEST_STEP * c.t_pulse
    return "\n".join([*lines, OPTIONS, f".save {save}", f".tran {step!r} {float(clock.stop)!r} 0 {step!r}", ".end"])


class BareLoop:
    """Decks as ngspice's library takes them, and the loop over them."""

    def __init__(self, texts: Sequence[str], chips: Sequence[int]) -> None:
        self.chips = list(chips)
        self._library: Any = shared_instance()._ngspice_shared
        self._lines = [[ffi.new("char[]", line.encode()) for line in (*text.splitlines(), "")] for text in texts]
        self._decks = [ffi.new("char *[]", [*lines, ffi.NULL]) for lines in self._lines]

    def _read(self, name: str) -> np.ndarray:
        vector = self._library.ngGet_Vec_Info(name.encode())
        return np.frombuffer(ffi.buffer(vector.v_realdata, vector.v_length * 8)).copy()

    def run(self) -> list[dict[str, np.ndarray]]:
        """Vectors of each deck."""
        command, out = self._library.ngSpice_Command, []
        for setting in QUIET:
            command(f"set {setting}".encode())
        for deck, n in zip(self._decks, self.chips, strict=True):
            self._library.ngSpice_Circ(deck)
            command(b"run")
            out.append({name: self._read(name) for name in ("time", "com", *(f"y{p}{i}" for i in range(n) for p in "ab"))})
            command(b"remcirc")
            command(b"destroy all")
        command(ffi.NULL)
        for setting in QUIET:
            command(f"unset {setting.partition('=')[0]}".encode())
        return out


def bare_loop(converter: Converter, batches: Sequence[Chips]) -> BareLoop:
    """The loop over decks of some batches of chips."""
    return BareLoop([plain_deck(converter, chips) for chips in batches], [len(chips) for chips in batches])


def levels(converter: Converter, chips: Chips, data: dict[str, np.ndarray]) -> np.ndarray:
    """Transition levels (n, thresholds), volts, of a deck's vectors."""
    guess = transition_levels(converter.program, converter.circuit, chips)
    at = converter.clock.latch[: guess.shape[1]]
    a, b = (np.array([np.interp(at, data["time"], data[f"y{p}{i}"] - data["com"]) for i in range(len(chips))]) for p in "ab")
    return guess + SPAN * (a + b) / (a - b)


def main() -> None:
    """Prints samples a second of processor time for decks of each size of `BATCHES`, medians of 5 that take turns."""
    import mc

    converter = Converter(mc.PROGRAM, mc.PLAN.circuit)
    loops = {b: bare_loop(converter, [mc.chips_of(k, b) for k in range(0, 108 // b * b, b)]) for b in BATCHES}
    rates: dict[int, list[float]] = {b: [] for b in BATCHES}
    for _ in range(5):
        for b, loop in loops.items():
            start = time.process_time()
            loop.run()
            rates[b].append(sum(loop.chips) / (time.process_time() - start))
    for b, found in rates.items():
        print(f"{b:3d} chips a deck {median(found):6.0f} samples a CPU-second")


if __name__ == "__main__":
    main()
