"""Commands from Monte Carlo to the compact model: characterize, fit, validate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from characterization.estimates import MOST, until_ci as simulate_until
from characterization.figures import inl_dnl as figures
from characterization.plan import DEFAULT_PROFILE, RampPlan, load_plan_file
from characterization.ramp_model import RampModel, fit_conditions, validation
from characterization.run import BATCH, Run, characterize as run_characterize, load_run, read_manifest
from netlists.errors import InputError
from netlists.spice import Permissions

from . import options as o
from .app import answer, app


@app.command()
def characterize(
    context: typer.Context,
    out: o.Out,
    plan: Annotated[
        Path | None,
        typer.Option(help="A study as TOML in place of the options that describe a ramp; a sweep makes a folder a plan."),
    ] = None,
    activation: o.Activation = "sigmoid",
    bits: o.Bits = 5,
    samples: Annotated[int | None, typer.Option(help="Monte Carlo samples (chips); 256, or what the plan file says.")] = None,
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
    until_ci: Annotated[
        float | None,
        typer.Option(
            help="Simulate until the 95 % interval of the mean of max |INL| after calibration has this half width, LSB, with the"
            " closed form as control; `cosim estimate` has more choices."
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds that ngspice may take for a batch; the sample at fault is found and recorded.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Samples that share a deck.")] = BATCH,
    cluster: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Dask scheduler whose workers simulate; needs the extra cluster.")
    ] = None,
    chunks: Annotated[
        str | None,
        typer.Option(
            help="Another place for the chunks: a folder or an fsspec address (s3://...); a cluster's workers write there."
        ),
    ] = None,
    runner: Annotated[str, typer.Option(help="shared (ngspice's library, fast) or batch (ngspice -b).")] = "shared",
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Monte Carlo of a ramp converter in ngspice: transition levels before and after calibration.

    Stopped at any point, the same command goes on; more samples extend a run. `cosim status` tells how far it is.

    Example: cosim characterize --activation sigmoid --bits 5 --samples 256 --seed 1 --jobs 2 --out runs/sigmoid5
    """
    if plan is None:
        default = 256
        plans = [(out, o.plan_from(context))]
    else:
        o.only_the_plan_file(context)
        file = load_plan_file(plan, Permissions(files=allow_files))
        default, found = file.samples, file.plans()
        plans = [(out, found[0][1])] if len(found) == 1 else [(out / name, one) for name, one in found]
    wanted = default if samples is None else samples
    workers = o.workers(jobs)
    answers = []
    for folder, one in plans:
        if until_ci is not None:
            _no_other_runner(context)
            stopped = simulate_until(one, "max_inl", until_ci, folder, most=samples or MOST, jobs=workers)
            e, run = stopped.estimate, load_run(folder)
            data, text = _summary(folder, one, run, len(run.samples))
            data |= {"estimate": stopped.as_dict(), "warnings": list(stopped.warnings)}
            answers.append((data, f"{text}; estimate of that mean {e.value:.5g} +- {e.half_width:.2g} (95 %)"))
            continue
        run = run_characterize(
            one,
            wanted,
            folder,
            jobs=workers,
            progress=not quiet,
            timeout=timeout,
            batch=batch,
            cluster=cluster,
            chunks=_place_for(chunks, out, folder),
            runner=runner,
        )
        answers.append(_summary(folder, one, run, wanted))
    runs = [a[0] for a in answers]
    warnings = [f"{r['out']}: {line}" for r in runs for line in r.get("warnings", ())]
    data = runs[0] if len(runs) == 1 else {"out": str(out), "runs": runs, "warnings": warnings}
    answer(data, "\n".join(a[1] for a in answers), json)


def _no_other_runner(context: typer.Context) -> None:
    """Raise `InputError` for options of a run that does not decide by itself when to stop."""
    if names := o.on_command_line(context, ("timeout", "batch", "cluster", "chunks", "runner")):
        raise InputError(f"{names}: cannot be given with --until-ci, which runs in local processes")


def _place_for(chunks: str | None, out: Path, folder: Path) -> str | None:
    """The place for the chunks of one plan of a sweep: below the one that was named, as its folder is below ``out``."""
    return chunks if chunks is None or folder == out else f"{chunks.rstrip('/')}/{folder.name}"


def _summary(folder: Path, plan: RampPlan, run: Run, samples: int) -> tuple[dict[str, Any], str]:
    """What is said of a finished run, as data and as a line."""
    program = plan.program()
    inl = {
        name: np.abs(figures.inl_input(run.levels(calibrated=c), program)).max(axis=1)
        for name, c in (("before", False), ("after", True))
    }
    good = {name: v[np.isfinite(v)] for name, v in inl.items()}
    kinds = read_manifest(folder)["failures"]
    data = {
        "out": str(folder),
        "samples": samples,
        "failed": sum(kinds.values()),
        "failures": kinds,
        "scheme": program.scheme,
        "plan_sha256": plan.sha256,
        **{f"max_inl_lsb_{name}_calibration": float(v.mean()) if len(v) else None for name, v in good.items()},
    }
    means = ", ".join(f"{name} calibration {v.mean():.3f}" for name, v in good.items() if len(v))
    failed = f"{sum(kinds.values())} failed" + (f" ({', '.join(f'{n} {k}' for k, n in kinds.items())})" if kinds else "")
    return data, f"{folder}: {samples} samples, {failed}; mean of max |INL| in input-referred LSB: {means or 'none'}"


@app.command()
def fit(
    run: Annotated[Path, typer.Argument(help="Folder of a finished `cosim characterize`.")],
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
    own = load_run(run)
    model = RampModel.fit(own)
    if at:
        model = fit_conditions(model, [own, *(load_run(folder) for folder in at)])
    model.save(out)
    answer(
        {"out": str(out), "samples": model.samples, "failed": model.failed}
        | {name: getattr(model, name).model_dump() for name in ("comparator_offset", "comparator_noise", "read_noise")}
        | {"conditions": {table.quantity: table.values.tolist() for table in model.conditions}},
        f"{out}\n{model.report()}",
        json,
    )


@app.command()
def validate(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    samples: Annotated[int, typer.Option(help="Fresh SPICE samples.")] = 64,
    seed: Annotated[int, typer.Option(help="Must differ from the seed the model was fitted with.")] = 99,
    conversions: Annotated[
        int, typer.Option(help="Chips that also convert 16 inputs each to codes in SPICE; about 0.4 s a chip at 5 bits.")
    ] = 16,
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
    answer(result, "\n".join([loaded.report(), *(f"  {line}" for line in validation.ks_lines(result))]), json)
