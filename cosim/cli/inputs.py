"""What a command reads and writes: no file that it reads is replaced, and messages name the options that gave their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from netlists.errors import InputError

OUTPUTS = ("out", "plot", "picture", "table", "macro_file", "models", "report")
"""Parameters of all commands that name a file to write; every other one may name a file to read."""
_RUN = ("manifest.json", "*.parquet", "chunks/*")


def check_outputs(context: Any) -> None:
    """Raise `InputError` if a command's output is one of its inputs, also by another name or through a link, and `ToolkitError` if
    it cannot be written.
    """
    # Help is given without what writes files.
    from netlists.files import check_place

    kinds = {p.name: p.metavar for p in context.command.params}
    for option in OUTPUTS:
        if (out := context.params.get(option)) is None:
            continue
        check_place(out, folder=kinds[option] == "FOLDER")
        if not out.is_file():
            continue
        for name, value in context.params.items():
            if name not in OUTPUTS and any(file.is_file() and file.samefile(out) for file in _files(value)):
                flags = flags_of(context)
                raise InputError(f"{flags[option]} {out}: is read by this command ({flags[name].lstrip('-')}); choose another name")


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


def flags_of(context: Any) -> dict[str, str]:
    """The option of each parameter of the running command, as ``--name``; an argument's is its name."""
    return {p.name: p.opts[0] for p in context.command.params}


def written(context: Any, names: Iterable[str]) -> str:
    """Those of the named parameters that are on the command line, as ``--one, --two``; empty if none is."""
    flags = flags_of(context)
    return ", ".join(flags[n] for n in names if _is_written(context, n))


def _is_written(context: Any, name: str) -> bool:
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"


def name_flags(message: str, context: Any) -> str:
    """A message about a parameter, ``name=value: ...``, as one about the option that gave the value, ``--option=value: ...``."""
    said = re.match(r"(\w+)=([^:]*): ", message)
    if said is None:
        return message
    name, value = said.groups()
    given = context.params.get(name)
    flag = flags_of(context).get(name, "")
    if not flag.startswith("--") or not _is_written(context, name) or value not in _texts(given):
        return message
    return f"{flag}={value}{message[said.end(2) :]}"


def _texts(value: Any) -> set[str]:
    numbers = {f"{value:g}"} if isinstance(value, float) else set()
    return {str(value), repr(value)} | numbers
