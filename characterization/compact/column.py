"""The composed column: inputs or pre-activations in, codes out, with every part's errors.

    inputs -> crossbar (effective weights) -> MAC column (gain, offset, edges) -> soft clip and droop -> ramp and comparator -> code

A part that is left out is perfect, and with none at all the codes are `characterization.figures.codes` of the ramp's levels.
The level of ramp step k that column j compares with is, in volts, T[k] + column_offset + v_os - late: a comparator that is late
or has hysteresis lets inputs just below a step pass it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from characterization.ramp_model import RampDraw
from netlists.array import Pwm
from netlists.checks import Array, NonNegative, Number, Positive, checked
from netlists.errors import InputError
from netlists.ramp import RampProgram, timing
from netlists.technology import RampCircuit

from .comparator import ComparatorModel
from .crossbar_model import CrossbarChips, CrossbarModel
from .integrator import IntegratorModel
from .mac import MacModel, edge_rate, offset_rise

Offsets = Annotated[np.ndarray, Array(("chips", "columns"), unit="V")]
Endless = Annotated[float, Number(0, endless=True, unit="s")]


def decision_times(comparator: ComparatorModel, program: RampProgram, circuit: RampCircuit, *, settling: float = 0.0) -> np.ndarray:
    """Time for a decision that each step of the ramp is worth to the comparator, shape (levels,), seconds.

    From the end of the step's last pulse to the latching instant, and for the pulse itself what a comparator of one pole makes of
    a ramp that climbs all the while: tau ln((t / tau) / (1 - exp(-t / tau))) more.

    Parameters
    ----------
    settling : float
        Time constant of the ramp's integrator (`IntegratorModel.tau`): its output comes that much later, seconds.
    """
    clock, tau = timing(program, circuit), comparator.delay.tau.value
    levels = len(program.x)
    last = np.array([program.slot[program.step == k].max() for k in range(1, levels + 1)])
    pulse = np.array([program.width[program.slot == s].max() for s in last]) * circuit.t_pulse
    after = np.maximum(clock.latch[:levels] - clock.slot_start[last] - pulse - settling, 0.0)
    if tau == 0:
        return after
    x = pulse / tau
    return after + tau * np.log(x / -np.expm1(-x))


@checked
@dataclass(frozen=True, eq=False)
class ColumnModel:
    """Columns of drawn chips.

    A ramp drawn from a fitted `RampModel` has the comparator's offset, noise and lateness in it already: give it no comparator,
    or one without offset and noise for metastability alone. A ramp of its own levels (`RampDraw.ideal`, or computed ones) takes a
    comparator.

    Attributes
    ----------
    ramp : RampDraw
        Levels of the chips' ramps, input units of the activation.
    volts_per_unit : float
        Scale of V_mac and V_ramp (`RampProgram.volts_per_unit`).
    comparator, comparator_offset
        Model, and drawn offsets (chips, columns), volts.
    time : float or ndarray (levels,)
        For a decision (`decision_times`), seconds; infinite: as long as it takes.
    latch_time : float
        From the latch's closing until it is read, seconds.
    integrator : IntegratorModel, optional
        Its soft clip, droop and leak over ``hold_time``; gain, pedestal and offset too where there is no ``mac``.
    integrator_offset : ndarray (chips, columns)
        Drawn op-amp offsets, volts; used with or without ``mac``.
    mac : MacModel, optional
        For `convert`.
    crossbar : CrossbarModel, optional
        For `convert`.
    hold_time : float
        From the end of the MAC to the comparison, seconds.

    Raises
    ------
    InputError
        Shapes that do not match, values that cannot be, a ramp and a comparator that both hold offset or noise.
    """

    ramp: RampDraw
    volts_per_unit: Positive
    comparator: ComparatorModel | None = None
    comparator_offset: Offsets | None = None
    time: Endless | np.ndarray = float("inf")
    latch_time: Endless = float("inf")
    integrator: IntegratorModel | None = None
    integrator_offset: Offsets | None = None
    mac: MacModel | None = None
    crossbar: CrossbarModel | None = None
    hold_time: NonNegative = 0.0

    def __post_init__(self) -> None:
        time = np.asarray(self.time, float)
        if time.shape not in ((), self.ramp.thresholds.shape[1:]) or not np.all(time >= 0):
            raise InputError(
                f"time: has shape {time.shape}; must be 0 or more, one value or {self.ramp.thresholds.shape[1:]} (seconds)"
            )
        for name in ("comparator_offset", "integrator_offset"):
            if (a := getattr(self, name)) is not None and len(a) != self.ramp.n_chips:
                raise InputError(f"{name}: has shape {a.shape}; must be ({self.ramp.n_chips}, columns)")
        if self.comparator_offset is not None and self.comparator is None:
            raise InputError("comparator_offset: is given without a comparator")
        c = self.comparator
        if c is not None:
            if np.any(self.ramp.column_offset) and (not c.offset.constant or self.comparator_offset is not None):
                raise InputError("comparator: the ramp's column_offset holds comparator offsets already; give one of the two")
            if self.ramp.noisy and c.noise.value > 0:
                raise InputError("comparator: the ramp's noise_sigma holds comparator noise already; give one of the two")

    @property
    def levels(self) -> np.ndarray:
        """Level that each step compares with, shape (chips, columns, levels), input units; noise apart."""
        t = self.ramp.thresholds[:, None, :] + self.ramp.column_offset[:, :, None]
        if self.comparator is None:
            return t
        offset = np.zeros((1, 1)) if self.comparator_offset is None else self.comparator_offset
        # A step earlier the ramp was about one step below.
        step = np.abs(np.diff(self.ramp.thresholds, axis=1))
        # The first step is taken to be as high as the second; a single one comes from far below.
        first = step[:, :1] if step.size else np.full((len(t), 1), np.inf)
        late = self.comparator.late(self.time, np.append(first, step, axis=1) * self.volts_per_unit)[:, None, :]
        return t + (offset[:, :, None] - late) / self.volts_per_unit

    def apply(self, x: npt.ArrayLike, rng: np.random.Generator | None = None) -> np.ndarray:
        """Codes of pre-activations: ramp steps passed.

        Parameters
        ----------
        x : array_like (n, columns) or (chips, n, columns)
            Input units of the activation. One column, of the draw or of ``x``, stands for all.
        rng : numpy.random.Generator, optional
            Needed where conversions are noisy or may be metastable.

        Returns
        -------
        ndarray of int (chips, n, columns)

        Raises
        ------
        InputError
            Shape or value of x; no generator where one is needed.
        """
        v = self._inputs(x)
        if self.integrator is not None:
            i = self.integrator
            offset = 0.0 if self.integrator_offset is None else self.integrator_offset[:, None, :]
            v = i.apply(v * self.volts_per_unit, offset=offset, time=self.hold_time) / self.volts_per_unit
        return self._codes(v, rng)

    def convert(
        self,
        codes: npt.ArrayLike,
        chips: CrossbarChips,
        pwm: Pwm,
        rng: np.random.Generator | None = None,
        *,
        circuit: RampCircuit | None = None,
        input_max: float = 1.0,
    ) -> np.ndarray:
        """Codes of input codes (n, R) or (chips, n, R) of ``pwm``, on programmed arrays; shape (chips, n, columns).

        Parameters
        ----------
        rng : numpy.random.Generator, optional
            Draws read noise (one draw a call: the array of one conversion) and the noise of decisions.
        circuit : RampCircuit, optional
            For the time the op-amp's offset has to act; default the default circuit.
        input_max : float
            Input value of the largest code.

        Raises
        ------
        InputError
            Without a crossbar model; shapes and values as for `apply`.
        """
        v = self.v_mac(codes, chips, pwm, rng, circuit=circuit, input_max=input_max)
        if self.mac is None:
            return self.apply(v / self.volts_per_unit, rng)
        if self.integrator is not None:
            i = self.integrator
            v = (v if i.clip is None else i.clip(v)) + self.hold_time * (i.droop.value + i.leak.value * v)
        return self._codes(v / self.volts_per_unit, rng)

    def v_mac(
        self,
        codes: npt.ArrayLike,
        chips: CrossbarChips,
        pwm: Pwm,
        rng: np.random.Generator | None = None,
        *,
        circuit: RampCircuit | None = None,
        input_max: float = 1.0,
    ) -> np.ndarray:
        """Computes what the columns hold after the MAC, volts above analog ground; arguments and shape as for `convert`."""
        if self.crossbar is None:
            raise InputError("crossbar: is not given; convert needs one, apply takes pre-activations")
        if len(chips) != self.ramp.n_chips:
            raise InputError(f"chips: are {len(chips)} arrays, the ramp has {self.ramp.n_chips} chips")
        c = pwm.check_codes(codes, chips.conductance.shape[1] // 2)
        weights = self.crossbar.effective_weights(chips, rng)
        x = self.crossbar.apply(c * (input_max / pwm.max_code), weights)
        if self.mac is None:
            return np.asarray(x * self.volts_per_unit)
        circuit = circuit or RampCircuit()
        total = chips.column_conductance
        feedback = self.crossbar.v_read * chips.scale * pwm.max_code * pwm.periods * pwm.t_unit / input_max / self.volts_per_unit
        offset: npt.ArrayLike = 0.0
        if self.integrator_offset is not None:
            window = pwm.duration + 5 * circuit.t_edge
            offset = (self.integrator_offset * offset_rise(total, feedback, window))[:, None, :]
        return self.mac.apply(
            x * self.volts_per_unit,
            edge_rate=edge_rate(weights, c, pwm, volts_per_unit=self.volts_per_unit, input_max=input_max),
            active=np.count_nonzero(c, axis=-1)[..., None],
            excess=((total - total.mean(axis=1, keepdims=True)) / feedback)[:, None, :],
            offset=offset,
        )

    def values(self, codes: npt.ArrayLike) -> np.ndarray:
        """Output values of codes (steps passed)."""
        return np.asarray(self.ramp.values[np.asarray(codes)])

    def _inputs(self, x: npt.ArrayLike) -> np.ndarray:
        v = np.asarray(x, float)
        if v.ndim not in (2, 3) or (v.ndim == 3 and len(v) not in (1, self.ramp.n_chips)):
            raise InputError(f"x: has shape {v.shape}, must be (n, columns) or ({self.ramp.n_chips}, n, columns)")
        if len(bad := np.argwhere(~np.isfinite(v))):
            raise InputError(f"x[{', '.join(map(str, bad[0]))}]={v[tuple(bad[0])]}: must be finite")
        return v if v.ndim == 3 else v[None]

    def _codes(self, x: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        levels = self.levels
        columns = {levels.shape[1], x.shape[2]} - {1}
        if len(columns) > 1:
            raise InputError(f"x: has {x.shape[2]} columns, the drawn chips have {levels.shape[1]}")
        shape = (self.ramp.n_chips, x.shape[1], columns.pop() if columns else 1)
        x = np.broadcast_to(x, shape)
        comparator = self.comparator
        window = 0.0 if comparator is None else float(comparator.window(self.latch_time)) / self.volts_per_unit
        noise = np.broadcast_to(self.ramp.noise_sigma, levels.shape[-1:])
        if comparator is not None:
            noise = np.hypot(noise, comparator.noise.value / self.volts_per_unit)
        if np.any(noise > 0) or window > 0:
            if rng is None:
                raise InputError("rng=None: noisy or metastable conversions draw; give a Generator")
            return _noisy_codes(x, levels, noise, window, rng)
        reached = np.maximum.accumulate(levels, axis=-1)
        out = np.empty(shape, int)
        for i in range(shape[0]):
            if levels.shape[1] == 1:
                out[i] = np.searchsorted(reached[i, 0], x[i], side="left")
            else:
                for j in range(shape[2]):
                    out[i, :, j] = np.searchsorted(reached[i, j], x[i, :, j], side="left")
        return out


def _noisy_codes(x: np.ndarray, levels: np.ndarray, noise: np.ndarray, window: float, rng: np.random.Generator) -> np.ndarray:
    """Steps before the first trip, each decision with noise of its own and a toss within the window."""
    code = np.zeros(x.shape, int)
    running = np.ones(x.shape, bool)
    for k in range(levels.shape[-1]):
        above = x - levels[:, None, :, k]
        if noise[k] > 0:
            above = above + noise[k] * rng.standard_normal(x.shape)
        passed = above > 0
        if window > 0:
            passed = np.where(np.abs(above) < window, rng.random(x.shape) < 0.5, passed)
        running &= passed
        code += running
    return code
