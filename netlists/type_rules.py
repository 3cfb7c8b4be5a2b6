"""Rules of types: what the annotation of a field takes, put together from the rules of values."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from .check_rules import Choice, Items, Number, Refused, Rule, Text, Whole


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
