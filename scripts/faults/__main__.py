"""Runs the faults of docs/reliability.md: ``python -m scripts.faults [--quick]``, by ``make faults``.

Each round is one line of ``rows.jsonl`` in ``--out``; rounds that are there are not run again, so that a stopped run goes on. The
tables of results/faults/README.md are made of these lines alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from . import damage, interrupts, kills, outages, places, table
from .bench import ROOT, Reference, Round, Work, crowd, reference
from .works import MINE, works

SECTIONS = ("kills", "places", "damage", "interrupts")


def prepare(folder: Path) -> Path:
    """What the commands read: a network with its checkpoint, a comparator, a finished run, a model."""
    inputs = folder / "inputs"
    if not (inputs / "ready").exists():
        inputs.mkdir(parents=True, exist_ok=True)
        (inputs / "mine.cir").write_text(MINE)
        shutil.copy(ROOT / "results/demo/models/sigmoid3.json", inputs / "model.json")
        round_ = Round("inputs", inputs, folder)
        for line in (
            "train --task vowels --hidden 8 --epochs 8 --quiet --out net.npz",
            "characterize --activation sigmoid --bits 2 --seed 7 --samples 64 --quiet --out run7",
        ):
            if (done := round_.run(line.split())).code:
                raise SystemExit(f"{line}: {done.said}")
        for name in ("net.npz", "net.checkpoint.npz", "run7"):
            (round_.folder / name).rename(inputs / name)
        round_.close()
        (inputs / "ready").touch()
    return inputs


def main() -> int:
    """Runs what is asked for, prints the tables, and says with its exit code whether everything held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/faults"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--moments", type=int, default=9, help="of Ctrl-C for each command")
    parser.add_argument("--quick", action="store_true", help="24 kills, two commands for each place, 30 bytes a file, 3 moments")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--only", default="", help="commands whose name holds this")
    parser.add_argument("--faults", default="", help="of the places, those in whose name this regular expression is found")
    parser.add_argument("--at-once", type=int, default=1, help="rounds that run side by side")
    parser.add_argument("--table", action="store_true", help="print the tables of what was found, and run nothing")
    a = parser.parse_args()
    # Commands inherit what is ignored (nohup, a shell's background); a signal that is handled here is theirs as it should be.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, lambda *_: None)
    folder = a.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    rows = folder / "rows.jsonl"
    failed = 0 if a.table else _run(a, folder, rows)
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    print(table.page(found, a.seed))
    return int(failed > 0 or any(table.faulty(row) for row in found))


def _run(a: argparse.Namespace, folder: Path, rows: Path) -> int:
    """Runs the rounds that are not there yet; how many of them failed by themselves, and so say nothing."""
    done = {json.loads(line)["label"] for line in rows.read_text().splitlines()} if rows.exists() else set()
    lock, failed = threading.Lock(), []

    def keep(label: str, section: str, make: Callable[[], dict[str, Any]]) -> None:
        if label in done:
            return
        try:
            row = make()
        except Exception as e:
            print(f"{label}: the round itself failed: {type(e).__name__}: {e}", file=sys.stderr, flush=True)
            failed.append(label)
            return
        row = {
            "label": label,
            "section": section,
            "load": os.getloadavg()[0],
            "crowd": crowd(),
            "date": time.strftime("%Y-%m-%d"),
            **row,
        }
        with lock, rows.open("a") as f:
            f.write(json.dumps(row) + "\n")
        print(f"{label} {row.get('work', '')} {row.get('fault', '')}: {table.faulty(row) or 'ok'}", flush=True)

    inputs = prepare(folder)
    chosen = [w for w in works() if a.only in w.name]
    sound = Undisturbed(folder, inputs)
    jobs: list[tuple[str, str, Callable[[], dict[str, Any]]]] = []
    if "kills" in a.sections:
        planned = kills.plan(chosen, 24 if a.quick else a.kills, a.seed)
        # The long commands last: a run that is stopped has met more by then.
        for label, work, at, aim, name in sorted(planned, key=lambda job: job[1].share == 0):
            jobs.append((label, "kills", partial(kills.kill, work, sound.of, at, aim, name, inputs, folder, label)))
    if "places" in a.sections:
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            print("places: needs root, for mounts; left out", file=sys.stderr)
        else:
            some = [w for w in chosen if w.name in ("characterize", "train")] if a.quick else [w for w in chosen if w.share]
            for fault, meet in (places.faults() | outages.FAULTS).items():
                for work in (w for w in some if re.search(a.faults, fault) and outages.applies(fault, w)):
                    label = f"place-{fault}-{work.name}"
                    jobs.append(
                        (label, "places", partial(places.run, fault, meet, work, sound.of, inputs, folder, f"p{len(jobs)}"))
                    )
    if "interrupts" in a.sections:
        for command in interrupts.COMMANDS:
            for i, at in enumerate(interrupts.moments(3 if a.quick else a.moments, a.seed, command)):
                if a.only in command:
                    make = partial(interrupts.run, command, at, inputs, folder, f"i{len(jobs)}")
                    jobs.append((f"interrupt-{i}-{command}", "interrupts", make))
    with ThreadPoolExecutor(a.at_once) as pool:
        list(pool.map(lambda job: keep(job[0], job[1], job[2]), jobs))
    if "damage" in a.sections:
        known = {label.removeprefix("damage-") for label in done if label.startswith("damage-")}
        for row in damage.run(inputs, a.seed, a.quick, known):
            keep(f"damage-{row['kind']}", "damage", lambda row=row: row)
    return len(failed)


class Undisturbed:
    """The answers of commands without a fault, kept from one run to the next; each is made when it is first asked for."""

    def __init__(self, folder: Path, inputs: Path) -> None:
        self._stored, self._folder, self._inputs = folder / "undisturbed.json", folder, inputs
        self._known = json.loads(self._stored.read_text()) if self._stored.exists() else {}
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def of(self, work: Work) -> Reference:
        """That of one command."""
        with self._lock:
            lock = self._locks[work.name]
        with lock:
            if work.name not in self._known:
                made = vars(reference(work, self._inputs, self._folder))
                with self._lock:
                    self._known[work.name] = made
                    self._stored.write_text(json.dumps(self._known, indent=1))
        return Reference(**self._known[work.name])


if __name__ == "__main__":
    sys.exit(main())
