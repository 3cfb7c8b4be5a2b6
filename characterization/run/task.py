"""One batch of samples, whatever happens to it: a sample that crashes or hangs ngspice is found, and costs no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from characterization.chips import measure_batch
from characterization.plan import RampPlan
from characterization.workers import Lost, Worker, Workers
from netlists.spice import shared_instance

from .chunks import ChunkStore, StoredChunk
from .rows import MEASUREMENTS, lost_rows, measured_rows

if TYPE_CHECKING:
    import pyarrow as pa

Simulate = Callable[[RampPlan, np.ndarray], "pa.Table"]
Parts = list[tuple[np.ndarray, "pa.Table | Lost"]]


def simulate_samples(plan: RampPlan, samples: np.ndarray, runner: str = "shared") -> pa.Table:
    """Measures some samples in one go; rows of `measured_rows`."""
    return measured_rows(plan, measure_batch(plan, samples, runner=runner))


def load() -> dict[str, str]:
    """Loads what a batch needs into this process; the versions that the bits of a result depend on."""
    # Here rather than within a batch's time limit: the first array makes pyarrow import pandas.
    import pyarrow as pa

    pa.array([0.0])
    found = {name: version(name) for name in ("nladc-cosim", "numpy", "scipy")}
    return found | {"libngspice": str(shared_instance().ngspice_version)}


@dataclass(frozen=True)
class BatchTask:
    """What is done with each batch of a run.

    Attributes
    ----------
    plan : RampPlan
    simulate : callable
        `simulate_samples`, with its runner.
    timeout : float
        Seconds that ngspice may take for a batch, or for a part of one.
    """

    plan: RampPlan
    simulate: Simulate
    timeout: float

    def run(self, worker: Worker, samples: np.ndarray) -> pa.Table:
        """Rows of all samples of a batch, in order."""
        parts = self._isolate(worker, samples)
        rows = [
            lost_rows(self.plan, part, found.status, found.message) if isinstance(found, Lost) else found for part, found in parts
        ]
        import pyarrow as pa

        table = pa.concat_tables(rows)
        if any("not converged" in table[f"{name}_status"].to_pylist() for name in MEASUREMENTS):
            worker.recycle("ngspice failed on a sample")
        return table

    def _isolate(self, worker: Worker, samples: np.ndarray) -> Parts:
        """Results of the samples together or, where the process is lost, of halves of them, each lost sample alone."""
        found = self._again(worker, samples)
        if not isinstance(found, Lost):
            return [(samples, found)]
        return self._halved(worker, samples, found)

    def _halved(self, worker: Worker, samples: np.ndarray, lost: Lost) -> Parts:
        """Results of halves of samples that were lost together."""
        if len(samples) == 1:
            return [(samples, self._again(worker, samples))]
        halves = [(half, self._again(worker, half)) for half in np.array_split(samples, 2)]
        if len(samples) > 2 and all(isinstance(f, Lost) and f.status == lost.status == "timed out" for _, f in halves):
            # Not one sample is at fault, but what all of them share: halves of halves would take as long, each.
            return list(halves)
        parts: Parts = []
        for half, found in halves:
            parts += self._halved(worker, half, found) if isinstance(found, Lost) else [(half, found)]
        if not any(isinstance(found, Lost) for _, found in parts):
            # No sample was at fault: the process was killed from outside. Who shares a deck decides the last digits,
            # so the samples run together once more, as in a run in which nothing was killed.
            together = self._again(worker, samples)
            if not isinstance(together, Lost):
                return [(samples, together)]
        return parts

    def _again(self, worker: Worker, samples: np.ndarray) -> pa.Table | Lost:
        try:
            return self._call(worker, samples)
        except Lost as lost:
            return lost

    def _call(self, worker: Worker, samples: np.ndarray) -> pa.Table:
        return worker.call(self.simulate, self.plan, samples, limit=self.timeout)


@dataclass(frozen=True)
class Finished:
    """What comes back of a task: rows, or the chunk they were stored in; the worker's story and versions."""

    rows: pa.Table | None
    stored: StoredChunk | None
    batches: list[int]
    failures: list[tuple[int, str, str]]
    events: list[str]
    versions: dict[str, str]


def finish(task: BatchTask, workers: Workers, batches: dict[int, np.ndarray], store: ChunkStore | None) -> Finished:
    """Runs batches (number -> samples) one after the other in the calling thread's worker.

    Their rows go to ``store`` if it is given.
    """
    import pyarrow as pa

    worker = workers.mine()
    rows = pa.concat_tables([task.run(worker, samples) for samples in batches.values()])
    events, worker.events = worker.events, []
    lost = [
        (sample, status, message)
        for sample, status, message in zip(*(rows[c].to_pylist() for c in ("sample", "status", "message")), strict=True)
        if status != "ok"
    ]
    stored = None if store is None else store.write(rows)
    return Finished(None if store else rows, stored, list(batches), lost, events, worker.versions)
