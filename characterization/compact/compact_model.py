"""What all compact models share: parts whose units are checked, the header of their files, and where a fit came from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from characterization.ramp_model import read_model, write_model

from ..provenance import versions


class Part(BaseModel):
    """A frozen piece of a model. ``UNITS`` names the unit of each `Fitted` field, and a file must agree."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    UNITS: ClassVar[dict[str, str]] = {}

    @model_validator(mode="after")
    def _units(self) -> Self:
        for name, unit in self.UNITS.items():
            if (found := getattr(self, name).unit) != unit:
                raise ValueError(f"{name}: unit={found!r}, must be {unit!r}")
        return self


class CompactModel(Part):
    """A model with a file of its own.

    Attributes
    ----------
    level : str
        Level of circuit detail of the samples; ``none`` for a model that was not fitted.
    ranges : dict of (low, high)
        Range of each condition that the samples covered, SI units.
    validation : dict
        Error against samples that the fit has not seen.
    provenance : dict
        Versions, date and where the samples came from.
    """

    model_config = ConfigDict(populate_by_name=True)
    SCHEMA: ClassVar[str]
    TITLE: ClassVar[str]

    schema_name: str = Field(default="", alias="schema")
    schema_version: Literal[1] = 1
    level: str = "none"
    ranges: dict[str, tuple[float, float]] = {}
    validation: dict[str, float] = {}
    provenance: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _schema(cls, data: Any) -> Any:
        if isinstance(data, dict):
            data = dict(data)
            data.setdefault("schema", cls.SCHEMA)
        return data

    @model_validator(mode="after")
    def _header(self) -> Self:
        if self.schema_name != self.SCHEMA:
            raise ValueError(f"schema: is {self.schema_name!r}, must be {self.SCHEMA!r}")
        return self

    def validated(self, **errors: float) -> Self:
        """A copy with the errors of a held-out check added."""
        return self.model_copy(update={"validation": {**self.validation, **{k: float(v) for k, v in errors.items()}}})

    def save(self, path: str | Path) -> Path:
        """Writes the model as JSON with a checksum of each field, complete or not at all."""
        return write_model(path, self)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads a model file.

        Raises
        ------
        InputError
            Missing file, or one that is not a valid model of this kind or was edited: the message names the field.
        """
        return read_model(path, cls, cls.SCHEMA, 1, {})

    def report(self) -> str:
        """What was fitted, with standard errors, and the held-out errors, for reading."""
        lines = [f"{self.TITLE}: level {self.level}", *(f"  {name:14s} {text}" for name, text in self._parts().items())]
        held = [f"  held out: {name:14s} {value:.4g}" for name, value in self.validation.items()]
        return "\n".join([*lines, *(held or ["  held out: not checked yet"])])

    def _parts(self) -> dict[str, Any]:
        """Lines of the report by what they are of."""
        return {name: getattr(self, name) for name in self.UNITS}


def source(**parts: Any) -> dict[str, Any]:
    """Provenance of a fit: versions, date, and what the caller knows of its samples."""
    return {**parts, "versions": versions(), "created": datetime.now(UTC).isoformat(timespec="seconds")}
