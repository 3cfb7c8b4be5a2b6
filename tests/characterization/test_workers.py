"""Worker processes: results, errors, crashes, hangs and growth; each call finds a process that works."""

import os
import signal
import threading

import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError

from characterization import workers
from characterization.workers import Lost, Worker
from netlists.errors import InputError, ToolkitError


@pytest.fixture
def worker():
    found = Worker(lambda: {"version": "1"})
    yield found
    found.close()


def test_calls_share_a_process_that_outlives_errors(worker):
    def pid():
        return os.getpid()

    def refuse():
        raise InputError("x=3: must be 2")

    first = worker.call(pid, limit=600)
    with pytest.raises(InputError, match="x=3: must be 2"):
        worker.call(refuse, limit=600)
    assert worker.call(pid, limit=600) == first != os.getpid()
    assert worker.versions == {"version": "1"}
    assert worker.events == []


def test_a_process_that_stops_while_it_starts_is_replaced(monkeypatch, tmp_path):
    """By what it computes, not by the clock: the limit of time alone would cost ten minutes."""
    monkeypatch.setattr(workers, "STALL", 5.0)
    monkeypatch.setattr(workers, "START_LIMIT", float("inf"))

    def load():
        if not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        return {"version": "2"}

    worker = Worker(load)
    try:
        assert worker.call(os.getpid, limit=600) != os.getpid()
        assert worker.versions == {"version": "2"}
        assert worker.events == ["a worker hung while it started (no processor time for 5 s)"]
    finally:
        worker.close()


def test_a_process_that_dies_or_hangs_is_replaced(worker, monkeypatch):
    # On a busy machine it says late where it hangs.
    monkeypatch.setattr(workers, "WORDS_LIMIT", 600.0)

    def die(number):
        os.write(2, b"*** stack smashing detected ***\n")
        os.kill(os.getpid(), number)

    def hang():
        threading.Event().wait()

    for number in (signal.SIGKILL, signal.SIGABRT):
        with pytest.raises(Lost, match="stack smashing detected") as lost:
            worker.call(die, number, limit=600)
        assert lost.value.status == "crashed"
        assert signal.Signals(number).name in lost.value.message
    with pytest.raises(Lost, match=r"no result within 0\.5 s(.|\n)*in hang") as lost:
        worker.call(hang, limit=0.5)
    assert lost.value.status == "timed out"
    assert worker.call(len, "four", limit=600) == 4
    assert len(worker.events) == 3


def test_a_process_that_dies_between_calls_costs_no_call(worker):
    os.kill(worker.call(os.getpid, limit=600), signal.SIGKILL)
    # Until the death is known.
    with pytest.raises(TerminatedWorkerError):
        worker._pool.submit(len, "").result()
    assert worker.call(len, "four", limit=600) == 4
    assert "it died between two calls with SIGKILL" in worker.events[0]


def test_a_process_that_dies_once_while_it_starts_is_started_again(tmp_path):
    def load():
        if not (tmp_path / "started").exists():
            (tmp_path / "started").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"version": "1"}

    worker = Worker(load)
    assert worker.call(len, "four", limit=600) == 4
    worker.close()
    assert "died while it started with SIGKILL" in worker.events[0]


def test_a_time_limit_of_the_work_itself_is_its_error(worker):
    def gives_up():
        raise TimeoutError("the disk did not answer")

    with pytest.raises(TimeoutError, match="the disk did not answer"):
        worker.call(gives_up, limit=600)
    assert worker.events == []


def test_a_process_that_grows_is_replaced(worker, monkeypatch):
    monkeypatch.setattr(workers, "MEMORY_GROWTH", 30 * 2**20)

    def grow(mebibytes):
        import builtins

        builtins.kept = [*getattr(builtins, "kept", []), bytearray(mebibytes * 2**20)]
        return os.getpid()

    first = worker.call(grow, 1, limit=600)
    assert worker.call(grow, 5, limit=600) == first
    assert worker.call(grow, 60, limit=600) == first
    assert worker.call(grow, 1, limit=600) != first
    assert [e for e in worker.events if f"worker {first} replaced: its memory grew by" in e]


def test_a_task_that_cannot_be_read_is_no_crash_of_a_sample(worker):
    class Unreadable:
        def __reduce__(self):
            return __import__, ("no_such_module",)

    with pytest.raises(ToolkitError, match="a worker process could not read its task"):
        worker.call(len, Unreadable(), limit=600)
    assert worker.call(len, "four", limit=600) == 4


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_call_that_hangs_or_crashes_costs_itself_alone(jobs):
    def work(kind):
        if kind == "hangs":
            threading.Event().wait()
        if kind == "crashes":
            os.abort()
        return kind

    calls = [(work, (kind,)) for kind in ("first", "crashes", "hangs", "last")]
    found = list(workers.in_limited_workers(calls, jobs, lambda: {}, 20.0))
    assert [f.status if isinstance(f, Lost) else f for f in found] == ["first", "crashed", "timed out", "last"]


def test_a_process_that_cannot_start():
    def missing():
        raise ToolkitError("ngspice was not found")

    def dies():
        os._exit(3)

    with pytest.raises(ToolkitError, match="ngspice was not found"):
        Worker(missing).call(len, "", limit=600)
    with pytest.raises(ToolkitError, match="a worker process does not start"):
        Worker(dies).call(len, "", limit=600)
