"""Ctrl-C at any moment: a sweep over start-up and work of each command; back at the prompt, one line, no traceback."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from .bench import Round, one_line

COMMANDS = (
    "doctor", "--help", "netlist ramp --activation sigmoid --bits 3 --out r.cir", "simulate deck.cir",
    "characterize --activation sigmoid --bits 2 --samples 400 --jobs 2 --quiet --out run", "status run7", "figures run7",
    "fit run7 --out m.json", "train --task vowels --epochs 50 --quiet --out n.npz",
    "evaluate --task vowels --network net.npz --bits 4 --chips 8",
    "loop --network net.npz --bits 3 --utterances 2 --jobs 2 --out l",
    "validate model.json --jobs 2", "budget --network net.npz --chips 2 --permutations 4 --out b", "tasks",
    "study demo --quiet --out demo", "comparator mine.cir:mine --samples 4 --corners tt --jobs 2 --out c",
)  # fmt: skip
DECK = "a divider\nv1 in 0 sin(0 1 1meg)\nr1 in out 1k\nc1 out 0 1p\n.tran 1n 300u\n.end\n"


def moments(count: int) -> list[float]:
    """CPU seconds after which Ctrl-C comes: dense over start-up."""
    return [0.05 + 2.95 * (i / max(count - 1, 1)) ** 1.3 for i in range(count)]


def run(command: str, at: float, inputs: Path, folder: Path, label: str) -> dict[str, Any]:
    """A row: exit code, seconds until it was back, what it said."""
    from .kills import _cpu

    round_ = Round(label, inputs, folder)
    (round_.folder / "deck.cir").write_text(DECK)
    start = time.monotonic()
    process = round_.start(command.split())
    while process.poll() is None:
        try:
            used = _cpu(process.pid)
        except Exception:
            break
        if used >= at:
            break
        time.sleep(0.002)
    struck = time.monotonic()
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        done = round_.wait(process, start, longest=60)
        code, said = done.code, done.said
    else:
        code, said = process.returncode, (round_.base / "said").read_text(errors="replace")
        struck = time.monotonic()
    row = {"work": command, "at": at, "code": code, "seconds": time.monotonic() - struck, "quiet": one_line(said)}
    lines = [line for line in said.splitlines() if line.strip()]
    row |= {"said": said[-1500:] if not row["quiet"] or code not in (0, 130) else (lines[-1] if lines else "")[:200]}
    row |= {"interrupted": code == 130, "left": vars(round_.left())}
    round_.close()
    return row
