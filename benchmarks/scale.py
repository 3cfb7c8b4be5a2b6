"""What many samples cost: ``python benchmarks/scale.py [--json] [--tasks 1000 10000 100000] [--no-dask]``.

Measures the parts of a run apart: handing out tasks that do nothing (joblib's loky, Dask on this computer, and the
worker processes of a run), writing and verifying chunks, writing the tables, the parent's memory at 100,000 samples
that cost nothing, and ngspice itself in a short real run. What 10^6 and 10^9 samples cost follows by the formulas of
`cost`. Times are medians of repeats where that is quick; other work on the machine makes them larger.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import median

import joblib
import numpy as np
import pyarrow as pa

from characterization.chips import Calibrated, Measured, draw
from characterization.plan import RampPlan
from characterization.provenance import versions
from characterization.run import CHUNK_SAMPLES, ChunkStore, cluster, load, measured_rows, montecarlo, simulate_samples, write_tables
from characterization.workers import Worker
from netlists.ramp import transition_levels
from netlists.spice import shared_instance

BITS = 5
BATCH = montecarlo.BATCH
STORED = 16 * CHUNK_SAMPLES


def nothing() -> None:
    """A task that costs only its handing out."""


_program = cache(RampPlan.program)


def closed_form_samples(plan: RampPlan, samples: np.ndarray, runner: str = "none") -> pa.Table:
    """In place of `simulate_samples`, from the closed form: real digits, hardly any time."""
    program = _program(plan)
    drawn = draw(plan, samples)
    volts = transition_levels(program, plan.circuit, drawn.chips())
    n = len(samples)
    measured = [Measured(volts + shift, ["ok"] * n, [""] * n) for shift in (0.0, 1e-5, 2e-5)]
    return measured_rows(plan, Calibrated(drawn, drawn.conductance, np.zeros(n, int), *measured))


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Median time of some work."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def tasks_a_run(n: int) -> object:
    return [
        None
        for _ in joblib.Parallel(n_jobs=2, return_as="generator_unordered", pre_dispatch="3*n_jobs", batch_size=1)(
            joblib.delayed(nothing)() for _ in range(n)
        )
    ]


def handing_out(counts: list[int], with_dask: bool) -> dict[str, float]:
    """Milliseconds a task that does nothing, in each number of tasks; two workers are at hand and warm."""
    out = {}
    with joblib.parallel_config(backend="loky"):
        tasks_a_run(10)
        for n in counts:
            out[f"loky_{n}_ms_a_task"] = 1e3 * seconds(lambda n=n: tasks_a_run(n)) / n
    with closing(Worker(load)) as worker:
        worker.call(nothing, limit=60)
        n = min(counts)
        out["worker_call_ms"] = 1e3 * seconds(lambda: [worker.call(nothing, limit=60) for _ in range(n)]) / n
    if with_dask:
        with dask_on_loopback(2) as (address, _), cluster.dask(address):
            tasks_a_run(10)
            for n in counts:
                out[f"dask_{n}_ms_a_task"] = 1e3 * seconds(lambda n=n: tasks_a_run(n)) / n
    return out


@contextmanager
def dask_on_loopback(workers: int) -> Iterator[tuple[str, int]]:
    """Address and process of a scheduler that has some workers of one thread each."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        common = ["--scheduler-file", str(file), "--no-dashboard", "--host", "127.0.0.1"]
        commands = [["dask_scheduler", *common, "--port", "0"], *[["dask_worker", *common, "--nthreads", "1"]] * workers]
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{name}", *rest],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
            for name, *rest in commands
        ]
        try:
            while not file.exists():
                time.sleep(0.1)
            address = json.loads(file.read_text())["address"]
            from distributed import Client

            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=120)
            yield address, processes[0].pid
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()


def storing(plan: RampPlan) -> dict[str, float]:
    """Time and bytes a sample of chunks and tables."""
    with tempfile.TemporaryDirectory() as folder:
        store = ChunkStore(str(Path(folder) / "chunks"), plan.sha256, BATCH)
        chunks = [closed_form_samples(plan, np.arange(first, first + CHUNK_SAMPLES)) for first in range(0, STORED, CHUNK_SAMPLES)]
        times = []
        for rows in chunks:
            start = time.perf_counter()
            store.write(rows)
            times.append(time.perf_counter() - start)
        start = time.perf_counter()
        index = store.scan()
        scanned = time.perf_counter()
        write_tables(plan, Path(folder), store, index, STORED)
        written = time.perf_counter()
        size = sum(p.stat().st_size for p in Path(folder).glob("*.parquet"))
    return {
        "chunk_samples": CHUNK_SAMPLES,
        "chunk_write_ms": 1e3 * median(times),
        "chunk_bytes_a_sample": index.bytes / STORED,
        "verify_us_a_sample": 1e6 * (scanned - start) / STORED,
        "tables_us_a_sample": 1e6 * (written - scanned) / STORED,
        "tables_bytes_a_sample": size / STORED,
    }


def simulating(plan: RampPlan, batches: int) -> dict[str, float]:
    """Core seconds a sample inside one process: draw, two measurements, calibration, one noisy conversion."""
    shared_instance()
    simulate_samples(plan, np.arange(BATCH))
    times = []
    for b in range(1, batches + 1):
        start = time.process_time()
        simulate_samples(plan, np.arange(b * BATCH, (b + 1) * BATCH))
        times.append((time.process_time() - start) / BATCH)
    return {"core_s_a_sample": median(times)}


def parent(samples: int) -> dict[str, float]:
    """The parent's own memory and time for samples that cost nothing, in a process of its own."""
    # By the name of this file: its workers look for what they are to call there.
    code = f"import scale; scale.cheap_run({samples})"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parent)
    return json.loads(done.stdout)


def cheap_run(samples: int) -> None:
    """Print memory and time of a stored run of closed-form samples."""
    montecarlo.simulate_samples = closed_form_samples
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run = montecarlo.characterize(RampPlan("sigmoid", BITS, seed=1), samples, Path(folder) / "run", jobs=2, progress=False)
        assert run.levels(calibrated=True).shape == (samples, 2**BITS - 1)
        print(
            json.dumps(
                {
                    "parent_samples": samples,
                    "parent_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
                    "parent_us_a_sample": 1e6 * (time.perf_counter() - start) / samples,
                }
            )
        )


def cost(figures: dict[str, float], samples: float, task_ms: float) -> dict[str, float]:
    """What a run of so many samples costs.

    core hours = N * core_s_a_sample / 3600; storage = N * bytes a sample; tasks = N / batch, or N / (batch * 16) where
    the workers write the chunks; scheduler hours = tasks * task_ms / 3.6e6, the time below which no number of workers brings it.
    """
    tasks = samples / BATCH
    return {
        "core_hours": samples * figures["core_s_a_sample"] / 3600,
        "chunks_gb": samples * figures["chunk_bytes_a_sample"] / 1e9,
        "tables_gb": samples * figures["tables_bytes_a_sample"] / 1e9,
        "scheduler_h_one_batch_a_task": tasks * task_ms / 3.6e6,
        "scheduler_h_16_batches_a_task": tasks / cluster.GROUP * task_ms / 3.6e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1000, 10_000, 100_000], help="numbers of tasks that do nothing")
    parser.add_argument("--no-dask", action="store_true")
    parser.add_argument("--batches", type=int, default=8, help="batches of the short real run")
    parser.add_argument("--samples", type=int, default=100_000, help="samples that cost nothing, for the parent's memory")
    arguments = parser.parse_args()
    plan = RampPlan("sigmoid", BITS, seed=1)
    figures: dict[str, float] = {}
    for part in (
        lambda: simulating(plan, arguments.batches),
        lambda: storing(plan),
        lambda: parent(arguments.samples),
        lambda: handing_out(arguments.tasks, not arguments.no_dask),
    ):
        found = part()
        print(", ".join(f"{name} {value:.4g}" for name, value in found.items()), file=sys.stderr)
        figures |= found
    kind = "loky" if arguments.no_dask else "dask"
    task_ms = figures[f"{kind}_{max(arguments.tasks)}_ms_a_task"]
    about = {
        "plan": f"sigmoid, {BITS} bits, macro, batch {BATCH}",
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "versions": versions() | ({} if arguments.no_dask else {"distributed": version("distributed")}),
    }
    costs = {f"{n:.0e}": cost(figures, n, task_ms) for n in (1e6, 1e9)}
    if arguments.json:
        print(json.dumps(figures | about | {"cost": costs}, indent=1))
        return
    for name, value in figures.items():
        print(f"{name:28s} {value:.4g}")
    for name, said in about.items():
        print(f"{name:28s} {said}")
    for n, what in costs.items():
        print(f"{n} samples: " + ", ".join(f"{name} {value:.3g}" for name, value in what.items()))


if __name__ == "__main__":
    main()
