"""Peak memory of commands at a default and at ten times as much work: ``python benchmarks/memory.py [--json] [--only NAME]``.

Each command runs in a process of its own; its peak is the largest resident set that the system counted, of the process and of
any one of its workers. Nothing is measured in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

NETWORK = "{folder}/network.npz"
EVALUATE = ["evaluate", "--task", "vowels", "--network", NETWORK, "--bits", "5", "--seed", "1"]
COMMANDS: dict[str, tuple[list[str], list[str], list[str]]] = {
    # name: arguments, the work at a default, the work at ten times as much
    "characterize": (
        ["characterize", "--activation", "sigmoid", "--out", "{folder}/run-{times}", "--jobs", "1", "--quiet"],
        ["--samples", "256"],
        ["--samples", "2560"],
    ),
    "fit": (["fit", "{folder}/run-{times}", "--out", "{folder}/sigmoid-{times}.json"], [], []),
    "figures": (["figures", "{folder}/run-{times}"], [], []),
    "status": (["status", "{folder}/run-{times}"], [], []),
    "estimate": (
        [
            "estimate",
            "--activation",
            "sigmoid",
            "--until-ci",
            "0.002",
            "--out",
            "{folder}/estimate-{times}",
            "--jobs",
            "1",
            "--quiet",
        ],
        ["--most", "256"],
        ["--most", "2560"],
    ),
    "write-verify": (
        ["write-verify", "taox-100-400", "--targets", "100,250,400", "--out", "{folder}/cells-{times}.csv"],
        ["--cells", "8"],
        ["--cells", "80"],
    ),
    "validate": (["validate", "{folder}/sigmoid-1.json", "--jobs", "1"], ["--samples", "64"], ["--samples", "640"]),
    "sensitivity": (["sensitivity", "--activation", "sigmoid", "--bits", "5"], ["--chips", "1000"], ["--chips", "10000"]),
    "train": (["train", "--task", "vowels", "--out", NETWORK], ["--epochs", "4"], ["--epochs", "40"]),
    "evaluate": ([*EVALUATE, "--threshold-noise", "0.5"], ["--chips", "16"], ["--chips", "160"]),
    "evaluate with wires": ([*EVALUATE, "--weights", "taox-100-400", "--r-wire", "1"], ["--chips", "16"], ["--chips", "160"]),
    "loop": (
        ["loop", "--network", NETWORK, "--jobs", "1", "--out", "{folder}/loop-{times}", "--quiet"],
        ["--utterances", "1"],
        ["--utterances", "10"],
    ),
    "budget": (
        ["budget", "--network", NETWORK, "--permutations", "4", "--jobs", "1", "--out", "{folder}/budget-{times}"],
        ["--chips", "2"],
        ["--chips", "20"],
    ),
    "optimize": (
        [
            "optimize",
            "--network",
            NETWORK,
            "--chips",
            "2",
            "--samples",
            "8",
            "--confirm-chips",
            "2",
            "--tries",
            "1",
            "--max-loss",
            "50%",
            "--quiet",
            "--out",
            "{folder}/optimize-{times}",
        ],
        ["--trials", "4"],
        ["--trials", "40"],
    ),
}
_PEAK = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "cosim", *sys.argv[1:]], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code)
"""


def peak(arguments: list[str]) -> float:
    """MiB that a command took at most."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, *arguments], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    kibibytes, code = (int(word) for word in done.stdout.split())
    if code:
        sys.exit(f"cosim {' '.join(arguments)}: failed\n{done.stderr}")
    return kibibytes / 1024


def measure(only: list[str] | None) -> dict[str, Any]:
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (arguments, *amounts) in COMMANDS.items():
            if only is not None and name not in only:
                continue
            once, ten = (
                peak([word.format(folder=folder, times=times) for word in [*arguments, *amount]])
                for times, amount in zip((1, 10), amounts, strict=True)
            )
            work = " ".join(amounts[0]) or "run of characterize"
            out[name] = {"work": work, "mib": once, "mib_ten_times": ten, "ratio": ten / once}
            print(f"{name:20}{work:22}{once:8.0f} MiB, ten times as much {ten:8.0f} MiB", file=sys.stderr)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", choices=sorted(COMMANDS), nargs="+", help="these, with those that they need")
    options = parser.parse_args()
    found = measure(options.only)
    if options.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
