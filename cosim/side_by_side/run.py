"""Sets two results side by side, and writes the folder of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from characterization.plan import Limits
from cosim.report import Results, RunOptions, Study, Work
from netlists.errors import InputError

from .differences import Difference, difference
from .pictures import pictures_of
from .result import StoredResult, load_result

SHOWN = 40
"""Lines of figures on the terminal."""


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Two results of one kind.

    Attributes
    ----------
    first, second : StoredResult
    settings : mapping
        Value in the first and in the second of each setting that differs; None where one does not have it.
    differences : sequence of Difference
        Of the figures that both have, in the order of the first.
    only_first, only_second : tuple of str
        Figures that one alone has.
    """

    first: StoredResult
    second: StoredResult
    settings: dict[str, tuple[Any, Any]]
    differences: Sequence[Difference]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    @property
    def ranked(self) -> list[Difference]:
        """Differences with an interval, the clearest first."""
        sure = [d for d in self.differences if d.low is not None and d.high is not None]
        return sorted(sure, key=lambda d: -abs(d.value) / max((d.high or 0) - (d.low or 0), 1e-300))

    @property
    def labels(self) -> tuple[str, str]:
        """Short names of the two."""
        a, b = self.first.path, self.second.path
        return (a.name, b.name) if a.name != b.name else (str(a), str(b))

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be compared, and of how many items what was."""
        return tuple(dict.fromkeys((*self.first.notes, *self.second.notes, *self._fewer)))

    @property
    def _fewer(self) -> list[str]:
        """Says of how many items paired figures are, where one of the two has more."""
        counts = sorted({d.items for d in self.differences if d.items is not None})
        return [f"paired figures are of the {n} items that both have, in both columns; one of the two has more" for n in counts]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "kind": self.first.kind,
            "first": str(self.first.path),
            "second": str(self.second.path),
            "settings": {n: {"first": a, "second": b} for n, (a, b) in self.settings.items()},
            "figures": [d.as_dict() for d in self.differences],
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
            "warnings": list(self.notes),
        }

    def report(self) -> str:
        """For reading: settings that differ, then figures, clear differences first where there are many."""
        a, b = self.labels
        lines = [f"A  {a}: {self.first.title}", f"B  {b}: {self.second.title}", ""]
        lines += [f"settings that differ: {len(self.settings) or 'none'}"]
        lines += [f"  {n}: {_shown(x)} -> {_shown(y)}" for n, (x, y) in self.settings.items()]
        clear = [d for d in self.differences if d.clear]
        # Where there are many, those that are known to differ first.
        most = sorted(clear, key=lambda d: d.low is None)[:SHOWN]
        shown = list(self.differences) if len(self.differences) <= SHOWN else most
        lines += ["", f"figures: {len(self.differences)} in both, {len(clear)} differ"]
        if len(shown) < len(self.differences):
            lines[-1] += f"; {len(shown)} of these are shown, all are in the answer as JSON and in the folder"
        width = max((len(d.name) for d in shown), default=0)
        for d in shown:
            interval = "" if d.low is None else f"  (95 % {d.low:+.4g}..{d.high:+.4g}, {d.how})"
            lines.append(
                f"  {d.name:<{width}}  {d.first:>10.5g} {d.second:>10.5g}  {d.value:+.4g}{interval}{' *' if d.clear else ''}"
            )
        for which, names in (("A", self.only_first), ("B", self.only_second)):
            if names:
                lines.append(f"only in {which}: {len(names)} figures, such as {names[0]}")
        return "\n".join(lines)


def compare_results(first: str | Path, second: str | Path, limits: Limits | None = None) -> SideBySide:
    """Sets two runs, two models, two evaluations or two folders of one study side by side.

    Chips of two runs of the same seed are the same draws: their differences are paired. Everything else is taken as independent,
    which is too wide where the two have a test set in common.

    Parameters
    ----------
    limits : Limits or None
        Of the yield of runs.

    Raises
    ------
    InputError
        Something that is not a result, or two of different kinds.

    Examples
    --------
    >>> from cosim.side_by_side import compare_results
    >>> found = compare_results("results/demo/models/sigmoid4.json", "results/demo/models/sigmoid5.json")  # doctest: +SKIP
    >>> found.settings["bits"]  # doctest: +SKIP
    (4, 5)
    """
    a, b = load_result(first, limits), load_result(second, limits)
    if a.kind != b.kind:
        raise InputError(f"{a.path} is a {a.kind}, {b.path} a {b.kind}: two of the same kind can be compared")
    names = list(dict.fromkeys([*a.settings, *b.settings]))
    settings = {n: (a.settings.get(n), b.settings.get(n)) for n in names if a.settings.get(n) != b.settings.get(n)}
    same = a.seed is not None and a.seed == b.seed
    return SideBySide(
        a,
        b,
        settings,
        [difference(n, f, b.figures[n], same) for n, f in a.figures.items() if n in b.figures],
        tuple(n for n in a.figures if n not in b.figures),
        tuple(n for n in b.figures if n not in a.figures),
    )


@dataclass(frozen=True)
class ComparedPaths:
    """What is compared.

    Attributes
    ----------
    first, second : str
    """

    first: str
    second: str

    def as_dict(self) -> dict[str, Any]:
        """Returns the paths as JSON has them."""
        return asdict(self)


def write_side_by_side(found: SideBySide, out: str | Path, options: RunOptions | None = None) -> dict[str, Any]:
    """Writes the folder of a comparison: tables of settings and figures, pictures, page, ``summary.json``.

    Returns
    -------
    dict
        What ``summary.json`` holds.
    """
    a, b = found.first, found.second

    def compute(settings: ComparedPaths, work: Work) -> Results:
        rows = [{"setting": n, "first": _shown(x), "second": _shown(y)} for n, (x, y) in found.settings.items()]
        figures = [d.as_dict() for d in found.differences]
        return Results(
            summary={
                "kind": a.kind,
                "titles": [a.title, b.title],
                "labels": list(found.labels),
                "clear": sum(d.clear for d in found.differences),
                "compared": len(found.differences),
                "only_first": list(found.only_first),
                "only_second": list(found.only_second),
            },
            tables={
                "settings.csv": pd.DataFrame(rows, columns=["setting", "first", "second"]),
                "figures.csv": pd.DataFrame(figures, columns=[*Difference.__dataclass_fields__, "clear"]),
            },
            pictures=pictures_of(a, b, found.ranked, found.labels),
            float_format="%.8g",
            warnings=found.notes,
        )

    study = Study(
        "compare",
        ComparedPaths,
        compute,
        lambda summary: f"{summary['clear']} of {summary['compared']} figures differ",
        networks=False,
    )
    return study.run(ComparedPaths(str(a.path), str(b.path)), Path(out), options)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
