"""Page of the study of trust in the ramp models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Page, Section, percent, read_table
from netlists.files import read_json


def page(folder: Path) -> Page:
    """The page of a results folder, from ``summary.json`` and the tables."""
    s = read_json(folder / "summary.json", "study summary")
    macro, transistors, bits = s["macro"], s["sky130"], s["bits"]
    equal = {name: percent(v["codes_equal"]) for name, v in macro.items()}
    lead = (
        f"{bits}-bit ramp models fitted to {s['samples']} chips in ngspice, held against {s['held_out']} fresh ones. Drawn levels "
        f"give the same codes as SPICE in {', '.join(f'{v} ({k})' for k, v in equal.items())} of conversions. All of that is level "
        "macro; what it misses of transistors is measured below, and so is what each calibration procedure does."
    )
    highlights = [(percent(v["codes_equal"]), f"{name}: codes equal to SPICE, level macro") for name, v in macro.items()]
    highlights += [
        (percent(v["codes_equal"]), f"{count} bits, sky130: codes equal, given the chip's own levels")
        for count, v in transistors.items()
    ]
    sections = [
        Section(
            "Models against fresh chips at level macro",
            table=_held_out(macro),
            notes=[
                "A level's error is that of the model's quantiles against those of the fresh chips; beside it what the sampling of "
                "so many chips leaves by itself. A p-value is that of a Kolmogorov-Smirnov test against the model's own draws, or "
                "of the noise against its distribution.",
            ],
        )
    ]
    if "further_sets" in s:
        sections.append(
            Section(
                "Further sets of fresh chips",
                ["Whether a test that one set fails was chance: the same tests on further sets, and on all their chips together."],
                table=_further(read_table(folder, "fresh_sets.csv", ["activation", "set", "chips", "test", "p_value"])),
            )
        )
    if transistors:
        levels = read_table(folder, "sky130_levels.csv", ["bits", "k", "difference_mv", "difference_lsb", "difference_sigma_lsb"])
        sections.append(
            Section(
                "What level macro misses of transistors",
                picture="sky130",
                caption="Left: each transition level at sky130 minus macro, the same chips. Right: the comparator's delay.",
                table=_transistors(transistors, levels),
                notes=["Given its own levels means: the levels measured on the same chip at sky130, or at macro, say the codes."],
            )
        )
    names = {
        "calibration": "calibration",
        "chips": "chips",
        "max_inl_before_lsb": "max |INL| before, mean (LSB)",
        "max_inl_after_lsb": "after (LSB)",
        "max_inl_after_p95_lsb": "95 % of chips (LSB)",
        "offset_sigma_before_lsb": "offset before, sigma (LSB)",
        "offset_sigma_after_lsb": "after, sigma (LSB)",
        "writes_mean": "writes, mean",
        "writes_max": "most",
        "measurements": "measurements",
    }
    table = read_table(folder, "calibration.csv", list(names))[list(names)].rename(columns=names)
    sections.append(
        Section(
            "Calibration procedures",
            [f"The same chips of a {bits}-bit sigmoid ramp, input LSB."],
            table=table,
            notes=["Measurements counts how often a chip is measured on the way; in the binary search each is one conversion."],
        )
    )
    return Page("How far the ramp models can be trusted", lead, highlights, sections)


def _held_out(macro: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ramp": name,
            "fresh chips": v["samples"],
            "failed": v["failed"],
            "conversions": v["conversions"],
            "codes equal": percent(v["codes_equal"]),
            "near levels": percent(v["codes_equal_near"]),
            "within 1": percent(v["codes_within_1"]),
            "level error, rms (LSB)": v["rms_dt_lsb"],
            "expected of sampling": v["rms_dt_lsb_expected"],
            **{f"{test.replace('_', ' ')}, p": ks["p_value"] for test, ks in v["ks"].items()},
        }
        for name, v in macro.items()
    )


def _further(sets: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (ramp, test), tests in sets.groupby(["activation", "test"], sort=False):
        p = tests.loc[tests["set"] > 0, "p_value"]
        together = tests[tests["set"] == 0].iloc[0]
        rows.append(
            {
                "ramp": ramp,
                "test": str(test).replace("_", " "),
                "sets": len(p),
                "below p = 0.01": int((p < 0.01).sum()),
                "smallest p": float(p.min()),
                "median p": float(p.median()),
                "chips in all sets": int(together["chips"]),
                "p of these": float(together["p_value"]),
            }
        )
    return pd.DataFrame(rows)


def _transistors(transistors: dict[str, Any], levels: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for count, v in transistors.items():
        own = levels[levels["bits"] == int(count)]
        worst = own.loc[own["difference_lsb"].abs().idxmax()]
        rows.append(
            {
                "bits": count,
                "chips": v["chips"],
                "failed": v["failed"],
                "conversions": v["conversions"],
                "codes equal, own levels": percent(v["codes_equal"]),
                "levels at macro": percent(v["codes_equal_macro"]),
                "macro moved by the mean difference": percent(v["codes_equal_macro_moved"]),
                "largest mean difference (mV)": float(worst["difference_mv"]),
                "in LSB": float(worst["difference_lsb"]),
                "at level k": int(worst["k"]),
                "chip to chip, sigma (LSB)": float(own["difference_sigma_lsb"].max()),
            }
        )
    return pd.DataFrame(rows)
