"""Thousands of batches over two worker processes that are killed at random: ``python scripts/soak.py [--batches 20000]``.

Batches are of the smallest ramp, two chips each. Every so often a worker, chosen by the seed, is killed while it works. The run's
memory and open files must stay flat, and its tables must be those of a run without kills, bit for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from characterization.plan import RampPlan
from characterization.run import characterize

BATCH = 2
GROWTH = 64 * 2**20
"""Bytes that the parent may grow by between a tenth of the run and its end."""

STARTED = 2.0
"""CPU seconds after which a worker has loaded ngspice."""


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the tables of a run."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("*.parquet"))}


class Killer(threading.Thread):
    """Kills a worker of this process at random moments, and notes the memory and the open files of the process."""

    def __init__(self, every: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.every, self.rng, self.over = every, np.random.default_rng(seed), threading.Event()
        self.kills = 0
        self.seen: list[tuple[float, int, int]] = []

    def run(self) -> None:
        me, start = psutil.Process(), time.monotonic()
        while not self.over.wait(self.rng.exponential(self.every)):
            self.seen.append((time.monotonic() - start, me.memory_info().rss, me.num_fds()))
            with suppress(psutil.Error):
                # One that is still starting does no work yet.
                workers = [c for c in me.children() if "popen_loky" in " ".join(c.cmdline()) and sum(c.cpu_times()[:2]) > STARTED]
                if workers:
                    workers[int(self.rng.integers(len(workers)))].send_signal(signal.SIGKILL)
                    self.kills += 1


def main() -> int:
    """Runs it and prints what was found as JSON; exit code 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills, on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-compare", action="store_true", help="leave out the run without kills")
    a = parser.parse_args()
    plan = RampPlan("sigmoid", 1, seed=a.seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        killer = Killer(a.every, a.seed)
        killer.start()
        start, load = time.monotonic(), os.getloadavg()[0]
        found = characterize(plan, BATCH * a.batches, Path(folder, "killed"), batch=BATCH, jobs=a.jobs, progress=False)
        seconds = time.monotonic() - start
        killer.over.set()
        killer.join()
        same = None
        if not a.no_compare:
            characterize(plan, BATCH * a.batches, Path(folder, "alone"), batch=BATCH, jobs=a.jobs, progress=False)
            same = digests(Path(folder, "killed")) == digests(Path(folder, "alone"))
        early = [s for s in killer.seen if s[0] >= 0.1 * seconds] or killer.seen
        report = {
            "batches": a.batches, "seed": a.seed, "kills": killer.kills, "failed": found.failed, "same_answer": same,
            "seconds": round(seconds), "load": round(load, 1),
            "memory_mib": [round(s[1] / 2**20) for s in (early[0], early[-1])] if early else None,
            "open_files": [early[0][2], early[-1][2]] if early else None,
        }  # fmt: skip
    print(json.dumps(report))
    flat = not early or (early[-1][1] - early[0][1] < GROWTH and early[-1][2] <= early[0][2] + 8)
    return int(same is False or found.failed > 0 or not flat)


if __name__ == "__main__":
    sys.exit(main())
