"""Commands that refuse to replace a file they read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from netlists.errors import InputError

OUTPUTS = ("out", "plot", "table", "macro_file")
"""Parameters of all commands that name a file to write; every other one may name a file to read."""
_RUN = ("manifest.json", "*.parquet", "chunks/*")


def check_outputs(params: dict[str, Any]) -> None:
    """Raise `InputError` if a command's output is one of its inputs, also by another name or through a link."""
    for option in OUTPUTS:
        if (out := params.get(option)) is None or not out.is_file():
            continue
        for name, value in params.items():
            if name not in OUTPUTS and any(file.is_file() and file.samefile(out) for file in _files(value)):
                flag = option.replace("_", "-")
                raise InputError(f"--{flag} {out}: is read by this command ({name.replace('_', '-')}); choose another name")


def _files(value: Any) -> Iterator[Path]:
    """Files that the value of a parameter may name: a path, FILE:NAME, NAME.toml, a run's folder, or several of them."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _files(one)
    elif isinstance(value, Path):
        yield value
        for pattern in _RUN if value.is_dir() else ():
            yield from value.glob(pattern)
    elif isinstance(value, str):
        # A word such as an activation's name is no file, even if there is one of this name.
        yield from (Path(name) for name in (value, value.rpartition(":")[0]) if Path(name).suffix)


class _Command(TyperCommand):
    def invoke(self, ctx: Any) -> Any:
        check_outputs(ctx.params)
        return super().invoke(ctx)


class Application(typer.Typer):
    """An application all of whose commands refuse to replace a file they read."""

    def command(self, *args: Any, **options: Any) -> Any:
        """As `typer.Typer.command`."""
        return super().command(*args, **{"cls": _Command, **options})
