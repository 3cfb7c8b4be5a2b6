"""ngspice in the threads of one process: each gets its own answer, and none is disturbed by another's."""

import os
import subprocess
import sys

SCRIPT = """
import os, pathlib, threading
from concurrent.futures import ThreadPoolExecutor
from netlists.spice import Deck, simulate

here, away, stop = os.getcwd(), [], threading.Event()

def watch():
    while not stop.is_set():
        if os.getcwd() != here:
            away.append(os.getcwd())

def divider(ohms):
    deck = Deck(f"a divider\\nv1 in 0 1\\nr1 in out 1k\\nr2 out 0 {ohms}\\n.save v(out)\\n.tran 1n 10n\\n")
    return float(simulate(deck, ["out"])["out"][-1])

watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
ohms = [1000.0 * k for k in range(1, 41)]
with ThreadPoolExecutor(4) as pool:
    found = list(pool.map(divider, ohms))
stop.set()
watcher.join()
assert all(abs(v - r / (r + 1000)) < 1e-9 for v, r in zip(found, ohms)), found
assert not away, away
assert not pathlib.Path("planted").exists()
"""


def test_simulations_in_threads_are_right_and_move_nobody(tmp_path):
    # ngspice would run the commands of these as it loads.
    for folder in (tmp_path / "home", tmp_path / "here"):
        folder.mkdir()
        (folder / ".spiceinit").write_text(f"shell touch {tmp_path / 'here' / 'planted'}\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path / "here",
        env=os.environ | {"HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
