"""Types of fields: what a value must be, said once, for every dataclass and argument that a user fills.

A type is an annotation: ``bits: Bits``, ``gates: tuple[Name, ...] | None``, ``share: Annotated[float, Number(0, 1)]``. A dataclass
under `checked` holds every field against its annotation whenever it is made, also by ``dataclasses.replace``, before its own
``__post_init__`` relates fields to each other; `check` does the same for an argument. Numbers of NumPy become Python's, whole
numbers become floats and lists become tuples where the type says so; True is no number and ``"5"`` is none either, but a number
with an SI unit may be written as SPICE writes it, ``"200m"``. In a pydantic model the same annotations mean the same. They are
plain Python, as data are made before, and often without, anything that needs pydantic; and a check costs a fraction of a
microsecond a field.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, TypeVar

import numpy as np

from .check_rules import Array, Choice, Items, Number, Refused, Rule, Text, Whole, near
from .errors import InputError
from .type_rules import rule_of

__all__ = [
    "Array", "Bits", "Choice", "Count", "Farads", "Finite", "Inside", "Items",
    "Name", "NonNegative", "Number", "Ohms",
    "Positive", "PwmBits", "Seconds", "Seed", "Share", "Siemens", "Text", "Volts", "Whole",
    "brief", "changed", "check", "checked", "fields_of", "is_whole", "made_of",
]  # fmt: skip

T = TypeVar("T")

CHECKED: list[type] = []
"""Every class under `checked`."""

Bits = Annotated[int, Whole(1, 8, why="the ramp column has 2**bits cells")]
PwmBits = Annotated[int, Whole(2, 12, why="a sign and pulses of up to 2**(bits - 1) - 1 units")]
Count = Annotated[int, Whole(1)]
Samples = Annotated[int, Whole(1, 10**9)]
Seed = Annotated[int, Whole(0)]
Finite = Annotated[float, Number()]
Positive = Annotated[float, Number(above=0)]
NonNegative = Annotated[float, Number(0)]
Share = Annotated[float, Number(0, 1)]
Inside = Annotated[float, Number(above=0, below=1)]
Volts = Annotated[float, Number(unit="V")]
Seconds = Annotated[float, Number(above=0, unit="s")]
Siemens = Annotated[float, Number(0, unit="S")]
Farads = Annotated[float, Number(0, unit="F")]
Ohms = Annotated[float, Number(0, unit="ohm")]
Name = Annotated[str, Text("1..40 letters, digits, - and _, a letter first", "[A-Za-z][A-Za-z0-9_-]{0,39}")]


@typing.overload
def check(kind: Array, value: Any, name: str) -> np.ndarray: ...
@typing.overload
def check(kind: Any, value: Any, name: str) -> Any: ...
def check(kind: Any, value: Any, name: str) -> Any:
    """Holds an argument against its type or `Rule`, and returns it as a field of that type holds it.

    Examples
    --------
    >>> check(Bits, np.int64(5), "bits")
    5
    >>> check(Bits, 9, "bits")
    Traceback (most recent call last):
    ...
    netlists.errors.InputError: bits=9: must be a whole number 1..8: the ramp column has 2**bits cells

    Raises
    ------
    InputError
        It does not fit; the message has the name, the value and what it takes.
    """
    try:
        return (kind if isinstance(kind, Rule) else rule_of(kind)).take(value)
    except Refused as e:
        raise e.named(name) from None


def brief(made: Any) -> str:
    """Writes an object of a dataclass with the fields that differ from their defaults, those with a name by their name."""
    changes = [(f.name, value) for f in fields(made) if (value := getattr(made, f.name)) != f.default]
    shown = (f"{name}={getattr(value, 'name', value)!r}" for name, value in changes)
    return f"{type(made).__name__}({', '.join(shown)})"


def changed(made: T, changes: Mapping[str, Any], what: str) -> T:
    """Makes a copy of an object of a dataclass with some fields changed.

    Raises
    ------
    InputError
        Names a field that there is not, as a ``what``, and what there is.
    """
    _check_names(type(made), changes, what)
    return replace(made, **changes)  # type: ignore[type-var]


def made_of(cls: type[T], data: Any, what: str) -> T:
    """Makes an object of a dataclass from a mapping of its fields, such as a file's; fields that hold objects are mappings too.

    Raises
    ------
    InputError
        Names ``what`` it is and the field that is missing, unknown or does not fit.
    """
    _check_names(cls, check(Mapping[str, Any], data, what), f"{what}: field")
    if missing := [f.name for f in fields_of(typing.cast(type, cls)) if f.required and f.name not in data]:
        raise InputError(f"{what}: field {missing[0]!r} is missing")
    inside = {f.name: _made_inside(f, data[f.name], what) for f in fields_of(typing.cast(type, cls)) if f.name in data}
    try:
        return cls(**inside)
    except InputError as e:
        raise InputError(f"{what}: {e}") from None


def _made_inside(field: FieldOf, value: Any, what: str) -> Any:
    """The value of a field, an object where its type is a dataclass and the value a mapping."""
    kinds = [kind for kind in (field.type, *typing.get_args(field.type)) if isinstance(kind, type) and is_dataclass(kind)]
    return made_of(kinds[0], value, f"{what}: {field.name}") if kinds and isinstance(value, Mapping) else value


def _check_names(cls: type, given: Mapping[str, Any], what: str) -> None:
    known = sorted(f.name for f in fields(cls))
    if unknown := sorted(set(given) - set(known)):
        raise InputError(f"{what} {unknown[0]!r}: unknown; allowed are {', '.join(known)}{near(unknown[0], known)}")


def checked(cls: type[T]) -> type[T]:
    """Holds every field of a dataclass against its type whenever one is made, before its own ``__post_init__``.

    A field that was left at its default is not looked at: a default may be None and stand for what ``__post_init__`` puts there.
    A rule in a field's metadata, as ``check``, goes before its annotation.
    """
    own = getattr(cls, "__post_init__", None)
    if own is None:
        plain = cls.__init__

        @functools.wraps(plain)
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            plain(self, *args, **kwargs)
            hold_fields(self)

        setattr(cls, "__init__", __init__)  # noqa: B010
    elif "__post_init__" in vars(cls):

        @functools.wraps(own)
        def __post_init__(self: Any, *args: Any) -> None:
            # A subclass's own has done it already when it calls its parent's.
            if type(self).__post_init__ is __post_init__:
                hold_fields(self)
            own(self, *args)

        setattr(cls, "__post_init__", __post_init__)  # noqa: B010
    CHECKED.append(cls)
    return cls


def hold_fields(made: object) -> None:
    """Checks the fields of an object of a dataclass and makes them what their types say.

    Raises
    ------
    InputError
        Names the first field that does not fit.
    """
    # mypy takes the __hash__ of a class's objects for that of the class.
    for name, default, take in _takers(type(made)):  # type: ignore[arg-type]
        value = getattr(made, name)
        if value is default:
            continue
        try:
            taken = take(value)
        except Refused as e:
            raise e.named(name) from None
        if taken is not value:
            object.__setattr__(made, name, taken)


@functools.cache
def _takers(cls: type) -> list[tuple[str, Any, Callable[[Any], Any]]]:
    return [(f.name, f.default, f.rule.take) for f in fields_of(cls)]


@dataclass(frozen=True)
class FieldOf:
    """A field of a dataclass: what a command-line option, a table of a file or a line of help is made from."""

    name: str
    type: Any
    rule: Rule
    default: Any
    description: str

    @property
    def unit(self) -> str:
        return self.rule.unit

    @property
    def required(self) -> bool:
        return self.default is MISSING


@functools.cache
def fields_of(cls: type) -> tuple[FieldOf, ...]:
    """The fields that a user fills, with their rules; descriptions are of the field's metadata or of the docstring."""
    hints = typing.get_type_hints(cls, include_extras=True)
    documented = dict(_documented(cls))
    found = []
    for f in fields(cls):
        if not f.init:
            continue
        default = f.default
        if default is MISSING and f.default_factory is not MISSING:
            default = f.default_factory
        kind: Any = hints[f.name]
        text = f.metadata.get("meaning") or documented.get(f.name, "")
        found.append(FieldOf(f.name, kind, f.metadata.get("check") or rule_of(kind), default, text))
    return tuple(found)


def _documented(cls: type) -> Iterator[tuple[str, str]]:
    """Names and first paragraphs of a docstring's section of attributes."""
    for parent in reversed(cls.__mro__[:-1]):
        _, _, section = inspect.cleandoc(parent.__doc__ or "").partition("Attributes\n----------\n")
        for names, text in re.findall(r"^(\w[\w, ]*?)(?: :[^\n]*)?\n((?:(?: {4}[^\n]*)?\n?)*)", section, re.MULTILINE):
            for name in names.split(", "):
                yield name, " ".join(text.split())


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, Python's or NumPy's; True and False are not."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
