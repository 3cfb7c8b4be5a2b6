"""The page of a co-simulation, from the files in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Page, Section, percent, read_table
from netlists.files import read_json

from .agreement import DISAGREEMENTS, FAILURES, STEPS

SHOWN = 40
"""Disagreements that the page lists; the table has all."""
SIMULATED = {
    "converter": "the conversion of V_mac",
    "column": "the column's integrator and the conversion",
    "tile": "row drivers, cells, the column's integrator and the conversion",
}


def page(folder: Path) -> Page:
    """The page of ``folder``."""
    s = read_json(folder / "summary.json", "study summary")
    steps = read_table(folder, "steps.csv", STEPS)
    found = read_table(folder, "disagreements.csv", DISAGREEMENTS)
    failed = read_table(folder, "failures.csv", FAILURES)
    closed = s["settings"]["mode"] == "closed"
    sections = [_answers(s)] if closed else []
    sections += [_codes(s), _disagreements(s, found)]
    if closed:
        sections.append(_travel(s))
    sections += [_steps(steps), _failures(s, failed), _cost(s)]
    return Page(
        title=f"ngspice in the loop: {s['settings']['task']}, {s['settings']['mode']}, level {s['settings']['level']}",
        lead=_lead(s, closed),
        highlights=_highlights(s, closed),
        sections=sections,
    )


def _lead(s: dict[str, Any], closed: bool) -> str:
    z = s["settings"]
    columns = sum(a["simulated"] for a in s["chip"]["arrays"])
    of = sum(a["columns"] for a in s["chip"]["arrays"])
    what = SIMULATED[z["scope"]]
    decides = "latches and counters included" if z["latches"] else "the comparators' outputs at the latching instants decide"
    own = f" and the comparator {z['comparator']['name']} of a file" if z.get("comparator") else ""
    how = "its codes make the next state" if closed else "the model's codes make the next state"
    return (
        f"{z['utterances']} test sequences run through the network over {s['steps']} steps at {z['bits']} bits. In {columns} of "
        f"{of} columns ngspice simulates {what} at level {z['level']}{own} ({decides}), {s['conversions']} conversions in "
        f"all; {how}. The model is the behavioural converter with this chip's own transition levels, which were measured in "
        "ngspice beforehand."
    )


def _highlights(s: dict[str, Any], closed: bool) -> list[tuple[str, str]]:
    out = [(percent(s["codes_equal"], 3), "codes equal"), (percent(s["codes_within_1"], 3), "codes within 1")]
    if closed:
        out.append((f"{percent(s['metric_spice'], 1)} / {percent(s['metric_model'], 1)}", "accuracy, ngspice / model"))
    else:
        out.append((percent(s["metric_model"], 1), "accuracy, model"))
    return [*out, (f"{s['conversions_per_second']:.0f}", "conversions a second")]


def _answers(s: dict[str, Any]) -> Section:
    p = s["paired"]
    low, high = s["metric_model_interval"]
    table = pd.DataFrame(
        [
            ("model alone", percent(s["metric_model"]), f"{percent(low)} to {percent(high)} (one test set, Wilson)"),
            ("ngspice in the loop", percent(s["metric_spice"]), ""),
            ("ngspice less model, paired", percent(p["difference"]), f"{percent(p['low'])} to {percent(p['high'])}"),
        ],
        columns=["accuracy", "value", "95 % interval"],
    )
    where = "within" if p["model_within"] else "outside"
    return Section(
        "Accuracy of both loops on the same sequences",
        text=[
            f"The model's accuracy lies {where} the paired 95 % interval of the closed loop: their difference is "
            f"{percent(p['difference'])}, the interval {percent(p['low'])} to {percent(p['high'])}. Answered correctly by ngspice "
            f"only: {p['only_spice']} sequences, by the model only: {p['only_model']}; exact McNemar test p = {p['p']:.3g}. Both "
            f"give the same answer, right or wrong, to {percent(s['answers_equal'])} of the sequences."
        ],
        table=table,
        notes=["The interval is Agresti and Min's for paired outcomes; it is as wide as so few sequences make it."],
    )


def _codes(s: dict[str, Any]) -> Section:
    rows = [
        (gate, g["conversions"], g["failed"], percent(g["codes_equal"], 3), percent(g["codes_within_1"], 3))
        for gate, g in s["gates"].items()
    ]
    rows.append(("all", s["conversions"], s["failed"], percent(s["codes_equal"], 3), percent(s["codes_within_1"], 3)))
    return Section(
        "Codes",
        text=["Codes of ngspice against those that the model gives for the same pre-activations, whoever made the state."],
        picture="agreement",
        caption="Codes that differ: at which step and gate, and how far the input was from the threshold.",
        table=pd.DataFrame(rows, columns=["gate", "conversions", "failed", "equal", "within 1"]),
    )


def _disagreements(s: dict[str, Any], found: pd.DataFrame) -> Section:
    if found.empty:
        return Section("Disagreements", text=["No code differs."])
    count = "One code differs" if len(found) == 1 else f"{len(found)} codes differ"
    text = (
        f"{count}. The inputs lay {s['margin_lsb_median']:.2g} LSB (median) and at most {s['margin_lsb_largest']:.2g} LSB from the "
        f"threshold; {percent(s['disagreements_near'], 1)} lay within {s['near_lsb']:g} LSB. LSB is the local step of the ramp."
    )
    shown = found.sort_values("margin_lsb", ascending=False).head(SHOWN)
    more = [f"The {SHOWN} of the largest margin; disagreements.csv lists all."] if len(found) > SHOWN else []
    return Section("Disagreements", text=[text], table=shown, notes=more)


def _travel(s: dict[str, Any]) -> Section:
    if s["sequences_apart"] == 0:
        text = "No code differed in any sequence: both loops went through the same states."
    else:
        text = (
            f"In {s['sequences_apart']} of {s['settings']['utterances']} sequences a code differed at some step. From then on the "
            f"two loops have different states: the rms difference of h is {s['distance_largest']:.3g} at most and "
            f"{s['distance_last']:.3g} on average at the end of these sequences (h runs from -1 to 1)."
        )
    return Section(
        "How a disagreement travels through time",
        text=[text],
        picture="travel",
        caption="The closed loop of ngspice against the model alone, from the first code that differed; a line a sequence.",
    )


def _steps(steps: pd.DataFrame) -> Section:
    table = steps.groupby("step")[["conversions", "failed", "equal", "within_1"]].sum()
    done = table["conversions"] - table["failed"]
    shares = pd.DataFrame(
        {
            "step": table.index,
            "conversions": table["conversions"].to_numpy(),
            "equal": [percent(v, 3) for v in table["equal"] / done],
            "within 1": [percent(v, 3) for v in table["within_1"] / done],
        }
    )
    return Section("Step by step", text=["steps.csv has each gate by itself."], table=shares)


def _failures(s: dict[str, Any], failed: pd.DataFrame) -> Section:
    text = f"{s['failed']} conversions failed; {s['retried']} were tried once more by themselves, with shorter time steps."
    if failed.empty:
        return Section("Failed conversions", text=[text])
    policy = "The model's code stands in their place." if s["settings"]["mode"] == "closed" else "They are left out of the shares."
    return Section("Failed conversions", text=[f"{text} {policy}"], table=failed.head(SHOWN))


def _cost(s: dict[str, Any]) -> Section:
    return Section(
        "What it cost",
        text=[
            f"{1e3 * s['seconds_per_conversion']:.3g} ms of wall time a conversion ({s['conversions_per_second']:.0f} a second) "
            f"and {1e3 * s['worker_seconds_per_conversion']:.3g} ms of a worker's time; ngspice took {s['spice_seconds']:.0f} s."
        ],
    )
