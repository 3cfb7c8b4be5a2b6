"""Types of fields: what each takes, what it makes of it, and that every dataclass under `checked` holds all of its own."""

import importlib
import inspect
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

import characterization
import cosim
import netlists
from netlists.check_rules import Refused, near
from netlists.checks import (
    CHECKED,
    Array,
    Bits,
    Choice,
    Count,
    Finite,
    Inside,
    Items,
    Name,
    NonNegative,
    Number,
    Positive,
    PwmBits,
    Seconds,
    Seed,
    Share,
    Volts,
    check,
    checked,
    fields_of,
    hold_fields,
)
from netlists.errors import InputError

for package in (netlists, characterization, cosim):
    home = Path(package.__path__[0])
    for source in sorted(home.rglob("*.py")):
        if "\n@checked\n" in source.read_text():
            importlib.import_module(".".join((package.__name__, *source.relative_to(home).with_suffix("").parts)))

Once = Annotated[tuple[Bits, ...], Items(1, distinct=True)]
Voltages = Annotated[np.ndarray, Array(("rows", 2), low=0, unit="V")]


def same(a, b):
    return type(a) is type(b) and (np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b)


@pytest.mark.parametrize(
    ("kind", "given", "held"),
    [
        (Bits, np.int64(5), 5),
        (Seed, np.uint8(0), 0),
        (float, 3, 3.0),
        (float, np.float32(0.5), 0.5),
        (Positive, np.int32(2), 2.0),
        (Annotated[float, Number(above=0, endless=True)], math.inf, math.inf),
        (bool, np.True_, True),
        (str, np.str_("a"), "a"),
        (Path, "a/b", Path("a/b")),
        (tuple[int, ...], [1, np.int8(2)], (1, 2)),
        (tuple[float, ...], np.arange(2), (0.0, 1.0)),
        (tuple[str, int], ["a", 1], ("a", 1)),
        (Bits | None, None, None),
        (int | float, 2, 2),
        (Mapping[str, float], {"a": 1}, {"a": 1.0}),
        (Literal["a", 2], 2, 2),
        (Voltages, [[1, 2]], np.array([[1.0, 2.0]])),
        (Array((..., 2)), [1, 2], np.array([1.0, 2.0])),
        (Array((..., 2)), np.ones((3, 1, 2)), np.ones((3, 1, 2))),
        (Array(("n",), -1, 1, whole=True), [1.0, -1.0], np.array([1, -1])),
    ],
)
def test_what_is_taken_is_held_as_the_type_says(kind, given, held):
    assert same(check(kind, given, "x"), held)


@pytest.mark.parametrize(
    ("kind", "given", "line"),
    [
        (Bits, 9, "x=9: must be a whole number 1..8: the ramp column has 2**bits cells"),
        (Bits, True, "x=True: must be a whole number 1..8"),
        (Bits, "five", "x='five': must be a whole number 1..8"),
        (Bits, 5.0, "x=5.0: must be a whole number 1..8"),
        (PwmBits, -1, "x=-1: must be a whole number 2..12"),
        (Count, np.int64(0), "x=0: must be a whole number, 1 or more"),
        (Seed, -1, "x=-1: must be a whole number, 0 or more"),
        (Finite, math.nan, "x=nan: must be a finite number"),
        (Finite, "3", "x='3': must be a finite number"),
        (Finite, 10**400, "must be a finite number"),
        (Positive, 0, "x=0: must be a finite number above 0"),
        (NonNegative, math.inf, "x=inf: must be a finite number, 0 or more"),
        (Share, 1.5, "x=1.5: must be a finite number 0..1"),
        (Inside, 1.0, "x=1.0: must be a finite number between 0 and 1, both excluded"),
        (Annotated[float, Number(above=0, high=1)], 0.0, "x=0.0: must be a finite number above 0 and at most 1"),
        (Annotated[float, Number(above=0, endless=True)], -math.inf, "x=-inf: must be a number above 0"),
        (Volts, None, "x=None: must be a finite number (V)"),
        (Seconds, 0.0, "x=0.0: must be a finite number above 0 (s)"),
        (bool, 1, "x=1: must be true or false"),
        (str, 5, "x=5: must be a text"),
        (Name, "a b", "x='a b': must be 1..40 letters, digits, - and _, a letter first"),
        (Path, 5, "x=5: must be a path"),
        (Annotated[str, Choice(("a", "b"))], "c", "x='c': unknown; allowed are a, b"),
        (Annotated[str, Choice(("a", "b"))] | None, [], "x=[]: unknown; allowed are a, b, or None"),
        (Literal["a", 1], True, "x=True: unknown; allowed are a, 1"),
        (tuple[int, ...], "12", "x='12': must be a list, each a whole number"),
        (tuple[int, ...], [1, "a"], "x[1]='a': must be a whole number"),
        (tuple[str, int] | None, ("a",), "x=('a',): must be a list of 2: a text, a whole number, or None"),
        (tuple[tuple[float, ...], ...], [[1.0], [math.nan]], "x[1][0]=nan: must be a finite number"),
        (Once, (), "x=(): must name at least 1"),
        (Once, (3, 3), "x=(3, 3): must name each once"),
        (Annotated[tuple[float, ...], Items(increasing=True)], (1, 3, 3), "x[2]=3.0: does not follow 3: must increase"),
        (Mapping[str, Share], {"a": 2}, "x['a']=2: must be a finite number 0..1"),
        (Mapping[str, Share], [1], "x=[1]: must be a mapping of a text to a finite number 0..1"),
        (Path | None, 1, "x=1: must be a path, or None"),
        (BaseModel, {"a": 1}, "x={'a': 1}: must be a BaseModel, is a dict"),
        (Voltages, [1.0], "x: has shape (1,), must be numbers of shape (rows, 2), each a finite number, 0 or more (V)"),
        (Voltages, [[1.0, math.nan]], "x[0, 1]=nan: must be a finite number, 0 or more (V)"),
        (Array((..., 2)), 1.0, "x: has shape (), must be numbers of shape (..., 2), each a finite number"),
        (Array((..., 2)), np.ones((2, 3)), "x: has shape (2, 3), must be numbers of shape (..., 2)"),
        (Array((2,), -1, 1, whole=True), [1, 0.5], "x[1]=0.5: must be a whole number -1..1"),
        (Voltages, [["a", "b"]], "x=[['a', 'b']]: must be numbers of shape (rows, 2)"),
        (Finite, "y" * 200, f"x='{'y' * 76}...: must be"),
        (str, np.arange(2), "x=array([0, 1]): must be a text"),
    ],
)
def test_what_is_refused_is_named_in_one_line(kind, given, line):
    with pytest.raises(InputError) as e:
        check(kind, given, "x")
    assert line in str(e.value)
    assert "\n" not in str(e.value)


@checked
@dataclass(frozen=True)
class Sample:
    """A sample.

    Attributes
    ----------
    bits : int
        Of the ramps,
        1..8.
    low, high : float
        Ends.
    """

    bits: Bits
    low: Volts = 0.0
    high: Volts = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        # Fields are held before they are related to each other.
        object.__setattr__(self, "high", self.low + self.bits if self.high is None else self.high)


@checked
@dataclass(frozen=True)
class Child(Sample):
    name: Name = "a"

    def __post_init__(self) -> None:
        super().__post_init__()


def test_fields_are_held_whenever_an_object_is_made():
    made = Child(np.int64(3), 1)
    assert (made.bits, made.low, made.high) == (3, 1.0, 4.0)
    assert all(type(v) is float for v in (made.low, made.high))
    with pytest.raises(InputError, match=r"bits=0: must be a whole number 1\.\.8"):
        replace(made, bits=0)
    with pytest.raises(InputError, match="name='': must be"):
        Child(3, name="")


def test_fields_tell_what_they_are():
    bits, low, high = fields_of(Sample)
    assert (bits.name, bits.description, bits.required) == ("bits", "Of the ramps, 1..8.", True)
    assert (low.unit, low.default, low.description, high.description) == ("V", 0.0, "Ends.", "Ends.")
    assert (bits.rule.low, bits.rule.high) == (1, 8)


def test_a_pydantic_model_takes_the_same():
    class Model(BaseModel):
        bits: Bits
        each: Once = (1,)

    assert Model(bits=np.int64(3), each=(1, 2)).bits == 3
    for bad in ({"bits": 9}, {"bits": 1, "each": (9,)}, {"bits": 1, "each": (1, 1)}):
        with pytest.raises(ValidationError, match=r"must be a whole number 1\.\.8|must name each once"):
            Model(**bad)


class Stranger:
    """Nothing that a field would take."""


def wrong_values(rule):
    """Values next to what a rule takes that it must refuse."""
    near: list[Any] = [Stranger(), True, "no such thing", math.nan, -1, [Stranger()]]
    near += [v for v in (getattr(rule, "low", None), getattr(rule, "high", None)) if v is not None]
    near += [v + d for v in near[6:] if math.isfinite(v) for d in (-1, 1)]
    for value in near:
        try:
            rule.take(value)
        except Refused:
            yield value


def unmade(cls):
    """An object of a class, which may be abstract, with every field at its default, where nothing is checked."""
    kind = type(cls)("Made", (cls,), {})
    if inspect.isabstract(kind):
        kind.__abstractmethods__ = frozenset()
    made = object.__new__(kind)
    for field in fields_of(cls):
        object.__setattr__(made, field.name, field.default)
    return made


@pytest.mark.parametrize("cls", CHECKED, ids=lambda c: f"{c.__module__}.{c.__name__}")
def test_every_field_of_every_checked_dataclass_is_held(cls):
    described = {f.name: f for f in fields_of(cls)}
    assert [f.name for f in fields(cls) if f.init] == list(described)
    assert hasattr(getattr(cls, "__post_init__", cls.__init__), "__wrapped__"), "nothing checks the fields when one is made"
    for name, field in described.items():
        if field.default is not None and field.default is not MISSING:
            default = field.default() if callable(field.default) else field.default
            assert same(field.rule.take(default), default), f"{name}: the default is not what the type says"
        values = list(wrong_values(field.rule))
        assert values or field.type is Any, name
        for value in values:
            made = unmade(cls)
            object.__setattr__(made, name, value)
            with pytest.raises(InputError, match=rf"^{name}\b"):
                hold_fields(made)


def test_near_words():
    """Capitals, dashes and beginnings are taken for the word; two letters are none."""
    allowed = ("sigmoid", "soft_sign", "softplus")
    for word, meant in (("SIGMOID", "sigmoid"), ("soft-sign", "soft_sign"), ("sig", "sigmoid"), ("sigmiod", "sigmoid")):
        assert near(word, allowed) == f"; did you mean {meant!r}?"
    assert near("si", allowed) == near("relu", allowed) == ""
