"""The page of a design search, from the files in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cosim.report import Page, Section, percent
from netlists.files import read_json

from .pictures import SHOWN

_JUDGED = {
    "mean": "the mean over chips",
    "chips": "the upper end of its 95 % interval over chips",
    "sequences": "the upper end of its 95 % interval over sequences",
}


def page(folder: Path) -> Page:
    """What was searched, what was found, and whether SPICE agrees."""
    s = read_json(folder / "summary.json", "summary of a design search")
    settings, objective, limit = s["settings"], s["settings"]["objective"], percent(s["settings"]["max_loss"])
    compared = {c["name"]: c for c in s["compared"]}
    default, chosen = compared.get("default"), compared.get("chosen")
    lead = (
        f"Which hardware takes the least {objective} for task {settings['task']} and loses no more than {limit} of accuracy "
        f"against floating point? {s['trials']} of {s['designs']} designs were tried with ramps in closed form, "
        f"{settings['chips']} chips each on {s['validation_sequences']} validation sequences; {s['within']} are within the limit. "
        f"Judged is {_JUDGED[settings['judge']]}. "
    )
    if not s["within"]:
        lead += "No design is within the limit."
    elif s["confirmed"]:
        lead += f"Ramps simulated in SPICE confirm trial {s['tries'][-1]['trial']}" + (
            "." if len(s["tries"]) == 1 else f", after {len(s['tries']) - 1} cheaper that did not hold."
        )
    else:
        lead += f"Ramps simulated in SPICE confirm none of the {len(s['tries'])} that were taken there; the last of them is shown."
    highlights = []
    if chosen:
        factor, label = SHOWN[objective]
        test = chosen["test"]["confirmed"]
        highlights = [
            (f"{factor * chosen[objective]:.3g}", label),
            (percent(test["loss"]), "loss on the test sequences, ramps from SPICE"),
            ("yes" if s["confirmed"] else "no", "confirmed in SPICE"),
        ]
        if default:
            highlights.insert(1, (f"{default[objective] / chosen[objective]:.2f} x", f"less {objective} than the default design"))
    failures = _failures(s)
    failed = "; ".join(f"{f['activation']} sample {f['sample']}, seed {f['seed']}: {f['message'] or f['status']}" for f in failures)
    sections = [
        Section(
            "The design",
            ["The default design is the simulated circuit on arrays of 64 x 64 cells."],
            table=_designs(s, default, chosen),
        ),
        Section(
            "What it costs and what it loses",
            [
                f"Costs are an inference's, by the cost model. Losses are means over {settings['confirm_chips']} chips that the "
                f"search did not see, with the 95 % interval over the {s['test_sequences']} test sequences; the interval over "
                "chips is beside it. Nothing was chosen on the test sequences.",
            ],
            table=_costs(default, chosen),
            notes=[_UNPROVEN] if chosen and chosen["test"]["confirmed"]["high"] > settings["max_loss"] else [],
        ),
        Section("Where energy and area go", table=_blocks(default, chosen)),
        Section(
            "Confirmed in SPICE",
            [
                f"Designs within the limit, the cheapest first, have their ramps simulated at level macro, {settings['samples']} "
                "chips each. Models fitted to those replace the closed form; arrays and inputs stay as they are. A design is "
                f"confirmed if the validation sequences then lose no more than {limit}. At most {settings['tries']} are tried.",
            ],
            table=_tries(s),
            notes=[
                f"Samples that failed: {len(failures)}. {failed}" if failures else "No sample failed.",
                *(f"Trial {u['trial']} cannot be measured: {u['reason']}" for u in s["unmeasured"]),
            ],
        ),
        Section("Ramps: closed form against SPICE", _RAMPS, table=_ramp_table(s)),
        Section(
            "Loss against cost",
            picture="front",
            caption="On the front are designs that no other beats in both. Arrows lead to the same design with ramps from SPICE.",
            table=_front(folder, s),
        ),
        Section(
            "What matters",
            [
                f"Share of each variable by itself. Of {objective}: over designs drawn evenly from the grid. Of the loss: "
                "functional ANOVA of a random forest over the designs tried. It is a guide and not a measurement: they are few and "
                "not evenly drawn.",
            ],
            picture="importance",
            caption="Share of each variable in the variance over the grid.",
        ),
        Section("What a variable does", table=_variables(s), notes=_ASSUMPTIONS),
    ]
    return Page(f"Design search: least {objective} within {limit} of floating point", lead, highlights, sections)


_UNPROVEN = (
    "The interval over sequences of the chosen design reaches beyond the limit: so few test sequences cannot prove that other "
    "sequences lose no more."
)
_RAMPS = [
    "The same chips in both. The closed form knows charge, finite gain and bandwidth, and a law for the comparator's delay; it "
    "does not know slewing. The cost model counts a clock period for each calibration cell; the deck's conversion, reset included, "
    "takes longer, as their pulses do.",
]
_ASSUMPTIONS = [
    "Chips have programming error and read noise of cells, IR drop, offsets and noise of comparators, offset, gain and bandwidth "
    "of integrators, and rounded inputs. Assumptions: a comparator's noise does not change with its size; column integrators have "
    "no offset; one ramp column of each activation serves a whole chip; errors of cells are the same in siemens whatever part of "
    "the range is used.",
    "C_f keeps its size when the read voltage is lowered: all voltages of a conversion shrink with it, the comparator's offset and "
    "noise do not.",
]


def _designs(s: dict[str, Any], *compared: dict[str, Any] | None) -> pd.DataFrame:
    rows = []
    for v in s["variables"]:
        row = {"variable": v["name"], "what": v["what"]}
        row |= {c["name"]: _shown(v, c["point"][v["name"]]) for c in compared if c}
        rows.append(row | {"": _remark(v, compared[-1])})
    return pd.DataFrame(rows)


def _remark(variable: dict[str, Any], chosen: dict[str, Any] | None) -> str:
    """Whether a variable was fixed, or ended where the grid does: further on there may be better."""
    if variable["fixed"]:
        return "fixed"
    ends = variable["grid"][0], variable["grid"][-1]
    return "end of the grid" if chosen and chosen["point"][variable["name"]] in ends else ""


def _costs(*compared: dict[str, Any] | None) -> pd.DataFrame:
    figures: dict[str, dict[str, Any]] = {}
    for c in filter(None, compared):
        for name, (factor, label) in SHOWN.items():
            figures.setdefault(label, {})[c["name"]] = factor * c[name]
        test = c["test"]
        for label, value in (
            ("test accuracy, floating point", percent(test["confirmed"]["exact"])),
            ("test accuracy, ramps from SPICE", percent(test["confirmed"]["accuracy"])),
            ("loss predicted, closed form", _loss(test["predicted"])),
            ("loss with ramps from SPICE", _loss(test["confirmed"])),
            (
                "95 % interval over chips",
                f"{percent(test['confirmed']['chips_low'])} to {percent(test['confirmed']['chips_high'])}",
            ),
        ):
            figures.setdefault(label, {})[c["name"]] = value
    return pd.DataFrame([{"figure": label, **values} for label, values in figures.items()])


def _blocks(*compared: dict[str, Any] | None) -> pd.DataFrame | None:
    rows: dict[str, dict[str, Any]] = {}
    for c in filter(None, compared):
        for b in c["blocks"]:
            row = rows.setdefault(b["block"], {"block": b["block"]})
            row |= {f"energy, {c['name']} (uJ)": 1e6 * b["energy"], f"area, {c['name']} (mm2)": 1e6 * b["area"]}
    return pd.DataFrame(list(rows.values())) if rows else None


def _tries(s: dict[str, Any]) -> pd.DataFrame | None:
    rows = [
        {
            "trial": t["trial"],
            "design": _described(s, t),
            "loss in the search": _loss(t),
            "predicted, fresh chips": _loss(t["validation"]["predicted"]),
            "ramps from SPICE": _loss(t["validation"]["confirmed"]),
            "confirmed": t["confirmed"],
        }
        for t in s["tries"]
    ]
    return pd.DataFrame(rows) if rows else None


def _ramp_table(s: dict[str, Any]) -> pd.DataFrame | None:
    rows = [
        {
            "trial": t["trial"],
            "ramp": r["activation"],
            "scheme": r["scheme"],
            "chips": r["samples"],
            "failed": r["failed"],
            "conversion (ns)": 1e9 * r["conversion_time"],
            "closed form off, rms (LSB)": r["model_rms_lsb"],
            "at most (LSB)": r["model_max_lsb"],
            "chips off the target, rms (LSB)": r["chips_rms_lsb"],
        }
        for t in s["tries"]
        for r in t["ramps"]
    ]
    return pd.DataFrame(rows) if rows else None


def _front(folder: Path, s: dict[str, Any]) -> pd.DataFrame:
    factor, label = SHOWN[s["settings"]["objective"]]
    table = pd.read_csv(folder / "front.csv")
    rows = [
        {
            "trial": r["trial"],
            label: factor * r[s["settings"]["objective"]],
            "loss": _loss(r),
            "design": _described(s, r),
            "SPICE": {True: "confirmed", False: "not confirmed"}.get(r["confirmed"], ""),
        }
        for r in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _variables(s: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "variable": v["name"],
                "grid": ", ".join(f"{g * v['shown']:.4g}" for g in v["grid"]),
                "unit": v["unit"],
                "enters through": _ENTERS[v["name"]],
            }
            for v in s["variables"]
        ]
    )


_ENTERS = {
    "bits": "ramp levels; steps of a conversion, cells, counters",
    "n_in": "rounding of inputs and states; length of the multiply-accumulate",
    "v_read": "weight of comparator offset and noise against the ramp; energy of cells",
    "t_step": "settling of ramp and comparator; time of a conversion and all energy that goes with time",
    "g_max": "errors of cells as a part of the range, load of the integrators; energy of cells, size of C_f",
    "calibration_cells": "reach and fineness of the one-point calibration; steps of a conversion, cells",
    "comparator_offset": "offset of each column; area and power of comparators as its inverse square",
    "array_size": "IR drop; number of drivers, ramp columns and hold switches",
}


def _failures(s: dict[str, Any]) -> list[dict[str, Any]]:
    """Failed samples of all designs simulated, each once."""
    every = [f for c in (*s["tries"], *s["compared"]) for f in c["failures"]]
    return [f for n, f in enumerate(every) if f not in every[:n]]


def _described(s: dict[str, Any], row: dict[str, Any]) -> str:
    return ", ".join(f"{v['name']} {_shown(v, row[v['name']])}" for v in s["variables"] if not v["fixed"])


def _shown(variable: dict[str, Any], value: float) -> str:
    return f"{value * variable['shown']:.4g} {variable['unit']}".rstrip()


def _loss(row: dict[str, Any]) -> str:
    return f"{percent(row['loss'])} ({percent(row['low'])} to {percent(row['high'])})"
