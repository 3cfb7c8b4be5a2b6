"""Settings of a study, which a TOML file can give, and options of a run, which change no number."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from characterization.progress_bar import progress_bar
from netlists.check_rules import near
from netlists.errors import InputError
from netlists.files import read_toml, toml_of
from netlists.quantities import quantity


class StudySettings(BaseModel):
    """Base of a study's settings: no field but those declared, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    def __init__(self, **values: Any) -> None:
        """Settings with some fields changed; `InputError` names the field, the value and what it takes."""
        try:
            super().__init__(**{name: _plain(value) for name, value in values.items()})
        except ValidationError as e:
            first = e.errors()[0]
            field = ".".join(str(p) for p in first["loc"]) or "settings"
            if first["type"] == "extra_forbidden":
                names = list(type(self).model_fields)
                raise InputError(f"{field}: unknown; the names are {', '.join(names)}{near(field, names)}") from None
            raise InputError(f"{field}={first['input']!r}: {_must(first)}") from None

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON has them."""
        return self.model_dump(mode="json")


def _must(error: Any) -> str:
    """What a value must be, of what pydantic says of it."""
    words, limits = str(error["msg"]).removeprefix("Value error, "), error.get("ctx", {})
    match error["type"]:
        case "tuple_type":
            return "must be a list, as in TOML: [1, 2] or ['a', 'b']"
        case "too_short" | "too_long":
            short = error["type"] == "too_short"
            number = limits["min_length" if short else "max_length"]
            return f"must have {number} value{'s' * (number != 1)} or {'more' if short else 'fewer'}"
        case "literal_error":
            words += near(error["input"], re.findall(r"'([^']*)'", str(limits["expected"])))
    return words.replace("Input should be", "must be")


def _plain(value: Any) -> Any:
    """A value without NumPy's numbers, lists as tuples."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True)
class RunOptions:
    """Options of a run of a study, which change no number.

    Attributes
    ----------
    jobs : int
        Worker processes or threads.
    progress : bool
        Whether to draw progress bars.
    say : callable
        Takes a line about what is going on.
    work : Path or None
        Folder where finished parts stay; None: they lie in the study's folder until it is done.
    command : str
        The command line that asked for it, for summary and page; empty: the one that the registry knows.
    """

    jobs: int = 1
    progress: bool = True
    say: Callable[[str], None] = lambda _: None
    work: Path | None = None
    command: str = ""

    def bar(self, items: Sequence[Any], unit: str, title: str) -> Any:
        """Iterates over the items with a progress bar."""
        return progress_bar(items, title, len(items), unit, show=self.progress)


def load_settings(model: type[StudySettings], preset: Path | None = None, changes: Sequence[str] = ()) -> Any:
    """Loads settings of a study: its defaults, changed by a preset file and then by ``NAME=VALUE``.

    Parameters
    ----------
    model : type of StudySettings
    preset : Path or None
        TOML; one table of settings.
    changes : sequence of str
        A value is written as in TOML; a word needs no quotes: ``samples=64``, ``tasks=["voices"]``, ``task=voices``.

    Raises
    ------
    InputError
        A file that cannot be read, an unknown name, a value that does not fit; the message names the field.
    """
    values: dict[str, Any] = {} if preset is None else read_toml(preset, "preset")
    given: set[str] = set()
    for change in changes:
        name, separator, text = (part.strip() for part in change.partition("="))
        if not separator or not name:
            raise InputError(f"setting {change!r}: must be NAME=VALUE; the names are {', '.join(model.model_fields)}")
        if name in given:
            raise InputError(f"setting {name}: is given twice")
        given.add(name)
        values[name] = _value(text)
    return model(**values)


def describe_settings(settings: StudySettings) -> str:
    """Lists names, values and meanings, a line each."""
    rows = [(f"{n}={json.dumps(v)}", type(settings).model_fields[n].description or "") for n, v in settings.as_dict().items()]
    width = min(max(len(r) for r, _ in rows), 60)
    return "\n".join(f"{r:<{width}}  {text}".rstrip() for r, text in rows)


def _value(text: str) -> Any:
    try:
        return toml_of(f"value = {text}", "value")["value"]
    except InputError:
        # Not TOML: a number as SPICE writes it, or a word without quotes.
        try:
            number = quantity(text)
        except InputError:
            return text
        # 1k samples are a whole number of them.
        return int(number) if number.is_integer() else number
