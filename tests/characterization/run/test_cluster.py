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
AT_WORK = 0.3
"""CPU seconds of a process that simulates, or that loads ngspice."""


def digests(folder):
    return {name: hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest() for name in TABLES}


def simulators(pids):
    """CPU seconds of the processes of the workers, with the worker of each."""
    children = [(child, pid) for pid in pids for child in psutil.Process(pid).children()]
    return {child.pid: (child.cpu_times().user, pid) for child, pid in children if "loky" in " ".join(child.cmdline())}


def at_work(pids):
    """Waits for one of the workers whose ngspice process is at work: by its own CPU time, whatever else the machine does."""
    before = simulators(pids)
    while True:
        for child, (used, pid) in simulators(pids).items():
            if used - before.get(child, (0.0, 0))[0] > AT_WORK:
                return pid
        time.sleep(0.02)


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
def processes(tmp_path_factory, until):
    """A scheduler with two workers."""
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
    until(lambda: file.exists() and file.read_text().rstrip().endswith("}"), processes[0])
    yield json.loads(file.read_text())["address"], processes
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def cluster(processes):
    """Address of the scheduler, with its workers."""
    with distributed.Client(processes[0], set_as_default=False) as client:
        client.wait_for_workers(2)
    return processes[0]


@pytest.mark.parametrize("chunks", [pytest.param(None, marks=pytest.mark.slow), "shared"])
def test_a_dask_worker_killed_in_mid_run(chunks, cluster, plan, local, tmp_path):
    """Nothing lost, nothing twice: the same bytes as on one computer. Without and with chunks written by the workers."""
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        pids = list(client.run(os.getpid).values())
    folder, shared = tmp_path / "run", tmp_path / "shared"
    killed = []

    def kill_one():
        killed.append(at_work(pids))
        os.kill(killed[0], signal.SIGKILL)

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


@pytest.mark.slow
def test_dask_is_missing(plan, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setattr("characterization.run.cluster.reach", lambda address: None)
    with pytest.raises(ToolkitError, match=r"needs the extra `cluster`: pip install 'nladc-cosim\[cluster\]'"):
        characterize(plan, 4, tmp_path / "run", cluster="tcp://127.0.0.1:9", progress=False)


@pytest.mark.slow
def test_a_scheduler_that_goes_away(cluster, processes, plan, local, tmp_path, capfd):
    """A line without Dask's stacks, and the same run goes on here. The last test of the module: it ends the scheduler."""
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        pids = list(client.run(os.getpid).values())

    def end():
        at_work(pids)
        os.killpg(processes[1][0].pid, signal.SIGKILL)

    threading.Thread(target=end, daemon=True).start()
    with pytest.raises(ToolkitError, match=rf"cluster={cluster}: the scheduler went away; finished samples are kept"):
        characterize(plan, SAMPLES, tmp_path / "run", batch=BATCH, cluster=cluster, progress=False)
    assert "Traceback" not in capfd.readouterr().err
    characterize(plan, SAMPLES, tmp_path / "run", jobs=2, batch=BATCH, progress=False)
    assert digests(tmp_path / "run") == local
