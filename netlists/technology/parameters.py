"""Electrical parameters of the ramp converter: typed, immutable, each with unit, meaning and source."""

from __future__ import annotations

import math
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from importlib import resources
from typing import Annotated, Any

import numpy as np

from netlists.checks import Choice, Number, brief, changed, check, checked
from netlists.errors import InputError

from .opamp import TwoStageOpamp, two_stage_opamp

LEVELS = ("ideal", "macro", "sky130")
"""Levels of circuit detail that can be simulated."""
Level = Annotated[str, Choice(LEVELS)]


MEASURED: dict[str, Any] = tomllib.loads((resources.files("netlists.technology") / "data" / "macro_sky130.toml").read_text())
"""What ``cosim blocks`` measured on the transistor-level blocks: macro-model parameters, statistics, corner table, sources."""

MEASURED_STATISTICS: dict[str, float] = MEASURED["statistics"]
"""Standard deviations of the transistor-level blocks (volts): what ``cosim blocks`` measured, as the macro defaults below."""


def _p(default: float, unit: str, text: str, source: str, minimum: float = 0.0) -> Any:
    return field(default=default, metadata={"unit": unit, "meaning": text, "source": source, "check": Number(minimum, unit=unit)})


def _m(name: str, unit: str, text: str, minimum: float) -> Any:
    source = "measured on the SKY130 blocks, tt, 27 C, by `cosim blocks` (results/blocks)"
    return _p(MEASURED["circuit"][name], unit, text, source, minimum)


def _i(name: str, unit: str, text: str, minimum: float = -math.inf) -> Any:
    source = "measured on comparator_sky130, tt, 27 C, by `cosim blocks` (results/blocks)"
    return _p(MEASURED["input"][name.removeprefix("comparator_")], unit, text, source, minimum)


_FOLLOWS = "none; `with_common_mode` takes what `cosim blocks` measured"

OPAMP_STAGES = ("opamp_c_c", "opamp_c_g2", "opamp_c_out", "opamp_gm_ratio", "opamp_gain2", "opamp_rz_gm2")
"""Fields of `RampCircuit` that say how the op-amp's two stages share its gain and bandwidth."""


@checked
@dataclass(frozen=True)
class RampCircuit:
    """Everything about the converter that is not the ramp program; SI units.

    Each field's metadata holds unit, meaning and source; `describe` lists them. Fields that only the
    op-amp and comparator macro-models use have no effect at level ``ideal``.
    """

    v_read: float = _p(0.2, "V", "read voltage across a selected cell", "Yang et al. 2025 Fig. 3", 1e-6)
    v_cm: float = _p(0.9, "V", "analog ground (common mode)", "assumption: half of v_dd")
    v_dd: float = _p(1.8, "V", "supply and clock swing", "assumption: 130 nm core supply", 1e-3)
    v_swing: float = _p(1.0, "V", "span of the ramp, first level to last; sets C_f", "assumption", 1e-3)
    t_pulse: float = _p(
        16e-9, "s", "longest select pulse of a ramp cell", "assumption: the nominal ramp meets its levels to 0.01 LSB", 1e-12
    )
    t_settle: float = _p(
        16e-9, "s", "end of the longest pulse to the end of the clock period", "assumption: eight comparator time constants", 1e-12
    )
    t_edge: float = _p(0.1e-9, "s", "rise and fall time of clocks and pulses", "assumption", 1e-13)
    t_reset: float = _p(40e-9, "s", "integrator reset before a conversion", "assumption", 1e-12)
    t_aperture: float = _p(0.2e-9, "s", "latching instant before the end of the period", "assumption", 1e-13)
    a0: float = _m("a0", "V/V", "op-amp open-loop gain", 1.0)
    gbw: float = _m("gbw", "Hz", "op-amp gain-bandwidth product", 1.0)
    slew: float = _m("slew", "V/s", "op-amp slew rate", 1.0)
    opamp_c_c: float = _m("opamp_c_c", "F", "op-amp's Miller capacitor", 1e-18)
    opamp_c_g2: float = _m("opamp_c_g2", "F", "capacitance at the gate of the op-amp's second stage", 1e-18)
    opamp_c_out: float = _m("opamp_c_out", "F", "op-amp's own output capacitance", 0.0)
    opamp_gm_ratio: float = _m("opamp_gm_ratio", "S/S", "gm2/gm1 of the op-amp's stages; both grow with gbw", 1e-3)
    opamp_gain2: float = _m("opamp_gain2", "V/V", "DC gain of the op-amp's second stage, gm2 r_o", 1e-3)
    opamp_rz_gm2: float = _m("opamp_rz_gm2", "ohm S", "op-amp's nulling resistor in units of 1/gm2", 1e-6)
    opamp_offset: float = _p(0.0, "V", "op-amp input offset", "nominal chip", -math.inf)
    c_in: float = _p(100e-15, "F", "capacitance on the summing node", "assumption")
    r_reset: float = _m("r_reset", "ohm", "on-resistance of the reset switch", 1e-3)
    c_inject: float = _m("c_inject", "F", "gate-channel capacitance of the reset switch", 0.0)
    comparator_offset: float = _p(0.0, "V", "comparator input offset", "nominal chip", -math.inf)
    comparator_gain: float = _m("comparator_gain", "V/V", "comparator input stage gain, fitted to its delays", 1e-3)
    comparator_tau: float = _m("comparator_tau", "s", "comparator time constant (delay)", 1e-15)
    comparator_limit: float = _m("comparator_limit", "V", "comparator output limit", 1e-6)
    comparator_slope: float = _p(0.0, "V/V", "change of the comparator's offset with its common mode", _FOLLOWS, -math.inf)
    comparator_bend: float = _p(0.0, "1/V", "more of it below the knee, with the square of the distance", _FOLLOWS, -math.inf)
    comparator_knee: float = _i("comparator_knee", "V", "where one input pair goes off, above v_cm")
    comparator_c_in: float = _i("comparator_c_in", "F", "input capacitance of a comparator", 0.0)
    comparator_kick: float = _i("comparator_kick", "C", "charge that a comparator draws from the ramp when it trips", 0.0)
    comparators: float = _p(
        0.0, "comparators", "comparators that a ramp's op-amp drives; 0: a buffer does", "assumption: a buffer that settles"
    )

    def __post_init__(self) -> None:
        if self.t_reset <= 4 * self.t_edge:
            raise InputError(f"t_reset={self.t_reset:g} s: must be longer than 4 t_edge = {4 * self.t_edge:g} s")
        if self.t_aperture + self.t_edge >= self.t_settle:
            raise InputError(
                f"t_settle={self.t_settle:g} s: must be longer than t_aperture + t_edge = {self.t_aperture + self.t_edge:g} s"
            )
        if not self.opamp.is_stable():
            raise InputError(
                f"opamp_gm_ratio={self.opamp_gm_ratio:g}: an op-amp with these stages oscillates as a follower; raise "
                "opamp_gm_ratio or opamp_c_c"
            )
        if self.v_read >= min(self.v_cm, self.v_dd - self.v_cm):
            raise InputError(f"v_read={self.v_read:g}: the drive lines v_cm +- v_read must stay within 0..v_dd = {self.v_dd:g} V")

    def __repr__(self) -> str:
        return brief(self)

    @cached_property
    def opamp(self) -> TwoStageOpamp:
        """Elements of the op-amp of level ``macro``."""
        own = {name.removeprefix("opamp_"): getattr(self, name) for name in OPAMP_STAGES}
        return two_stage_opamp(self.a0, self.gbw, self.slew, **own)

    @property
    def comparator_load(self) -> float:
        """Capacitor that stands for a comparator on the ramp, farads: it takes as much charge over ``v_swing``."""
        return self.comparator_c_in + self.comparator_kick / self.v_swing

    @property
    def ramp_load(self) -> float:
        """Capacitor that stands for all comparators on a ramp, farads."""
        return self.comparators * self.comparator_load

    @cached_property
    def ramp_opamp(self) -> TwoStageOpamp:
        """The op-amp with what a ramp's output drives."""
        return replace(self.opamp, c_out=self.opamp.c_out + self.ramp_load)

    def comparator_shift(self, level: np.ndarray | float) -> np.ndarray:
        """Offset of the nominal comparator at input levels above analog ground less that at analog ground, volts.

        Below the knee one of its two input pairs goes off.
        """
        v = np.asarray(level)
        gap = self.comparator_knee - v
        # Complex levels are those of a derivative by complex steps.
        below = np.square(np.where(np.real(gap) > 0, gap, 0.0)) - max(self.comparator_knee, 0.0) ** 2
        return self.comparator_slope * v + self.comparator_bend * below

    @property
    def opamp_settling(self) -> float:
        """How far a summing node lags for each volt a second that the output moves, ``1 / (2 pi gbw)``, seconds."""
        return 1 / (2 * math.pi * self.gbw)

    @property
    def opamp_resistance(self) -> float:
        """Resistance that finite gain adds at the summing node, ``r_o / a0``, ohm: the current of C_f passes r_o."""
        return self.opamp.r_o / self.a0

    @property
    def t_step(self) -> float:
        """Clock period of one ramp step, seconds."""
        return self.t_pulse + self.t_settle

    def with_common_mode(self) -> RampCircuit:
        """A copy whose comparators have an offset that follows the common mode, as measured on ``comparator_sky130``."""
        return self.with_(**{f"comparator_{name}": MEASURED["input"][name] for name in ("slope", "bend", "knee")})

    def with_(self, **changes: float) -> RampCircuit:
        """A copy with some fields changed; unknown names raise `InputError`."""
        return changed(self, changes, "circuit parameter")

    def as_dict(self) -> dict[str, float]:
        """Plain dictionary of all values, for manifests."""
        return asdict(self)

    @classmethod
    def describe(cls) -> list[dict[str, Any]]:
        """One row per parameter: name, default, unit, meaning, source."""
        return described(cls, "unit", "meaning", "source")


def described(cls: type, *about: str) -> list[dict[str, Any]]:
    """One row per field of a dataclass whose metadata tell of it: name, default, and the metadata of these names."""
    return [{"name": f.name, "default": f.default, **{name: f.metadata[name] for name in about}} for f in fields(cls) if f.metadata]


def check_level(level: str) -> None:
    """Raises `InputError` unless ``level`` can be simulated."""
    check(Level, level, "level")
