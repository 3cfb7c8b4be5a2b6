"""The page of a study of resolution: its tables as a reader wants them, and the published figures beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Page, page_of, read_table

from .conditions import ALL, FITTED_WEIGHTS, FLOAT, IDEAL, threshold
from .networks import AWARE, PLAIN, TRAININGS

RESULTS = ("task", "training", "condition", "bits", "networks", "chips", "value", "low", "high", "chip_deviation", "seed_low")


@dataclass(frozen=True)
class Reader:
    """How a page presents a metric.

    Attributes
    ----------
    title, question, unit : str
    titles : mapping
        Headings of the tasks.
    value, headline : callable
        A value as text: in tables, in sentences.
    """

    title: str
    question: str
    unit: str
    titles: Mapping[str, str]
    value: Callable[[float], str]
    headline: Callable[[float], str]


def bits_page(
    folder: Path,
    summary: dict[str, Any],
    reader: Reader,
    ours: Sequence[str],
    same: bool,
    differences: Mapping[str, str],
    network: str,
) -> Page:
    """Makes the page of a folder that `run.run_bits` filled.

    Parameters
    ----------
    ours : sequence of str
        Tasks that stand beside the published figures, and in ``same`` whether the data are the same.
    differences : mapping
        What explains the difference from each published figure, by its key.
    network : str
        The shape of the networks.
    """
    results = read_table(folder, "results.csv", [*RESULTS, "seed_high", "change", "change_low", "change_high"])
    gains = read_table(folder, "gains.csv", ("task", "condition", "bits", "change", "low", "high"))
    trainings = read_table(folder, "networks.csv", ("task", "training", "seed"))
    names = {"trained_bits": "chips of bits", "best_epoch": "kept epoch", "validation_loss": "validation loss"}
    tables = {"trainings": trainings.rename(columns=names | {"validation_accuracy": "validation accuracy"})}
    for task in summary["tasks"]:
        rows, gained = results[results["task"] == task], gains[gains["task"] == task]
        tables[f"{task} values"] = grid(rows, lambda r: _measured(reader, r), "training", "condition")
        for training in TRAININGS:
            of = rows[rows["training"] == training]
            tables[f"{task} {training}"] = grid(of, lambda r: _against_float(reader, r), "condition")
        tables[f"{task} gains"] = grid(gained, lambda r: _changed(reader, r, "low", "high"), "condition")

    def row(task: str, training: str, condition: str, bits: int | None = None) -> dict[str, Any]:
        return find(results, task, training, condition, bits)

    def told(*case: Any) -> str:
        return reader.headline(row(*case)["value"])

    values: dict[str, Any] = {"reader": reader, "row": row, "told": told, "bits": main_bits(summary), "ours": ours}
    values |= {"data": "same data" if same else "other data", "differences": differences, "network": network}
    values |= {"plain": PLAIN, "aware": AWARE, "trainings": TRAININGS, "float": FLOAT, "ideal": IDEAL}
    values |= {"begins": _begins(summary["settings"])}
    values |= {"noisy": FITTED_WEIGHTS, "all": ALL, "chips": int(results["chips"].max())}
    return page_of(Path(__file__), folder, tables, s=summary, **values)


def _begins(settings: dict[str, Any]) -> str:
    """Says what hardware-aware training begins with and how long it is, where that is not as in plain training."""
    start = "" if settings.get("aware_start", "anew") == "anew" else "It begins with the plain network. "
    own = [
        f"{settings[name]:,} {unit}"
        for name, unit in (("aware_epochs", "epochs"), ("aware_characters", "characters"))
        if settings.get(name)
    ]
    if rate := settings.get("aware_learning_rate"):
        own.append(f"a rate of {rate:g}")
    return f"{start}{'Of its own: ' + ', '.join(own) + '.' if own else ''}".strip()


def main_bits(summary: dict[str, Any]) -> int:
    """Finds the resolution that sentences are about: 5 bits as in the published figures, or the highest there is."""
    bits = summary["settings"]["bits"]
    return 5 if 5 in bits else int(max(bits))


def describe(summary: dict[str, Any]) -> str:
    """Writes the main figures, for reading."""
    results, bits = pd.DataFrame(summary["results"]), main_bits(summary)
    shown = [(FLOAT, None), (IDEAL, bits), (FITTED_WEIGHTS, bits), (ALL, bits)]
    shown += [(threshold(s), min(summary["settings"]["bits"])) for s in summary["settings"]["threshold_noise"]]
    lines = list(summary["absent"].values())
    for task in summary["tasks"]:
        for training in TRAININGS:
            values = (
                f"{name}{f', {b} bits' if b else ''}: {find(results, task, training, name, b)['value']:.4f}" for name, b in shown
            )
            lines.append(f"{task}, {training}: {'; '.join(values)}")
    return "\n".join(lines)


def find(results: pd.DataFrame, task: str, training: str, condition: str, bits: int | None = None) -> dict[str, Any]:
    """Finds the row of one task, training, condition and resolution."""
    of = (results["task"] == task) & (results["training"] == training) & (results["condition"] == condition)
    at = results["bits"].isna() if bits is None else results["bits"] == bits
    row: dict[str, Any] = results[of & at].iloc[0].to_dict()
    return row


def grid(rows: pd.DataFrame, text: Callable[[pd.Series], str], *first: str) -> pd.DataFrame:
    """Makes a table with a column for each resolution; floating point, which has none, comes first in a column of its own."""
    resolutions = sorted(int(b) for b in rows["bits"].dropna().unique())
    out = []
    for names, group in rows.groupby(list(first), sort=False):
        line: dict[str, Any] = dict(zip(first, names, strict=True))
        line |= {f"{b} bits": "".join(text(r) for _, r in group[group["bits"] == b].iterrows()) for b in resolutions}
        exact = group[group["bits"].isna()]
        out.append(line | {"exact activations": "".join(text(r) for _, r in exact.iterrows())})
    return pd.DataFrame(out, columns=[*first, "exact activations", *(f"{b} bits" for b in resolutions)])


def _measured(reader: Reader, r: pd.Series) -> str:
    spread = "" if pd.isna(r["chip_deviation"]) else f" ± {reader.value(r['chip_deviation'])}"
    return f"{reader.value(r['value'])}{spread}"


def _changed(reader: Reader, r: pd.Series, low: str, high: str) -> str:
    return f"{_signed(reader.value, r['change'])} ({_signed(reader.value, r[low])}..{_signed(reader.value, r[high])})"


def _against_float(reader: Reader, r: pd.Series) -> str:
    is_reference = (r["training"], r["condition"]) == (PLAIN, FLOAT)
    return "reference" if is_reference else _changed(reader, r, "change_low", "change_high")


def _signed(value: Callable[[float], str], number: float) -> str:
    return ("+" if number >= 0 else "-") + value(abs(number))
