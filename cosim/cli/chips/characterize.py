"""``cosim characterize``: Monte Carlo of a ramp converter in ngspice."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from characterization.chips import COLUMN_SCOPES
from characterization.estimates import MOST, until_ci as simulate_until
from characterization.plan import RampPlan, load_plan_file
from characterization.run import BATCH, Run, characterize as run_characterize, load_run, read_manifest
from netlists.checks import Choice, check
from netlists.errors import InputError, ToolkitError
from netlists.spice import Permissions

from .. import options as o
from ..commands import SAMPLES_KEPT, kept
from ..inputs import written
from ..output import answer, notes
from ..ramp_options import ChipOptions, only_the_plan_file


@dataclass(frozen=True)
class RunnerOptions:
    """What runs the simulations, which changes no number."""

    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="What ngspice may take for a batch; the sample at fault is found and recorded."),
    ] = None
    batch: Annotated[int, typer.Option(help="Samples that share a deck.")] = BATCH
    cluster: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Dask scheduler whose workers simulate; needs the extra cluster.")
    ] = None
    chunks: Annotated[
        str | None,
        typer.Option(
            help="Another place for the chunks: a folder or an fsspec address (s3://...); a cluster's workers write there."
        ),
    ] = None
    runner: Annotated[str, typer.Option(help="shared (ngspice's library, fast) or batch (ngspice -b).")] = "shared"


@kept(SAMPLES_KEPT)
def characterize(
    *,
    context: typer.Context,
    out: o.OutFolder,
    plan: o.PlanFile = None,
    ramp: ChipOptions,
    samples: Annotated[int | None, typer.Option(help="Monte Carlo samples (chips); 256, or what the plan file says.")] = None,
    jobs: o.Jobs = 0,
    until_ci: Annotated[
        float | None,
        typer.Option(
            help="Simulate until the 95 % interval of the mean of max |INL| after calibration has this half width, LSB, with the"
            " closed form as control; `cosim estimate` has more choices."
        ),
    ] = None,
    columns: o.Columns = "all",
    models: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Fit each run as `cosim fit` does, and write ACTIVATIONBITS.json there.")
    ] = None,
    runner: RunnerOptions,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Monte Carlo of a ramp converter in ngspice: transition levels before and after calibration.

    Stopped at any point, the same command goes on; more samples extend a run. `cosim status` tells how far it is. A plan file with
    a sweep makes a folder for each of its plans.

    Example: cosim characterize --activation sigmoid --bits 5 --samples 256 --seed 1 --jobs 2 --out runs/sigmoid5

    Example: cosim characterize --activation sigmoid,tanh --comparator mycomp/block.json --out runs/mine --models models
    """
    from characterization.ramp_model import MINIMUM_SAMPLES, RampModel

    check(Annotated[str, Choice(COLUMN_SCOPES)], columns, "columns")
    say = notes(quiet)
    if until_ci is not None and (names := written(context, (f.name for f in fields(RunnerOptions)))):
        raise InputError(f"{names}: cannot be given with --until-ci, which runs in local processes")
    if plan is None:
        default = 256
        found = ramp.plans(say)
        plans = [(out, found[0])] if len(found) == 1 else [(out / f"{one.name}{one.bits}", one) for one in found]
    else:
        only_the_plan_file(context)
        file = load_plan_file(plan, Permissions(files=ramp.blocks.wiring.allow_files))
        default, grid = file.samples, file.plans()
        plans = [(out, grid[0][1])] if len(grid) == 1 else [(out / name, one) for name, one in grid]
        if models is not None and len(grid) > 1:
            raise InputError(f"--models {models}: a sweep of {len(grid)} plans may give models of one name; use `cosim fit`")
    wanted = default if samples is None else samples
    if models is not None and until_ci is None and wanted < MINIMUM_SAMPLES:
        raise InputError(f"samples={wanted}: a model needs {MINIMUM_SAMPLES} or more; leave out --models")
    workers = o.workers(jobs)
    answers = []
    for folder, one in plans:
        if until_ci is not None:
            stopped = simulate_until(one, "max_inl", until_ci, folder, columns=columns, most=samples or MOST, jobs=workers)
            e, run = stopped.estimate, load_run(folder)
            data, text = _summary(folder, one, run, len(run.samples))
            data |= {"estimate": stopped.as_dict() | {"columns": columns}, "warnings": [*data["warnings"], *stopped.warnings]}
            whose = o.whose(columns, one.columns)
            answers.append(
                (data, f"{text}; estimate of the mean after calibration, {whose}: {e.value:.5g} +- {e.half_width:.2g} (95 %)")
            )
            continue
        run = run_characterize(
            one,
            wanted,
            folder,
            jobs=workers,
            progress=not quiet,
            timeout=runner.timeout,
            batch=runner.batch,
            cluster=runner.cluster,
            chunks=_place_for(runner.chunks, out, folder),
            runner=runner.runner,
        )
        answers.append(_summary(folder, one, run, wanted))
    runs = [a[0] for a in answers]
    warnings = [f"{r['out']}: {line}" for r in runs for line in r.get("warnings", ())]
    data = runs[0] if len(runs) == 1 else {"out": str(out), "runs": runs, "warnings": warnings}
    answer(data, "\n".join(a[1] for a in answers), json)
    if lost := [r["out"] for r in runs if r["failed"] == r["samples"]]:
        raise ToolkitError(all_failed(load_run(lost[0]), lost[0]))
    for folder, one in plans:
        if models is not None:
            path = RampModel.fit(load_run(folder)).save(models / f"{one.name}{one.bits}.json")
            say(f"model: {path}")


def all_failed(run: Run, folder: str) -> str:
    """What to look at where no sample of a run gave levels."""
    first = run.samples.iloc[0]
    reason = f"sample 0: {first['status']}" + (f" ({first['message']})" if first["message"] else "")
    look = {
        "not bracketed": "the comparator's delay, input range and offset against the clock and the span of the ramp, and v_swing",
        "not converged": "what ngspice says, t_edge, and the models",
    }.get(str(first["status"]), "run.log in the folder")
    return f"{folder}: all {len(run.samples)} samples failed; {reason}; look at {look}"


def _place_for(chunks: str | None, out: Path, folder: Path) -> str | None:
    """The place for the chunks of one plan of a sweep: below the one that was named, as its folder is below ``out``."""
    return chunks if chunks is None or folder == out else f"{chunks.rstrip('/')}/{folder.name}"


def _summary(folder: Path, plan: RampPlan, run: Run, samples: int) -> tuple[dict[str, Any], str]:
    """What is said of a finished run, as data and as a line."""
    program = plan.program()
    tables = {columns: run.figures(columns) for columns in COLUMN_SCOPES}
    found: dict[str, dict[str, float | None]] = {}
    for name, state in (("before", False), ("after", True)):
        good = {c: t.loc[(t["calibrated"] == state) & (t["status"] == "ok"), "max_inl_in"] for c, t in tables.items()}
        found[f"max_inl_lsb_{name}_calibration"] = {c: float(v.mean()) if len(v) else None for c, v in good.items()}
    kinds = read_manifest(folder)["failures"]
    data = {
        "out": str(folder),
        "samples": samples,
        "failed": sum(kinds.values()),
        "failures": kinds,
        "scheme": program.scheme,
        "plan_sha256": plan.sha256,
        "columns_of_a_chip": plan.columns,
        **found,
        "warnings": list(run.warnings),
        "blocks": {role: own.wiring for role, own in (("comparator", plan.comparator), ("opamp", plan.opamp)) if own is not None},
    }
    after = found["max_inl_lsb_after_calibration"]
    lines = [f"{o.whose(c, plan.columns)} {value:.3f}" for c, value in after.items() if value is not None]
    failed = f"{sum(kinds.values())} failed" + (f" ({', '.join(f'{n} {k}' for k, n in kinds.items())})" if kinds else "")
    return (
        data,
        f"{folder}: {samples} samples, {failed}; mean of max |INL| after calibration, input LSB: {', '.join(lines) or 'none'}",
    )
