"""Energy, time and area of a network on a design, term by term."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .design import Design
from .shape import NetworkShape
from .terms import INFERENCE, STEP, Term, array_terms, digital_terms

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NetworkCost:
    """What a network costs on a design; SI units.

    Attributes
    ----------
    terms : tuple of Term
    steps : int
        Time steps of an inference.
    operations : int
        Of a time step: two for each weight.
    conversions : int
        Columns converted in a time step.
    """

    terms: tuple[Term, ...]
    steps: int
    operations: int
    conversions: int

    def __repr__(self) -> str:
        return (
            f"NetworkCost({self.energy:.3g} J and {self.latency:.3g} s an inference of {self.steps} steps, "
            f"{self.area * 1e6:.3g} mm2, {self.tops_per_watt:.3g} TOPS/W)"
        )

    def _repr_html_(self) -> str:
        table = self.table()[["array", "block", "count", "energy", "time", "area"]]
        return f"<p>{self!r}</p>{table.to_html(index=False, float_format='{:.3g}'.format)}"

    def _total(self, what: str, per: str) -> float:
        return math.fsum(getattr(t, what) for t in self.terms if t.per == per)

    @property
    def step_energy(self) -> float:
        """Of a time step, joules."""
        return self._total("energy", STEP)

    @property
    def step_time(self) -> float:
        """Of a time step, seconds."""
        return self._total("time", STEP)

    @property
    def conversion_energy(self) -> float:
        """Of a converted column, all that its time step takes included, joules."""
        return self.step_energy / self.conversions

    @property
    def energy(self) -> float:
        """Of an inference, joules."""
        return self.steps * self.step_energy + self._total("energy", INFERENCE)

    @property
    def latency(self) -> float:
        """Of an inference, seconds."""
        return self.steps * self.step_time + self._total("time", INFERENCE)

    @property
    def area(self) -> float:
        """Square metres."""
        return math.fsum(t.area for t in self.terms)

    @property
    def power(self) -> float:
        """While the network runs, watts."""
        return self.step_energy / self.step_time

    @property
    def tops(self) -> float:
        """Operations on the arrays in a second, 10^12."""
        return self.operations / self.step_time * 1e-12

    @property
    def tops_per_watt(self) -> float:
        return self.operations / self.step_energy * 1e-12

    @property
    def tops_per_mm2(self) -> float:
        return self.tops / (self.area * 1e6)

    def table(self) -> pd.DataFrame:
        """One row a term."""
        import pandas as pd

        return pd.DataFrame([asdict(t) for t in self.terms])


def network_cost(shape: NetworkShape, design: Design) -> NetworkCost:
    """What a network costs on a design; a pure function.

    Examples
    --------
    >>> from cosim.cost import Design, lstm_shape, network_cost
    >>> network_cost(lstm_shape(40, 32, steps=49), Design(bits=5))
    NetworkCost(1.33e-05 J and 9.07e-05 s an inference of 49 steps, 8.61 mm2, 0.0688 TOPS/W)

    Parameters
    ----------
    shape : NetworkShape
        ``NetworkShape.of(network, steps)`` or `lstm_shape`.
    design : Design

    Returns
    -------
    NetworkCost
    """
    terms: list[Term] = []
    for array in shape.arrays:
        terms += array_terms(array, design)
    terms += digital_terms(shape.digital, design, STEP, "cell")
    terms += digital_terms(shape.readout, design, INFERENCE, "readout")
    columns = sum(a.columns for a in shape.arrays)
    return NetworkCost(tuple(terms), shape.steps, shape.operations, columns)
