"""Model files: JSON that names its schema, carries a checksum of each field, and is migrated when it is an older version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netlists.errors import InputError
from netlists.files import CHECKSUMS, read_json, with_checksums, without_checksums, write_json

Model = TypeVar("Model", bound=BaseModel)
Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""The fields of one schema version -> those of the next."""


class Fitted(BaseModel):
    """A fitted number with its standard error and unit; a standard error of 0: given, not fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    value: float
    stderr: float = Field(ge=0)
    unit: str

    @classmethod
    def of(cls, value: float, stderr: float, unit: str) -> Self:
        """A number with its standard error, Python's or NumPy's."""
        return cls(value=float(value), stderr=float(stderr), unit=unit)

    @classmethod
    def given(cls, value: float, unit: str) -> Self:
        """A number that was not fitted."""
        return cls.of(value, 0.0, unit)

    def __str__(self) -> str:
        return f"{self.value:.5g} +- {self.stderr:.2g} {self.unit}".rstrip()


def write_model(path: str | Path, model: BaseModel) -> Path:
    """Writes a model as JSON with a checksum of each field, complete or not at all."""
    return write_json(Path(path), with_checksums(model.model_dump(mode="json", by_alias=True)))


def read_model(path: str | Path, kind: type[Model], schema: str, version: int, migrations: Mapping[int, Migration]) -> Model:
    """Reads a model file; one of an older schema version is migrated.

    Parameters
    ----------
    kind : class
        Of the model.
    schema, version : str, int
        What the file's ``schema`` and ``schema_version`` must be.
    migrations : mapping of int to callable
        From each older version that can be read to the next.

    Raises
    ------
    InputError
        Missing file, or one that is not a valid model of this kind or was edited: the message names the field.
    """
    data = read_json(Path(path), "model file")
    where = f"{path}: is not a valid {schema.rpartition('/')[2].replace('-', ' ')}"
    if not isinstance(data, dict):
        raise InputError(f"{where}; must be a table of fields, got {type(data).__name__}")
    # First of all, so that another kind of model is not refused for the fields it lacks.
    if data.get("schema") != schema:
        found = repr(data["schema"]) if "schema" in data else "missing"
        raise InputError(f"{where}; field schema: {found}, must be {schema!r}")
    current = data.get("schema_version") == version
    data = without_checksums(data, where) if current else migrate(data, migrations, version, where)
    try:
        return kind.model_validate(data)
    except ValidationError as e:
        first = e.errors()[0]
        at = ".".join(map(str, first["loc"])) or "file"
        raise InputError(f"{where}; field {at}: {first['msg']}") from None


def file_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of the files that `write_model` writes of a kind of model."""
    schema = kind.model_json_schema(by_alias=True)
    schema["properties"][CHECKSUMS] = {
        "type": "object",
        "description": "SHA-256 of each other field in canonical JSON",
        "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    }
    schema["required"] = [*schema["required"], CHECKSUMS]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def migrate(data: dict[str, Any], migrations: Mapping[int, Migration], current: int, where: str) -> dict[str, Any]:
    """Brings the data of an older schema version up to the current one, one version at a time.

    Raises
    ------
    InputError
        A version that is newer, unknown, or not a whole number.
    """
    version = data.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or version not in migrations:
        readable = ", ".join(map(str, [*sorted(migrations), current]))
        raise InputError(f"{where}; field schema_version: {version!r}; this toolkit reads schema version {readable}")
    while version < current:
        try:
            data = migrations[version](data)
        except (KeyError, TypeError, ValueError, np.linalg.LinAlgError) as e:
            raise InputError(
                f"{where}; a file of schema version {version} that cannot be migrated ({type(e).__name__}: {e})"
            ) from None
        version += 1
        data["schema_version"] = version
    return data
