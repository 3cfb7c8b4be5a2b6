"""The folder of a run: whose it is, who works in it, and how far it is.

``manifest.json`` says what is simulated and how far it is; `characterization.lock` is held while a process works there.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from characterization.chips import examine, nominal_deck
from characterization.lock import HOLDER, LOCK, lock_holder, now
from characterization.plan import RampPlan, plan_digest
from characterization.provenance import versions
from netlists.errors import InputError
from netlists.files import make_folder, read_json

from .chunks import ChunkStore, Index

MANIFEST = "manifest.json"
MANIFEST_SCHEMA = 2
CHUNKS = "chunks"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run.

    Raises
    ------
    InputError
        There is none, or not one of this version of the toolkit.
    """
    manifest = read_json(folder / MANIFEST, "run manifest")
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != MANIFEST_SCHEMA:
        raise InputError(f"{folder}/{MANIFEST}: schema={schema!r}, must be {MANIFEST_SCHEMA}; simulate again in another folder")
    missing = [name for name in ("plan", "plan_sha256", "batch", "samples", "chunks") if name not in manifest]
    if missing:
        raise InputError(f"{folder}/{MANIFEST}: has no {', '.join(missing)}; simulate again in another folder")
    if plan_digest(manifest["plan"]) != manifest["plan_sha256"]:
        raise InputError(f"{folder}/{MANIFEST}: its plan does not match its checksum: it was edited or damaged; simulate again")
    return manifest


def _lasting(chunks: str) -> str:
    """The address of a place for chunks that means the same from every working directory."""
    return chunks if "://" in chunks else os.path.abspath(chunks)


def examined_plan(plan: RampPlan, folder: Path | None) -> tuple[RampPlan, tuple[str, ...]]:
    """`characterization.chips.examine`, or what it found when the run in the folder began."""
    if plan.comparator is None and plan.opamp is None and plan.program_from != "spice":
        return plan, ()
    if folder is not None and (folder / MANIFEST).exists():
        old = read_manifest(folder)
        if old["plan"].get("targets") and plan.program_from != "closed-form" and plan.targets is None:
            source = old["plan"].get("program_from", "auto")
            plan = replace(plan, program_from=source, targets=RampPlan.from_dict(old["plan"]).targets)
        for one in (plan, replace(plan, held=True)):
            if old["plan_sha256"] == one.sha256:
                return one, tuple(old.get("warnings", ()))
    return examine(plan)


def open_manifest(plan: RampPlan, folder: Path, batch: int, chunks: str | None, warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    """The manifest of this run: a new one, or that of the run which this one continues. The lock must be held.

    Raises
    ------
    InputError
        The folder holds something else, or a run of another plan; the differences are named.
    """
    where = None if chunks is None else _lasting(chunks)
    if (folder / MANIFEST).exists():
        old = read_manifest(folder)
        if old["plan_sha256"] != plan.sha256:
            different = RampPlan.from_dict(old["plan"]).differences(plan)
            raise InputError(f"{folder}: holds a run of another plan ({'; '.join(different)}); choose another folder")
        if old["batch"] != batch:
            raise InputError(f"{folder}: its run has batch={old['batch']}, not {batch}; choose another folder")
        if where is not None and old["chunks"] != where:
            raise InputError(f"{folder}: its run has its chunks in {old['chunks']}, not in {where}; choose another folder")
        return old
    return {
        "schema": MANIFEST_SCHEMA,
        "plan": plan.as_dict(),
        "plan_sha256": plan.sha256,
        "batch": batch,
        "chunks": where or CHUNKS,
        "deck_sha256": nominal_deck(plan).sha256,
        "scheme": plan.program().scheme,
        "versions": versions(),
        "created": now(),
        **({"warnings": list(warnings)} if warnings else {}),
    }


def prepare(out: Path) -> Path:
    """A folder for a run: created, writable, and not holding anything else."""
    folder = make_folder(out)
    if not (folder / MANIFEST).exists():
        # A run that was killed while it wrote its first manifest left no more than these.
        ours = re.compile(rf"{re.escape(LOCK)}|{re.escape(HOLDER)}|run\.log|\..*\.tmp")
        if any(not ours.fullmatch(p.name) for p in folder.iterdir()):
            raise InputError(f"{folder}: is not empty and holds no run; choose another folder")
    return folder


def clear_leftovers(folder: Path) -> None:
    """Removes the temporary files of processes that were killed while they wrote. The lock must be held."""
    for place in (folder, folder / CHUNKS):
        for path in place.glob(".*.tmp"):
            with suppress(OSError):
                path.unlink()


def chunk_store(folder: Path, manifest: dict[str, Any]) -> ChunkStore:
    """Where the chunks of a run are."""
    where = manifest["chunks"]
    limit = manifest["plan"].get("sampling", {}).get("samples")
    return ChunkStore(str(folder / CHUNKS) if where == CHUNKS else where, manifest["plan_sha256"], manifest["batch"], limit)


def done_samples(index: Index, batch: int, samples: int) -> int:
    """How many of the samples 0 to ``samples`` are stored."""
    return sum(min(batch, samples - b * batch) for b in index.chunk if b * batch < samples)


def failures(index: Index, samples: int) -> dict[str, int]:
    """How many of the stored samples failed in which way."""
    return dict(sorted(Counter(status for sample, status in index.failed.items() if sample < samples).items()))


@dataclass(frozen=True)
class RunStatus:
    """How far a run is, from its files alone.

    ``state`` is "complete", "running" (a process holds its lock) or "stopped". ``age_seconds`` is the time since the
    manifest was written, by the clocks of two moments; ``rate`` is samples a second while it last ran.
    """

    folder: str
    state: str
    plan: str
    samples: int
    done: int
    failed: dict[str, int]
    left: int
    rate: float | None
    wall_seconds: float
    age_seconds: float
    holder: str | None
    chunks: int
    bytes: int
    damaged: dict[str, str]


def run_status(folder: str | Path) -> RunStatus:
    """Looks at a run; every chunk is held against its checksum, and nothing is changed.

    Raises
    ------
    InputError
        The folder holds no run.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    plan = RampPlan.from_dict(manifest["plan"])
    index = chunk_store(folder, manifest).scan()
    samples, holder = manifest["samples"], lock_holder(folder)
    done = done_samples(index, manifest["batch"], samples)
    complete = manifest.get("state") == "complete" and done == samples and not index.damaged
    return RunStatus(
        folder=str(folder),
        state="running" if holder else "complete" if complete else "stopped",
        plan=f"{plan.name}, {plan.bits} bits, {manifest.get('scheme')}, {plan.level}, seed {plan.seed}",
        samples=samples,
        done=done,
        failed=failures(index, samples),
        left=samples - done,
        rate=manifest.get("samples_per_s"),
        wall_seconds=manifest.get("wall_seconds", 0.0),
        age_seconds=max(0.0, round(time.time() - _timestamp(manifest.get("updated")), 1)),
        holder=holder,
        chunks=len(set(index.chunk.values())),
        bytes=index.bytes,
        damaged=index.damaged,
    )


def _timestamp(text: Any) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return time.time()
