"""``cosim fit``: the compact model of a ramp."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import options as o
from ..output import answer


def fit(
    run: o.RunFolder,
    out: o.Out,
    at: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="A run of the same chips (same seed) at another read voltage, temperature or supply; may be repeated. "
            "The model then has a table of what that changes.",
        ),
    ] = None,
    json: o.Json = False,
) -> None:
    """Fit the compact model of a ramp to a Monte Carlo run.

    Example: cosim fit runs/sigmoid5 --out models/sigmoid5.json

    Example: cosim fit runs/sigmoid5 --at runs/sigmoid5-0.15V --at runs/sigmoid5-0.25V --out models/sigmoid5.json
    """
    from characterization.ramp_model import RampModel, fit_conditions
    from characterization.run import load_run

    own = load_run(run)
    model = RampModel.fit(own)
    if at:
        model = fit_conditions(model, [own, *(load_run(folder) for folder in at)])
    model.save(out)
    answer(
        {"out": str(out), "samples": model.samples, "failed": model.failed, "warnings": list(model.warnings)}
        | {name: getattr(model, name).model_dump() for name in ("comparator_offset", "comparator_noise", "read_noise")}
        | {"conditions": {table.quantity: table.values.tolist() for table in model.conditions}},
        f"{out}\n{model.report()}",
        json,
    )
