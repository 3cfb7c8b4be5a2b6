"""A run on a Dask cluster of this computer, with more and more workers: ``python benchmarks/dask_cluster.py [--samples N]``.

Samples come from the closed form, so that what is left is the cost of handing out, returning and storing them. Each run has a
scheduler and worker processes of its own on the loopback; its tables are held against those of a run without a cluster, byte by
byte. Memory is that of the processes of scheduler and client, looked at every half second: at a quarter of the run and at its end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import scale

from characterization.plan import RampPlan
from characterization.provenance import versions
from characterization.run import montecarlo

TABLES = ("transitions.parquet", "conversions.parquet", "samples.parquet")


def run(samples: int, folder: str, address: str) -> None:
    """Runs cheap samples in ``folder``, on a cluster unless the address is empty; prints what it took."""
    # Pickled by name: workers find this module on their path.
    montecarlo.simulate_samples = scale.closed_form_samples
    where: dict[str, Any] = {"cluster": address} if address else {"jobs": 2}
    start, busy = time.perf_counter(), time.process_time()
    montecarlo.characterize(RampPlan("sigmoid", scale.BITS, seed=1), samples, Path(folder), progress=False, **where)
    print(json.dumps({"seconds": time.perf_counter() - start, "client_cpu_seconds": time.process_time() - busy}))


def watched(samples: int, folder: Path, address: str, scheduler: psutil.Process | None) -> dict[str, Any]:
    """One run in a process of its own: its times, the digest of its tables, and memory of scheduler and client over it."""
    code = f"import dask_cluster; dask_cluster.run({samples}, {str(folder)!r}, {address!r})"
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment())
    seen: list[tuple[float, float, float]] = []
    done = threading.Event()

    def look() -> None:
        process = psutil.Process(client.pid)
        while not done.wait(0.5):
            try:
                seen.append((time.perf_counter(), process.memory_info().rss, scheduler.memory_info().rss if scheduler else 0.0))
            except psutil.NoSuchProcess:
                return

    looking = threading.Thread(target=look)
    looking.start()
    printed, _ = client.communicate()
    done.set()
    looking.join()
    if client.returncode:
        sys.exit("the run failed")
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in TABLES)).hexdigest()
    quarter, last = seen[len(seen) // 4], seen[-1]
    memory = {
        name: {"mib_at_a_quarter": quarter[i] / 2**20, "mib_at_the_end": last[i] / 2**20}
        for i, name in ((1, "client"), (2, "scheduler"))
        if last[i]
    }
    return json.loads(printed) | memory | {"sha256": digest}


def environment() -> dict[str, str]:
    here = str(Path(__file__).resolve().parent)
    return os.environ | {"PYTHONPATH": os.pathsep.join([here, str(Path(here).parent), os.environ.get("PYTHONPATH", "")])}


def measure(samples: int, workers: list[int]) -> dict[str, Any]:
    out: dict[str, Any] = {"samples": samples, "batch": scale.BATCH}
    os.environ.update(environment())
    with tempfile.TemporaryDirectory() as folder:
        out["local"] = watched(samples, Path(folder) / "local", "", None)
        for n in workers:
            with scale.dask_on_loopback(n) as (address, scheduler):
                found = watched(samples, Path(folder) / f"cluster-{n}", address, psutil.Process(scheduler))
            out[f"{n} workers"] = found | {
                "same_bytes": found["sha256"] == out["local"]["sha256"],
                "ms_a_task": 1e3 * found["seconds"] / (samples / scale.BATCH),
            }
            print(f"{n} workers: {out[f'{n} workers']}", file=sys.stderr)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8])
    options = parser.parse_args()
    found = measure(options.samples, options.workers)
    about = {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2)}
    print(json.dumps(found | about | {"versions": versions() | {"distributed": version("distributed")}}, indent=1))


if __name__ == "__main__":
    main()
