"""What the command line costs before it works: ``python benchmarks/startup.py [--json] [--repeats 5]``.

Processor time (user and system) and peak memory of `cosim --help` and `cosim doctor --help`, each in a new process; the
median of the repeats. Limits: 0.4 s, 80 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from statistics import median

COMMANDS = (("--help",), ("doctor", "--help"))
LIMITS = {"cpu_seconds": 0.4, "peak_megabytes": 80.0}


def measure(arguments: tuple[str, ...]) -> dict[str, float]:
    """Processor time and peak memory of one command."""
    process = subprocess.Popen([sys.executable, "-m", "cosim", *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"cosim {' '.join(arguments)}: exit code {process.returncode}")
    return {"cpu_seconds": used.ru_utime + used.ru_stime, "peak_megabytes": used.ru_maxrss / 1024}


def main() -> int:
    """Measures, prints, and returns 1 if a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    found = {}
    for arguments in COMMANDS:
        runs = [measure(arguments) for _ in range(options.repeats)]
        found[" ".join(("cosim", *arguments))] = {name: round(median(r[name] for r in runs), 3) for name in LIMITS}
    ok = all(values[name] <= limit for values in found.values() for name, limit in LIMITS.items())
    if options.json:
        print(json.dumps({"commands": found, "limits": LIMITS, "ok": ok}, indent=1))
    else:
        for name, values in found.items():
            print(f"{name:<24}{values['cpu_seconds']:.2f} s of processor time, {values['peak_megabytes']:.0f} MB")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
