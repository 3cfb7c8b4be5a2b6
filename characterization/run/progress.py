"""The books of a run while it goes on: results into chunks, counts into the manifest, events into the log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from characterization.lock import now
from characterization.provenance import versions
from netlists.errors import ToolkitError
from netlists.files import write_json

from .folder import MANIFEST, chunk_store, done_samples, failures
from .task import Finished, load

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_SAMPLES = 1024
CHUNK_SECONDS = 10.0
"""A chunk is written when it holds so many samples, or so long after the last one: no more is lost to ``kill -9``."""


class RunLog:
    """``run.log`` in a run's folder: starts and stops with versions, samples that failed, workers that were replaced.

    What the log says is also in the manifest and the tables: a log that cannot be written does not stop a run.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.log"

    def add(self, text: str) -> None:
        """Appends an event; lines after its first are indented."""
        with suppress(OSError), open(self.path, "a", encoding="utf-8", errors="backslashreplace") as f:
            f.write(f"{now()}  {text.rstrip()}".replace("\n", "\n    ") + "\n")

    def start(self, what: str, versions: Mapping[str, str | None], before: Mapping[str, str | None]) -> None:
        """Notes a start, and which versions are not those that the run began with."""
        self.add(f"start: {what}; " + ", ".join(f"{name} {v}" for name, v in versions.items() if v))
        changed = [f"{name} {before.get(name)} -> {v}" for name, v in versions.items() if before.get(name) != v]
        if changed:
            self.add(f"versions differ from those of the first start: {', '.join(changed)}")


class RunProgress:
    """Keeps the books of one start of a run, whose lock is held.

    Durations come from the monotonic clock; dates are only for reading.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], samples: int, jobs: int) -> None:
        self.folder, self.manifest, self.samples = folder, manifest, samples
        self.log = RunLog(folder)
        self.store = chunk_store(folder, manifest)
        self.index = self.store.scan()
        self._jobs, self._versions = jobs, load()
        self._waiting: list[pa.Table] = []
        self._started = self._flushed = time.monotonic()
        self._done_before = self.done

    @property
    def done(self) -> int:
        """Samples that are stored."""
        return done_samples(self.index, self.manifest["batch"], self.samples)

    @property
    def failed(self) -> int:
        """Stored samples that failed, in whatever way."""
        return sum(failures(self.index, self.samples).values())

    def begin(self, what: str) -> list[str]:
        """Notes the start and moves damaged chunks aside; what is to be said about them."""
        self.log.start(what, versions(), self.manifest["versions"])
        self.store.set_aside(list(self.index.damaged))
        said = [f"chunk {name} {why}: moved to damaged/ and simulated again" for name, why in self.index.damaged.items()]
        for line in said:
            self.log.add(line)
        self._write("running")
        return said

    def take(self, finished: Finished) -> None:
        """Keeps the rows of a finished task, or notes the chunk that a worker wrote.

        Raises
        ------
        ToolkitError
            The chunk cannot be written, or the worker has other versions than this process.
        """
        if finished.versions != self._versions:
            raise ToolkitError(
                f"a worker has {finished.versions}, this process {self._versions}: a sample's numbers would depend on who"
                " simulates it; install the same versions everywhere"
            )
        for event in finished.events:
            self.log.add(event)
        for sample, status, message in finished.failures:
            self.log.add(f"sample {sample} (seed {self.manifest['plan']['seed']}): {status}: {message}")
        if finished.stored is not None:
            self.index.add(finished.stored, self.manifest["batch"])
            if time.monotonic() - self._flushed > CHUNK_SECONDS:
                self._write("running")
            return
        self._waiting.append(finished.rows)
        if sum(map(len, self._waiting)) >= CHUNK_SAMPLES or time.monotonic() - self._flushed > CHUNK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what waits as a chunk."""
        import pyarrow as pa

        if self._waiting:
            self.index.add(self.store.write(pa.concat_tables(self._waiting)), self.manifest["batch"])
            self._waiting = []
            self._write("running")

    def complete(self, tables: dict[str, str]) -> None:
        """Notes the end, with the checksums of the tables."""
        self._write("complete", tables=tables)

    def _write(self, state: str, **more: Any) -> None:
        seconds, done = time.monotonic() - self._started, self.done
        new = done - self._done_before
        counts = failures(self.index, self.samples)
        self._flushed = time.monotonic()
        write_json(
            self.folder / MANIFEST,
            {k: v for k, v in self.manifest.items() if k != "tables"}
            | {
                "state": state,
                "samples": self.samples,
                "done": done,
                "failed": sum(counts.values()),
                "failures": counts,
                "jobs": self._jobs,
                "simulated_now": new,
                "samples_per_s": round(new / seconds, 3) if new else self.manifest.get("samples_per_s"),
                "wall_seconds": round(self.manifest.get("wall_seconds", 0.0) + (seconds if new else 0.0), 3),
                "updated": now(),
                **more,
            },
        )
