"""Calls in processes of joblib's: in order, and none of the processes is left behind."""

import subprocess
import sys
import time

import joblib
import psutil

from characterization.processes import in_workers


def test_results_of_workers_come_in_the_order_of_the_calls(tmp_path):
    def late(i):
        # The first waits for the last but one, which the other worker computes.
        while i == 0 and not (tmp_path / "3").exists():
            time.sleep(0.02)
        (tmp_path / str(i)).touch()
        return i

    assert list(in_workers([joblib.delayed(late)(i) for i in range(5)], 2)) == list(range(5))


def test_shared_workers_end_with_a_parent_that_is_killed():
    script = (
        "import os, time, joblib\n"
        "from characterization.processes import in_workers\n"
        "def wait(started):\n"
        # In one piece: two processes that print may mix their lines.
        "    os.write(1, b'started\\n')\n"
        "    time.sleep(1e6)\n"
        "list(in_workers((joblib.delayed(wait)(k) for k in range(2)), 2))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    for _ in range(2):
        assert parent.stdout.readline() == "started\n"
    left = psutil.Process(parent.pid).children(recursive=True)
    assert len(left) >= 2
    parent.kill()
    parent.communicate()
    assert psutil.wait_procs(left)[1] == []


def test_a_shared_worker_whose_parent_died_while_it_started_ends_too():
    code = (
        "import multiprocessing.process as p, time\n"
        "from characterization.processes import _watch\n"
        "p.current_process().name = {name!r}\n"
        "_watch(2**30)\n"
        "time.sleep({seconds})\n"
    )
    loky = subprocess.run([sys.executable, "-c", code.format(name="LokyProcess-1", seconds=600)])
    assert loky.returncode == 1
    # Workers of others, such as Dask's, have a parent of their own.
    assert subprocess.run([sys.executable, "-c", code.format(name="Dask Worker process", seconds=0)]).returncode == 0


def test_shared_workers_leave_ctrl_c_to_their_parent():
    script = (
        "import signal, joblib\n"
        "from characterization.processes import in_workers\n"
        "def deaf():\n"
        "    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
        "assert all(in_workers((joblib.delayed(deaf)() for _ in range(2)), 2))\n"
        "assert not deaf()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
