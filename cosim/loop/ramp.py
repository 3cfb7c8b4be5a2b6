"""The ramp of an activation on the drawn chip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from characterization.plan import RampPlan
from netlists.ramp import Chips, RampProgram


@dataclass(frozen=True, eq=False)
class LoopRamp:
    """The one ramp of an activation on the chip, calibrated.

    Attributes
    ----------
    plan : RampPlan
    program : RampProgram
    column : Chips
        Of one chip, without comparator: the columns have their own.
    expected : ndarray (thresholds,)
        Where its transition levels are to be looked for, volts.
    """

    plan: RampPlan
    program: RampProgram
    column: Chips
    expected: np.ndarray

    @property
    def volts_per_unit(self) -> float:
        return self.program.volts_per_unit(self.plan.circuit)
