"""The same run on a Dask cluster: a scheduler and two worker processes on this computer, one of them killed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

import psutil
import pyarrow.parquet as pq
import pytest

from characterization.plan.plan import RampPlan
from characterization.run.folder import run_status
from characterization.run.montecarlo import TABLES, characterize
from netlists.errors import ToolkitError

distributed = pytest.importorskip("distributed")

SAMPLES = 160
BATCH = 4
AT_WORK = 1.0
"""CPU seconds after which a process has loaded ngspice and simulates."""


def digests(folder):
    return {name: hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest() for name in TABLES}


@pytest.fixture(scope="module")
def plan():
    return RampPlan("sigmoid", 2, seed=7)


@pytest.fixture(scope="module")
def local(plan, tmp_path_factory):
    """The same run without a cluster."""
    folder = tmp_path_factory.mktemp("local") / "run"
    characterize(plan, SAMPLES, folder, jobs=2, batch=BATCH, progress=False)
    return digests(folder)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, until):
    """Address of a scheduler with two workers."""
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    local = ["--host", "127.0.0.1"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + name, *common, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )
        for name, options in (
            ("dask_scheduler", [*local, "--port", "0"]),
            ("dask_worker", [*local, "--nthreads", "1"]),
            ("dask_worker", [*local, "--nthreads", "1"]),
        )
    ]
    until(file.exists, processes[0])
    address = json.loads(file.read_text())["address"]
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2)
    yield address
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("chunks", [pytest.param(None, marks=pytest.mark.slow), "shared"])
def test_a_dask_worker_killed_in_mid_run(chunks, cluster, plan, local, tmp_path):
    """Nothing lost, nothing twice: the same bytes as on one computer. Without and with chunks written by the workers."""
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        pids = list(client.run(os.getpid).values())
    folder, shared = tmp_path / "run", tmp_path / "shared"
    killed = []

    def kill_one():
        # A worker whose ngspice process is at work: by its own CPU time, whatever else the machine does.
        while not killed:
            for pid in pids:
                for child in psutil.Process(pid).children():
                    if "loky" in " ".join(child.cmdline()) and child.cpu_times().user > AT_WORK:
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)
                        return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    where = None if chunks is None else f"file://{shared}"
    run = characterize(plan, SAMPLES, folder, batch=BATCH, cluster=cluster, chunks=where, progress=False)
    assert killed
    assert run.failed == 0
    assert digests(folder) == local
    stored = list((shared if chunks else folder / "chunks").glob("chunk-*.parquet"))
    counts = Counter(s for path in stored for s in pq.read_table(path)["sample"].to_pylist())
    assert counts == Counter(range(SAMPLES))
    assert run_status(folder).state == "complete"


def test_no_scheduler(plan, tmp_path, monkeypatch):
    monkeypatch.setattr("characterization.run.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(ToolkitError, match=r"cluster=tcp://127\.0\.0\.1:9: no Dask scheduler answers there"):
        characterize(plan, 4, tmp_path / "run", cluster="tcp://127.0.0.1:9", progress=False)


def test_dask_is_missing(plan, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setattr("characterization.run.cluster.reach", lambda address: None)
    with pytest.raises(ToolkitError, match=r"needs the extra `cluster`: pip install 'nladc-cosim\[cluster\]'"):
        characterize(plan, 4, tmp_path / "run", cluster="tcp://127.0.0.1:9", progress=False)
