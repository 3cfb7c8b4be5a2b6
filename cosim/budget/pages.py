"""The page of a budget, from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Beside, Page, Section, beside, percent
from cosim.report.published import published
from netlists.files import read_json


def page(folder: Path) -> Page:
    """The report: total, waterfall, losses, shares of the parts, tolerances."""
    s = read_json(folder / "summary.json", "study summary")
    sources, shares = pd.DataFrame(s["sources"]), pd.DataFrame(s["shapley"])
    groups, tolerances = pd.DataFrame(s["groups"]), pd.DataFrame(s["tolerances"])
    settings, total, first = s["settings"], s["total"], shares.iloc[0]
    limit = f"{100 * settings['max_loss']:g} %"
    worst = sources.sort_values("added_loss", ascending=False).iloc[0]
    lead = (
        f"What limits the accuracy of {settings['network']} on {settings['task']} at {settings['bits']} bits: every error source "
        f"on and off, on the same {settings['chips']} chips and the same {s['test_sequences']} test sequences. All sources "
        f"together cost {_points(total['total_loss'])} points of {percent(s['float'], 1)}; the largest share has {first['label']}, "
        f"{_points(first['share'])} points."
    )
    return Page(
        title=f"Error budget: {settings['task']}, {settings['bits']} bits",
        lead=lead,
        highlights=[
            (percent(s["float"], 1), "float"),
            (percent(s["everything"], 1), "everything on, mean over chips"),
            (f"{_points(first['share'])} points", f"share of {first['label']}"),
            (f"{_points(worst['added_loss'])} points", f"won back without {worst['label']}"),
        ],
        sections=[
            Section(
                "Waterfall",
                text=[
                    "The share of a source is what it adds to the loss, mean over the orders in which sources can be switched on "
                    f"(Shapley); {settings['permutations']} orders, half of them the reverse of the others, {s['sets_of_sources']} "
                    "sets of sources. Shares add up to the total whatever the interactions."
                ],
                picture="waterfall",
                caption="Each bar starts where the one before it ends. Intervals resample orders, chips and sequences at once.",
                table=pd.DataFrame(
                    {
                        "source": shares["label"],
                        "share, points": shares["share"].map(_points),
                        "95 % interval": [_range(r["low"], r["high"]) for _, r in shares.iterrows()],
                        "of the orders alone": [_range(r["sampling_low"], r["sampling_high"]) for _, r in shares.iterrows()],
                    }
                ),
            ),
            Section(
                "Alone, and all but one",
                text=[
                    "Loss alone: only this source on, against none. Added last: everything on, against everything but this source. "
                    "A source that costs less alone than as the last one is made worse by the others; one that costs more alone is "
                    "hidden by them."
                ],
                table=pd.DataFrame(
                    {
                        "source": sources["label"],
                        "amount": sources["shown"],
                        "what": sources["what"],
                        "alone, points": [_with(r, "alone") for _, r in sources.iterrows()],
                        "added last, points": [_with(r, "added") for _, r in sources.iterrows()],
                    }
                ),
                notes=["Intervals: 95 %, paired, over test sets; the chips are these. Those over chips are in sources.csv."],
            ),
            Section(
                "Parts of the circuit",
                text=["The same shares when a part's sources are switched on together: exact, from all sets of parts."],
                table=pd.DataFrame(
                    {
                        "part": groups["part"],
                        "sources": groups["sources"],
                        "share, points": groups["share"].map(_points),
                        "95 %, test sets": [_range(r["items_low"], r["items_high"]) for _, r in groups.iterrows()],
                        "95 %, chips": [_range(r["chips_low"], r["chips_high"]) for _, r in groups.iterrows()],
                    }
                ),
            ),
            Section(
                f"Tolerances for {limit}",
                text=[
                    f"How much of a source, alone, loses {limit} of accuracy in the mean over chips: losses at several amounts, a "
                    "fit that never falls, its crossing. The interval resamples chips and test sequences."
                ],
                picture="tolerances",
                caption="Orange: losses and fit; blue: tolerance with its interval; dashed: the budget's own amount.",
                table=pd.DataFrame(
                    {
                        "source": tolerances["label"],
                        "has": tolerances["shown"],
                        f"allows for {limit}": tolerances["text"],
                        "95 % interval": tolerances["interval"],
                        "loss at what it has, points": tolerances["loss_at_amount"].map(_points),
                    }
                ),
                notes=["Of a resolution: the fewest bits that lose less."],
            ),
            Section(
                "Where the amounts come from",
                table=pd.DataFrame({"source": sources["label"], "amount": sources["shown"], "from": sources["origin"]}),
                notes=["How each source acts, its equation and what is assumed: docs/budget.md.", *s["tasks"].values()],
            ),
            Section(
                "Beside the published figure",
                text=["Published chips report the accuracy with all errors together, never by source."],
                table=beside([_published(s)]),
            ),
        ],
    )


def _published(s: dict[str, Any]) -> Beside:
    why = (
        f"another task ({s['settings']['task']}) and another network; float is {percent(s['float'], 1)} here; the amounts of the "
        "errors are those of the table above, not the published chip's"
    )
    return Beside(published("kws-accuracy"), s["everything"], False, why)


def _points(loss: float) -> str:
    # Adding 0 takes the sign off a rounded 0.
    return f"{round(100 * loss, 2) + 0.0:.2f}"


def _range(low: float, high: float) -> str:
    return f"{_points(low)} to {_points(high)}"


def _with(row: pd.Series, name: str) -> str:
    return f"{_points(row[f'{name}_loss'])} ({_range(row[f'{name}_low'], row[f'{name}_high'])})"
