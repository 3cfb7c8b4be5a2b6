"""Rules of values: what each kind of field takes, and how a value that it takes is kept."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Collection
from dataclasses import MISSING, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .errors import InputError
from .quantities import quantity, takes_suffix


class Refused(ValueError):
    """A value that a rule does not take.

    Attributes
    ----------
    value : object
        The value, or `dataclasses.MISSING` where showing it would not help.
    must : str
        What is wrong, or what the rule takes.
    at : str
        Its place inside the field, as ``[2]``.
    """

    def __init__(self, value: Any, must: str, at: str = "") -> None:
        self.value, self.must, self.at = value, must, at
        super().__init__(must)

    @property
    def line(self) -> str:
        return f"{self.at}{'' if self.value is MISSING else f'={short(self.value)}'}: {self.must}"

    def within(self, place: Any) -> Refused:
        return Refused(self.value, self.must, f"[{place}]{self.at}")

    def named(self, name: str) -> InputError:
        return InputError(f"{name}{self.line}")


def short(value: Any) -> str:
    """A value in one short line of text."""
    text = " ".join(repr(value.item() if isinstance(value, np.generic) else value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


class Rule:
    """What a value must be: ``what`` as in "must be ...", and `take`, which gives it back as the field holds it."""

    what: str
    unit: str = ""

    @property
    def must(self) -> str:
        return f"must be {self.what}"

    def take(self, value: Any) -> Any:
        """The value as the field holds it; `Refused` if it does not fit."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(functools.partial(_take_in_model, self.take))


def _take_in_model(take: Callable[[Any], Any], value: Any) -> Any:
    from pydantic_core import PydanticCustomError

    try:
        return take(value)
    except Refused as e:
        raise PydanticCustomError("refused", "{message}", {"message": e.line if e.at else e.must}) from None


def _and_why(what: str, rule: Whole | Number | Array) -> str:
    return what + (f" ({rule.unit})" if rule.unit else "") + (f": {rule.why}" if rule.why else "")


@dataclass(frozen=True)
class Whole(Rule):
    """A whole number ``low``..``high``; ``why`` is the reason for the bounds."""

    low: float = -math.inf
    high: float = math.inf
    why: str = ""
    unit: str = ""

    @property
    def what(self) -> str:  # type: ignore[override]
        bounds = "" if self.low == -math.inf else f", {self.low} or more" if self.high == math.inf else f" {self.low}..{self.high}"
        return _and_why(f"a whole number{bounds}", self)

    def take(self, value: Any) -> int:
        if type(value) is not int:
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise Refused(value, self.must)
            value = int(value)
        if self.low <= value <= self.high:
            return value
        raise Refused(value, self.must)


@dataclass(frozen=True)
class Number(Rule):
    """A finite number ``low``..``high``, ``above`` one bound or ``below`` another; ``endless`` lets it be infinite.

    One with an SI unit may also be a text with a SPICE suffix, ``"200m"`` or ``"40ns"``.
    """

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    unit: str = ""
    why: str = ""
    endless: bool = False

    @property
    def what(self) -> str:  # type: ignore[override]
        kind = "a number" if self.endless else "a finite number"
        if math.isfinite(self.above) and math.isfinite(self.below):
            return _and_why(f"{kind} between {self.above:g} and {self.below:g}, both excluded", self)
        if math.isfinite(self.low) and math.isfinite(self.high):
            return _and_why(f"{kind} {self.low:g}..{self.high:g}", self)
        words = {"above {:g}": self.above, ", {:g} or more": self.low, "below {:g}": self.below, "at most {:g}": self.high}
        said = " and ".join(word.format(bound) for word, bound in words.items() if math.isfinite(bound))
        return _and_why(kind + (said if said.startswith(",") else f" {said}" if said else ""), self)

    def take(self, value: Any) -> float:
        number = value
        if type(value) is not float:
            if isinstance(value, str) and takes_suffix(self.unit):
                try:
                    value = number = quantity(value, self.unit)
                except InputError as e:
                    raise Refused(value, f"{self.must}; {str(e).removeprefix(f'{value!r}: ')}") from None
            if isinstance(value, (bool, np.timedelta64)) or not isinstance(value, (int, float, np.integer, np.floating)):
                raise Refused(value, self.must)
            try:
                number = float(value)
            except OverflowError:
                raise Refused(value, self.must) from None
        if (
            self.low <= number <= self.high
            and (number > self.above or self.above == -math.inf)
            and (number < self.below or self.below == math.inf)
            and (self.endless or math.isfinite(number))
        ):
            return number
        raise Refused(value, self.must)


def near(value: Any, allowed: Collection[Any]) -> str:
    """Says which allowed word a text comes close to: ``; did you mean 'sigmoid'?``; empty when none does."""
    # Imported where it is used: few commands need it.
    from difflib import get_close_matches

    # A word in capitals or with another dash is the word, and its beginning means it.
    words = {_loose(one): str(one) for one in allowed}
    wanted = _loose(value)
    found = get_close_matches(wanted, words, 1, 0.7)
    if not found and len(wanted) >= 3:
        found = [word for word in words if word.startswith(wanted)]
    return f"; did you mean {words[found[0]]!r}?" if found else ""


def _loose(word: Any) -> str:
    return str(word).casefold().replace("_", "-")


@dataclass(frozen=True, eq=False)
class Choice(Rule):
    """One of some words (or of some words and numbers), as a collection that may still grow."""

    allowed: Collection[Any]

    @property
    def what(self) -> str:  # type: ignore[override]
        return f"one of {', '.join(map(str, self.allowed))}"

    @property
    def must(self) -> str:
        return f"unknown; allowed are {', '.join(map(str, self.allowed))}"

    def take(self, value: Any) -> Any:
        for one in self.allowed:
            if one == value and type(one) is type(value):
                return one
        raise Refused(value, self.must + near(value, self.allowed))


@dataclass(frozen=True)
class Text(Rule):
    """A text of which all fits a pattern."""

    what: str = "a text"
    pattern: str = ""

    def take(self, value: Any) -> str:
        if isinstance(value, str) and (not self.pattern or re.fullmatch(self.pattern, value)):
            return value if type(value) is str else str(value)
        raise Refused(value, self.must)


@dataclass(frozen=True)
class Array(Rule):
    """Finite numbers of a shape, kept as a copy that cannot be written.

    Attributes
    ----------
    shape : tuple of str or int
        One entry a dimension: its name, or how many there must be; ``...`` first: any number of dimensions before.
    low, high, above : float
        Bounds of every value.
    whole : bool
        Whole numbers, kept as integers.
    """

    shape: tuple[Any, ...] | None = None
    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    unit: str = ""
    why: str = ""
    whole: bool = False

    @property
    def each(self) -> Rule:
        if self.whole:
            return Whole(self.low, self.high, self.why, self.unit)
        return Number(self.low, self.high, self.above, unit=self.unit, why=self.why)

    @property
    def what(self) -> str:  # type: ignore[override]
        names = ["..." if n is Ellipsis else str(n) for n in self.shape or ()]
        shape = "" if self.shape is None else f" of shape ({', '.join(names)}{',' * (len(names) == 1)})"
        return f"numbers{shape}, each {self.each.what}"

    def take(self, value: Any) -> np.ndarray:
        try:
            given = np.asarray(value if isinstance(value, (list, tuple, int, float)) or hasattr(value, "__array__") else None)
        except ValueError:  # lists of unequal lengths
            given = np.asarray(None)
        if given.dtype.kind not in "fiu":
            raise Refused(value, self.must)
        array = np.array(given, float, order="C")
        if not self._has_shape(array.shape):
            raise Refused(MISSING, f"has shape {array.shape}, {self.must}")
        good = np.isfinite(array)
        for bound, fits in ((self.low, np.greater_equal), (self.high, np.less_equal), (self.above, np.greater)):
            if math.isfinite(bound):
                good &= fits(array, bound)
        if self.whole:
            good &= array == np.trunc(array)
        if not good.all():
            place = tuple(np.argwhere(~good)[0])
            raise Refused(given[place], self.each.must, f"[{', '.join(map(str, place))}]" if place else "")
        array = array.astype(int) if self.whole else array
        array.setflags(write=False)
        return array

    def _has_shape(self, shape: tuple[int, ...]) -> bool:
        asked = self.shape
        if asked is None:
            return True
        if asked[:1] == (...,):
            asked, shape = asked[1:], shape[len(shape) - len(asked) + 1 :] if len(shape) >= len(asked) - 1 else ()
        return len(shape) == len(asked) and all(n > 0 if isinstance(a, str) else n == a for n, a in zip(shape, asked, strict=True))


@dataclass(frozen=True)
class Items:
    """How many items a list has, and whether each must be there once, or be larger than the one before."""

    least: int = 0
    distinct: bool = False
    increasing: bool = False

    def hold(self, values: Any) -> Any:
        if len(values) < self.least:
            raise Refused(values, f"must name at least {self.least or 1}")
        if self.distinct and len(set(values)) != len(values):
            raise Refused(values, "must name each once")
        if self.increasing and (bad := [i for i, (a, b) in enumerate(pairwise(values), start=1) if b <= a]):
            raise Refused(values[bad[0]], f"does not follow {values[bad[0] - 1]:g}: must increase", f"[{bad[0]}]")
        return values

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(functools.partial(_take_in_model, self.hold), handler(source))
