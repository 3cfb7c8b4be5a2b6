"""Runs that meet faults: processes killed, samples that crash, hang or fail, full disks, damage, two at once, clocks."""

import hashlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

import characterization.run.montecarlo as montecarlo
from characterization.lock import locked
from characterization.plan.plan import RampPlan
from characterization.run.folder import run_status
from characterization.run.montecarlo import TABLES, characterize, load_run, simulate_run
from characterization.run.task import BatchTask, simulate_samples
from characterization.workers import START_LIMIT
from netlists.errors import InputError, ToolkitError
from netlists.technology import load_profile

SAMPLES = 12
BATCH = 4

SCRIPT = """
import sys
import characterization.run.progress as run_progress
from cosim.cli.app import main

run_progress.CHUNK_SECONDS = 0.1
samples, folder, jobs = sys.argv[1:]
sys.argv = f"cosim characterize --activation sigmoid --bits 2 --seed 7 --batch 4 --samples {samples} --jobs {jobs}".split()
sys.argv += ["--profile", "yang-0-150", "--out", folder]
main()
"""


@pytest.fixture(scope="module")
def plan():
    # Its manifest is smaller than a chunk: no law of many numbers.
    return RampPlan("sigmoid", 2, seed=7, profile=load_profile("yang-0-150"))


def digests(folder):
    return {name: hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest() for name in TABLES}


def chunks(folder):
    return sorted((folder / "chunks").glob("chunk-*.parquet"))


def log_of(folder):
    return (folder / "run.log").read_text()


def run(plan, folder, samples=SAMPLES, **options):
    return characterize(plan, samples, folder, batch=BATCH, progress=False, **options)


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory):
    """An uninterrupted run, its chunks of one batch each."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("characterization.run.progress.CHUNK_SAMPLES", BATCH)
        run(plan, folder)
    assert len(chunks(folder)) == SAMPLES // BATCH
    return folder


@pytest.fixture
def copied(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "copy"))


@pytest.fixture
def started(tmp_path, until):
    """Start a long run in a process group of its own, wait for its first chunks, kill what is left after."""
    (tmp_path / "script.py").write_text(SCRIPT)
    processes = []

    def start(jobs):
        command = [sys.executable, str(tmp_path / "script.py"), "100000", str(tmp_path / "run"), str(jobs)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        processes.append(process)
        until(lambda: len(chunks(tmp_path / "run")) >= 2, process)
        return process, tmp_path / "run"

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()


def workers(process):
    """The worker processes of a run."""
    return [c for c in psutil.Process(process.pid).children() if "resource_tracker" not in " ".join(c.cmdline())]


def finish(plan, folder, whole):
    """The same command once more, and the same bytes as the uninterrupted run."""
    assert chunks(folder)
    with pytest.raises(InputError, match="the run is not finished"):
        load_run(folder)
    assert run_status(folder).state == "stopped"
    run(plan, folder)
    assert digests(folder) == digests(whole)
    assert load_run(folder).failed == 0


@pytest.mark.slow
def test_an_interrupt_keeps_finished_samples_and_resumes(started, plan, whole):
    process, folder = started(1)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    finish(plan, folder, whole)


def test_a_killed_parent_leaves_no_lock_and_no_worker(started, plan, whole):
    process, folder = started(1)
    left = workers(process)
    assert left
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finish(plan, folder, whole)
    assert psutil.wait_procs(left)[1] == []


def test_a_crash_of_a_worker_costs_nothing_and_a_second_process_is_refused(started, until, plan, whole):
    process, folder = started(2)
    with pytest.raises(ToolkitError, match=rf"process {process.pid} on {socket.gethostname()} is at work in this folder"):
        run(plan, folder)
    status = run_status(folder)
    assert (status.state, status.samples) == ("running", 100_000)
    assert status.holder == f"process {process.pid} on {socket.gethostname()}"
    workers(process)[0].send_signal(signal.SIGSEGV)
    until(lambda: "SIGSEGV" in log_of(folder), process)
    # A polite end by another than Ctrl-C.
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    assert (process.returncode, said.splitlines()[-1][:13]) == (143, "interrupted: "), said
    assert "Traceback" not in said
    assert "crashed:" not in log_of(folder)
    finish(plan, folder, whole)


def test_samples_that_crash_hang_or_fail_are_found_and_cost_no_other(plan, whole, tmp_path, monkeypatch):
    clean = load_run(whole)
    offset = repr(float(clean.samples["opamp_offset"][9]))

    def faulty(plan, samples, runner):
        import characterization.chips.transitions
        from netlists.errors import SimulationError

        if 1 in samples:
            os.kill(os.getpid(), signal.SIGSEGV)
        if 6 in samples:
            threading.Event().wait()
        simulate = characterization.chips.transitions.simulate

        def fails(deck, *arguments, **options):
            if f"v_os={offset}" in deck.circuit:
                raise SimulationError("the simulation failed", "timestep too small")
            return simulate(deck, *arguments, **options)

        characterization.chips.transitions.simulate = fails
        try:
            return simulate_samples(plan, samples, runner)
        finally:
            characterization.chips.transitions.simulate = simulate

    def call(task, worker, samples):
        # The samples that are not at fault may take as long as a busy machine likes.
        return worker.call(task.simulate, task.plan, samples, limit=5.0 if 6 in samples else START_LIMIT)

    monkeypatch.setattr(montecarlo, "simulate_samples", faulty)
    monkeypatch.setattr(BatchTask, "_call", call)
    monkeypatch.setattr("characterization.workers.WORDS_LIMIT", START_LIMIT)
    folder = tmp_path / "run"
    found = run(plan, folder, jobs=2)
    status = ["ok"] * SAMPLES
    status[1], status[6], status[9] = "crashed", "timed out", "not converged"
    assert found.samples["status"].tolist() == status
    assert found.failed == 3
    message = found.samples["message"]
    assert "SIGSEGV" in message[1]
    assert "Segmentation fault" in message[1]
    assert "no result within 5 s" in message[6]
    assert "in faulty" in message[6]
    assert "timestep too small" in message[9]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["failed"] == 3
    assert manifest["failures"] == run_status(folder).failed == {"crashed": 1, "not converged": 1, "timed out": 1}
    # What is needed to simulate them again is there.
    for name in ("sample", "seed", "opamp_offset", "comparator_offset", "column_offset"):
        assert (found.samples[name] == clean.samples[name]).all()
    good = [i for i in range(SAMPLES) if status[i] == "ok"]
    for calibrated in (False, True):
        x = found.levels(calibrated=calibrated)
        assert np.isnan(np.delete(x, good, axis=0)).all()
        lsb = np.diff(clean.levels(calibrated=True).mean(axis=0)).min()
        np.testing.assert_allclose(x[good], clean.levels(calibrated=calibrated)[good], atol=5e-3 * lsb)
    for what in ("sample 1 (seed 7): crashed", "sample 6 (seed 7): timed out", "replaced: ngspice failed on a sample"):
        assert what in log_of(folder)
    assert len(found.transitions) == 2 * SAMPLES * 3


@pytest.mark.usefixtures("batches_here")
def test_damaged_chunks_are_named_moved_aside_and_simulated_again(copied, plan, whole, capsys):
    first, second, _ = chunks(copied)
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    second.write_bytes(second.read_bytes()[:100])
    status = run_status(copied)
    assert set(status.damaged) == {first.name, second.name}
    assert (status.state, status.done) == ("stopped", SAMPLES - 2 * BATCH)
    run(plan, copied)
    assert digests(copied) == digests(whole)
    err = capsys.readouterr().err
    for path in (first, second):
        assert f"chunk {path.name} its content does not match its checksum: moved to damaged/ and simulated again" in err
        assert path.name in log_of(copied)
        assert (copied / "chunks" / "damaged" / path.name).exists()
    assert json.loads((copied / "manifest.json").read_text())["simulated_now"] == 2 * BATCH
    assert run_status(copied).state == "complete"


def test_chunks_of_another_plan_are_refused(copied, tmp_path, plan):
    other = RampPlan("sigmoid", 2, seed=8)
    with pytest.raises(InputError, match="belongs to a run of another plan; choose another place for the chunks"):
        run(other, tmp_path / "other", chunks=str(copied / "chunks"))


@pytest.mark.usefixtures("batches_here")
def test_another_place_for_the_chunks_is_found_from_any_folder(tmp_path, plan, whole, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(plan, tmp_path / "run", chunks="elsewhere")
    assert len(list((tmp_path / "elsewhere").glob("chunk-*.parquet"))) > 0
    monkeypatch.chdir("/")
    run(plan, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["simulated_now"] == 0
    assert run_status(tmp_path / "run").state == "complete"
    with pytest.raises(InputError, match=r"its run has its chunks in .*elsewhere, not in /elsewhere"):
        run(plan, tmp_path / "run", chunks="elsewhere")


@pytest.mark.usefixtures("batches_here")
def test_leftovers_of_killed_writes_are_removed(copied, plan, whole):
    for path in (copied / ".transitions.parquet.1.tmp", copied / "chunks" / ".chunk-1.2.tmp"):
        path.write_bytes(b"half")
    chunks(copied)[1].unlink()
    run(plan, copied)
    assert digests(copied) == digests(whole)
    assert not list(copied.rglob("*.tmp"))


@pytest.mark.usefixtures("batches_here")
def test_the_clock_may_be_set_back_and_forth(copied, plan, whole, monkeypatch):
    """Dates of files and of the manifest decide nothing; durations come from the monotonic clock."""
    path, last = copied / "manifest.json", chunks(copied)[-1]
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"updated": "2199-01-01T00:00:00+00:00"}))
    for i, chunk in enumerate(chunks(copied)):
        os.utime(chunk, (i * 4e9, i * 4e9))
    assert run_status(copied).age_seconds == 0
    last.unlink()
    clock = iter(range(10**9, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    run(plan, copied)
    monkeypatch.undo()
    assert digests(copied) == digests(whole)
    after = json.loads(path.read_text())
    assert after["simulated_now"] == BATCH
    assert 0 < after["wall_seconds"] - manifest["wall_seconds"] < 3600


def test_the_lock_tells_who_holds_it(copied, plan):
    with locked(copied), pytest.raises(ToolkitError, match=rf"process {os.getpid()} on .* is at work in this folder"):
        run(plan, copied)
    assert run_status(copied).holder is None


@pytest.mark.slow
def test_a_file_system_that_takes_no_more(tmp_path, plan, whole):
    """A limit on the size of files stands in for a full disk; without it the same command goes on."""
    (tmp_path / "script.py").write_text(SCRIPT)
    # Room for a manifest, not for a chunk.
    most = (whole / "manifest.json").stat().st_size + 200
    assert most < chunks(whole)[0].stat().st_size

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    command = [sys.executable, str(tmp_path / "script.py"), "12", str(tmp_path / "run"), "1"]
    # A compiled module that is cut off there would be everybody's.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, env=environment)
    assert done.returncode == 1
    assert "cannot be written (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").rglob("*.tmp"))
    run(plan, tmp_path / "run")
    assert digests(tmp_path / "run") == digests(whole)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 kB, and how to change it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "small", folder]).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder, lambda options: subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.usefixtures("batches_here")
def test_a_full_and_a_read_only_disk(small_disk, plan, whole):
    folder, remount = small_disk
    with pytest.raises(ToolkitError, match=r"cannot be written \(.*No space left on device"):
        run(plan, folder / "run")
    remount("size=1m")
    remount("ro")
    with pytest.raises(ToolkitError, match="the folder is not writable; choose another folder"):
        run(plan, folder / "run")
    remount("rw")
    run(plan, folder / "run")
    assert digests(folder / "run") == digests(whole)


@pytest.mark.usefixtures("batches_here")
def test_adding_samples_extends(copied, plan):
    more = run(plan, copied, samples=15, jobs=2)
    alone = simulate_run(plan, 15, batch=BATCH, progress=False)
    np.testing.assert_array_equal(more.levels(calibrated=True), alone.levels(calibrated=True))
    assert json.loads((copied / "manifest.json").read_text())["simulated_now"] == 15 - SAMPLES


@pytest.mark.slow
def test_killed_at_any_moment_and_started_again(plan, whole, tmp_path):
    """The parent, killed again and again at moments that nobody chose, later and later until the run is complete."""
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), "400", str(tmp_path / "run"), "2"]
    rng = np.random.default_rng(4)
    starts = 0
    while True:
        process = subprocess.Popen(command, start_new_session=True)
        starts += 1
        # By its own CPU time: a busy machine does not move the moment.
        moment = float(rng.uniform(0.5, 2.0)) * 1.2**starts
        while process.poll() is None and sum(psutil.Process(process.pid).cpu_times()[:2]) < moment:
            time.sleep(0.02)
        if process.poll() is not None:
            assert process.returncode == 0
            break
        process.kill()
        process.wait()
    assert starts > 1
    run(plan, tmp_path / "alone", samples=400, jobs=2)
    assert digests(tmp_path / "run") == digests(tmp_path / "alone")


@pytest.mark.slow
def test_the_parent_stays_small():
    """100,000 samples that cost nothing: what the parent holds does not grow with them."""
    script = Path(__file__).resolve().parents[3] / "benchmarks" / "scale.py"
    found = [
        json.loads(subprocess.run([sys.executable, script, "--cheap-run", n], capture_output=True, text=True, check=True).stdout)
        for n in ("2000", "100000")
    ]
    assert found[1]["parent_peak_mib"] < 400
