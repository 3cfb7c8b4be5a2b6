"""Ctrl-C at any moment: a sweep over start-up and work of each command; back at the prompt, one line, no traceback."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .bench import ROOT, Round, one_line
from .kills import cpu_of

OURS, VOWELS = "--set task=vowels --set network=net.npz", '--set tasks=["vowels"]'
COMMANDS = (
    "doctor", "--help", "netlist ramp --activation sigmoid --bits 3 --out r.cir", "simulate deck.cir",
    "characterize --activation sigmoid --bits 2 --samples 400 --jobs 2 --quiet --out run", "status run7", "figures run7",
    "fit run7 --out m.json", "train --task vowels --epochs 50 --quiet --out n.npz",
    "evaluate --task vowels --network net.npz --bits 4 --chips 8",
    "loop --network net.npz --bits 3 --utterances 2 --jobs 2 --out l",
    "validate model.json --jobs 2", "budget --network net.npz --chips 2 --permutations 4 --out b", "tasks",
    "study demo --quiet --out demo", "comparator mine.cir:mine --samples 4 --corners tt --jobs 2 --out c",
    "opamp amp.cir:amp --samples 4 --corners tt --jobs 2 --out c", "blocks --nominal-only --samples 4 --jobs 2 --out blocks",
    "device written.csv --g-hrs-us 30 --out d.toml", "write-verify taox-100-400 --cells 20000 --out w.csv",
    "netlist crossbar --rows 32 --columns 32 --out r.cir", "netlist tile --inputs 16 --columns 16 --out r.cir",
    "netlist column --inputs 16 --out r.cir", "reproduce run7 --sample 3", "view run7 --out page.html",
    "estimate --activation sigmoid --bits 2 --until-ci 0.05 --jobs 2 --quiet --out est",
    "sensitivity --bits 3 --spice-chips 64 --out sens", "export model.json --out m.va", "compare run7 run7 --out both",
    "import torch.npz --out n.npz", "tasks get digits", "tasks make data.npz --out mine.npz", "init project", "report demo",
    "optimize --network net.npz --trials 5 --chips 2 --samples 8 --confirm-chips 2 --tries 1 --max-loss 50% --quiet --out opt",
    "evaluate --network net.npz --everything --bits 4 --chips 4",
    "evaluate --network net.npz --sweep bits=3..5 --chips 8 --out sweep",
    "train --task vowels --everything --epochs 20 --quiet --out n.npz",
    "study error-sources --quiet --out st", "study vread --quiet --jobs 2 --out st", f"study cost {OURS} --quiet --out st",
    "study activations --quiet --out st", "study stuck --quiet --jobs 2 --out st", "study models --quiet --jobs 2 --out st",
    "study nladc-calibration --quiet --jobs 2 --out st", f"study kws-bits {VOWELS} --quiet --jobs 2 --out st",
    "study lm-bits --quiet --jobs 2 --out st", "study lorenz --quiet --out st", f"study learned-ramps {VOWELS} --quiet --out st",
    f"study data-energy {OURS} --quiet --out st",
)  # fmt: skip
LONGEST = 300.0
AMP = """.subckt amp inp inn out com
g1 com a inp inn 1m
r1 a com 300k
c1 a com 1p
b1 b com v=0.8*tanh(v(a,com)/0.8)
r2 b out 100
.ends amp
"""
DECK = "a divider\nv1 in 0 sin(0 1 1meg)\nr1 in out 1k\nc1 out 0 1p\n.tran 1n 300u\n.end\n"


def moments(count: int, seed: int, command: str) -> list[float]:
    """CPU seconds after which Ctrl-C comes: at random, two of three within start-up and the loading of numba and ngspice."""
    rng = np.random.default_rng([seed, *command.encode()])
    return [float(rng.uniform(0.02, 3.0 if i % 3 else 10.0)) for i in range(count)]


def _waited(pids: Iterable[int]) -> float:
    """Seconds that the process waited most for a core, of those that live (Linux)."""
    found = [0.0]
    for pid in pids:
        with suppress(OSError, ValueError):
            found.append(1e-9 * int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]))
    return max(found)


def run(command: str, at: float, inputs: Path, folder: Path, label: str) -> dict[str, Any]:
    """A row: exit code, seconds until it was back, what it said."""
    round_ = Round(label, inputs, folder)
    (round_.folder / "deck.cir").write_text(DECK)
    (round_.folder / "amp.cir").write_text(AMP)
    normal = np.random.default_rng(1).normal
    cells = [f"{t},{m:.3f}" for t in (100, 200, 300, 400) for m in normal(t, 2.7, 500)]
    (round_.folder / "written.csv").write_text("\n".join(["target_uS,measured_uS", *cells]))
    x, y = normal(size=(40, 5, 2)), np.arange(40) % 2
    np.savez(round_.folder / "data.npz", train_inputs=x, train_labels=y, test_inputs=x, test_labels=y)
    shapes = {
        "weight_ih_l0": (32, 5),
        "weight_hh_l0": (32, 8),
        "bias_ih_l0": 32,
        "bias_hh_l0": 32,
        "fc.weight": (3, 8),
        "fc.bias": 3,
    }
    np.savez(round_.folder / "torch.npz", **{name: normal(size=shape) for name, shape in shapes.items()})
    shutil.copytree(ROOT / "results/demo", round_.folder / "demo")
    start = time.monotonic()
    process = round_.start(command.split())
    while process.poll() is None:
        try:
            used = cpu_of(process.pid)
        except Exception:
            break
        if used >= at:
            break
        time.sleep(0.002)
    struck = time.monotonic()
    if process.poll() is None:
        before, waited = _waited([process.pid]), 0.0
        os.killpg(process.pid, signal.SIGINT)
        end = struck + LONGEST
        while process.poll() is None and time.monotonic() < end:
            waited = max(waited, _waited([process.pid]) - before)
            time.sleep(0.01)
        took = time.monotonic() - struck
        done = round_.wait(process, start, longest=0) if process.returncode is None else None
        said = (round_.base / "said").read_text(errors="replace")
        code = process.returncode if done is None else None
    else:
        code, said = process.returncode, (round_.base / "said").read_text(errors="replace")
        took = waited = 0.0
    row = {"work": command, "at": at, "code": code, "seconds": took, "waited": waited, "quiet": one_line(said)}
    lines = [line for line in said.splitlines() if line.strip()]
    row["lines"] = sum(line.startswith("interrupted") for line in lines)
    row |= {"said": said[-1500:] if not row["quiet"] or code not in (0, 130) else (lines[-1] if lines else "")[:200]}
    row |= {"interrupted": code == 130, "left": vars(round_.left())}
    round_.close()
    return row
