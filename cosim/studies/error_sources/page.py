"""Page of the study of error sources."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cosim.report import Page, Section, percent, read_table
from netlists.files import read_json

_CHANGE = ["change", "low", "high"]


def page(folder: Path) -> Page:
    """The page of a results folder, from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    networks = read_table(folder, "networks.csv", ["task", "training", "float", "low", "high", "test_sequences"])
    sources = read_table(
        folder, "sources.csv", ["task", "training", "bits", "source", "amount", "chips", "reference", "accuracy", *_CHANGE]
    )
    separation = read_table(
        folder,
        "separation.csv",
        ["task", "training", "threshold_noise_lsb", "bits", "against_bits", "accuracy", "against_accuracy", *_CHANGE],
    )
    tasks = list(dict.fromkeys(networks["task"]))
    first = sources[(sources["task"] == tasks[0]) & (sources["training"] == "plain")]
    worst = first.loc[first["change"].idxmin()]
    bits = sorted(first["bits"].unique(), reverse=True)
    lead = (
        f"Each error source alone in a trained LSTM, {bits[0]} to {bits[-1]} bits, on the same test sequences as without it. The "
        f"largest loss on {tasks[0]}, trained plainly, is that of {worst['source']} ({worst['amount']}) at {worst['bits']} bits: "
        f"{_points(worst['change'])} percentage points ({_points(worst['low'])} to {_points(worst['high'])})."
    )
    highlights = [(percent(n.float), f"{n.task}, trained {n.training}: float accuracy") for n in networks.itertuples()]
    sections = []
    for task in tasks:
        here = sources[(sources["task"] == task) & (sources["training"] == "plain")]
        apart = separation[separation["task"] == task]
        sections += [
            Section(
                f"Each source alone: {task}",
                picture=task,
                caption="Left: change of accuracy by each source alone, plain training, with 95 % intervals over test sequences. "
                "Right: accuracy against threshold noise for both trainings.",
                table=_sources(here),
                notes=[
                    f"Change in percentage points against the reference of the same resolution, 95 % interval over test sequences; "
                    f"{s['chips']} chips of each random source. The other training is in sources.csv."
                ],
            ),
            Section(f"How far resolutions are apart: {task}", table=_separation(apart)),
        ]
    described = [f"{name}: {text}" for name, text in s["tasks"].items()]
    sections.append(Section("Networks and data", table=_networks(networks), notes=described))
    return Page("What each error source does alone", lead, highlights[:4], sections)


def _points(share: float) -> str:
    return f"{100 * share:+.2f}"


def _changes(rows: pd.DataFrame) -> list[str]:
    return [f"{_points(c)} ({_points(low)} to {_points(high)})" for c, low, high in rows[_CHANGE].itertuples(index=False)]


def _sources(rows: pd.DataFrame) -> pd.DataFrame:
    """A line a source, a column a resolution."""
    wide = rows.assign(text=_changes(rows)).pivot(index=["source", "amount"], columns="bits", values="text")
    wide = wide.loc[list(dict.fromkeys(zip(rows["source"], rows["amount"], strict=True)))]
    columns = sorted(wide.columns, reverse=True)
    return wide[columns].rename(columns=lambda b: f"{b} bits").reset_index()


def _separation(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "training": rows["training"],
            "threshold noise (LSB rms)": rows["threshold_noise_lsb"],
            "resolutions": [f"{b} and {a} bits" for b, a in zip(rows["bits"], rows["against_bits"], strict=True)],
            "accuracy": [f"{percent(b)} and {percent(a)}" for b, a in zip(rows["accuracy"], rows["against_accuracy"], strict=True)],
            "difference (points)": _changes(rows),
        }
    )


def _networks(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "task": rows["task"],
            "training": rows["training"],
            "float accuracy": [percent(v) for v in rows["float"]],
            "95 % interval": [f"{percent(a)} to {percent(b)}" for a, b in zip(rows["low"], rows["high"], strict=True)],
            "test sequences": rows["test_sequences"],
        }
    )
