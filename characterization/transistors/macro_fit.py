"""From measured transistor-level blocks to the parameters of the macro-models: a fit, and a data file with its sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from characterization.compact import fit_curve, fitted
from netlists.errors import InputError
from netlists.files import write_text
from netlists.technology import OPAMP_STAGES, RampCircuit

if TYPE_CHECKING:
    import pandas as pd

MACRO_FILE = Path(__file__).resolve().parents[2] / "netlists" / "technology" / "data" / "macro_sky130.toml"


def macro_delay(overdrive: np.ndarray, gain: float, tau: float, limit: float) -> np.ndarray:
    """Delay of ``comparator_macro`` from full saturation on the other side, seconds.

    The output obeys tau dy/dt = limit tanh(gain v / limit) - y and starts at -limit, so it passes 0 after
    tau ln(1 + 1 / tanh(gain v / limit)).
    """
    return tau * np.log1p(1 / np.tanh(gain * np.asarray(overdrive, float) / limit))


def fit_comparator(overdrive: np.ndarray, delay: np.ndarray, limit: float) -> dict[str, float]:
    """Gain and time constant of ``comparator_macro`` from a delay table, least squares of the logarithm.

    Returns
    -------
    dict
        ``gain``, ``tau`` with their standard errors ``gain_error``, ``tau_error``, and ``worst``, the largest relative
        error of the fitted delay.
    """

    overdrive, delay = np.asarray(overdrive, float), np.asarray(delay, float)
    if overdrive.shape != delay.shape or overdrive.ndim != 1 or len(overdrive) < 3 or not np.all((overdrive > 0) & (delay > 0)):
        raise InputError(
            f"delay table: needs 3 or more overdrives with delays, all above 0; got shapes {overdrive.shape}, {delay.shape}"
        )

    def model(v: np.ndarray, gain: float, tau: float) -> np.ndarray:
        return np.log(macro_delay(v, gain, tau, limit))

    start = {"gain": 20.0, "tau": delay.min() / np.log(2)}
    fit = fit_curve(model, overdrive, np.log(delay), start, positive=("gain", "tau"))
    gain, tau = fitted(fit, {"gain": "", "tau": "s"}).values()
    worst = float(np.max(np.abs(np.expm1(fit.residual))))
    return {"gain": gain.value, "gain_error": gain.stderr, "tau": tau.value, "tau_error": tau.stderr, "worst": worst}


def macro_parameters(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Macro-model parameters from the summary of `characterization.transistors.blocks.measure_blocks`.

    Returns
    -------
    dict
        ``circuit``: fields of `RampCircuit` (checked by making one); ``statistics``: sigmas of chip-to-chip and of noise draws,
        volts; ``input``: what the comparator does to a ramp, fields of `RampCircuit` with ``comparator_`` before; ``fit``: how
        well the comparator's two parameters describe its delays; ``source``: what each value is.

    Raises
    ------
    InputError
        If the summary lacks a figure, or a value cannot be a macro-model parameter.
    """
    try:
        ota, stages, integrator, nominal = (summary[name] for name in ("ota", "stages", "integrator", "conditions"))
        comparator = next(c for c in summary["comparator"] if abs(c["common_mode"] - nominal["v_cm"]) < 1e-9)
        overdrive = np.array([d["overdrive"] for d in summary["comparator_delay"]])
        delay = np.array([(d["delay_rise"] + d["delay_fall"]) / 2 for d in summary["comparator_delay"]])
        sigma = {s["block"]: s["sigma"] for s in summary["offsets"] if abs(s["common_mode"] - nominal["v_cm"]) < 1e-9}
        limit = min(nominal["v_cm"], nominal["v_dd"] - nominal["v_cm"])
        fit = fit_comparator(overdrive, delay, limit)
        entry = {name: summary["comparator_input"][name] for name in ("c_in", "kick", "slope", "bend", "knee")}
        circuit = _circuit(ota, stages, integrator, fit, limit)
        statistics = {
            "opamp_offset_sigma": sigma["ota_sky130"],
            "comparator_offset_sigma": sigma["comparator_sky130"],
            "comparator_noise_sigma": comparator["noise"],
        }
    except (KeyError, StopIteration, TypeError) as e:
        raise InputError(f"the summary of the measured blocks lacks {e}: write it with measure_blocks") from None
    RampCircuit().with_(**circuit, **{f"comparator_{name}": value for name, value in entry.items()})
    source = {
        "a0": "open-loop DC gain at v_cm, .ac",
        "gbw": "a0 times the -3 dB frequency, .ac",
        "slew": "the slower of the two 20-80 % slopes of a 0.8 V step, .tran",
        **dict.fromkeys(("opamp_c_c", "opamp_c_g2", "opamp_c_out"), "fit of the integrator's summing node, 1 to 100 MHz, .ac"),
        "opamp_gm_ratio": "gm of the second stage over gm of an input transistor, .op",
        "opamp_gain2": "gm of the second stage times the output resistance, .op",
        "opamp_rz_gm2": "nulling resistor times gm of the second stage, .op",
        "r_reset": "reset switch at v_cm, .op",
        "c_inject": "size of the output step when the switch opens, times c_f / v_dd, .tran",
        "comparator_gain": "fit of the delays of comparator_macro to those of comparator_sky130 (not the small-signal DC gain)",
        "comparator_tau": "the same fit",
        "comparator_limit": "distance of the nearer supply rail from v_cm",
        "c_in": "charge of the positive input over a ramp of 1 V, away from the trip point, .tran",
        "kick": "charge beyond that while it trips, .tran",
        **dict.fromkeys(("slope", "bend", "knee"), "fit of the trip points over 0.5 V of common mode either way, .dc"),
        "opamp_offset_sigma": "foundry mismatch, ota_sky130",
        "comparator_offset_sigma": "foundry mismatch, comparator_sky130 at v_cm",
        "comparator_noise_sigma": "output noise density integrated 100 Hz..100 GHz over DC gain, .noise at the trip point",
    }
    return {"circuit": circuit, "input": entry, "statistics": statistics, "fit": fit, "source": source}


def _circuit(
    ota: Mapping[str, Any], stages: Mapping[str, Any], integrator: Mapping[str, Any], fit: Mapping[str, float], limit: float
) -> dict[str, Any]:
    """Fields of `RampCircuit` from the figures of the blocks."""
    return {
        "a0": ota["gain"],
        "gbw": ota["gbw"],
        "slew": min(ota["slew_rise"], ota["slew_fall"]),
        **{name: stages[name.removeprefix("opamp_")] for name in OPAMP_STAGES},
        "r_reset": integrator["r_reset"],
        "c_inject": abs(integrator["c_inject"]),
        "comparator_gain": fit["gain"],
        "comparator_tau": fit["tau"],
        "comparator_limit": limit,
    }


def corner_table(folder: str | Path, v_cm: float) -> pd.DataFrame:
    """Macro-model parameters at every corner, from the tables that `characterization.transistors.blocks.measure_blocks` wrote.

    Parameters
    ----------
    folder : path
        Holds ``ota.csv``, ``stages.csv``, ``integrator.csv``, ``comparator.csv`` and ``delay.csv``.
    v_cm : float
        Common mode of the comparator, volts.

    Returns
    -------
    DataFrame
        ``corner, temperature, v_dd``, then the parameters of `macro_parameters` and ``comparator_noise_sigma``. Gain and time
        constant of the comparator are fitted to the three delays of each corner: compare them with those of the same table.

    Raises
    ------
    InputError
        A table is missing, cannot be read or lacks a figure.
    """
    import pandas as pd

    where = ["corner", "temperature", "v_dd"]
    try:
        ota, stages, integrator, comparator, delay = (
            pd.read_csv(Path(folder) / f"{name}.csv") for name in ("ota", "stages", "integrator", "comparator", "delay")
        )
        comparator = comparator[np.isclose(comparator["common_mode"], v_cm)]
        ota, stages, integrator, comparator = tables = [
            t.set_index(where).sort_index() for t in (ota, stages, integrator, comparator)
        ]
        if not all(t.index.is_unique for t in tables):
            raise ValueError("a corner stands twice in one of them")
        delay = delay[delay["block"] == "comparator_sky130"].assign(delay=lambda t: (t["delay_rise"] + t["delay_fall"]) / 2)
        rows = []
        for key, part in delay.groupby(where, sort=False):
            limit = min(v_cm, key[2] - v_cm)
            fit = fit_comparator(part["overdrive"].to_numpy(), part["delay"].to_numpy(), limit)
            figures = _circuit(ota.loc[key], stages.loc[key], integrator.loc[key], fit, limit)
            rows.append(dict(zip(where, key, strict=True)) | figures | {"comparator_noise_sigma": comparator["noise"].loc[key]})
        return pd.DataFrame(rows)
    except (OSError, KeyError, ValueError) as e:
        raise InputError(
            f"{folder}: the corner tables of the measured blocks cannot be used ({e}); write them with cosim blocks"
        ) from None


def write_macro_parameters(summary: dict[str, Any], path: str | Path = MACRO_FILE, *, tables: str | Path | None = None) -> Path:
    """Writes `macro_parameters` as TOML with the conditions and versions they were measured with.

    Parameters
    ----------
    summary : dict
        From `characterization.transistors.blocks.measure_blocks`.
    tables : path, optional
        The folder it wrote: adds the `corner_table`. Without it the file holds nominal conditions only, and a plan with other
        conditions is refused.
    """
    found = macro_parameters(summary)
    at = {k: summary["conditions"][k] for k in ("corner", "temperature", "v_dd", "v_cm")}
    sections = {
        "conditions": at,
        **{k: found[k] for k in ("circuit", "input", "statistics", "fit", "source")},
        "models": summary["models"],
        "versions": {k: v for k, v in summary["versions"].items() if v is not None},
    }
    if tables is not None:
        table = corner_table(tables, at["v_cm"])
        sections["corners"] = {"columns": list(table.columns), "rows": table.to_numpy().tolist()}
    lines = ["# Macro-model parameters, SI units, measured on the transistor-level blocks. Written by `cosim blocks`; do not edit."]
    for name, values in sections.items():
        lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    return write_text(Path(path), "\n".join(lines) + "\n")


def _toml(value: float | str | list) -> str:
    if isinstance(value, list):
        nested = bool(value) and isinstance(value[0], list)
        parts = [_toml(v) for v in value]
        return "[\n  " + ",\n  ".join(parts) + ",\n]" if nested else "[" + ", ".join(parts) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    # Five digits: the measured figures are no better, and ngspice builds differ in the last ones.
    return f"{value:.5g}" if isinstance(value, float) else str(value)
