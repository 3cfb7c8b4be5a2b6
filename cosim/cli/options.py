"""Options that several commands share."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netlists.errors import InputError

from .output import notes

if TYPE_CHECKING:
    from cosim.report import RunOptions

    from ..chip import DeltaInputs

Profile = Annotated[str, typer.Option(help="Device profile: a built-in name or a .toml file.")]
SEED = 1
"""Default of every command that draws."""
Seed = Annotated[int, typer.Option(help="Decides all that is drawn; the number of a chip or sample and the seed give it alone.")]
Jobs = Annotated[
    int, typer.Option(help="Processes, one ngspice each, or threads; 0 takes every core. The numbers do not depend on it.")
]
Out = Annotated[Path, typer.Option(metavar="FILE", help="File to write.")]
OutFolder = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Folder to write; the same command goes on there if it was stopped.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable JSON value on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no notes: the answer, warnings and errors alone.")]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="A plan file (TOML) in place of the options that describe a ramp and its chips."),
]
NetworkFile = Annotated[Path, typer.Option(help="Network file, such as `cosim train` writes.")]
TrainedTask = Annotated[str | None, typer.Option(help="Task. Default: the one the network was trained on.")]
Data = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Your own data in place of a task: an .npz file, a CSV manifest, or a folder of recordings."),
]
InputRange = Annotated[
    str,
    typer.Option(metavar="X|auto", help="Input that takes the longest pulse, with --pwm-bits; auto: the largest training input."),
]
DeltaThreshold = Annotated[
    float | None,
    typer.Option("--delta", metavar="X", help="Drive a row only when its input has changed by more than this. Default: always."),
]
DeltaStateThreshold = Annotated[
    float | None, typer.Option("--delta-state", metavar="X", help="The same for states, with --delta. Default: as for inputs.")
]
MaxLoss = Annotated[
    str, typer.Option(metavar="LOSS", help="Loss of accuracy against floating point that is allowed: 0.5% or 0.005.")
]
ModelFile = Annotated[Path, typer.Argument(help="Model file.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished `cosim characterize`.")]
SET = "in SI units or with a SPICE suffix; may be repeated."
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=f"Value of a circuit parameter, {SET}")]
Amounts = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help=f"Amount of an error source of a whole chip, 0 for none, {SET} `cosim budget` has names.",
    ),
]
MaxInl = Annotated[float, typer.Option(help="Yield limit of max |INL|, input-referred LSB.")]
MaxDnl = Annotated[float, typer.Option(help="Yield limit of max |DNL|, LSB.")]

Columns = Annotated[
    str, typer.Option(help="Whose figures: calibrating (the column that calibrated the ramp), any (other one) or all (the worst).")
]


SWEEP_UNITS = {"r_wire": "ohm", "v_read": "V", "temperature": "degC", "supply": "V"}
DECKS = (".cir", ".ckt", ".sp", ".spi", ".spice", ".net", ".deck", "")
"""Endings of a deck that is written."""
PICTURES = (".png", ".svg", ".pdf")
TABLES = (".csv", ".json", ".parquet")
MOST_JOBS = 1024
MOST_VALUES = 1000
"""Of a variable of a sweep."""
MOST_COLUMNS = 2**20


def whose(columns: str, number: int) -> str:
    """The columns that a figure is of, in words; ``number`` is how many a chip has."""
    return {"calibrating": "calibrating column", "any": "any other column", "all": f"all {number} columns of a chip"}[columns]


def task_or_data(task: str | None, data: Path | None) -> str | None:
    """The task's name, or the path of own data; `InputError` if both are given or there is nothing at the path."""
    if data is None:
        return task
    if task is not None:
        raise InputError(f"--data {data}: is in place of --task {task}; give one of them")
    if not data.exists():
        raise InputError(f"--data {data}: there is no such file or folder")
    return str(data) if "/" in str(data) or data.suffix in (".npz", ".csv") else f"./{data}"


def run_options(jobs: int, quiet: bool, work: Path | None = None, command: str = "") -> RunOptions:
    """How a study or other long work runs, which changes no number; ``command`` is what its page says made it."""
    from cosim.report import RunOptions

    return RunOptions(workers(jobs), not quiet, notes(quiet), work, command)


def as_typed() -> str:
    """The command line of this process."""
    return shlex.join(["cosim", *sys.argv[1:]])


def workers(jobs: int) -> int:
    """Number of worker processes: ``jobs``, or every core for 0."""
    import joblib

    if not 0 <= jobs <= MOST_JOBS:
        raise InputError(f"jobs={jobs}: must be 0 (every core), or 1..{MOST_JOBS} processes")
    return jobs or joblib.cpu_count()


def number_of(unit: str | None) -> Callable[[str], float]:
    """What reads the number of a text, of a unit: ``2e-9``, or as SPICE writes it, ``2n``, ``2ns``, ``1.5meg``."""

    def number(text: str | float) -> float:
        from netlists.quantities import quantity

        # A default comes as the number that it is.
        return quantity(text, unit) if isinstance(text, str) else text

    return number


def numbers_from(
    items: Iterable[str] | None, flag: str, form: str, example: str, units: Mapping[str, str] | None = None
) -> dict[str, float]:
    """The numbers of ``NAME=VALUE`` texts, by name; ``units`` in which they are shown.

    Raises
    ------
    InputError
        Another text, or a name given twice; the message says what it must be (``form``), such as ``example``.
    """
    from netlists.quantities import base_unit, quantity

    found: dict[str, float] = {}
    for item in items or ():
        name, separator, text = (part.strip() for part in item.partition("="))
        # Whoever takes the numbers knows which names there are.
        unit = None if units is None or name not in units else base_unit(units[name])
        try:
            value = quantity(text, unit)
        except ValueError as e:
            if unit is not None and text:
                raise InputError(f"{flag} {name}={e}") from None
            separator = ""
        if not separator or not name:
            raise InputError(f"{flag} {item!r}: must be {form} with a number in SI units or with a SPICE suffix, such as {example}")
        if name in found:
            raise InputError(f"{flag} {name}: is given twice")
        found[name] = value
    return found


def source_units() -> dict[str, str]:
    """The unit that the amount of each error source is shown in."""
    from ..budget.sources import SOURCES

    return {source.name: source.unit for source in SOURCES}


def check_ending(flag: str, path: Path | None, kinds: Sequence[str], what: str = "") -> str:
    """The ending of a file's name, in small letters, which says what is written into it; empty without a file.

    Raises
    ------
    InputError
        It is none of ``kinds``, of which "" stands for a name without ending.
    """
    if path is None:
        return ""
    ending = path.suffix.lower()
    if ending not in kinds:
        *first, last = (kind for kind in kinds if kind)
        raise InputError(f"{flag} {path}: must end in {', '.join(first)}{' or ' * bool(first)}{last}{what and f', {what}'}")
    return ending


def floats_from(text: str, flag: str, unit: str) -> tuple[float, ...]:
    """Numbers of ``-40,125``, of a unit; none of ``none``; `InputError` for anything else."""
    if text.strip() == "none":
        return ()
    try:
        return tuple(number_of(unit)(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{flag} {text!r}: must be numbers with commas between, such as -40,125") from None


def sweep_from(items: Iterable[str] | None, allowed: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Values by name of ``bits=3..8`` and ``threshold_noise=0,0.5,1``.

    Raises
    ------
    InputError
        Another text, a name that is not allowed or given twice, a value that comes twice.
    """
    found: dict[str, tuple[float, ...]] = {}
    for item in items or ():
        name, _, text = (part.strip() for part in item.partition("="))
        name = name.replace("-", "_")
        first, dots, last = text.partition("..")
        try:
            between = range(int(first), int(last) + 1) if dots else None
            values = (
                tuple(map(number_of(SWEEP_UNITS.get(name, "")), text.split(",")))
                if between is None
                else tuple(between[: MOST_VALUES + 1])
            )
        except ValueError:
            values = ()
        if name not in allowed:
            from netlists.check_rules import near

            raise InputError(f"--sweep {item!r}: cannot be varied; {', '.join(allowed)} can{near(name, allowed)}")
        if not values or not all(map(math.isfinite, values)) or len(set(values)) < len(values):
            raise InputError(f"--sweep {item!r}: must be NAME=3..8 or NAME=0,0.5,1 with different numbers")
        if len(values) > MOST_VALUES:
            raise InputError(f"--sweep {item!r}: must be {MOST_VALUES} values at most")
        if name in found:
            raise InputError(f"--sweep {name}: is given twice")
        found[name] = values
    return found


def columns_from(text: str, flag: str, columns: int | None = None) -> tuple[int, ...]:
    """Column numbers of ``0,5,17`` or ``0-15``, of so many columns.

    Raises
    ------
    InputError
        Another text, or a column that there is not.
    """
    chosen: list[int] = []
    for item in text.split(","):
        first, dash, last = (part.strip() for part in item.partition("-"))
        low, high = (int(n) if n.isdecimal() else -1 for n in (first, last if dash else first))
        if not 0 <= low <= high:
            raise InputError(f"{flag} {text!r}: {item.strip()!r} must be a column number or a range such as 4-7")
        if columns is not None and high >= columns:
            raise InputError(f"{flag} {text!r}: the tile has columns 0..{columns - 1}")
        if high >= MOST_COLUMNS:
            raise InputError(f"{flag} {text!r}: column numbers must be below {MOST_COLUMNS}")
        chosen += range(low, high + 1)
    return tuple(chosen)


def input_range(text: str) -> float | None:
    """A number, or None for ``auto``."""
    if text.strip().lower() == "auto":
        return None
    try:
        return number_of("")(text)
    except ValueError:
        raise InputError(f"--input-range {text!r}: must be a number above 0, or auto") from None


def delta_inputs(threshold: float | None, state: float | None) -> DeltaInputs | None:
    """Delta inputs of two options; None without the first."""
    from ..chip import DeltaInputs

    if threshold is None:
        if state is not None:
            raise InputError(f"--delta-state {state:g}: is of delta inputs; give --delta as well")
        return None
    return DeltaInputs(threshold, state)


def parse_loss(text: str) -> float:
    """A share of ``0.5%`` or ``0.005``.

    Raises
    ------
    InputError
        Not a number, below 0 or above 50 %, or a number from 0.05 on without %: it is likely to be meant in per cent.
    """
    plain = text.strip()
    number = plain.removesuffix("%").strip()
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"--max-loss {text!r}: must be a percentage such as 0.5%, or a share such as 0.005")
    if not plain.endswith("%"):
        if value >= 0.05:
            raise InputError(
                f"--max-loss {text}: would be {100 * value:g} %; write {value:g}% for per cent, or {100 * value:g}% if it is meant"
            )
        value *= 100
    if not 0 <= value <= 50:
        raise InputError(f"--max-loss {text}: must be from 0% to 50%")
    return value / 100
