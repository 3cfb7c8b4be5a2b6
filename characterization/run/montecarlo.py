"""Monte Carlo of a ramp converter: parallel, resumable, and nothing lost.

Samples run in batches of `BATCH`. Batches are cut by sample number, never by jobs, and each is simulated whole, so a
sample's numbers depend on the plan's seed and its own number. Finished batches go to numbered chunks (`chunks`); a
run that was stopped, however, goes on from them. The tables (`tables`) are written from the chunks at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from characterization.lock import locked
from characterization.plan import RampPlan
from characterization.processes import in_workers, parallel
from characterization.progress_bar import progress_bar
from characterization.workers import Workers
from netlists.check_rules import Choice, Whole
from netlists.checks import Count, Samples, Seconds, check
from netlists.errors import InputError
from netlists.files import check_place
from netlists.machine import weigh
from netlists.spice import RUNNERS, shared_instance

from . import cluster as dask_cluster
from .chunks import ChunkStore, FolderPlace, batch_samples, place
from .folder import clear_leftovers, examined_plan, open_manifest, prepare, read_manifest
from .progress import RunProgress
from .rows import TABLES, long_tables
from .tables import Run, StoredRun, check_tables, write_tables
from .task import BatchTask, Finished, finish, load, simulate_samples

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BATCH", "TABLES", "Run", "characterize", "check_counts", "in_workers", "load_run", "simulate_run"]

BATCH = 16
MOST_OF_A_BATCH = 4096
LEVEL_SECONDS = 1.8e-4
"""CPU seconds of a level of a sample at macro: 358 samples a second of 5 bits in two processes."""
SAMPLE_BYTES, LEVEL_BYTES = 150, 60
"""On disk: what a sample takes in chunks and tables, and each of its levels."""
IN_MEMORY = 5.0
"""Bytes of a run in memory for a byte of its tables on disk."""
PARENT_MEMORY, WORKER_MEMORY = 0.4 * 2**30, 0.2 * 2**30
"""Of a run's own process at 100,000 samples, and of each worker at level macro."""
TIMEOUT = {"ideal": 600.0, "macro": 600.0, "sky130": 7200.0}
"""Seconds a batch may take at each level of circuit detail: some hundred times what it takes."""


def characterize(
    plan: RampPlan,
    samples: int,
    out: str | Path | None = None,
    *,
    jobs: int = 1,
    progress: bool = True,
    timeout: float | None = None,
    batch: int = BATCH,
    cluster: str | None = None,
    chunks: str | None = None,
    runner: str = "shared",
) -> Run:
    """Runs a plan and stores its tables; goes on where an earlier run of the same plan was stopped.

    Parameters
    ----------
    samples : int
        Number of Monte Carlo samples; more than before adds the missing ones.
    out : path, optional
        Folder for ``manifest.json``, ``run.log``, ``chunks/`` and ``transitions.parquet``, ``conversions.parquet``,
        ``samples.parquet``. Without it the run is kept in memory, as by `simulate_run`.
    jobs : int
        Worker processes, one ngspice each. The numbers do not depend on it.
    timeout : float, optional
        Seconds that ngspice may take for a batch; `TIMEOUT` by default. The sample at fault is found and recorded.
    batch : int
        Samples that share a deck. Results of two batch sizes differ by ngspice's time steps only.
    cluster : str, optional
        Address of a Dask scheduler (``tcp://host:port``): its workers simulate instead of ``jobs`` processes here.
    chunks : str, optional
        Another place for the chunks than ``out``: a folder or an fsspec address (``s3://bucket/run``). With ``cluster``
        it must be one that the workers reach: they write the chunks there themselves.
    runner : {"shared", "batch"}
        ngspice as a shared library, or ``ngspice -b`` in a process a deck. The numbers do not depend on it.

    Raises
    ------
    InputError
        Bad counts, or a folder that holds another plan's run (the differences are named).
    SimulationError
        A comparator or op-amp of the user's own that does not work in its place, see `characterization.chips.examine`.
    ToolkitError
        ngspice missing, folder not writable or in use by another process. Finished samples are kept.

    Examples
    --------
    >>> from characterization import RampPlan
    >>> run = characterize(RampPlan("sigmoid", 2, seed=1), samples=4, progress=False)
    >>> run
    Run(sigmoid, 2 bits, level macro, seed 1, 4 samples (0 failed))
    >>> run.levels(calibrated=True).shape
    (4, 3)
    """
    if out is None:
        if cluster is not None or chunks is not None:
            raise InputError("out=None: a run on a cluster, or with its chunks elsewhere, needs a folder")
        return simulate_run(plan, samples, jobs=jobs, progress=progress, timeout=timeout, batch=batch, runner=runner)
    _task(plan, samples, jobs, timeout, batch, runner)
    if line := _weighed(plan, samples, 0 if cluster is not None else jobs, out):
        print(line, file=sys.stderr)
    # Before the folder is made: what cannot be leaves nothing behind.
    if cluster is not None:
        dask_cluster.reach(cluster)
    if chunks is not None and isinstance(there := place(chunks), FolderPlace):
        check_place(there.folder, folder=True)
    folder = prepare(Path(out))
    with locked(folder):
        clear_leftovers(folder)
        plan, warnings = examined_plan(plan, folder)
        task = _task(plan, samples, jobs, timeout, batch, runner)
        manifest = open_manifest(plan, folder, batch, chunks, warnings)
        run = RunProgress(folder, manifest, samples, jobs)
        for line in run.begin(f"{samples} samples, {f'cluster {cluster}' if cluster else f'{jobs} jobs'}, batch {batch}"):
            print(line, file=sys.stderr)
        todo = [b for b in range(-(-samples // batch)) if b not in run.index.chunk]
        store = run.store if cluster and chunks else None
        try:
            with (
                _bar(plan, samples, run.done, progress) as bar,
                closing(_execute(task, todo, batch, jobs, cluster, store)) as results,
            ):
                failed = run.failed
                for finished in results:
                    run.take(finished)
                    failed += len(finished.failures)
                    bar.update(_count(finished, batch, samples))
                    bar.set_postfix(failed=failed, refresh=False)
            run.flush()
            run.complete(write_tables(plan, folder, run.store, run.index, samples))
        finally:
            run.flush()
            run.log.add(f"stop: {run.done} of {samples} samples, {run.failed} failed")
    return StoredRun(plan, folder, tuple(manifest.get("warnings", ())))


def simulate_run(
    plan: RampPlan,
    samples: int,
    *,
    jobs: int = 1,
    progress: bool = True,
    timeout: float | None = None,
    batch: int = BATCH,
    runner: str = "shared",
) -> Run:
    """Like `characterize`, kept in memory: nothing is written. With one job ngspice runs in this process, unguarded."""
    import pyarrow as pa

    _task(plan, samples, jobs, timeout, batch, runner)
    _weighed(plan, samples, jobs, None)
    plan, warnings = examined_plan(plan, None)
    task = _task(plan, samples, jobs, timeout, batch, runner)
    numbers = list(range(-(-samples // batch)))
    rows: list[pa.Table] = []
    with _bar(plan, samples, 0, progress) as bar:
        if jobs == 1:
            for b in numbers:
                rows.append(task.simulate(plan, batch_samples(b, batch, plan.sampling.samples)))
                bar.update(min(batch, samples - b * batch))
        else:
            for finished in _execute(task, numbers, batch, jobs, None, None):
                rows.append(finished.rows)
                bar.update(_count(finished, batch, samples))
    table = pa.concat_tables(rows).sort_by("sample").slice(0, samples)
    tables = {name: t.to_pandas() for name, t in long_tables(table, plan.seed, plan.program().x).items()}
    return Run(plan, **tables, warnings=warnings)


def load_run(folder: str | Path) -> Run:
    """Reads a finished run back and holds its tables against their checksums.

    Raises
    ------
    InputError
        If the folder holds no finished run, or a table is damaged.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest.get("state") != "complete":
        raise InputError(f"{folder}: the run is not finished; run `cosim characterize` with the same options to complete it")
    check_tables(folder, manifest.get("tables", {}))
    return StoredRun(RampPlan.from_dict(manifest["plan"]), folder, tuple(manifest.get("warnings", ())))


def weigh_samples(samples: int, bits: int, jobs: int, folder: str | Path | None, *, plans: int = 1, known: bool = True) -> str:
    """What samples of ramps take at level macro, as `netlists.machine.weigh` says it.

    Parameters
    ----------
    jobs : int
        0: a cluster's, whose time and memory are its own.
    folder : path or None
        None: the tables are kept in memory.
    plans : int
        Runs of so many samples.
    known : bool
        False: transistors or blocks of one's own, which take at least as long; the line says nothing of them.
    """
    levels = 2**bits
    tables = plans * samples * (SAMPLE_BYTES + LEVEL_BYTES * levels)
    memory = PARENT_MEMORY + jobs * WORKER_MEMORY
    weigh(f"jobs={jobs}", memory=memory)
    seconds = plans * samples * levels * LEVEL_SECONDS / jobs if jobs else 0.0
    memory += 0.0 if folder is not None else IN_MEMORY * tables
    line = weigh(f"samples={samples}", seconds=seconds, memory=memory, disk=tables if folder is not None else 0.0, folder=folder)
    return line if known else ""


def _weighed(plan: RampPlan, samples: int, jobs: int, folder: str | Path | None) -> str:
    known = plan.level != "sky130" and plan.comparator is None and plan.opamp is None
    return weigh_samples(samples, plan.bits, jobs, folder, known=known)


def check_counts(samples: int, jobs: int) -> None:
    """Raises `InputError` unless both are whole numbers of at least 1."""
    check(Samples, samples, "samples")
    check(Count, jobs, "jobs")


def _bar(plan: RampPlan, samples: int, done: int, show: bool) -> Any:
    return progress_bar(None, f"{plan.name} {plan.bits} bit", samples, "samples", show=show, done=done)


def _task(plan: RampPlan, samples: int, jobs: int, timeout: float | None, batch: int, runner: str) -> BatchTask:
    """What is done with each batch; `InputError` for an argument that is not possible, `ToolkitError` without ngspice."""
    check_counts(samples, jobs)
    check(Annotated[int, Whole(1, MOST_OF_A_BATCH, why="they are simulated as one deck")], batch, "batch")
    plan.sampling.check(samples)
    limit = check(Seconds, time_limit(plan) if timeout is None else timeout, "timeout")
    runner = check(Annotated[str, Choice(RUNNERS)], runner, "runner")
    shared_instance()
    return BatchTask(plan, partial(simulate_samples, runner=runner), limit)


def time_limit(plan: RampPlan) -> float:
    """Seconds that a batch of a plan may take; blocks of one's own are taken for transistors."""
    own = plan.comparator is not None or plan.opamp is not None
    return TIMEOUT["sky130" if own else plan.level]


def _count(finished: Finished, batch: int, samples: int) -> int:
    return sum(min(batch, samples - b * batch) for b in finished.batches)


def _execute(
    task: BatchTask, todo: list[int], batch: int, jobs: int, cluster: str | None, store: ChunkStore | None
) -> Generator[Finished, None, None]:
    """Batches as they finish, on this computer or on a cluster; no worker is left behind."""
    if not todo:
        return
    import joblib

    def samples_of(numbers: list[int]) -> dict[int, np.ndarray]:
        return {b: batch_samples(b, batch, task.plan.sampling.samples) for b in numbers}

    if cluster is not None:
        size = dask_cluster.GROUP if store else 1
        where = (store.where, store.plan_sha256, store.batch, store.limit) if store else None
        groups = (samples_of(todo[i : i + size]) for i in range(0, len(todo), size))
        with dask_cluster.dask(cluster):
            yield from parallel((joblib.delayed(dask_cluster.finish_here)(task, g, where) for g in groups), -1)
        return
    with closing(Workers(load)) as workers, joblib.parallel_config(backend="threading"):
        # Each thread only waits for its worker process.
        yield from parallel((joblib.delayed(finish)(task, workers, samples_of([b]), None) for b in todo), jobs)
