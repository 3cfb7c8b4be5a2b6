"""Runs one benchmark and keeps what it found: ``python benchmarks/record.py NAME [OPTION ...]``.

``results/bench/NAME.json`` has the benchmark's own figures (medians and ratios of one run), the options, the machine, versions, and
the seconds that it took by the clock and of processor time; what the benchmark prints is passed on.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "results" / "bench"
PACKAGES = ("numpy", "scipy", "numba", "torch", "onnxruntime", "jax", "dask", "badcrossbar", "PySpice")


def processor() -> str:
    """Name of the processor, as Linux has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def record(name: str, options: list[str]) -> dict[str, Any]:
    """Figures of a benchmark, with where and how they were measured."""
    started = time.perf_counter()
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(done.stdout, end="")
    return {
        "command": f"python benchmarks/{name}.py --json {' '.join(options)}".strip(),
        "figures": json.loads(done.stdout),
        "machine": {"processor": processor(), "system": platform.system(), "cores": os.cpu_count()},
        "versions": versions(),
        "wall_s": time.perf_counter() - started,
        "cpu_s": used.ru_utime + used.ru_stime,
    }


def main() -> None:
    if len(sys.argv) < 2 or not (HERE / f"{sys.argv[1]}.py").is_file():
        sys.exit(f"name a benchmark: {', '.join(sorted(path.stem for path in HERE.glob('*.py') if path.stem != 'record'))}")
    found = record(sys.argv[1], sys.argv[2:])
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{sys.argv[1]}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
