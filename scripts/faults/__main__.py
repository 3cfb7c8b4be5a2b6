"""Runs the faults of docs/reliability.md: ``python -m scripts.faults [--quick]``, by ``make faults``.

Each round is one line of ``rows.jsonl`` in ``--out``; rounds that are there are not run again, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import kills
from .bench import Reference, Round, reference
from .works import MINE, works


def prepare(folder: Path) -> Path:
    """What the commands read: a network, a comparator, a finished run."""
    inputs = folder / "inputs"
    if not (inputs / "ready").exists():
        inputs.mkdir(parents=True, exist_ok=True)
        (inputs / "mine.cir").write_text(MINE)
        round_ = Round("inputs", inputs, folder)
        for line in (
            "train --task vowels --hidden 8 --epochs 8 --quiet --out net.npz",
            "characterize --activation sigmoid --bits 2 --seed 7 --samples 64 --quiet --out run7",
        ):
            if (done := round_.run(line.split())).code:
                raise SystemExit(f"{line}: {done.said}")
        for name in ("net.npz", "run7"):
            (round_.folder / name).rename(inputs / name)
        round_.close()
        (inputs / "ready").touch()
    return inputs


def main() -> int:
    """Runs what is asked for and says what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/faults"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="24 kills")
    parser.add_argument("--only", help="works whose name holds this")
    parser.add_argument("--at-once", type=int, default=1, help="rounds that run side by side")
    a = parser.parse_args()
    folder = a.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    rows = folder / "rows.jsonl"
    done = {json.loads(line)["label"] for line in rows.read_text().splitlines()} if rows.exists() else set()
    inputs = prepare(folder)
    chosen = [w for w in works() if not a.only or a.only in w.name]
    sound: dict[str, Reference] = {}
    stored = folder / "undisturbed.json"
    known = json.loads(stored.read_text()) if stored.exists() else {}
    for work in chosen:
        if work.name not in known:
            known[work.name] = vars(reference(work, inputs, folder))
            stored.write_text(json.dumps(known, indent=1))
            print(
                f"undisturbed {work.name}: {known[work.name]['seconds']:.1f} s, {len(known[work.name]['answer'])} values",
                flush=True,
            )
        sound[work.name] = Reference(**known[work.name])

    def one(item: tuple) -> None:
        label, work, at, aim, name = item
        row: dict[str, Any] = {"label": label, "load": os.getloadavg()[0], "date": time.strftime("%Y-%m-%d")}
        row |= kills.kill(work, sound[work.name], at, aim, name, inputs, folder, label)
        with rows.open("a") as f:
            f.write(json.dumps(row) + "\n")
        bad = row["differs"] or any(row["left"].values()) or not row["quiet"] or row["code"] is None
        print(f"{label} {work.name}: {aim} {name} at {at:.2f}: {'LOOK' if bad else 'ok'} {row['differs']}", flush=True)

    todo = [item for item in kills.plan(chosen, 24 if a.quick else a.kills, a.seed) if item[0] not in done]
    with ThreadPoolExecutor(a.at_once) as pool:
        list(pool.map(one, todo))
    return 0


if __name__ == "__main__":
    sys.exit(main())
