"""Runs a sweep and writes its folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.chip import Hardware
from cosim.compiled import chosen_engine
from cosim.evaluation import sweep
from cosim.evaluation.grid import Values
from cosim.network import Network
from cosim.report import Results, RunOptions, Study, Work
from cosim.tasks import CharacterTask, Task
from netlists.checks import Count, Seed, checked
from netlists.files import write_text

from .pictures import draw_curves, draw_heatmap

SHOWN = ("float", "ideal", "mean", "minus_float", "balanced_accuracy")
"""Columns of the LaTeX table beside the variables, those that are there."""


@checked
@dataclass(frozen=True)
class SweepSettings:
    """What a sweep is of.

    Attributes
    ----------
    task : str
    network_sha256, data_sha256 : str
    variables : mapping of str to sequence of float
        Values by name.
    chips : int
        Drawn at each point.
    seed : int
        Of the chips.
    characters : int or None
        Of a text, so many; None: all.
    """

    task: str
    network_sha256: str
    data_sha256: str
    variables: dict[str, Any] = field(default_factory=dict)
    chips: Count = 16
    seed: Seed = 1
    characters: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON has them."""
        return asdict(self)


def run_sweep(
    network: Network,
    task: Task | CharacterTask,
    hardware: Callable[[dict[str, float]], Hardware],
    variables: Values,
    out: Path,
    options: RunOptions | None = None,
    *,
    chips: int = 16,
    seed: int = 1,
    characters: int | None = None,
    engine: str | None = None,
) -> dict[str, Any]:
    """Judges a network at every point of a grid and writes the folder: table, LaTeX, pictures, page, ``summary.json``.

    A sweep that was stopped goes on where it was.

    Parameters
    ----------
    hardware : callable
        The hardware of a point, value by variable.
    variables : mapping of str to sequence of float
        Curves have the first along their axis, a heatmap the first two.

    Returns
    -------
    dict
        What ``summary.json`` holds.

    Raises
    ------
    InputError
        No values, hardware that cannot be, a folder of something else.

    Examples
    --------
    >>> from cosim import Hardware, Network, load_task
    >>> from cosim.sweep import run_sweep
    >>> def hardware(point):
    ...     return Hardware(bits=int(point["bits"]), threshold_noise=0.5)
    >>> network = Network.load("results/demo/network.npz")  # doctest: +SKIP
    >>> run_sweep(network, load_task("vowels"), hardware, {"bits": [3, 4, 5]}, "sweep")  # doctest: +SKIP
    """
    engine = chosen_engine(engine)
    settings = SweepSettings(
        task=task.name,
        network_sha256=network.sha256,
        data_sha256=task.sha256,
        variables={name: list(values) for name, values in variables.items()},
        chips=chips,
        seed=seed,
        characters=characters,
    )
    computed = partial(_compute, network, task, hardware, engine)
    return Study("sweep", SweepSettings, computed, describe).run(settings, Path(out), options)


def _compute(
    network: Network,
    task: Task | CharacterTask,
    hardware: Callable[[dict[str, float]], Hardware],
    engine: str,
    settings: SweepSettings,
    work: Work,
) -> Results:
    def kept(name: str, compute: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        # Other values of the variables are other points; a folder is made when the first is asked for.
        return work.parts(variables=None).rows(name, compute)

    how: dict[str, Any] = {"chips": settings.chips, "seed": settings.seed, "characters": settings.characters, "engine": engine}
    how |= {"threads": work.options.jobs, "tell": work.options.say, "kept": kept}
    table, warnings = sweep(network, task, hardware, settings.variables, **how)
    names = list(settings.variables)
    write_text(work.out / "sweep.tex", latex(table, names))
    best = table.loc[table["mean"].idxmax() if table["metric"].iloc[0] == "accuracy" else table["mean"].idxmin()]
    pictures = {"curves": partial(draw_curves, table, names)}
    return Results(
        summary={
            "tasks": {task.name: str(task.provenance)},
            "metric": str(table["metric"].iloc[0]),
            "float": float(table["float"].iloc[0]),
            "points": len(table),
            "engine": engine,
            "best": {name: float(best[name]) for name in (*names, "mean")},
            "command": work.options.command
            or f"cosim.sweep.run_sweep(network, {task.name!r}, hardware, {settings.variables}, out)",
        },
        tables={"sweep.csv": table, "sweep.parquet": table},
        pictures=pictures | ({"heatmap": partial(draw_heatmap, table, names)} if len(names) > 1 else {}),
        float_format="%.8g",
        warnings=warnings,
    )


def latex(table: pd.DataFrame, names: Sequence[str]) -> str:
    """Returns a ``tabular`` of the variables and the scores."""
    shown = table[[*names, *(c for c in SHOWN if c in table)]]
    head = " & ".join(n.replace("_", r"\_") for n in shown.columns)
    body = [" & ".join(f"{v:g}" if n in names else f"{v:.4f}" for n, v in row.items()) for row in shown.to_dict("records")]
    lines = [rf"\begin{{tabular}}{{{'r' * shown.shape[1]}}}", rf"{head} \\ \hline", *(rf"{line} \\" for line in body)]
    return "\n".join([*lines, r"\end{tabular}", ""])


def describe(summary: dict[str, Any]) -> str:
    """Writes the best point, for reading."""
    at = ", ".join(f"{n} {v:g}" for n, v in summary["best"].items() if n != "mean")
    return (
        f"{summary['points']} points; best {summary['metric']} {summary['best']['mean']:.4f} at {at} (float {summary['float']:.4f})"
    )
