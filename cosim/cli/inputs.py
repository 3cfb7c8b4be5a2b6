"""What a command reads and writes: no file that it reads is replaced, and messages name the options that gave their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netlists.errors import InputError

OUTPUTS = ("out", "plot", "picture", "table", "macro_file", "models", "report")
"""Parameters of all commands that name a file to write; every other one may name a file to read."""
NAMES: dict[str, tuple[str, ...]] = {
    "until_ci": ("half_width",),
    "until_ci_": ("half_width",),
    "control": ("n_control",),
    "samples": ("first",),
    "most": ("first",),
    "columns_": ("columns",),
    "column": ("columns",),
    "network_chips": ("chips",),
    "tries": ("max_tries",),
    "targets": ("target",),
    "r_wire": ("r_row", "r_col"),
    "supply": ("v_dd",),
    "corner": ("sigmas",),
    "blocks": ("level",),
    "measured": ("blocks_folder",),
    "pwm_bits": ("bits",),
    "adc_bits": ("bits",),
    "delta": ("threshold",),
    "delta_state": ("state",),
    "array_rows": ("max_rows",),
    "array_columns": ("max_columns",),
    "max_rows": ("array_rows",),
    "max_columns": ("array_columns",),
    "base": ("profile",),
    "scaling": ("offset", "scale"),
}
"""Parameters of commands, and what the messages of the layers below call the value that they give."""
OF_FILES = (".csv", ".json", ".parquet", ".html", ".png", ".svg", ".pdf")
"""Endings that say what is in a file, and so are no folder's."""
_RUN = ("manifest.json", "*.parquet", "chunks/*")


def check_words(context: Any, values: Mapping[str, Any], given: Sequence[Any]) -> None:
    """Raise `InputError` for a value that is empty, a dash in place of a file, or an option that is given twice.

    Parameters
    ----------
    context
        Of the command.
    values : mapping
        What is written for each parameter, as text.
    given : sequence of parameters
        As they stand on the command line.
    """
    flags = flags_of(context)
    for p in given:
        # A switch may be repeated; one that has an opposite, or a value, would silently be the last.
        if given.count(p) > 1 and not p.multiple and (p.secondary_opts or not getattr(p, "is_flag", False)):
            raise InputError(f"{flags[p.name]}: is given twice; give it once")
    for name, texts in values.items():
        for text in _words(texts):
            if not text.strip():
                raise InputError(f"{flags[name]}: is empty; give a value{', or leave it away' if flags[name][:1] == '-' else ''}")
            if isinstance(_first(context.params.get(name)), Path):
                if text == "-":
                    raise InputError(f"{flags[name]} -: is no file; commands read and write files by name (./- where it is one)")
                if text.endswith("/") and name in OUTPUTS and _metavar(context, name) == "FILE":
                    raise InputError(f"{flags[name]} {text}: is a folder's name; give a file's")


def _words(texts: Any) -> Iterator[str]:
    if isinstance(texts, str):
        yield texts
    elif isinstance(texts, list | tuple):
        for one in texts:
            yield from _words(one)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and value else value


def _metavar(context: Any, name: str) -> str | None:
    return next(p.metavar for p in context.command.params if p.name == name)


def check_outputs(context: Any) -> None:
    """Raise `InputError` if a command's output is one of its inputs, also by another name or through a link, and `ToolkitError` if
    it cannot be written.
    """
    # Help is given without what writes files.
    from netlists.files import check_place

    for option in OUTPUTS:
        if (out := context.params.get(option)) is None:
            continue
        metavar = _metavar(context, option)
        folder = metavar == "FOLDER"
        if folder and out.suffix.lower() in OF_FILES and not out.exists():
            raise InputError(f"{flags_of(context)[option]} {out}: is a folder here; give a name without {out.suffix}")
        # Which of both it is, the command knows, and looks itself.
        if metavar != "FILE|FOLDER":
            check_place(out, folder=folder)
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
    flags = flags_of(context)
    said = re.match(r"(\w+)(\[\d+\])?=('[^']*'|[^:]*|\S*): ", message)
    if said is None:
        return message
    name, place, value = said.groups()
    for own in (name, *(n for n, meant in NAMES.items() if name in meant)):
        given = context.params.get(own)
        texts = given.split(",") if place and isinstance(given, str) else [str(given), repr(given)]
        if flags.get(own, "").startswith("--") and _is_written(context, own) and _plain(value) in map(_plain, texts):
            return f"{flags[own]}={value}{message[said.end(3) :].replace(', or None', '')}"
    return message


def _plain(value: str) -> str:
    """A value, of a message or of the command line, in one form."""
    text = value.strip().strip("'")
    try:
        return f"{float(text):g}"
    except ValueError:
        return text
