"""The compact model of a ramp: fitted to Monte Carlo samples, with its uncertainty, in one JSON file."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from characterization.chips import TRIM_NUMBERS, nominal_deck, trimmed
from characterization.plan import RampPlan
from characterization.provenance import versions
from characterization.run import Run
from netlists.errors import InputError
from netlists.function import Activation
from netlists.ramp import RampProgram

from . import report
from .condition_table import Array, ConditionTable
from .draw import RampDraw
from .file import read_model, write_model
from .levels import LevelDistribution
from .noise import NOISE_UNITS, UNKNOWN_DRAWS, NoiseEstimate, fit_noise, injected, level_errors, read_noise_shape

SCHEMA: Final = "nladc-cosim/ramp-model"
SCHEMA_VERSION: Final = 2
MINIMUM_SAMPLES = 8


def _distribution(value: Any) -> LevelDistribution:
    if isinstance(value, LevelDistribution):
        return value
    try:
        return LevelDistribution.from_dict(value)
    except InputError as e:
        raise ValueError(str(e)) from None


Distribution = Annotated[
    LevelDistribution,
    BeforeValidator(_distribution),
    PlainSerializer(lambda d: d.as_dict()),
    WithJsonSchema({"type": "object", "required": ["mean", "basis", "loadings", "diagonal", "anchor", "shift", "evidence"]}),
]


class RampModel(BaseModel):
    """Distribution of the transition levels of a ramp converter.

    ``after`` holds the levels of a chip after calibration, ``before`` those as programmed: mean, covariance and, where
    the samples ask for one, a tail of the shift common to all levels (`LevelDistribution`). A column adds its own
    comparator offset relative to the comparator that calibrated the ramp; a conversion adds comparator noise and read
    noise. ``conditions`` says how all that moves with read voltage, temperature and supply, where it was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, ignored_types=(cached_property,))

    schema_name: Literal["nladc-cosim/ramp-model"] = Field(default=SCHEMA, alias="schema")
    schema_version: Literal[2] = SCHEMA_VERSION
    units: dict[str, str]
    activation: str
    bits: int = Field(ge=1, le=8)
    samples: int = Field(ge=MINIMUM_SAMPLES)
    failed: int = Field(ge=0)
    x_ideal: Array
    lsb: Array
    after: Distribution
    before: Distribution
    comparator_offset: NoiseEstimate
    comparator_noise: NoiseEstimate
    read_noise: NoiseEstimate
    conditions: tuple[ConditionTable, ...] = ()
    plan: dict[str, Any]
    provenance: dict[str, Any]
    validation: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> RampModel:
        try:
            plan = self.ramp_plan
        except InputError as e:
            raise ValueError(str(e)) from None
        if (plan.name, plan.bits) != (self.activation, self.bits):
            raise ValueError(
                f"activation, bits: the model says {self.activation} {self.bits} bit, its plan {plan.name} {plan.bits} bit"
            )
        shape = self.program.x.shape
        if self.x_ideal.shape != shape or not np.allclose(self.x_ideal, self.program.x):
            raise ValueError(f"x_ideal: are not the thresholds of {self.activation} at {self.bits} bits")
        if self.lsb.shape != shape or not np.allclose(self.lsb, self.program.lsb):
            raise ValueError(f"lsb: are not the steps between the thresholds of {self.activation} at {self.bits} bits")
        for name in ("after", "before"):
            if (found := getattr(self, name).mean.shape) != shape:
                raise ValueError(f"{name}: mean has shape {found}, must be {shape} at {self.bits} bits")
        for name, unit in NOISE_UNITS.items():
            if getattr(self, name).unit != unit:
                raise ValueError(f"{name}: unit={getattr(self, name).unit!r}, must be {unit!r}")
        for table in self.conditions:
            if table.shift.shape[1:] != shape or table.shift_before.shape[1:] != shape:
                raise ValueError(f"conditions: the table of {table.quantity} has not {shape[0]} levels")
        return self

    @cached_property
    def ramp_plan(self) -> RampPlan:
        """The plan whose samples the model was fitted to."""
        return RampPlan.from_dict(self.plan)

    @cached_property
    def program(self) -> RampProgram:
        """The ramp program of the plan."""
        return self.ramp_plan.program()

    @property
    def function(self) -> Activation:
        """The activation that the ramp follows."""
        return self.ramp_plan.function

    @property
    def mean(self) -> np.ndarray:
        """Mean of the calibrated levels, shape (levels,), input units."""
        return self.after.mean

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the calibrated levels, shape (levels, levels), input units squared."""
        return self.after.covariance

    @classmethod
    def fit(cls, run: Run) -> RampModel:
        """Fits to the samples of a run; failed samples are counted, not used.

        Raises
        ------
        InputError
            Fewer than 8 samples that worked.
        """
        program = run.plan.program()
        before, after, noisy, good = measured(run)
        if good.sum() < MINIMUM_SAMPLES:
            raise InputError(f"samples={int(good.sum())} that worked, of {len(good)}: a model needs {MINIMUM_SAMPLES} or more")
        unit = f"input units of {program.activation}; 1 unit = {program.volts_per_unit(run.plan.circuit):.6g} V"
        difference = (noisy - after)[good]
        known = injected(run.plan, run.samples["sample"].to_numpy()[good], difference)
        noise = fit_noise(difference, program, run.plan.profile, injected=known)
        warnings = [*run.warnings, *([UNKNOWN_DRAWS] if known is None else [])]
        return cls(
            units={
                "transition levels": f"input units of {program.activation}",
                "read_noise": "S",
                "comparator_offset, comparator_noise": unit,
            },
            activation=program.activation,
            bits=program.bits,
            samples=int(good.sum()),
            failed=int((~good).sum()),
            x_ideal=program.x,
            lsb=program.lsb,
            after=LevelDistribution.fit(after[good]),
            before=LevelDistribution.fit(before[good]),
            **vars(noise),
            plan=run.plan.as_dict(),
            provenance={
                "plan_sha256": run.plan.sha256,
                "deck_sha256": nominal_deck(run.plan).sha256,
                "seed": run.plan.seed,
                "scheme": program.scheme,
                **({"warnings": warnings} if warnings else {}),
                "versions": versions(),
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )

    @property
    def mean_stderr(self) -> np.ndarray:
        """Standard error of ``mean``, shape (levels,)."""
        return np.sqrt(np.diag(self.covariance) / self.samples)

    @property
    def sigma_stderr(self) -> np.ndarray:
        """Standard error of each level's standard deviation (Gaussian), shape (levels,)."""
        return np.sqrt(np.diag(self.covariance) / (2 * (self.samples - 1)))

    @property
    def noise_sigma(self) -> np.ndarray:
        """Input-referred rms noise of one conversion at each level, shape (levels,), input units."""
        read = self.read_noise.value**2 * np.diag(read_noise_shape(self.program, self.ramp_plan.profile))
        return np.sqrt(self.comparator_noise.value**2 + read)

    def sample_levels(self, n: int, rng: np.random.Generator, *, calibrated: bool = True) -> np.ndarray:
        """Transition levels of ``n`` new chips, shape (n, levels), input units."""
        return (self.after if calibrated else self.before).sample(n, rng)

    def sample(
        self,
        n_chips: int,
        n_columns: int,
        rng: np.random.Generator,
        *,
        calibrated: bool = True,
        trim: bool = True,
        drift_time: float | None = None,
    ) -> RampDraw:
        """Draws chips with ``n_columns`` columns each.

        A column's offset is relative to the comparator that calibrated the ramp, which has one of its own; of a plan with
        calibration ``per-column`` it is what the column's trimming cells leave of that, unless ``trim`` is False. Levels before
        calibration hold the offset of the comparator that measured them: the columns have theirs in its place. Chip i
        does not depend on how many chips are drawn; of several chips it does depend on how many columns. Read noise of the
        ramp's cells that lasts moves a chip's levels for good; the
        rest is drawn once a ramp and conversion, and all columns see the same.

        Parameters
        ----------
        drift_time : float or None
            Seconds since the ramp was programmed and calibrated; None: its cells have not relaxed. `InputError` where the
            profile has no such data.
        """
        distribution = self.after if calibrated else self.before
        # One row of normal numbers a chip: a chip's row is the same however many follow.
        plan, first = self.ramp_plan, distribution.normals
        trimming = TRIM_NUMBERS * n_columns if trim and calibrated and plan.column_trim_reach else 0
        z = rng.standard_normal((n_chips, first + n_columns + 1 + trimming))
        levels = distribution.draw(z[:, :first])
        offsets = self.comparator_offset.value * z[:, first : first + n_columns + 1]
        if calibrated:
            offsets = offsets[:, 1:] - offsets[:, :1]
            if trimming:
                from scipy.special import ndtr

                uniform = ndtr(z[:, first + n_columns + 1 :]).reshape(n_chips, n_columns, TRIM_NUMBERS)
                reach = plan.column_trim_reach / self.program.volts_per_unit(plan.circuit)
                offsets = trimmed(plan.profile, offsets, reach, uniform)
        else:
            offsets = offsets[:, 1:]
            levels = levels - self._measuring_comparator(levels)[:, None]
        profile, program = self.ramp_plan.profile, self.program
        # Streams of their own: without these effects the draws above stay as they are.
        lasting, relaxing = rng.spawn(2)
        cells = np.broadcast_to(program.conductance, (n_chips, program.n_cells))
        if profile.read_lasting and profile.read_sigma > 0:
            size = self.read_noise.value / profile.read_sigma
            levels = levels + level_errors(program, size * np.array([profile.lasting_noise(c, lasting) for c in cells]))
        if drift_time is not None:
            aged = np.array([profile.relaxed(c, c, drift_time, relaxing) for c in cells])
            levels = levels + level_errors(program, aged - cells)
        fresh = self.read_noise.value**2 * np.diag(read_noise_shape(program, profile, fresh=True))
        # Of a decision's noise, the part of the ramp's own op-amp is the same for all columns.
        v = self.ramp_plan.variation
        own = v.opamp_noise**2 / v.decision_noise**2 if v.opamp_noise else 0.0
        noise = np.sqrt(self.comparator_noise.value**2 + fresh)
        shared = np.sqrt(own * self.comparator_noise.value**2 + fresh)
        return RampDraw(self.activation, self.bits, levels, offsets, noise, program.values, shared)

    def _measuring_comparator(self, levels: np.ndarray) -> np.ndarray:
        """Part of each chip's common shift that takes the variance of the measuring comparator's offset out, shape (n,)."""
        whole = self.before.shift_sigma**2
        rest = max(whole - self.comparator_offset.value**2, 0.0)
        return self.before.common_shift(levels) * (1 - np.sqrt(rest / whole) if whole > 0 else 0.0)

    def at(self, **conditions: float) -> RampModel:
        """The model at other conditions: ``v_read`` (volts), ``temperature`` (deg C), ``supply`` (volts).

        Raises
        ------
        InputError
            A quantity the model has no table of, or a value outside its table.
        """
        tables = {t.quantity: t for t in self.conditions}
        after, before, changes = self.after, self.before, {}
        factor = {"offset": 1.0, "noise": 1.0, "read_noise": 1.0}
        for quantity, value in conditions.items():
            if quantity not in tables:
                known = ", ".join(tables) or "none"
                raise InputError(f"{quantity}={value}: the model has no table of it (it has {known}); fit it to runs that vary it")
            found = tables[quantity].at(value)
            after = after.moved(found["shift"], found["scale"])
            before = before.moved(found["shift_before"], found["scale_before"])
            factor = {name: f * found[name] for name, f in factor.items()}
        changes = {
            "after": after,
            "before": before,
            "comparator_offset": self.comparator_offset.times(factor["offset"]),
            "comparator_noise": self.comparator_noise.times(factor["noise"]),
            "read_noise": self.read_noise.times(factor["read_noise"]),
        }
        return self.model_copy(update=changes)

    def outside(self, **conditions: float | str | int) -> list[str]:
        """What of the conditions of use lies outside those the model was fitted at, a line each.

        ``v_read``, ``temperature`` and ``supply`` may lie within a table; everything else must be the plan's value.
        """
        tables = {t.quantity: t for t in self.conditions}
        fitted = self.fitted_conditions()
        out = []
        for name, value in conditions.items():
            if name in tables:
                table = tables[name]
                if not table.values[0] <= float(value) <= table.values[-1]:
                    out.append(f"{name}={value}: fitted from {table.values[0]:g} to {table.values[-1]:g} {table.unit}")
            elif name not in fitted:
                raise InputError(f"{name}={value!r}: not a condition of a ramp model; it has {', '.join(fitted)}")
            elif value != fitted[name] and not (isinstance(value, float) and np.isclose(value, float(fitted[name]))):
                out.append(f"{name}={value}: fitted at {fitted[name]} only")
        return out

    def fitted_conditions(self) -> dict[str, Any]:
        """Conditions of the samples that the model was fitted to, by the names that `outside` takes."""
        plan = self.ramp_plan
        return {
            "v_read": plan.circuit.v_read,
            "temperature": plan.conditions.temperature,
            "supply": plan.circuit.v_dd,
            "bits": plan.bits,
            "profile": plan.profile.name,
            "level": plan.level,
        }

    def __repr__(self) -> str:
        return f"RampModel({self.title}; held out: {self.validated()})"

    # Pydantic's own shows every field.
    __str__ = __repr__

    @property
    def title(self) -> str:
        """The model in one line."""
        return f"{self.ramp_plan.title}, {self.samples} samples"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the run that it was fitted to."""
        return tuple(self.provenance.get("warnings", ()))

    def report(self) -> str:
        """What was fitted, with standard errors, for reading."""
        return report.text(self)

    def _repr_html_(self) -> str:
        return report.as_html(self)

    def validated(self) -> str:
        """What `characterization.ramp_model.validation` found, in one line."""
        return report.validated(self.validation)

    def save(self, path: str | Path) -> Path:
        """Writes the model as JSON with a checksum of each field, complete or not at all."""
        return write_model(path, self)

    @classmethod
    def load(cls, path: str | Path) -> RampModel:
        """Reads a model file; one of an older schema version is migrated.

        Raises
        ------
        InputError
            Missing file, or one that is not a valid model or was edited: the message names the field.
        """
        return read_model(path, cls, SCHEMA, SCHEMA_VERSION, {1: _from_version_1})


def is_ramp_model(data: Any) -> bool:
    """Whether what a JSON file holds says that it is a ramp model."""
    return isinstance(data, dict) and data.get("schema") == SCHEMA


def measured(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Levels before, after and of the noisy conversion, and which samples have all three."""
    before, after, noisy = run.levels(calibrated=False), run.levels(calibrated=True), run.conversion_levels()
    return before, after, noisy, np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1) & np.isfinite(noisy).all(axis=1)


def _from_version_1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had means and full covariances, Gaussian throughout."""
    out = dict(data)
    for new, suffix in (("after", ""), ("before", "_before")):
        mean, covariance = (np.asarray(out.pop(f"{name}{suffix}"), float) for name in ("mean", "covariance"))
        evidence = {"structure": "levels, full", "shift": {"kind": "normal", "reason": "a file of schema version 1"}}
        out[new] = LevelDistribution.gaussian(mean, covariance, evidence).as_dict()
    return out
