"""Measure transition levels in ngspice: place the probes, simulate, look whether they bracket, and again if not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from netlists.converter import Converter, is_stepped, probe_nodes, transition_deck
from netlists.errors import SimulationError
from netlists.ramp import Chips, tick_times, transition_levels
from netlists.spice import Deck, check_ticks, kept_circuit, simulate
from netlists.technology import RampCircuit

SPAN = 2e-3
"""Largest half distance of the two probes around the guess, volts."""
CELLS_A_DECK = 1024
"""Chips share a transient up to so many cells: a longer one would keep Ctrl-C waiting."""
COMPARATORS_A_DECK = 512
"""The same where each level has comparators of its own."""
MAX_PASSES = 12
WIDE_SPAN = 10e-3
"""The same for comparators that only tell the side, which the closed form knows less well."""
RESOLUTION = 50e-6
"""Width to which the bracket of a comparator that is not linear is cut, volts; the level is its middle."""
NEAR_SPAN = 4.4 * RESOLUTION
"""The same where another chip, or the same one in another state, has told how far from the closed form its levels are.

Cut to a third twice it is as narrow as `RESOLUTION`. Most levels of SKY130 lie within 0.1 mV of that, the first within 0.4 mV.
"""
FEW = 3
"""Chips up to so many are measured without looking at one of them first."""
REACH = 32
"""An unbracketed probe moves by at most this many spans a pass."""


def probe_span(circuit: RampCircuit) -> float:
    """Half distance of the probes, volts: `SPAN`, or less where the comparator would limit, for the level is interpolated."""
    return min(SPAN, 0.1 * circuit.comparator_limit / circuit.comparator_gain)


@dataclass
class Measured:
    """Transition levels of n chips.

    Attributes
    ----------
    volts : ndarray (n, thresholds)
        NaN in the rows of chips that failed.
    status : list of str
        "ok", "not converged" or "not bracketed".
    message : list of str
        ngspice's own words, or where the search ended; empty when ok.
    passes : int
        Transients run.
    retried : list of bool
        Whether a chip failed in a deck of its own and was tried once more, with tighter options.
    """

    volts: np.ndarray
    status: list[str]
    message: list[str]
    passes: int = field(default=0)
    retried: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.retried:
            self.retried = [False] * len(self.status)


def measure(
    converter: Converter,
    chips: Chips,
    *,
    guess: np.ndarray | None = None,
    span: float | None = None,
    runner: str = "shared",
    held: bool = False,
    tight: bool = False,
) -> Measured:
    """Transition levels T[k], the V_mac at which the latched code changes from k-1 to k, each from ngspice.

    Chips share a transient. Where the two probes around a level do not bracket it, they move and the transient
    runs again. A linear comparator's two outputs then give the level by interpolation; one that only tells the side
    (level ``sky130``, or a user's own) has the bracket cut to a third again and again, down to `RESOLUTION`. A deck that
    ngspice fails on is halved until the chips at fault stand alone; each is then tried once more with tighter options.

    Parameters
    ----------
    guess : ndarray (n, thresholds), optional
        First place of the probes, volts; the closed form by default. It decides the number of passes, not the result.
    span : float, optional
        Half distance of the probes, volts; `probe_span` or `WIDE_SPAN` by default.
    runner : {"shared", "batch"}
        As for `netlists.spice.engine.simulate`; the levels do not depend on it.
    held : bool
        Each level with a comparator and a constant V_mac of its own, as in a conversion: for comparators with memory.
    tight : bool
        Tighter options from the start: for differences between chips that are small against ngspice's time steps.

    Raises
    ------
    ToolkitError
        If ngspice, or at level ``sky130`` the models, are missing. A chip that fails is reported in ``status``, not raised.
    """
    program = converter.program
    if guess is None:
        guess = transition_levels(program, converter.circuit, chips, first_order=converter.blocks.level != "ideal")
        if not converter.blocks.linear and span is None and len(chips) > FEW:
            ahead = measure(converter, _take(chips, np.arange(1)), runner=runner, held=held, tight=tight)
            if ahead.status == ["ok"]:
                guess, span = guess + ahead.volts - guess[:1], NEAR_SPAN
    if span is None:
        span = probe_span(converter.circuit) if converter.blocks.linear else WIDE_SPAN
    search = _Search(converter, span, partial(simulate, runner=runner), tight=tight, held=held)
    result = Measured(np.full((len(chips), len(program.x)), np.nan), ["ok"] * len(chips), [""] * len(chips))
    size = max(1, COMPARATORS_A_DECK // (2 * len(program.x)) if held else CELLS_A_DECK // program.n_cells)
    # Transistors of one chip make all others of a deck take their time steps.
    size = 1 if converter.blocks.level == "sky130" else size
    with kept_circuit():
        for first in range(0, len(chips), size):
            rows = np.arange(first, min(first + size, len(chips)))
            search.run(chips, rows, np.array(guess, float), result)
    return result


def encloses(converter: Converter, chips: Chips, probe: np.ndarray, span: float, *, held: bool = False) -> bool:
    """Whether in plain ngspice probes ``span`` volts around ``probe`` (n, thresholds) enclose every level."""
    search = _Search(converter, span, partial(simulate, runner="batch"), held=held)
    n = len(chips)
    above, below = search._outputs(chips, probe, span, Measured(probe, ["ok"] * n, [""] * n))
    return bool(np.all((above > 0) & (below < 0)))


@dataclass(frozen=True)
class _Search:
    """Where transition levels are looked for, and with what."""

    converter: Converter
    span: float
    solve: Callable[[Deck, Sequence[str]], dict[str, np.ndarray]]
    tight: bool = False
    held: bool = False

    def run(self, chips: Chips, rows: np.ndarray, guess: np.ndarray, result: Measured) -> None:
        """Fills some rows of ``result``; where ngspice fails, half of them at a time, and a single one once more."""
        try:
            volts, probe = self._bracket(_take(chips, rows), guess[rows], result)
            if not self.converter.blocks.linear:
                volts = self._narrow(_take(chips, rows), volts, result)
        except SimulationError as e:
            if self.tight:
                result.status[rows[0]], result.message[rows[0]] = "not converged", str(e)
            elif len(rows) == 1:
                result.retried[rows[0]] = True
                replace(self, tight=True).run(chips, rows, guess, result)
            else:
                for half in np.array_split(rows, 2):
                    self.run(chips, half, guess, result)
            return
        for i, row in enumerate(rows):
            missing = np.flatnonzero(np.isnan(volts[i]))
            if len(missing):
                k = missing[0]
                result.status[row] = "not bracketed"
                result.message[row] = (
                    f"transition level {k + 1} (and {len(missing) - 1} more) not bracketed"
                    f" after {MAX_PASSES} passes; last probe at {probe[i, k]:.6g} V"
                )
            else:
                result.volts[row] = volts[i]

    def _bracket(self, chips: Chips, guess: np.ndarray, result: Measured) -> tuple[np.ndarray, np.ndarray]:
        """Levels (NaN where no pair of probes ever enclosed one; the middle of the pair for a comparator that is not linear)."""
        probe, span = guess.copy(), self.span
        low, high = np.full(probe.shape, -np.inf), np.full(probe.shape, np.inf)
        volts = np.full(probe.shape, np.nan)
        for tries in range(MAX_PASSES):
            above, below = self._probed(chips, probe, span, result)
            found = (above > 0) & (below < 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = span * (above + below) / (above - below)
            volts = np.where(found & np.isnan(volts), probe + (step if self.converter.blocks.linear else 0.0), volts)
            if not np.isnan(volts).any():
                break
            # ``above`` is the output with V_mac below the guess: still negative means the level is lower, and so on.
            up, down = ~found & (below >= 0), ~found & (above <= 0)
            low[up] = np.maximum(low, probe + span)[up]
            high[down] = np.minimum(high, probe - span)[down]
            # The secant's length; where the comparator limits it has none, or only rounding's sign. One that only tells the side
            # has none: the place beside this one, then twice as far.
            far = np.abs(step) if self.converter.blocks.linear else np.full(step.shape, 2.0 ** (tries + 1) * span)
            move = np.clip(np.nan_to_num(far, nan=np.inf, posinf=np.inf), 2 * span, REACH * span)
            target = probe + np.where(up, move, np.where(down, -move, 0.0))
            inside = (target > low) & (target < high)
            enclosed = np.isfinite(low) & np.isfinite(high)
            middle = target.copy()
            middle[enclosed] = 0.5 * (low[enclosed] + high[enclosed])
            probe = np.where(np.isnan(volts), np.where(inside, target, middle), probe)
        return volts, probe

    def _narrow(self, chips: Chips, volts: np.ndarray, result: Measured) -> np.ndarray:
        """Cuts brackets of ``volts -+ span`` to a third until they are as narrow as `RESOLUTION`; their middles."""
        low, high, width = volts - self.span, volts + self.span, 2 * self.span
        while width > RESOLUTION:
            middle, span = 0.5 * (low + high), width / 6
            # Chips without a bracket keep their probes at the guess: they are reported, and must not stop the others.
            above, below = self._outputs(chips, np.where(np.isnan(middle), self.converter.circuit.v_cm, middle), span, result)
            low = np.where(below >= 0, middle + span, np.where(above > 0, middle - span, low))
            high = np.where(above <= 0, middle - span, np.where(below < 0, middle + span, high))
            width /= 3
        return 0.5 * (low + high)

    def _probed(self, chips: Chips, probe: np.ndarray, span: float, result: Measured) -> tuple[np.ndarray, np.ndarray]:
        """`_outputs`, at half the cost where comparators are linear: one chip's two tell the gain that all of the deck have."""
        if self.held or self.tight or not self.converter.blocks.linear or len(chips) == 1:
            return self._outputs(chips, probe, span, result)
        above, below = self._outputs(chips, probe, span, result, paired=False)
        known = np.flatnonzero((above[0] > 0) & (below[0] < 0))
        if not len(known):
            return self._outputs(chips, probe, span, result)
        # The same at every step but for what is left of the step before: where the first chip tells nothing, its neighbour's.
        gain = np.interp(np.arange(probe.shape[1]), known, (above[0] - below[0])[known]) / 2
        above[1:] += gain
        below[1:] -= gain
        return above, below

    def _outputs(
        self, chips: Chips, probe: np.ndarray, span: float, result: Measured, *, paired: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Comparator outputs at the latching instants with V_mac below and above the probe, shapes (n, thresholds).

        Not ``paired``, those of all chips but the first are with V_mac at the probe.
        """
        deck = transition_deck(
            self.converter, chips, probe, span=span, control=False, tight=self.tight, held=self.held, paired=paired
        )
        nodes = probe_nodes(*probe.shape, held=self.held, paired=paired)
        names, where = np.unique(nodes, return_inverse=True)
        data = self.solve(deck, ["com", *names.tolist()])
        result.passes += 1
        if is_stepped(self.converter.blocks, self.converter.circuit) and not self.tight:
            check_ticks(data["time"], tick_times(self.converter.program, self.converter.circuit))
        at = self.converter.clock.latch[: probe.shape[1]]
        values = _at(at, data["time"], np.array([data[name] for name in names]) - data["com"])
        below, above = values[where.reshape(nodes.shape), np.arange(len(at))]
        return below, above


def _at(times: np.ndarray, time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Waveforms (n, points) at some of the times they span, by interpolation: shape (n, times)."""
    after = np.searchsorted(time, times, side="right")
    before = after - 1
    slope = (values[:, after] - values[:, before]) / (time[after] - time[before])
    return slope * (times - time[before]) + values[:, before]


def _take(chips: Chips, rows: np.ndarray) -> Chips:
    noise = None if chips.comparator_noise is None else chips.comparator_noise[rows]
    return Chips(chips.conductance[rows], chips.opamp_offset[rows], chips.comparator_offset[rows], noise)
