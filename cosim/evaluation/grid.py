"""A network on hardware that varies: accuracy at every point of a grid, as a tidy table."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from cosim.chip import Hardware
from cosim.network import Network
from cosim.tasks import CharacterTask, Task
from netlists.errors import InputError

from .comparison import Comparison, compare
from .effort import weigh_chips
from .identity import describe_hardware

Rows = list[dict[str, Any]]
Values = Mapping[str, Sequence[float]]
MOST = 10_000
"""Points of a grid that are still likely to be meant."""


def sweep(
    network: Network,
    task: Task | CharacterTask,
    hardware: Callable[[dict[str, float]], Hardware],
    variables: Values,
    *,
    tell: Callable[[str], None] = lambda text: None,
    kept: Callable[[str, Callable[[], Rows]], Rows] = lambda name, compute: compute(),
    chips: int = 16,
    threads: int | None = None,
    characters: int | None = None,
    **how: Any,
) -> tuple[pd.DataFrame, list[str]]:
    """The network at every point of a grid; chips are the same at each, as far as they are drawn from the same streams.

    Parameters
    ----------
    hardware : callable
        The hardware of a point, value by variable.
    variables : mapping of str to sequence of float
    tell : callable
        Told of each point that is done.
    kept : callable
        Rows of a name, read if they were computed before, as `characterization.resume.Parts.rows`. A point's name is of its
        hardware alone, so that a longer list of values goes on where a shorter one was.
    chips, threads, characters, how
        As for `compare`.

    Returns
    -------
    table : DataFrame
        One row a point: its values, scores of float, ideal converters and chips with their intervals, losses, and for classes the
        balanced accuracy and macro F1 of the chips; the share of inputs that pulse widths clip.
    warnings : list of str
        Of all points, each once.

    Raises
    ------
    InputError
        No values, or too many points; hardware that cannot be.
    """
    points = [dict(zip(variables, values, strict=True)) for values in itertools.product(*variables.values())]
    if not variables or not points or len(points) > MOST:
        raise InputError(f"sweep: has {len(points) if variables else 0} points; must have 1..{MOST}")
    # A point that cannot be is found before the first is computed.
    made = [hardware(p) for p in points]
    if line := weigh_chips(
        f"chips={chips}", network, task, float(chips) * len(points), threads, hardware=made[0], characters=characters
    ):
        tell(line)
    how |= {"chips": chips, "threads": threads, "characters": characters}
    rows: Rows = []
    warnings: list[str] = []
    for point, on in zip(points, made, strict=True):

        def compute(on: Hardware = on) -> Rows:
            found = compare(network, task, on, **how)
            return [_row(found) | {"warnings": list(found.warnings)}]

        (row,) = kept(f"point-{_digest(on)}", compute)
        warnings += row.pop("warnings")
        rows.append(point | row)
        tell(f"{', '.join(f'{n}={v:g}' for n, v in point.items())}: {row['metric']} {row['mean']:.4f}")
    return pd.DataFrame(rows), list(dict.fromkeys(warnings))


def _digest(hardware: Hardware) -> str:
    return hashlib.sha256(json.dumps(describe_hardware(hardware), sort_keys=True).encode()).hexdigest()[:16]


def _row(found: Comparison[Any]) -> dict[str, Any]:
    over, loss, figures = found.over_chips, found.chips_to_float, found.figures.get("chips")
    row: dict[str, Any] = {
        "metric": found.metric,
        "float": found.float_.value,
        "ideal": found.ideal.value,
        "chips": over.chips,
        "mean": over.mean,
        "test_low": found.pooled.low,
        "test_high": found.pooled.high,
        "chips_low": over.low,
        "chips_high": over.high,
        "chip_deviation": over.deviation,
        "minus_float": loss.value,
        "minus_float_low": loss.low,
        "minus_float_high": loss.high,
    }
    if figures is not None:
        row |= {"balanced_accuracy": figures.balanced_accuracy, "macro_f1": figures.macro_f1}
    if found.saturation is not None:
        row["clipped_inputs"] = found.saturation.share
    return row
