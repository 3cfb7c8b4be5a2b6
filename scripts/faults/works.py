"""The long commands that are disturbed, on plans so small that each takes a few seconds."""

from __future__ import annotations

from pathlib import Path

from .bench import Work

MINE = """.subckt mine inp inn out com
b1 out com v=tanh(200*(v(inp)-v(inn)))
.ends mine
"""
CHIPS = "characterize --activation sigmoid --bits 2 --seed 7 --batch 4 --jobs 2 --out run"
NETWORK = "--task vowels --network net.npz"


def _resume(folder: Path) -> list[str]:
    return ["--resume"] if (folder / "n.checkpoint.npz").exists() else []


def _work(name: str, line: str, answer: str, share: int = 1) -> Work:
    quiet = [] if name.startswith(("evaluate", "fit")) else ["--quiet"]
    return Work(name, [*line.split(), *quiet], (answer,), _resume if name == "train" else lambda folder: [], share)


def works() -> list[Work]:
    """All of them; what they read is in the folder that they run in."""
    demo = "--set samples=48 --set held_out=8 --set chips=2 --set converting_chips=1"
    search = "--trials 3 --chips 2 --samples 8 --confirm-chips 2 --tries 1 --max-loss 50%"
    return [
        _work("characterize", f"{CHIPS} --samples 240", "run", 4),
        _work("characterize, ngspice -b", f"{CHIPS} --samples 16 --runner batch", "run", 3),
        _work("characterize, own comparator", f"{CHIPS} --samples 48 --comparator mine.cir:mine", "run", 2),
        _work("estimate", "estimate --activation sigmoid --bits 2 --until-ci 0.1 --jobs 2 --out est", "est", 3),
        _work("fit", "fit run7 --out model.json", "model.json"),
        _work("train", "train --task vowels --hidden 8 --epochs 12 --out n.npz", "n.npz", 4),
        _work("evaluate --out", f"evaluate {NETWORK} --sweep bits=3..4 --sweep threshold_noise=0,0.5 --chips 4 --out ev", "ev", 3),
        _work("loop", f"loop {NETWORK} --bits 3 --utterances 1 --jobs 2 --out loop", "loop", 3),
        _work("budget", f"budget {NETWORK} --chips 2 --permutations 4 --bits 3 --out bud", "bud", 0),
        _work("comparator", "comparator mine.cir:mine --samples 4 --chips 2 --corners tt --jobs 2 --out comp", "comp", 3),
        _work("optimize", f"optimize {NETWORK} {search} --out opt", "opt", 0),
        _work("study demo", f"study demo {demo} --out demo", "demo", 0),
        _work("blocks", "blocks --nominal-only --samples 4 --jobs 2 --out blocks", "blocks", 0),
    ]
