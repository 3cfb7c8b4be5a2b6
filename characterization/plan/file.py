"""Plan files: a Monte Carlo study as TOML, checked against tables of known fields, turned into the plans it describes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from netlists.converter import CELL_STYLES
from netlists.errors import InputError
from netlists.outside import load_user_subcircuit
from netlists.ramp.compiler import SCHEMES
from netlists.spice import NOTHING, Permissions
from netlists.technology import CORNERS, LEVELS, DeviceProfile, Pvt, RampCircuit, circuit_at, load_profile

from .limits import Limits
from .plan import CALIBRATIONS, DEFAULT_PROFILE, RampPlan
from .points import METHODS, Sampling
from .shapes import SHAPES, Shape
from .sweep import grid
from .variation import Variation

LARGEST_FILE = 1_000_000
"""Bytes a plan file may have."""


class Table(BaseModel):
    """A table of the file: no field but those declared, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def _choice(default: Any, allowed: tuple[str, ...], text: str) -> Any:
    return Field(default, description=text, json_schema_extra={"enum": list(allowed)})


class RampTable(Table):
    """The converter: what it computes, and how."""

    activation: str = Field(description="Activation the ramp follows.")
    bits: int = Field(description="Resolution, 1..8.")
    scheme: str = _choice("auto", ("auto", *SCHEMES), "How step sizes beyond the conductance range are made.")
    calibration_cells: int = Field(default=5, description="Calibration cells of the ramp column, 1..32.")
    calibration: str = _choice("one-point", CALIBRATIONS, "How a converter is calibrated before it is measured again.")
    profile: str = Field(
        default=DEFAULT_PROFILE, description="Device profile: a built-in name, or a .toml file beside the plan file."
    )
    level: str = _choice("macro", LEVELS, "Level of circuit detail.")
    cells: str = _choice("selected", CELL_STYLES, "How the memristor column is written.")
    comparator: str | None = Field(default=None, description="A comparator of your own, FILE:NAME; the file beside the plan file.")
    opamp: str | None = Field(default=None, description="An op-amp of your own, FILE:NAME; the file beside the plan file.")
    wire_resistance: float = Field(default=0.0, description="Resistance of the column's wire per cell, ohms.")


class SourceTable(Table):
    """One source of variation; what is left out stays as it is by default."""

    sigma: float | None = Field(default=None, description="Standard deviation, in the unit of the source.")
    shape: str = _choice("normal", SHAPES, "Shape of the distribution.")
    limit: float | None = Field(default=None, description="truncated-normal: largest deviation, in sigma.")
    dof: float | None = Field(default=None, description="student-t: degrees of freedom, above 2.")


class VariationTable(Table):
    """What differs between chips, columns and decisions."""

    opamp_offset: SourceTable = Field(default_factory=SourceTable, description="Op-amp input offset, V, one draw a chip.")
    comparator_offset: SourceTable = Field(
        default_factory=SourceTable, description="Comparator input offset, V, one draw a column."
    )
    comparator_noise: SourceTable = Field(default_factory=SourceTable, description="Comparator noise, V rms, one draw a decision.")
    conductance_gain: SourceTable = Field(
        default_factory=SourceTable, description="Common relative error of a chip's conductances."
    )
    programming_length: float = Field(
        default=0.0, description="Correlation length of the programming error along the column, cells."
    )
    correlations: list[list[str | float]] = Field(default=[], description="Rows of source, source, coefficient.")


class ConditionsTable(Table):
    """Conditions of the macro-models."""

    corner: str = _choice("tt", CORNERS, "Process corner, NMOS letter first.")
    temperature: float = Field(default=27.0, description="Degrees Celsius.")
    supply: float = Field(default=1.8, description="Volts.")


class SamplingTable(Table):
    """How many chips, and how they are drawn."""

    samples: int = Field(description="Chips of every plan.", ge=1)
    method: str = _choice("random", METHODS, "Placement of the samples.")
    seed: int = Field(default=0, description="Sample i is a function of seed and i; the same for every plan of a sweep.")


class LimitsTable(Table):
    """What a chip must meet to count as good."""

    max_inl: float | None = Field(default=None, description="Largest |INL|, input-referred LSB.")
    max_dnl: float | None = Field(default=None, description="Largest |DNL|, LSB.")
    monotonic: bool = Field(default=True, description="Whether every level must lie above the one before.")


class MeasureTable(Table):
    """What is measured of every chip, beside its levels before and after calibration."""

    conversions: bool = Field(default=True, description="Also one noisy conversion by another column's comparator.")
    limits: LimitsTable = Field(default_factory=LimitsTable, description="Limits for the yield; they change no sample.")


def _circuit_fields() -> dict[str, Any]:
    about = {row["name"]: f"{row['meaning']}, {row['unit']}" for row in RampCircuit.describe()}
    return {name: (float | None, Field(default=None, description=text)) for name, text in about.items()}


def _profile_fields() -> dict[str, Any]:
    tables = {
        "read_sigma_shape": list[list[float]],
        "program_sigma_shape": list[float],
        "relaxation_times": list[float],
        "relaxation_sigma_fit": list[list[float]],
    }
    names = [f.name for f in fields(DeviceProfile) if f.name not in ("name", "source")]
    return {name: (tables.get(name, float) | None, None) for name in names}


CircuitTable = create_model("CircuitTable", __base__=Table, __doc__="Circuit parameters to change, SI units.", **_circuit_fields())
ProfileTable = create_model("ProfileTable", __base__=Table, __doc__="Fields of the device profile to change.", **_profile_fields())


class PlanTables(Table):
    """The tables of a plan file."""

    ramp: RampTable
    sampling: SamplingTable
    profile: ProfileTable = Field(default_factory=ProfileTable)  # type: ignore[valid-type]
    circuit: CircuitTable = Field(default_factory=CircuitTable)  # type: ignore[valid-type]
    variation: VariationTable = Field(default_factory=VariationTable)
    conditions: ConditionsTable = Field(default_factory=ConditionsTable)
    measure: MeasureTable = Field(default_factory=MeasureTable)
    sweep: dict[str, Any] = Field(
        default={},
        description="Lists of values by dotted name: fields of ramp by their own name, others as table.field. All combinations.",
    )


@dataclass(frozen=True)
class PlanFile:
    """A plan file that was read and checked.

    Attributes
    ----------
    path : Path
    samples : int
        Chips of every plan.
    limits : Limits
        For the yield; no part of any plan, so that other limits can be put on finished samples.
    grid : tuple of (name, RampPlan)
        Every combination of the sweep, each with a short name for its folder; a single one without a sweep.
    """

    path: Path
    samples: int
    limits: Limits
    grid: tuple[tuple[str, RampPlan], ...]

    def plans(self) -> list[tuple[str, RampPlan]]:
        """Name and plan of every combination of the sweep, the last swept field changing fastest."""
        return list(self.grid)


def load_plan_file(path: str | Path, allowed: Permissions = NOTHING) -> PlanFile:
    """Read and check a plan file and everything it describes.

    Parameters
    ----------
    path : path
        TOML. Profiles and subcircuits that it names are looked for beside it.
    allowed : Permissions
        What files of own subcircuits may do.

    Raises
    ------
    InputError
        Names the file, the table and field, the value and what is allowed.
    """
    path = Path(path)
    data = _read(path)
    points = []
    with _named(f"{path}"):
        grid_points = grid(data)
    for name, what, tables in grid_points:
        with _named(f"{path}: {what}" if what else f"{path}"):
            points.append((name, _plan(_checked(tables), path.parent, allowed)))
    with _named(str(path)):
        whole = _checked(data)
        with _named("[measure.limits]"):
            limits = Limits(**{k: v for k, v in whole.measure.limits.model_dump().items() if v is not None})
    return PlanFile(path, whole.sampling.samples, limits, tuple(points))


def plan_file_schema() -> dict[str, Any]:
    """JSON Schema of a plan file, for documentation and editors."""
    return PlanTables.model_json_schema()


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as f:
            raw = f.read(LARGEST_FILE + 1)
    except OSError as e:
        raise InputError(f"plan file {path}: cannot be read ({e.strerror})") from None
    if len(raw) > LARGEST_FILE:
        raise InputError(f"plan file {path}: is larger than {LARGEST_FILE} bytes")
    try:
        return tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InputError(f"plan file {path}: not valid TOML ({e})") from None


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Put the place in front of an `InputError` that comes from inside."""
    try:
        yield
    except InputError as e:
        raise InputError(f"{where}: {e}" if not where.endswith("]") else f"{where} {e}") from None


def _checked(data: dict[str, Any]) -> PlanTables:
    """The tables, with every field known and of its type."""
    try:
        return PlanTables.model_validate(data)
    except ValidationError as e:
        raise InputError("; ".join(_explain(error) for error in e.errors()[:5])) from None


def _explain(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{name}: is missing"
    value = repr(error["input"])
    value = value if len(value) < 80 else value[:77] + "..."
    if error["type"] == "extra_forbidden":
        return f"{name}={value}: unknown; allowed are {', '.join(_siblings(error['loc']))}"
    return f"{name}={value}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _siblings(loc: tuple[Any, ...]) -> list[str]:
    """Fields of the table in which an unknown one was found."""
    model: Any = PlanTables
    for part in loc[:-1]:
        model = model.model_fields[part].annotation
    return list(model.model_fields)


def _plan(t: PlanTables, folder: Path, allowed: Permissions) -> RampPlan:
    """The plan of one combination."""
    ramp = t.ramp
    with _named("[ramp]"):
        profile = load_profile(folder / ramp.profile if ramp.profile.endswith(".toml") else ramp.profile)
        own: dict[str, Any] = {
            role: None if where is None else load_user_subcircuit(str(folder / where), role, allowed)
            for role, where in (("comparator", ramp.comparator), ("opamp", ramp.opamp))
        }
    with _named("[profile]"):
        profile = replace(profile, **_given(t.profile))
    with _named("[conditions]"):
        conditions = Pvt(**t.conditions.model_dump())
        circuit, variation = circuit_at(conditions), Variation.measured(conditions)
    with _named("[circuit]"):
        circuit = circuit.with_(**_given(t.circuit))
    with _named("[variation]"):
        variation = _variation(t.variation, variation)
    with _named("[sampling]"):
        fixed = t.sampling.samples if t.sampling.method == "latin-hypercube" else None
        sampling = Sampling(t.sampling.method, fixed)
    with _named("[ramp]"):
        return RampPlan(
            activation=ramp.activation,
            bits=ramp.bits,
            profile=profile,
            circuit=circuit,
            variation=variation,
            scheme=ramp.scheme,
            n_calibration=ramp.calibration_cells,
            level=ramp.level,
            cells=ramp.cells,
            seed=t.sampling.seed,
            calibration=ramp.calibration,
            conditions=conditions,
            wire_resistance=ramp.wire_resistance,
            sampling=sampling,
            conversions=t.measure.conversions,
            **own,
        )


def _given(table: BaseModel) -> dict[str, Any]:
    """What the file sets."""
    return table.model_dump(exclude_unset=True)


def _variation(table: VariationTable, default: Variation) -> Variation:
    changes: dict[str, Any] = {"programming_length": table.programming_length, "correlations": tuple(table.correlations)}
    for name in ("opamp_offset", "comparator_offset", "comparator_noise", "conductance_gain"):
        source: SourceTable = getattr(table, name)
        with _named(f"[variation.{name}]"):
            changes[f"{name}_shape"] = Shape(source.shape, source.limit, source.dof)
        if source.sigma is not None:
            changes[name] = source.sigma
    return replace(default, **changes)
