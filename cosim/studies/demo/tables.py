"""Tables of the demo."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from characterization.figures import inl_dnl as figures
from characterization.ramp_model import RampModel
from characterization.run import Run

Key = tuple[str, int]
"""Activation and bits."""
OTHER_COLUMNS = ("any", "all")
"""Columns beside the one that calibrated the ramp."""
HALF_LSB = 0.5
INL_DNL = ("max_inl_input_lsb", "max_inl_output_lsb", "max_dnl_lsb")


def level_table(key: Key, run: Run, model: RampModel) -> pd.DataFrame:
    """Tabulates each transition level before and after calibration: mean and deviation of the model, INL of the chips."""
    program = run.plan.program()
    parts = []
    for calibrated in (False, True):
        inl = figures.inl_input(run.levels(calibrated=calibrated), program)
        low, median, high = np.nanquantile(inl, [0.05, 0.5, 0.95], axis=0)
        fitted = model.after if calibrated else model.before
        parts.append(
            pd.DataFrame(
                {
                    "activation": key[0],
                    "bits": key[1],
                    "calibrated": calibrated,
                    "k": np.arange(1, len(program.x) + 1),
                    "x_ideal": program.x,
                    "lsb": program.lsb,
                    "mean": fitted.mean,
                    "sigma": np.sqrt(np.diag(fitted.covariance)),
                    "inl_p05": low,
                    "inl_median": median,
                    "inl_p95": high,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def chip_table(key: Key, run: Run) -> pd.DataFrame:
    """Tabulates the largest INL and DNL of each chip before and after calibration.

    They are of the column that calibrated the ramp; after calibration also of any other column, and of all columns of a chip.
    """
    program = run.plan.program()
    table = run.samples.assign(activation=key[0], bits=key[1])
    for calibrated, name in ((False, "before"), (True, "after")):
        x = run.levels(calibrated=calibrated)
        table[f"max_inl_input_lsb_{name}"] = np.abs(figures.inl_input(x, program)).max(axis=1)
        table[f"max_inl_output_lsb_{name}"] = np.abs(figures.inl_output(x, program)).max(axis=1)
        table[f"max_dnl_lsb_{name}"] = np.abs(figures.dnl(x, program)).max(axis=1)
        table[f"monotonic_{name}"] = figures.is_monotonic(x)
    for columns in OTHER_COLUMNS:
        inl = run.figures(columns).query("calibrated").set_index("sample")["max_inl_in"]
        table[f"max_inl_input_lsb_{columns}_after"] = table["sample"].map(inl)
    return table


def model_row(key: Key, model: RampModel) -> dict[str, Any]:
    """Lists what was fitted, and how the model stood against held-out chips."""
    fitted: dict[str, float] = {}
    for name in ("comparator_offset", "comparator_noise", "read_noise"):
        value = getattr(model, name)
        fitted |= {name: value.value, f"{name}_stderr": value.stderr}
    found = dict(model.validation or {})
    fit, decks = found.pop("fit", {}), found.pop("decks", {})
    held_out = {f"held_out_{k}" if k in ("samples", "failed", "seed") else k: v for k, v in found.items()}
    held_out |= {"tests": len(fit.get("tests", ())), "rejected": "; ".join(fit.get("rejected", ()))}
    held_out |= {f"decks_{k}": v for k, v in decks.items()}
    return {"activation": key[0], "bits": key[1], "samples_fitted": model.samples, "failed": model.failed, **fitted, **held_out}


def figure_row(key: Key, rows: pd.DataFrame) -> dict[str, Any]:
    """Averages the figures of a ramp's chips, before and after calibration, over those that were measured."""
    good = rows[rows["status"] == "ok"]
    names = [f"{f}_{when}" for when in ("before", "after") for f in (*INL_DNL, "monotonic")]
    names += [f"max_inl_input_lsb_{columns}_after" for columns in OTHER_COLUMNS]
    means = {name: float(good[name].mean()) for name in names}
    for columns in ("", *(f"_{c}" for c in OTHER_COLUMNS)):
        means[f"within_half_lsb{columns}"] = float((good[f"max_inl_input_lsb{columns}_after"] <= HALF_LSB).mean())
    return {"activation": key[0], "bits": key[1], "samples": len(rows), "failed": len(rows) - len(good), **means}
