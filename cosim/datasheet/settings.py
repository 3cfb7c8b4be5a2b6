"""What a datasheet covers: settings, checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from netlists.checks import Choice, Items, NonNegative, Number, Seed, Whole, checked
from netlists.outside import ROLES, UserSubcircuit
from netlists.technology import CORNERS, RampCircuit
from netlists.testbench import BenchConditions

Celsius = Annotated[float, Number(-100, 300, unit="C")]
Supply = Annotated[float, Number(above=0, unit="V")]

AS_IT_IS = "-"
"""Corner of a block without a library of models."""


@checked
@dataclass(frozen=True)
class DatasheetSettings:
    """Everything that decides the numbers of a datasheet.

    Attributes
    ----------
    own : UserSubcircuit
        The block.
    role : {"comparator", "opamp"}
    v_dd, v_cm : float
        Nominal supply and analog ground, volts.
    corners : tuple of str
        Of its library of models; a block without one is measured as it is.
    temperatures : tuple of float
        Extremes, degrees Celsius; 27 is nominal.
    spread : float
        Supplies go this share below and above the nominal one.
    samples : int
        Instances with mismatch.
    chips : int
        Drawn converters on which the macro-model is held against the block; 0: none.
    seed : int
    noise : float, optional
        Rms noise of a decision, volts, of a comparator with a clock: from elsewhere, in place of measuring it.
    """

    own: UserSubcircuit
    role: Annotated[str, Choice(ROLES)] = "comparator"
    v_dd: Supply = RampCircuit.v_dd
    v_cm: Supply = RampCircuit.v_cm
    corners: Annotated[tuple[Annotated[str, Choice(CORNERS)], ...], Items(1, distinct=True)] = CORNERS
    temperatures: Annotated[tuple[Celsius, ...], Items(0, distinct=True)] = (-40.0, 125.0)
    spread: Annotated[float, Number(0, 0.5)] = 0.1
    samples: Annotated[int, Whole(1, 10**6)] = 300
    chips: Annotated[int, Whole(0, 10**6)] = 16
    seed: Seed = 1
    noise: NonNegative | None = None

    @property
    def nominal(self) -> BenchConditions:
        return BenchConditions(self.corners[0] if self.own.pdk else AS_IT_IS, 27.0, self.v_dd, self.v_cm)

    @property
    def others(self) -> list[BenchConditions]:
        """All other conditions: every corner, nominal and at the extremes of temperature and supply."""
        corners = self.corners if self.own.pdk else (AS_IT_IS,)
        supplies = [self.v_dd * (1 + s) for s in ((-self.spread, self.spread) if self.spread else (0.0,))]
        points = [(27.0, self.v_dd), *((t, round(v, 6)) for t in self.temperatures for v in supplies)]
        found = [BenchConditions(c, t, v, self.v_cm) for c in corners for t, v in points]
        return [at for at in found if at != self.nominal]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        data: dict[str, Any] = json.loads(json.dumps({n: v for n, v in asdict(self).items() if n != "noise" or v is not None}))
        return data | {"own": json.loads(json.dumps(self.own.as_dict()))}
