"""The gallery of activations: each compiled at 3 to 8 bits, and its transfer curve measured in ngspice at 5 bits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.report import Results, Study, Takes, Work, write_table
from netlists.function import ActivationTable, as_activation, cubic_spline, from_callable, load_table, polynomial
from netlists.technology import DeviceProfile, RampCircuit, load_profile

from .measure import Measurement, Which, compiled, name_of, spice_row
from .pictures import draw_gallery
from .settings import ActivationsSettings
from .tables import LIMIT_LSB, compile_row


def compute(settings: ActivationsSettings, work: Work) -> Results:
    """Compiles every function and measures those of one resolution in ngspice.

    The example of a CSV table, ``hard-swish.csv``, is written besides.
    """
    profile, circuit = load_profile(settings.profile), RampCircuit()
    for name in settings.activations:
        as_activation(name)
    functions: list[Which] = [*settings.activations, *(examples(work.out) if settings.examples else [])]
    jobs = {name_of(which): partial(_function_rows, which, settings, profile, circuit) for which in functions}
    found = work.rows(jobs, "functions", "ngspice")
    table = pd.DataFrame([row for rows in found for row in rows[:-1]])
    measured = [
        (which, _measurement(which, settings.spice_bits, profile, circuit, rows[-1]["curve"]))
        for which, rows in zip(functions, found, strict=True)
    ]
    spice = table[table["bits"] == settings.spice_bits].set_index("function")
    error = spice[["spice_max_error_lsb", "spice_conversions_max_error_lsb"]].max(axis=1, skipna=False)
    weight = spice["spice_conversions"]
    refused = table[~table["compiles"]]
    return Results(
        summary={
            "functions": list(spice.index),
            "bits": list(settings.bits),
            "profile": settings.profile,
            "circuit": RampCircuit().as_dict(),
            "level": "macro",
            "refused": [{"function": r.function, "bits": int(r.bits), "why": r.why_not} for r in refused.itertuples()],
            "compile_max_error_lsb": float(table["max_error_lsb"].max()),
            "spice_bits": settings.spice_bits,
            "spice_limit_lsb": LIMIT_LSB,
            "spice_max_error_lsb": {name: None if np.isnan(e) else float(e) for name, e in error.items()},
            "spice_within_limit": bool((error <= LIMIT_LSB).all()),
            "spice_conversions": int(weight.sum()),
            "spice_codes_as_levels": float((spice["spice_codes_as_levels"] * weight).sum() / weight.sum()),
        },
        tables={"activations.csv": table},
        pictures={"gallery": partial(draw_gallery, measured, spice.reset_index())},
        float_format="%.6g",
    )


def examples(folder: Path) -> list[ActivationTable]:
    """Makes one of each other kind of activation: polynomial, spline, callable, CSV table (written to ``folder``)."""
    x = np.linspace(-4, 4, 33)
    hard_swish = pd.DataFrame({"x": x, "y": x * np.clip(x + 3, 0, 6) / 6})
    write_table(folder / "hard-swish.csv", hard_swish)
    return [
        polynomial("cubic-polynomial", [0.0, -1.0, 0.0, 1.0], -1.25, 1.25),
        cubic_spline("kan-spline", np.linspace(-2, 2, 9).tolist(), [0.1, 0.6, 0.5, -0.2, -0.7, -0.3, 0.4, 0.3, 0.8]),
        from_callable("sine", np.sin, -np.pi, np.pi),
        load_table(folder / "hard-swish.csv"),
    ]


def _function_rows(
    which: Which, settings: ActivationsSettings, profile: DeviceProfile, circuit: RampCircuit
) -> list[dict[str, Any]]:
    """Makes the lines of the table of one function, one a resolution, and last the measured curve."""
    rows = [compile_row(which, bits, profile, circuit) for bits in settings.bits]
    found, m = spice_row(which, settings.spice_bits, profile, circuit)
    for row in rows:
        if row["bits"] == settings.spice_bits:
            row.update(found)
    arrays = ("levels", "x", "decoded", "codes_as_levels")
    curve = None if m is None else {name: getattr(m, name).tolist() for name in arrays}
    return [*rows, {"function": name_of(which), "curve": curve}]


def _measurement(
    which: Which, bits: int, profile: DeviceProfile, circuit: RampCircuit, curve: dict[str, list] | None
) -> Measurement | None:
    """Puts a stored curve to the program that it belongs to."""
    if curve is None:
        return None
    program, used = compiled(which, bits, profile, circuit)
    return Measurement(program, used, values=program.values, **{name: np.array(values) for name, values in curve.items()})


def describe(summary: dict[str, Any]) -> str:
    """Writes the summary for reading."""
    return "\n".join(
        f"{name}: {'not measured' if error is None else f'{error:.3f} LSB'}"
        for name, error in summary["spice_max_error_lsb"].items()
    )


STUDY = Study("activations", ActivationsSettings, compute, describe, Takes(290.0, lambda s: len(s.activations) + 4), networks=False)
