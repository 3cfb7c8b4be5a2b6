"""Inputs and states as pulse widths: rounded to the codes that `netlists.array.pwm` turns into pulses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.array import Pwm
from netlists.checks import Positive, PwmBits, checked


@checked
@dataclass(frozen=True)
class PwmInputs:
    """Resolution and full scale of the crossbar's inputs.

    Attributes
    ----------
    bits : int or None
        Of an input or a state, sign included; None: pulses of any width, neither rounded nor clipped.
    input_range : float
        Magnitude of a network input that takes the longest pulse; larger ones are clipped. Assumption: 4, four standard
        deviations of features scaled to a deviation of 1.
    state_range : float or None
        The same for states and for the outputs of a layer below; None takes the cell's own largest output.
    """

    bits: PwmBits | None = 5
    input_range: Positive = 4.0
    state_range: Positive | None = None

    @property
    def max_code(self) -> int:
        """Largest code; 0 for pulses of any width."""
        return 0 if self.bits is None else Pwm(n_in=self.bits).max_code

    def quantize(self, values: np.ndarray, full_scale: float) -> np.ndarray:
        """Values that the nearest codes stand for, type kept: the rule of `netlists.array.pwm.Pwm.encode`."""
        if self.bits is None:
            return values
        codes = np.clip(np.rint(values * (self.max_code / full_scale)), -self.max_code, self.max_code)
        return codes * values.dtype.type(full_scale / self.max_code)
