"""Commands from Monte Carlo to the compact model: characterize, fit, validate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from characterization import figures, validation
from characterization.montecarlo import characterize as run_characterize
from characterization.montecarlo import load_run
from characterization.plan import DEFAULT_PROFILE
from characterization.ramp_model import RampModel

from . import options as o
from .app import answer, app


@app.command()
def characterize(
    out: o.Out,
    activation: o.Activation = "sigmoid",
    bits: o.Bits = 5,
    samples: Annotated[int, typer.Option(help="Monte Carlo samples (chips).")] = 256,
    seed: o.Seed = 0,
    jobs: o.Jobs = 0,
    profile: o.Profile = DEFAULT_PROFILE,
    scheme: o.Scheme = "auto",
    calibration_cells: o.CalibrationCells = 5,
    level: o.Level = "macro",
    cells: o.Cells = "selected",
    comparator: o.Comparator = None,
    opamp: o.Opamp = None,
    allow_files: o.AllowFiles = False,
    set_: o.Set = None,
    no_variation: o.NoVariation = False,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Monte Carlo of a ramp converter in ngspice: transition levels before and after calibration.

    Stopped at any point, the same command goes on; more samples extend a run.

    Example: cosim characterize --activation sigmoid --bits 5 --samples 256 --seed 1 --jobs 2 --out runs/sigmoid5
    """
    plan = o.plan_from(
        activation,
        bits,
        profile=profile,
        scheme=scheme,
        calibration_cells=calibration_cells,
        level=level,
        cells=cells,
        settings=set_,
        comparator=comparator,
        opamp=opamp,
        allow_files=allow_files,
        no_variation=no_variation,
        seed=seed,
    )
    run = run_characterize(plan, samples, out, jobs=o.workers(jobs), progress=not quiet)
    program = plan.program()
    inl = {
        name: np.abs(figures.inl_input(run.levels(calibrated=c), program)).max(axis=1)
        for name, c in (("before", False), ("after", True))
    }
    good = {name: v[np.isfinite(v)] for name, v in inl.items()}
    data = {
        "out": str(out),
        "samples": samples,
        "failed": run.failed,
        "scheme": program.scheme,
        "plan_sha256": plan.sha256,
        **{f"max_inl_lsb_{name}_calibration": float(v.mean()) if len(v) else None for name, v in good.items()},
    }
    means = ", ".join(f"{name} calibration {v.mean():.3f}" for name, v in good.items() if len(v))
    text = f"{out}: {samples} samples, {run.failed} failed; mean of max |INL| in input-referred LSB: {means or 'none'}"
    answer(data, text, json)


@app.command()
def fit(
    run: Annotated[Path, typer.Argument(help="Folder of a finished `cosim characterize`.")],
    out: o.Out,
    json: o.Json = False,
) -> None:
    """Fit the compact model of a ramp to a Monte Carlo run.

    Example: cosim fit runs/sigmoid5 --out models/sigmoid5.json
    """
    model = RampModel.fit(load_run(run))
    model.save(out)
    answer(
        {"out": str(out), "samples": model.samples, "failed": model.failed}
        | {name: getattr(model, name).model_dump() for name in ("comparator_offset", "comparator_noise", "read_noise")},
        f"{out}\n{model.report()}",
        json,
    )


@app.command()
def validate(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    samples: Annotated[int, typer.Option(help="Fresh SPICE samples.")] = 64,
    seed: Annotated[int, typer.Option(help="Must differ from the seed the model was fitted with.")] = 99,
    conversions: Annotated[int, typer.Option(help="Chips that also convert 16 inputs each to codes in SPICE.")] = 16,
    jobs: o.Jobs = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Hold a model against fresh SPICE samples, and store the result in the model file.

    Example: cosim validate models/sigmoid5.json --samples 64 --seed 99
    """
    loaded = RampModel.load(model)
    result = validation.validate(loaded, samples, seed, jobs=o.workers(jobs), conversions=conversions, progress=not quiet)
    loaded = loaded.model_copy(update={"validation": result})
    loaded.save(model)
    answer(result, loaded.report(), json)
