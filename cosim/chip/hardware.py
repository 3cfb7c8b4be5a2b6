"""What a network runs on: floating point, ideal or fitted ramps, or the conventional scheme; and what its arrays are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Annotated, Any

import numpy as np

from characterization.compact import FittedColumns
from characterization.ramp_model import RampDraw, RampModel
from cosim.compiled import ENGINES as ENGINES
from netlists.check_rules import Choice, Whole
from netlists.checks import NonNegative, Number, Positive, Seconds, checked
from netlists.errors import InputError
from netlists.function import Activation, get_activation
from netlists.ramp import RampProgram, program_ramp
from netlists.technology import RampCircuit

from .arrays import Arrays, ReadVoltage
from .circuit_ramps import CircuitRamp
from .conditions import models_of, moved_model, outside_fit, read_gain
from .integrators import Integrators
from .pulses import DeltaInputs, PwmInputs

Ramp = RampDraw | RampModel | CircuitRamp | None
STATE_UNITS = ("float", "table", "ramp")
MAX_IDEAL_BITS = 16
Supply = Annotated[float, Number(above=0, high=20.0, unit="V")]


@checked
@dataclass(frozen=True)
class LinearAdc:
    """A linear converter a column, and the digital table behind it.

    Attributes
    ----------
    bits : int
    x_max : float
        Input range -x_max..x_max, units of a pre-activation. Assumption: 8, where a sigmoid is within 0.04 % of its end.
    offset_sigma, noise_sigma : float
        Rms offset of a column's comparator and rms noise of a conversion, units of a pre-activation.
    table_bits : int
        Bits of the values in the activation table.
    """

    bits: Annotated[int, Whole(1, 12)] = 8
    x_max: Positive = 8.0
    offset_sigma: NonNegative = 0.0
    noise_sigma: NonNegative = 0.0
    table_bits: Annotated[int, Whole(1, 16)] = 8

    @property
    def thresholds(self) -> np.ndarray:
        """Equally spaced levels, shape (2**bits - 1,)."""
        return self.x_max * (2.0 * np.arange(1, 2**self.bits) / 2**self.bits - 1.0)

    @property
    def inputs(self) -> np.ndarray:
        """Pre-activation that each code stands for, the middle of its step, shape (2**bits,)."""
        return self.x_max * ((2.0 * np.arange(2**self.bits) + 1.0) / 2**self.bits - 1.0)


@checked
@dataclass(frozen=True, eq=False, repr=False)
class Hardware:
    """What a network is evaluated on. At most one of ``bits``, ``ramps`` and ``adc`` is given; none of them is floating point.

    Attributes
    ----------
    bits : int or None
        Ideal ramps of this resolution, 1..16 (up to 8 fit a ramp column; more show the limit of fine steps).
    ramps : mapping or None
        A drawn or fitted ramp, or a circuit with errors, for each activation of the network; None for an activation means exact.
        Chip i takes row i of a draw (a draw with one chip serves all), draw i of a model, or sample i of a circuit.
    adc : LinearAdc or None
        Conventional scheme.
    state_unit : {"float", "table", "ramp"}
        What computes activations of digital values, such as tanh(c): exactly, by a table of ``state_bits``, or by a ramp of the
        activation, in columns of its own.
    state_bits, state_x_max : int, float
        Bits of that table's address and values, and its input range.
    threshold_noise : float
        Rms error of each threshold of each column on each chip, fixed in time, LSB: in units of the local step between the ramp's
        thresholds. For studies.
    arrays : Arrays or None
        None: exact weights.
    integrators : Integrators or None
        None: ideal ones, or those of ``columns``. They need arrays whose pairs are rows, and the ramps' programs.
    columns : FittedColumns or None
        Block models that were fitted to SPICE, around ideal or fitted ramps. They need what integrators need, and bring theirs.
    pwm : PwmInputs or None
        None: inputs and states are not rounded.
    delta : DeltaInputs or None
        Rows are driven only when their input has changed; the integrators keep their charge, which those of ``integrators`` and
        ``columns`` are no model of. None: rows are driven at every step.
    drift_time : float or None
        Seconds after ramps of fitted models were programmed and calibrated; None: their cells have not relaxed. Weights and
        circuits have a time of their own. Ramps whose device has no data do not age, and ``warnings`` says so.
    v_read, temperature, supply : float or None
        Conditions of use, volts, deg C, volts; None: those of the ramps. A fitted ramp with a table of the quantity follows it,
        up to the table's end. Without a table the model is used as fitted, except that the ramp of cells follows v_read with
        the columns, while a comparator's offset and a conversion's noise do not, and weigh ``v_read_nominal / v_read`` as
        much (assumption: all of the noise is the comparator's). A linear ADC's range does not follow either: it sees
        pre-activations ``v_read / v_read_nominal`` as large. `warnings` says what lies outside the fit.
    v_read_nominal : float or None
        Read voltage at which ramps were characterised and the linear ADC's range was set, volts; None: that of the
        fitted ramps, otherwise 0.2.
    """

    bits: Annotated[int, Whole(1, MAX_IDEAL_BITS)] | None = None
    ramps: Mapping[str, Ramp] | None = None
    adc: LinearAdc | None = None
    state_unit: Annotated[str, Choice(STATE_UNITS)] = "float"
    state_bits: Annotated[int, Whole(1, 12)] = 8
    state_x_max: Positive = 4.0
    threshold_noise: NonNegative = 0.0
    arrays: Arrays | None = None
    integrators: Integrators | None = None
    columns: FittedColumns | None = None
    pwm: PwmInputs | None = None
    delta: DeltaInputs | None = None
    drift_time: Seconds | None = None
    v_read: ReadVoltage | None = None
    v_read_nominal: ReadVoltage | None = None
    temperature: Annotated[float, Number(-273.15, unit="C")] | None = None
    supply: Supply | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("bits", "ramps", "adc") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)}: are different converters; give one of bits, ramps and adc")
        for name, ramp in (self.ramps or {}).items():
            get_activation(name)
            if ramp is not None and ramp.activation != name:
                raise InputError(f"{name}: was given ramps of {ramp.activation!r}; give ramps of {name!r}")
        if self.state_unit == "ramp" and (self.bits is None and self.ramps is None):
            raise InputError("state_unit='ramp': this hardware has no ramps; give bits or ramps, or take 'table' or 'float'")
        if others := [q for q in self.conditions if q != "v_read" and not models_of(self.ramps)]:
            raise InputError(f"{others[0]}={self.conditions[others[0]]:g}: only fitted models know what it does; give ramps")
        if self.v_read is not None and not given:
            raise InputError(f"v_read={self.v_read:g}: exact activations do not notice it; give bits, ramps or adc")
        circuits = [a for a, r in (self.ramps or {}).items() if isinstance(r, CircuitRamp)]
        if circuits and self.conditions:
            quantity, value = next(iter(self.conditions.items()))
            raise InputError(f"{quantity}={value:g}: the {circuits[0]} ramp is a circuit; give its plan these conditions")
        if self.integrators is not None and (self.arrays is None or self.arrays.layout != "rows"):
            raise InputError("integrators: need arrays with layout='rows', whose columns load them")
        self._check_columns(circuits)
        read_gain(self.ramps, self.v_read, self.v_read_nominal)
        if self.threshold_noise and not given:
            raise InputError(f"threshold_noise={self.threshold_noise:g}: floating point has no thresholds; give bits, ramps or adc")
        if self.delta is not None and (self.integrators is not None or self.columns is not None):
            raise InputError(
                "delta: integrators that keep their charge would take up an op-amp's offset and noise at every step, which "
                "integrators and columns are no model of; leave them out"
            )
        if self.arrays is not None and self.arrays.partial_sums == "digital" and self.adc is None:
            raise InputError(
                "partial_sums='digital': a bent ramp cannot convert a part of a sum; give adc, whose conversions are linear, "
                "or take partial_sums='charge'"
            )

    def _check_columns(self, circuits: list[str]) -> None:
        """Fitted columns fit the rest, and bring the integrators that they were fitted to."""
        if self.columns is None:
            return
        if self.arrays is None or self.arrays.layout != "rows":
            raise InputError("columns: need arrays with layout='rows', whose conductance loads them")
        if self.bits is None and self.ramps is None:
            raise InputError("columns: stand around ramps; give bits or ramps")
        if circuits:
            raise InputError(f"columns: the {circuits[0]} ramp is a circuit, which has its own blocks; give a fitted ramp or bits")
        if self.columns.comparator is not None and self.state_unit == "ramp" and self.bits is not None:
            raise InputError("columns: their comparator is not used by state_unit='ramp'; take 'table' or 'float'")
        if self.columns.mac is not None:
            own = Integrators(settling=self.columns.settling, circuit=self.columns.circuit, pwm=self.columns.pwm)
            if self.integrators not in (None, own):
                raise InputError("integrators: the columns' MAC model has its own; give one of the two")
            object.__setattr__(self, "integrators", own)

    def __repr__(self) -> str:
        """What differs from floating point; of ramps their resolution."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        if self.ramps is not None:
            given["ramps"] = {a: None if r is None else f"{type(r).__name__} of {r.bits} bits" for a, r in self.ramps.items()}
        return f"Hardware({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    @classmethod
    def fitted(cls, ramps: Mapping[str, Ramp], bits: int | None, **options: Any) -> Hardware:
        """Fitted or drawn ramps that must all have this resolution, if one is given; ``options`` are the other attributes.

        Raises
        ------
        InputError
            A ramp of another resolution.
        """
        for name, ramp in ramps.items():
            if bits is not None and ramp is not None and ramp.bits != bits:
                raise InputError(f"{name}: has a ramp of {ramp.bits} bits, {bits} are asked for; fit or draw one of {bits} bits")
        return cls(ramps=ramps, **options)

    def ramp(self, activation: str) -> Ramp:
        """The ramp of an activation; None for exact.

        Raises
        ------
        InputError
            This hardware has ramps, but none of this activation.
        """
        if self.bits is not None:
            return ideal_ramp(activation, self.bits)
        if self.ramps is None:
            return None
        if activation not in self.ramps:
            given = ", ".join(self.ramps) or "none"
            raise InputError(
                f"activation {activation!r}: the network needs a ramp of it, this hardware has {given}; "
                "fit a model, or give None for exact"
            )
        return self._moved[activation]

    def program(self, activation: str) -> RampProgram:
        """The program of an activation's ramp, by which its levels are volts.

        Raises
        ------
        InputError
            A ramp that has none.
        """
        ramp = None if self.ramps is None else self.ramps.get(activation)
        if isinstance(ramp, CircuitRamp):
            return ramp.plan.program()
        if isinstance(ramp, RampModel):
            return ramp.program
        bits = self.bits if ramp is None else ramp.bits
        if bits is None or self.arrays is None:
            raise InputError(f"activation {activation!r}: integrators need a ramp of it; give one in place of an exact activation")
        return program_ramp(activation, bits, self.arrays.profile)

    @property
    def conditions(self) -> dict[str, float]:
        """Conditions of use, as far as they were given."""
        given = {"v_read": self.v_read, "temperature": self.temperature, "supply": self.supply}
        return {q: v for q, v in given.items() if v is not None}

    @cached_property
    def read_gain(self) -> float:
        """By how much an offset or noise of a fixed voltage weighs more than at the nominal read voltage."""
        return read_gain(self.ramps, self.v_read, self.v_read_nominal)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What of the conditions of use, and of the weights' device, lies outside those that the ramps were fitted at."""
        weights = self.arrays.profile.name if self.arrays is not None and self.arrays.random else None
        columns = () if self.columns is None else self.columns.warnings(bool(models_of(self.ramps)))
        return (
            *outside_fit(self.ramps, self.conditions, weights),
            *columns,
            *self._not_ageing(),
            *self._beyond_data(),
            *self._less_swing(),
        )

    def _less_swing(self) -> tuple[str, ...]:
        """Which ramps have less than the nominal circuit's span."""
        usual = RampCircuit().v_swing
        least = min((r.plan.circuit.v_swing for r in (self.ramps or {}).values() if isinstance(r, CircuitRamp)), default=usual)
        if least >= usual:
            return ()
        return (f"v_swing={least:.3g}: the ramps span less than the usual {usual:g} V; errors in volts weigh as much more",)

    def _beyond_data(self) -> tuple[str, ...]:
        """Which devices age longer than they were measured."""
        ages = [] if self.arrays is None else [(self.arrays.profile, self.arrays.drift_time)]
        for r in (self.ramps or {}).values():
            if isinstance(r, RampModel):
                ages.append((r.ramp_plan.profile, self.drift_time))
            elif isinstance(r, CircuitRamp):
                ages.append((r.plan.profile, r.drift_time))
        said = {(line, t) for profile, t in ages if (line := profile.beyond_relaxation(t)) is not None}
        return tuple(f"drift_time={t:g}: {line}" for line, t in sorted(said))

    def _not_ageing(self) -> tuple[str, ...]:
        """Which converters do not age though the hardware does."""
        if self.drift_time is None:
            return ()
        if self.bits is not None or self.adc is not None:
            return (f"drift_time={self.drift_time:g}: ideal converters do not age; give fitted ramps",)
        left = []
        for a, r in (self.ramps or {}).items():
            if isinstance(r, RampDraw):
                left.append(f"drift_time={self.drift_time:g}: the drawn ramps of {a} do not age")
            elif isinstance(r, RampModel) and self.ramp_drift(r) is None:
                device = r.ramp_plan.profile.name
                left.append(f"drift_time={self.drift_time:g}: the {a} ramp does not age: {device} has no drift data")
        return tuple(left)

    def ramp_drift(self, model: RampModel) -> float | None:
        """Seconds that a fitted ramp has aged; None where its device has no data."""
        return self.drift_time if model.ramp_plan.profile.relaxation_times else None

    @cached_property
    def _moved(self) -> dict[str, Ramp]:
        """The ramps at the conditions of use."""
        return {a: moved_model(r, self.conditions) if isinstance(r, RampModel) else r for a, r in (self.ramps or {}).items()}

    @property
    def random(self) -> bool:
        """Whether a generator is needed: chips are drawn, or conversions are noisy."""
        ramps = [r for r in (self.ramps or {}).values() if r is not None]
        adc = self.adc is not None and (self.adc.offset_sigma > 0 or self.adc.noise_sigma > 0)
        drawn = self.columns is not None or any(
            r.random if isinstance(r, CircuitRamp) else isinstance(r, RampModel) or r.noisy for r in ramps
        )
        i = self.integrators
        op_amps = i is not None and any((i.offset, i.offset_noise, i.opamp_noise, i.heat))
        return drawn or adc or op_amps or self.threshold_noise > 0 or (self.arrays is not None and self.arrays.random)

    def drawn_chips(self) -> int | None:
        """Number of chips that the given draws describe; None if any number can be drawn.

        Raises
        ------
        InputError
            Draws of different numbers of chips.
        """
        counts = {name: r.n_chips for name, r in (self.ramps or {}).items() if isinstance(r, RampDraw)}
        several = {name: n for name, n in counts.items() if n > 1}
        if len(set(several.values())) > 1:
            (a, n), (b, m) = list(several.items())[:2]
            raise InputError(f"{a} and {b}: have {n} and {m} chips; give as many of both, or one of either")
        return max(several.values(), default=None)


def ideal_ramp(activation: str, bits: int) -> RampDraw:
    """An ideal ramp of any resolution: beyond what a ramp column holds, from the inverse itself."""
    return _ideal_ramp(activation, get_activation(activation), bits)


@lru_cache(maxsize=32)
def _ideal_ramp(activation: str, a: Activation, bits: int) -> RampDraw:
    """The same, once for each: a training draws it for every gradient step. Nobody writes to its arrays."""
    if bits <= 8:
        ramp = RampDraw.ideal(activation, bits)
        for array in (ramp.thresholds, ramp.column_offset, ramp.noise_sigma, ramp.values, ramp.shared_sigma):
            array.flags.writeable = False
        return ramp
    if a.inverse is None:
        raise InputError(f"bits={bits}: {activation} has no single inverse; its ideal ramp has 8 bits at most")
    levels = a.inverse(a.y_min + np.arange(1, 2**bits) * (a.y_max - a.y_min) / 2**bits)
    return RampDraw(activation, bits, levels[None], np.zeros((1, 1)), np.zeros(()))


def quantized_activation(activation: str, bits: int, x: np.ndarray) -> np.ndarray:
    """Activation of ``x`` rounded to the middle of one of ``2**bits`` steps of its output range; type kept."""
    a = get_activation(activation)
    step = (a.y_max - a.y_min) / 2**bits
    codes = np.clip(np.floor((a.value(x) - a.y_min) / step), 0, 2**bits - 1)
    return (a.y_min + (codes + 0.5) * step).astype(x.dtype)
