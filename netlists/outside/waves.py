"""What the analyses of a deck came to: waves with their units and scales, and measurements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.spice import RawPlot

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
        Results of ``.meas``; None for one that failed. One that a loop takes again is ``NAME#2`` from then on.
    omitted : tuple of str
        Vectors that were computed and are not finite.
    """

    kind: str
    scales: tuple[Wave, ...]
    vectors: tuple[Wave, ...]
    name: str = ""
    card: str = ""
    step: tuple[tuple[str, str], ...] = ()
    measurements: dict[str, float | None] | None = None
    omitted: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """Length of the scale, and of every vector that a control block did not give another."""
        return max(len(w.values) for w in self.scales or self.vectors)

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
    status : int
        What a ``quit`` of its control blocks said; above 0 if by that something failed.
    """

    waves: tuple[Waves, ...]
    printed: tuple[str, ...]
    warnings: tuple[str, ...]
    compat: str
    status: int = 0

    def __getitem__(self, name: str) -> Waves:
        for waves in self.waves:
            if waves.name == name:
                return waves
        raise KeyError(name)
