"""The compact model of a MAC column: PWM drivers, array, hold switch and integrator, from ideal sums to the held V_mac.

    V_mac - V_cm = pedestal + offset_gain O + (1 + gain_error + loading (S - S_mean) / C_f) V + edge_time E + row_charge n

V is the ideal output, v_read / C_f sum_i (G+ - G-) T_i; E what it gains for each second that every pulse is longer; n the
number of rows with a pulse. O is what the op-amp's offset comes to: it drives v_os S through the column's conductance S into
C_f for the time T that the hold switch is closed, v_os (1 + S T / C_f). An edge that comes late or early by a fixed time is
charge in proportion to the row's weight (``edge_time``), a driver's kick is charge whatever the weight (``row_charge``). An
op-amp of bandwidth gbw and output resistance r_o and the hold switch lose charge in proportion to S. C_f makes good the mean of
the columns alone; with C_charge what it would be without losses,

    loading = -(1 / (2 pi gbw) + (r_hold + r_o / a0) C_f) C_f / C_charge

"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from characterization.ramp_model import Fitted
from netlists.array import Pwm
from netlists.checks import checked
from netlists.errors import InputError

from .block_model import BlockModel, BlockSamples, Measured
from .fitting import fit_linear, fitted


@checked
@dataclass(frozen=True, eq=False)
class MacSamples(BlockSamples):
    """Held outputs of MAC columns, one entry a column and input vector; SI units, shapes (n,) but for ``opamp_offset`` (m,).

    Attributes
    ----------
    ideal : V; edge_rate : V/s; active : rows with a pulse; excess : (S - S_mean) / C_f, 1/s; offset : O, V
    output : above analog ground, V
    opamp_offset : offsets of drawn op-amps, V
    """

    ideal: Measured
    edge_rate: Measured
    active: Measured
    excess: Measured
    offset: Measured
    output: Measured
    opamp_offset: Measured


class MacModel(BlockModel):
    """A MAC column; see the module for its equation and the fields."""

    SCHEMA: ClassVar[str] = "nladc-cosim/mac-model"
    TITLE: ClassVar[str] = "MAC column model"
    RANGES: ClassVar[tuple[str, ...]] = ("ideal", "active", "excess")
    PERFECT: ClassVar[dict[str, float]] = {"offset_gain": 1.0}
    UNITS: ClassVar[dict[str, str]] = {
        "pedestal": "V", "offset_gain": "", "gain_error": "", "loading": "s", "edge_time": "s", "row_charge": "V",
    }  # fmt: skip

    pedestal: Fitted
    offset_gain: Fitted
    gain_error: Fitted
    loading: Fitted
    edge_time: Fitted
    row_charge: Fitted

    @classmethod
    def fit(cls, samples: MacSamples, rng: np.random.Generator) -> MacModel:
        """Linear least squares; ``rng`` deals the offsets to the folds of the held-out check.

        Raises
        ------
        InputError
            Shapes, values, or samples that do not tell the terms apart.
        """
        s = samples
        if len({a.shape for a in (s.ideal, s.edge_rate, s.active, s.excess, s.offset, s.output)}) != 1 or s.output.ndim != 1:
            raise InputError("samples: ideal, edge_rate, active, excess, offset, output must be rows of one length")
        terms = [np.ones(len(s.output)), s.offset, s.ideal, s.ideal * s.excess, s.edge_rate, s.active]
        line = fit_linear(np.stack(terms, axis=1), s.output - s.ideal, tuple(cls.UNITS))
        return cls.of_samples(s, s.opamp_offset, rng, **fitted(line, cls.UNITS))

    def apply(
        self,
        ideal: npt.ArrayLike,
        *,
        edge_rate: npt.ArrayLike = 0.0,
        active: npt.ArrayLike = 0.0,
        excess: npt.ArrayLike = 0.0,
        offset: npt.ArrayLike = 0.0,
    ) -> np.ndarray:
        """V_mac above analog ground, volts; arguments as in `MacSamples`, any shapes that broadcast."""
        v = np.asarray(ideal, float)
        gain = 1 + self.gain_error.value + self.loading.value * np.asarray(excess, float)
        out = self.pedestal.value + self.offset_gain.value * np.asarray(offset, float) + gain * v
        return out + self.edge_time.value * np.asarray(edge_rate, float) + self.row_charge.value * np.asarray(active, float)

    def _parts(self) -> dict[str, Any]:
        return super()._parts() | {"op-amps": self.offset}


def edge_rate(weights: np.ndarray, codes: npt.ArrayLike, pwm: Pwm, *, volts_per_unit: float, input_max: float) -> np.ndarray:
    """E of input codes (..., R) on weights (..., R, C): volts for each second that every pulse is longer, shape (..., C)."""
    return np.sign(codes) @ weights * (volts_per_unit * input_max / (pwm.max_code * pwm.t_unit))


def offset_rise(column_conductance: npt.ArrayLike, feedback: npt.ArrayLike, time: float) -> np.ndarray:
    """O for each volt of op-amp offset: 1 + S T / C_f (siemens, farads, seconds)."""
    return 1 + np.asarray(column_conductance, float) * time / np.asarray(feedback, float)
