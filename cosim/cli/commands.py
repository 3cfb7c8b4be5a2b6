"""Groups that load a command's module when the command is asked for, and commands that keep what they read."""

from __future__ import annotations

import ast
import os
import re
import textwrap
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from netlists.errors import ToolkitError

from .fields import expand
from .inputs import check_outputs, check_words, name_flags
from .output import note
from .signals import exit_code

Entry = str | TyperGroup | Callable[..., Any]
"""A command: ``module:function`` below `cosim.cli`, a group, or a function."""


HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


class Interrupted(SystemExit):
    """The end of a command that Ctrl-C stopped and that said what is kept."""


def kept(line: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that gives a command its line about what is kept after Ctrl-C."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        vars(function)["kept"] = line
        return function

    return mark


SAMPLES_KEPT = "finished samples are kept; the same command goes on from there"


class Command(TyperCommand):
    """A command that refuses to replace a file it reads, names its options in messages and says what an interruption leaves."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # A shell leaves the ~ of --out=~/file, and one in quotes.
        words = [re.sub(r"^(--[\w-]+=)?(~/.*)", lambda m: (m[1] or "") + os.path.expanduser(m[2]), word) for word in args]
        try:
            rest = super().parse_args(ctx, list(words))
        except Exception as e:
            # A value that is missing is found by who does not know of what command.
            if getattr(e, "ctx", ctx) is None:
                e.ctx = ctx  # type: ignore[attr-defined]
            raise
        if not ctx.resilient_parsing:
            values, _, given = self.make_parser(ctx).parse_args(words)
            check_words(ctx, values, given)
        return rest

    def invoke(self, ctx: Any) -> Any:
        check_outputs(ctx)
        try:
            return super().invoke(ctx)
        except ToolkitError as e:
            e.args = (name_flags(str(e), ctx),)
            raise
        except KeyboardInterrupt as e:
            line = getattr(self.callback, "kept", "")
            note(f"interrupted: {line}" if line else "interrupted")
            raise Interrupted(exit_code(e)) from None


class CommandGroup(TyperGroup):
    """A group that knows the names of its commands, and loads the module of one when it is asked for."""

    entries: Callable[[], Mapping[str, Entry]] = dict

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.entries())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = self.entries().get(cmd_name)
        if entry is None or isinstance(entry, TyperGroup):
            return entry
        return made(cmd_name, entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from netlists.check_rules import near

            ctx.fail(f"no such command {name!r}{near(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The names and first lines of the commands, read without importing them."""
        entries = self.entries()
        width = formatter.width - 6 - max(map(len, entries))
        with formatter.section("Commands"):
            formatter.write_dl([(n, textwrap.shorten(first_line(e), width, placeholder="...")) for n, e in entries.items()])


def group(
    help: str,
    entries: Callable[[], Mapping[str, Entry]],
    callback: Callable[..., Any] | None = None,
    *,
    alone: bool = False,
    completion: bool = False,
) -> TyperGroup:
    """A group of commands, with the options of a ``callback``, which answers ``alone`` when no command of it is named.

    With ``completion`` it has options that let a shell complete its commands and options.
    """
    application = typer.Typer(
        cls=CommandGroup,
        context_settings=HELP_OPTIONS,
        help=help,
        no_args_is_help=not alone,
        invoke_without_command=alone,
        callback=callback,
        add_completion=completion,
        rich_markup_mode=None,
    )
    out = (get_command if completion else get_group)(application)
    assert isinstance(out, CommandGroup)
    out.entries = entries
    return out


def made(name: str, entry: Any) -> Any:
    """The command of a function."""
    application = typer.Typer(add_completion=False, rich_markup_mode=None)
    application.command(name, cls=Command, context_settings=HELP_OPTIONS)(expand(loaded(entry)))
    return get_command(application)


def loaded(entry: Any) -> Callable[..., Any]:
    """The function of an entry; it imports its module."""
    if not isinstance(entry, str):
        return entry
    module, _, name = entry.partition(":")
    return getattr(import_module(f".{module}", __package__), name)


def first_line(entry: Entry) -> str:
    """The first line of what a command says of itself; its module is read, not imported."""
    if isinstance(entry, TyperGroup):
        return entry.help or ""
    if not isinstance(entry, str):
        return (entry.__doc__ or "").partition("\n")[0]
    module, _, name = entry.partition(":")
    spec = find_spec(resolve_name(f".{module}", __package__))
    assert spec is not None
    assert spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise AssertionError(f"{entry}: there is no such function")
