"""Options of a command made from the fields of the settings that they fill: names, types, defaults and help stand once."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import typer
from typer.models import ArgumentInfo, OptionInfo

from .options import number_of

if TYPE_CHECKING:
    from netlists.checks import FieldOf

T = TypeVar("T")
Build = Callable[[Mapping[str, Any]], Any]

UNITS = {"V": "VOLTS", "ohm": "OHM", "s": "SECONDS", "F": "FARAD", "S": "SIEMENS", "C": "CELSIUS", "uS": "US"}
SAID = {**{said: unit for unit, said in UNITS.items()}, "CELSIUS": "degC", "GIB": "GiB"}
"""The unit of a number that an option takes, by what stands for its value in the help; none where that is FLOAT."""


@dataclass(frozen=True)
class Given(Generic[T]):
    """Fields of a settings class as a command's options gave them.

    Attributes
    ----------
    cls : type
        The settings.
    values : mapping
        Value by field.
    """

    cls: type[T]
    values: Mapping[str, Any]

    def make(self, **others: Any) -> T:
        """The settings of these fields and ``others``.

        Raises
        ------
        InputError
            A value that a field does not take.
        """
        return self.cls(**self.values, **others)

    def or_none(self, *names: str) -> Given[T]:
        """The same with None in these fields where 0 stands for it, as for arrays without end."""
        return replace(self, values={**self.values, **{name: self.values[name] or None for name in names}})

    @property
    def changed(self) -> list[str]:
        """The fields that are not at their default."""
        return [f.name for f in _fields(self.cls) if f.name in self.values and self.values[f.name] != f.default]


@dataclass(frozen=True, eq=False)
class Options:
    """Which fields of a settings class become options, written as ``settings: Annotated[Given[Settings], Options()]``.

    Attributes
    ----------
    only, without : tuple of str
        Fields that alone become options (empty: all), and fields that do not.
    flags : mapping
        Names of options that are not their field's.
    helps : mapping
        Help in place of the field's description, where the command line has more to say.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    helps: Mapping[str, str] = field(default_factory=dict)

    def flag(self, name: str) -> str:
        """The option of a field."""
        return f"--{self.flags.get(name) or name.replace('_', '-')}"


def options_of(cls: type, which: Options) -> list[inspect.Parameter]:
    """The parameters of a command that fill the fields of a dataclass or of a study's settings."""
    found, all_fields = [], _fields(cls)
    names = {f.name for f in all_fields}
    for f in all_fields:
        if f.name in which.without or (which.only and f.name not in which.only):
            continue
        kind, choices, unit = _plain(f.type)
        text = re.sub(r"``(\w+)``", lambda m: which.flag(m[1]) if m[1] in names else m[1], which.helps.get(f.name) or f.description)
        # What Python calls None is, on a command line, to say nothing; and where the code is does not matter there.
        text = re.sub(r" \(`[\w.]+`\)", "", re.sub(r"[;:.] None: (?:that is )?", ". Default: ", text))
        text = (text[:1].upper() + text[1:]).rstrip(".")
        if choices:
            text = f"{text}: {', '.join(choices)}"
        flag = which.flag(f.name)
        # What is on by default must have a way off.
        shown = f"{flag}/--no-{flag.removeprefix('--')}" if f.default is True else flag
        option = typer.Option(shown, help=f"{text}.", metavar=UNITS.get(unit))
        found.append(_parameter(f.name, Annotated[kind, option], f.default))
    return found


def words_of(settings: Any, which: Options) -> list[str]:
    """The options that give these settings, without those at their defaults."""
    words: list[str] = []
    for f in _fields(type(settings)):
        value, flag = getattr(settings, f.name), which.flag(f.name)
        if f.name in which.without or value == f.default:
            continue
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag.removeprefix('--')}")
        else:
            words += [flag, str(value)]
    return words


def expand(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command with a parameter for each option, from a function whose parameters may stand for several options.

    Such a parameter is annotated with `Given` settings or with a dataclass whose fields are options.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    parts = {n: _parts(n, hints[n], p.default) for n, p in inspect.signature(function).parameters.items()}

    def command(**given: Any) -> Any:
        return function(**{name: build(given) for name, (_, build) in parts.items()})

    parameters = [p for several, _ in parts.values() for p in several]
    for p in parameters:
        _take_suffixes(p.annotation)
        if p.name == "out":
            _short(p.annotation)
    command.__dict__.update(vars(function), __signature__=inspect.Signature(parameters))
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def parameters_of(options: type) -> list[str]:
    """Names of the parameters that fill a dataclass whose fields are options."""
    return [p.name for p in _parts("", options, MISSING)[0]]


def _take_suffixes(hint: Any) -> None:
    """Lets an option for a number take it with a SPICE suffix."""
    kind, *others = typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)
    if kind is float or set(typing.get_args(kind)) == {float, type(None)}:
        for option in others:
            if isinstance(option, (OptionInfo, ArgumentInfo)) and option.parser is None:
                option.metavar = option.metavar or "FLOAT"
                option.parser = number_of(SAID.get(option.metavar, ""))


def _short(hint: Any) -> None:
    """Lets every ``--out`` be written ``-o``."""
    for option in typing.get_args(hint):
        if isinstance(option, OptionInfo):
            # Where a name is given it is the option's first argument, which is its default's place.
            option.param_decls = ("-o",) if option.default == "--out" else ("--out", "-o")


def _parts(name: str, hint: Any, default: Any) -> tuple[list[inspect.Parameter], Build]:
    """The options that a parameter stands for, and how it is made of their values."""
    which = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, Options)), None)
    if which is not None:
        (cls,) = typing.get_args(typing.get_args(hint)[0])
        options = options_of(cls, which)
        return options, lambda given: Given(cls, {p.name: given[p.name] for p in options})
    if isinstance(hint, type) and is_dataclass(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        parts = {f.name: _parts(f.name, hints[f.name], f.default) for f in fields(hint)}
        own = [p for several, _ in parts.values() for p in several]
        return own, lambda given: hint(**{n: build(given) for n, (_, build) in parts.items()})
    return [_parameter(name, hint, default)], lambda given: given[name]


def _parameter(name: str, hint: Any, default: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if default is MISSING else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _fields(cls: type) -> Sequence[FieldOf]:
    """The fields of a dataclass, or of a study's settings."""
    from netlists.check_rules import Rule
    from netlists.checks import FieldOf, fields_of

    if is_dataclass(cls):
        return fields_of(cls)
    hints = typing.get_type_hints(cls, include_extras=True)
    models: dict[str, Any] = cls.model_fields  # type: ignore[attr-defined]
    return [
        FieldOf(n, hints[n], Rule(), MISSING if f.is_required() else f.get_default(), f.description or "")
        for n, f in models.items()
    ]


def _plain(hint: Any) -> tuple[Any, tuple[str, ...], str]:
    """The type that an option has, what it may be, and its unit."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is Annotated:
        kind, choices, unit = _plain(arguments[0])
        for rule in arguments[1:]:
            choices = tuple(map(str, getattr(rule, "allowed", choices)))
            unit = getattr(rule, "unit", unit)
        return kind, choices, unit
    if typing.get_origin(hint) is Literal:
        return str, arguments, ""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kind, choices, unit = _plain(next(a for a in arguments if a is not type(None)))
        return kind | None, choices, unit
    return hint, (), ""
