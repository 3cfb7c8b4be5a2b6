"""The page of a study of resolution: its tables as a reader wants them, and the published figures beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Beside, Page, Section, beside, read_table
from cosim.report.published import published
from netlists.files import read_json

from .conditions import ALL, FITTED_WEIGHTS, FLOAT, IDEAL, threshold
from .networks import AWARE, PLAIN, TRAININGS

RESULTS = ("task", "training", "condition", "bits", "networks", "chips", "value", "low", "high", "chip_deviation", "seed_low")
CAPTION = (
    "Means over networks and chips; bars: deviation from chip to chip. Dotted line: the plainly trained network in floating point, "
    "with the 95 % interval that the size of the test set leaves."
)
PAIRED = (
    "Paired changes: the same test items on both sides, so that what is common to both cancels. In brackets the 95 % interval over "
    "test sets, for these networks and chips."
)


@dataclass(frozen=True)
class Reader:
    """How a page presents a metric.

    Attributes
    ----------
    title, question, unit : str
    titles : mapping
        Headings of the tasks.
    value, headline, beside : callable
        A value as text: in tables, in sentences, in the unit of the published figures.
    """

    title: str
    question: str
    unit: str
    titles: Mapping[str, str]
    value: Callable[[float], str]
    headline: Callable[[float], str]
    beside: Callable[[float], str]


def bits_page(
    folder: Path,
    reader: Reader,
    real: str,
    differences: Callable[[dict[str, Any]], dict[str, str]],
    network: Callable[[dict[str, Any]], str],
) -> Page:
    """The page of a folder that `bits_run.run_bits` wrote.

    Parameters
    ----------
    real : str
        The task that the published figures are of.
    differences : callable
        From the summary to each published figure's key and what explains the difference.
    network : callable
        From the summary to the shape of the networks.
    """
    summary = read_json(folder / "summary.json", "study summary")
    results, bits = read_results(folder), main_bits(summary)
    tasks = list(summary["tasks"])
    sections: list[Section] = []
    for task in tasks:
        sections += _task_sections(folder, task, reader)
    same = real in tasks
    ours = "; ".join(
        f"{reader.beside(find(results, t, AWARE, ALL, bits)['value'])} ({t}, hardware-aware, {bits} bits, {ALL})"
        for t in ([real] if same else tasks)
    )
    rows = [Beside(published(key), ours, same, why) for key, why in differences(summary).items()]
    sizes = [f"{name}: {', '.join(f'{n:,} {what}' for what, n in size.items())}." for name, size in summary["sizes"].items()]
    sources = [f"{name}: {text}" for name, text in summary["tasks"].items()]
    return Page(
        title=reader.title,
        lead=_lead(results, summary, bits, reader),
        highlights=[
            (
                reader.headline(find(results, t, training, FITTED_WEIGHTS, bits)["value"]),
                f"{t}, {training}, {bits} bits, {FITTED_WEIGHTS}",
            )
            for t in tasks[:2]
            for training in TRAININGS
        ],
        sections=[
            *sections,
            Section("Beside the published figures", table=beside(rows)),
            _model_section(folder),
            _training_section(folder, summary, network(summary)),
            Section("Data", text=[*sizes, *sources, *summary["absent"].values()]),
        ],
    )


def main_bits(summary: dict[str, Any]) -> int:
    """The resolution that sentences are about: 5 bits as in the published figures, or the highest there is."""
    bits = summary["settings"]["bits"]
    return 5 if 5 in bits else int(max(bits))


def describe(summary: dict[str, Any]) -> str:
    """The main figures, for reading."""
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


def _lead(results: pd.DataFrame, summary: dict[str, Any], bits: int, reader: Reader) -> str:
    sentences = [reader.question]
    low, high = min(summary["settings"]["bits"]), max(summary["settings"]["bits"])
    for task in summary["tasks"]:

        def told(training: str, condition: str, at: int | None, task: str = task) -> str:
            return reader.headline(find(results, task, training, condition, at)["value"])

        sentences.append(
            f"{task}: {told(PLAIN, FLOAT, None)} in floating point; {told(PLAIN, IDEAL, low)} and {told(PLAIN, IDEAL, high)} "
            f"on ideal ramps of {low} and {high} bits; on fitted chips with noisy weights at {bits} bits "
            f"{told(PLAIN, FITTED_WEIGHTS, bits)} after plain and {told(AWARE, FITTED_WEIGHTS, bits)} after hardware-aware "
            "training."
        )
    return " ".join(sentences)


def read_results(folder: Path) -> pd.DataFrame:
    """``results.csv``."""
    return read_table(folder, "results.csv", [*RESULTS, "seed_high", "change", "change_low", "change_high"])


def find(results: pd.DataFrame, task: str, training: str, condition: str, bits: int | None = None) -> dict[str, Any]:
    """The row of one task, training, condition and resolution."""
    of = (results["task"] == task) & (results["training"] == training) & (results["condition"] == condition)
    at = results["bits"].isna() if bits is None else results["bits"] == bits
    row: dict[str, Any] = results[of & at].iloc[0].to_dict()
    return row


def grid(rows: pd.DataFrame, text: Callable[[pd.Series], str], *first: str) -> pd.DataFrame:
    """Rows as a table with a column for each resolution; floating point, which has none, comes first in a column of its own."""
    resolutions = sorted(int(b) for b in rows["bits"].dropna().unique())
    out = []
    for names, group in rows.groupby(list(first), sort=False):
        line: dict[str, Any] = dict(zip(first, names, strict=True))
        line |= {f"{b} bits": "".join(text(r) for _, r in group[group["bits"] == b].iterrows()) for b in resolutions}
        exact = group[group["bits"].isna()]
        out.append(line | {"exact activations": "".join(text(r) for _, r in exact.iterrows())})
    return pd.DataFrame(out, columns=[*first, "exact activations", *(f"{b} bits" for b in resolutions)])


def _task_sections(folder: Path, task: str, reader: Reader) -> list[Section]:
    """Picture and table of one task, paired changes to float, and what hardware-aware training changes."""
    heading, value = reader.titles.get(task, task), reader.value
    results = read_results(folder)
    rows = results[results["task"] == task]
    gains = read_table(folder, "gains.csv", ("task", "condition", "bits", "change", "low", "high"))

    def measured(r: pd.Series) -> str:
        spread = "" if pd.isna(r["chip_deviation"]) else f" ± {value(r['chip_deviation'])}"
        return f"{value(r['value'])}{spread}"

    def changed(r: pd.Series, low: str = "low", high: str = "high") -> str:
        return f"{_signed(value, r['change'])} ({_signed(value, r[low])}..{_signed(value, r[high])})"

    def against_float(r: pd.Series) -> str:
        is_reference = (r["training"], r["condition"]) == (PLAIN, FLOAT)
        return "reference" if is_reference else changed(r, "change_low", "change_high")

    reference = find(results, task, PLAIN, FLOAT)
    bound = f"{value(reference['low'])}..{value(reference['high'])}"
    seeds = "; ".join(
        f"{t}: {value(r['seed_low'])} to {value(r['seed_high'])}" for t in TRAININGS for r in [find(results, task, t, FLOAT)]
    )
    return [
        Section(
            f"{heading}: {reader.unit}",
            picture=task,
            caption=CAPTION,
            table=grid(rows, measured, "training", "condition"),
            notes=[
                f"After ±: deviation from chip to chip, {int(rows['chips'].max())} chips of each network; none where all chips "
                f"are the same. The test set alone leaves the plain network in float at {bound} (95 %). Networks of different "
                f"seeds in float: {seeds}."
            ],
        ),
        *(
            Section(
                f"{heading}: change to the plain network in float, {training} training",
                text=[PAIRED],
                table=grid(rows[rows["training"] == training], against_float, "condition"),
            )
            for training in TRAININGS
        ),
        Section(
            f"{heading}: what hardware-aware training changes",
            text=["Hardware-aware minus plain, on the same items and chips."],
            table=grid(gains[gains["task"] == task], changed, "condition"),
        ),
    ]


def _model_section(folder: Path) -> Section:
    names = {
        "activation": "ramp",
        "bits": "bits",
        "samples": "chips in ngspice",
        "failed": "failed",
        "sigma_lsb": "largest deviation of a level (LSB)",
        "offset": "offset of a column's comparator (input units, rms)",
        "offset_lsb": "the same (smallest local LSB)",
    }
    return Section(
        "Models of the ramps",
        text=[
            "Each ramp was simulated in ngspice at level macro with all its variation and calibrated at one point; a "
            "distribution was fitted to its transition levels. The comparator's offset is the same voltage at every resolution. "
            "But a ramp of more bits reaches further into the tails of its function with the same swing: a unit of input has "
            "fewer volts, and the offset is a larger input."
        ],
        table=read_table(folder, "models.csv", list(names))[list(names)].rename(columns=names),
    )


def _training_section(folder: Path, summary: dict[str, Any], network: str) -> Section:
    settings = summary["settings"]
    chips = "of each resolution in turn" if settings["aware_bits"] == "each" else f"of {settings['aware_bits']} bits"
    thresholds = settings["training_threshold_noise"]
    more = f", noise of {thresholds:g} LSB to every threshold" if thresholds else ""
    names = {"trained_bits": "chips of bits", "best_epoch": "kept epoch", "validation_loss": "validation loss"}
    names |= {"validation_accuracy": "validation accuracy"}
    return Section(
        "Trainings",
        text=[
            f"{network}, {settings['epochs']} epochs. Hardware-aware training draws a fitted chip {chips} for each gradient "
            f"step, rounds inputs and states to {settings['pwm_bits']}-bit pulse widths, and adds noise of "
            f"{settings['weight_noise']:g} of the matrix's largest weight to every weight{more}. The gradient goes straight "
            "through the roundings."
        ],
        table=read_table(folder, "networks.csv", ("task", "training", "seed")).rename(columns=names),
    )


def _signed(value: Callable[[float], str], number: float) -> str:
    return ("+" if number >= 0 else "-") + value(abs(number))
