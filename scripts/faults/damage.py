"""Damaged files: bytes changed and ends cut off, of every kind of file that is stored; read again, each is as it was or refused."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from characterization.ramp_model import RampModel
from characterization.resume import Parts
from characterization.run import load_run, run_status
from cosim.network import Network
from cosim.tasks import cache
from cosim.tasks.vowels import load_vowels
from netlists.errors import InputError, ToolkitError
from netlists.outside import BlockFile

from .bench import ROOT

SMALL = 2000
FLIPS, CUTS = 300, 20


@dataclass
class Kind:
    """A stored file, and what reads it; the same text of a value is the same value."""

    name: str
    path: Path
    read: Callable[[], Any]


def text_of(value: Any) -> str:
    """All that a value is, for comparison."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {text_of(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(text_of, value)) + "]"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{value.tobytes().hex()}"
    if hasattr(value, "to_csv"):
        return value.to_csv()
    return repr(value)


def kinds(folder: Path, inputs: Path) -> Iterator[Kind]:
    """Each kind with a sound file in ``folder``."""
    run = Path(shutil.copytree(inputs / "run7", folder / "run"))

    def whole_run() -> Any:
        found = load_run(run)
        return {n: getattr(found, n) for n in ("samples", "transitions", "conversions")} | {"plan": repr(found.plan)}

    def chunks() -> Any:
        status = run_status(run)
        if status.damaged:
            raise InputError(f"damaged: {status.damaged}")
        return vars(status) | {"age_seconds": 0}

    yield Kind("chunk of a run", next((run / "chunks").glob("chunk-*.parquet")), chunks)
    yield Kind("table of a run", run / "samples.parquet", whole_run)
    yield Kind("manifest of a run", run / "manifest.json", whole_run)
    model = Path(shutil.copy(ROOT / "results/demo/models/sigmoid3.json", folder / "model.json"))
    yield Kind("ramp model", model, lambda: RampModel.load(model).model_dump_json())
    network = Path(shutil.copy(inputs / "net.npz", folder / "net.npz"))

    def net() -> Any:
        found = Network.load(network)
        return [{d: m for d, m in layer.forward.items()} for layer in found.layers] + [found.readout, repr(found.metadata)]

    yield Kind("network", network, net)
    checkpoint = Path(shutil.copy(inputs / "net.checkpoint.npz", folder / "net.checkpoint.npz"))
    yield Kind("checkpoint of a training", checkpoint, lambda: _resumed(checkpoint))
    parts = Parts(folder / "work", {"seed": 1, "bits": [3, 4]})
    parts.rows("row", lambda: [{"a": 0.1, "b": "x"}])

    def rows() -> Any:
        return Parts(folder / "work", {"seed": 1, "bits": [3, 4]}).rows("row", lambda: [{"a": 0.1, "b": "x"}])

    part = folder / "work" / ".parts"
    yield Kind("part of a study", next(part.glob("row.*.json")), rows)
    yield Kind("settings of the parts", part / "settings.json", rows)
    os.environ[cache.ENVIRONMENT] = str(folder / "cache")
    entry = cache.store(load_vowels())

    def cached() -> Any:
        task = cache.restore("vowels", "a second")
        return [(s.inputs, s.lengths, s.labels) for s in task.parts().values()] + [task.classes, task.metric, repr(task.provenance)]

    yield Kind("data in the cache", entry / cache.DATA, cached)
    yield Kind("description in the cache", entry / cache.DESCRIPTION, cached)
    from loaders import block

    blocks = folder / "block.json"
    from netlists.files import with_checksums

    blocks.write_text(json.dumps(with_checksums(json.loads(block()))))
    yield Kind("block file", blocks, lambda: BlockFile.load(blocks))


def _resumed(path: Path) -> Any:
    """What a training that goes on takes from a checkpoint."""
    from cosim.training.checkpoint import GROUPS, TrainingState, load_checkpoint

    raw = _sound.get(path)
    if raw is None:
        with np.load(path) as arrays:
            raw = _sound[path] = dict(arrays)
    state = TrainingState.model_validate_json(str(raw["progress"]))

    class Adam:
        def __init__(self) -> None:
            self.parameters = {k.partition(".")[2]: v.copy() for k, v in raw.items() if k.startswith(GROUPS[0])}
            self.mean = {k: v.copy() for k, v in self.parameters.items()}
            self.square = {k: v.copy() for k, v in self.parameters.items()}
            self.steps = 0

    adam: Any = Adam()
    progress, best, _ = load_checkpoint(path, state.conditions, adam, {}, 1)
    return [repr(progress), adam.parameters, adam.mean, adam.square, best]


_sound: dict[Path, dict[str, np.ndarray]] = {}


def damages(data: bytes, seed: int, quick: bool) -> Iterator[tuple[str, bytes]]:
    """Each byte of a small file changed, `FLIPS` of a larger one; and ends cut off."""
    rng = np.random.default_rng([seed, len(data)])
    flips = 30 if quick else FLIPS
    places = (
        range(len(data))
        if len(data) <= SMALL and not quick
        else sorted(rng.choice(len(data), min(flips, len(data)), replace=False))
    )
    for at in places:
        changed = bytearray(data)
        changed[at] ^= int(rng.integers(1, 256))
        yield f"byte {at}", bytes(changed)
    for length in sorted(rng.integers(0, len(data), 5 if quick else CUTS)):
        yield f"cut at {length}", data[:length]


def run(inputs: Path, seed: int, quick: bool, known: Collection[str] = ()) -> list[dict[str, Any]]:
    """A row for each kind of file that is not ``known``: how many damaged ones were refused, the same, wrong, or raised."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        for kind in kinds(Path(folder), inputs):
            if kind.name in known:
                continue
            sound, data = text_of(kind.read()), kind.path.read_bytes()
            count: Counter[str] = Counter()
            examples = []
            for what, damaged in damages(data, seed, quick):
                kind.path.write_bytes(damaged)
                try:
                    with redirect_stderr(StringIO()):
                        same = text_of(kind.read()) == sound
                    result = "the same" if same else "wrong"
                except (InputError, ToolkitError):
                    result = "refused"
                except Exception as e:
                    result = f"{type(e).__name__}: {e}"[:100]
                count[result if result in ("the same", "wrong", "refused") else "traceback"] += 1
                if result not in ("the same", "refused") and len(examples) < 5:
                    examples.append(f"{what}: {result}")
                for left in kind.path.parent.glob(f"{kind.path.name.split('.')[0]}.*"):
                    if left != kind.path and kind.name == "part of a study":
                        left.unlink()
            kind.path.write_bytes(data)
            rows.append({"kind": kind.name, "bytes": len(data), **count, "examples": examples})
            print(rows[-1], flush=True)
    return rows
