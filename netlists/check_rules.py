"""Rules of values: what each kind of field takes, and how a value that it takes is kept."""

from __future__ import annotations

import functools
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from .errors import InputError


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
    """A finite number ``low``..``high``, ``above`` one bound or ``below`` another; ``endless`` lets it be infinite."""

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

    found = get_close_matches(str(value), [str(one) for one in allowed], 1, 0.7)
    return f"; did you mean {found[0]!r}?" if found else ""


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


# Rules of the types that an annotation is put together from.


@dataclass(frozen=True)
class _Plain(Rule):
    """Values that pass a test, kept as they are or as ``keep`` makes them."""

    what: str
    fits: Callable[[Any], bool]
    keep: Callable[[Any], Any] | None = None

    def take(self, value: Any) -> Any:
        if not self.fits(value):
            raise Refused(value, self.must)
        return self.keep(value) if self.keep else value


_PLAIN: dict[Any, Rule] = {
    int: Whole(),
    float: Number(),
    str: Text(),
    bool: _Plain("true or false", lambda v: isinstance(v, (bool, np.bool_)), bool),
    Path: _Plain("a path", lambda v: isinstance(v, Path) or (isinstance(v, str) and bool(v)), Path),
    Callable: _Plain("a function", callable),
    types.NoneType: _Plain("None", lambda v: v is None),
    Any: _Plain("anything", lambda v: True),
    object: _Plain("anything", lambda v: True),
}


@dataclass(frozen=True)
class _Instance(Rule):
    kind: type

    @property
    def what(self) -> str:  # type: ignore[override]
        return f"a {self.kind.__name__}"

    def take(self, value: Any) -> Any:
        if isinstance(value, self.kind):
            return value
        raise Refused(value, f"{self.must}, is a {type(value).__name__}")


@dataclass(frozen=True)
class _Union(Rule):
    rules: tuple[Rule, ...]

    @property
    def what(self) -> str:  # type: ignore[override]
        return ", or ".join(rule.what for rule in self.rules)

    def take(self, value: Any) -> Any:
        refused = []
        for rule in self.rules:
            try:
                return rule.take(value)
            except Refused as e:
                refused.append(e)
        if inside := [e for e in refused if e.at]:
            raise inside[0]
        must, hint, meant = refused[0].must.partition("; did you mean")
        raise Refused(refused[0].value, ", or ".join([must, *(rule.what for rule in self.rules[1:])]) + hint + meant)


@dataclass(frozen=True)
class _Tuple(Rule):
    """Items of one rule, or, of a fixed length, each of its own."""

    item: Rule | None
    each: tuple[Rule, ...] = ()

    @property
    def what(self) -> str:  # type: ignore[override]
        if self.item is not None:
            return f"a list, each {self.item.what}"
        return f"a list of {len(self.each)}: {', '.join(rule.what for rule in self.each)}"

    def take(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, np.ndarray) and value.ndim == 1:
            value = value.tolist()
        if not isinstance(value, (tuple, list)) or (self.item is None and len(value) != len(self.each)):
            raise Refused(value, self.must)
        taken: list[Any] = []
        try:
            for rule, one in zip([self.item] * len(value) if self.item else self.each, value, strict=True):
                taken.append(rule.take(one))
        except Refused as e:
            raise e.within(len(taken)) from None
        return tuple(taken)


@dataclass(frozen=True)
class _Mapping(Rule):
    key: Rule
    entry: Rule

    @property
    def what(self) -> str:  # type: ignore[override]
        return f"a mapping of {self.key.what} to {self.entry.what}"

    def take(self, value: Any) -> Mapping[Any, Any]:
        if not isinstance(value, Mapping):
            raise Refused(value, self.must)
        taken = {}
        for key, entry in value.items():
            try:
                taken[self.key.take(key)] = self.entry.take(entry)
            except Refused as e:
                raise e.within(repr(key)) from None
        # The mapping itself where nothing changed, which may be one that cannot be written.
        return value if all(taken.get(key) is entry for key, entry in value.items()) else taken


@dataclass(frozen=True)
class _Held(Rule):
    rule: Rule
    items: Items

    @property
    def what(self) -> str:  # type: ignore[override]
        least, distinct, increasing = self.items.least, self.items.distinct, self.items.increasing
        words = [self.rule.what, f"at least {least}" * (least > 0), "each once" * distinct, "increasing" * increasing]
        return ", ".join(filter(None, words))

    def take(self, value: Any) -> Any:
        return self.items.hold(self.rule.take(value))


@functools.lru_cache(maxsize=512)
def rule_of(kind: Any) -> Rule:
    """The rule of an annotation.

    Raises
    ------
    TypeError
        The annotation says nothing that can be checked.
    """
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        rules = [m for m in kind.__metadata__ if isinstance(m, Rule)]
        rule = rules[-1] if rules else rule_of(inside[0])
        for items in (m for m in kind.__metadata__ if isinstance(m, Items)):
            rule = _Held(rule, items)
        return rule
    if origin in (typing.Union, types.UnionType):
        # None last: what a field takes is named by what it holds.
        return _Union(tuple(rule_of(k) for k in sorted(inside, key=lambda k: k is types.NoneType)))
    if origin is typing.Literal:
        return Choice(inside)
    if origin is tuple:
        return _Tuple(rule_of(inside[0])) if inside[-1] is Ellipsis else _Tuple(None, tuple(map(rule_of, inside)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _Mapping(rule_of(inside[0]), rule_of(inside[1]))
    kind = origin or kind
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and not getattr(kind, "_is_protocol", False):
        return _Instance(kind)
    raise TypeError(f"{kind!r}: is no type that a value can be held against")
