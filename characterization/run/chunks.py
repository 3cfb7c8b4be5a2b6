"""The chunk store of a run, its finished batches: Parquet files that are complete or not there, read with their checksum only.

A chunk holds whole batches, one row a sample (`rows`). Its name is ``chunk-BATCH-DIGEST.parquet``: the number of
its first batch, and the first digits of its SHA-256. So a file and its checksum appear in the same rename, and which
samples exist is decided by what the chunks hold, not by their dates. Chunks lie in a folder or, by fsspec, in an object
store (``s3://bucket/run``), where a file appears whole when its upload ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from characterization.parquet import read_parquet
from netlists.errors import InputError, ToolkitError
from netlists.files import make_folder, sha256_of, write_bytes

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = 16
DAMAGED = "damaged"
KEY = b"plan_sha256"
_NAME = re.compile(rf"chunk-(\d{{8,}})-([0-9a-f]{{{DIGITS}}})\.parquet")


class Place(Protocol):
    """Where chunks lie."""

    def names(self) -> list[str]: ...
    def read(self, name: str) -> bytes: ...
    def write(self, name: str, data: bytes) -> None: ...
    def set_aside(self, name: str) -> None: ...


class FolderPlace:
    """A folder of this computer, or one that several share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        return sorted(p.name for p in self.folder.glob("chunk-*.parquet"))

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        write_bytes(self.folder / name, data)

    def set_aside(self, name: str) -> None:
        (make_folder(self.folder / DAMAGED) / name).unlink(missing_ok=True)
        (self.folder / name).rename(self.folder / DAMAGED / name)


class UrlPlace:
    """An object store that fsspec knows."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise ToolkitError(f"{url}: needs the extra `cluster`: pip install 'nladc-cosim[cluster]'") from None
        try:
            self.files, self.path = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as e:
            raise InputError(f"{url}: is no place for chunks ({e})") from None
        self.path = self.path.rstrip("/")

    def names(self) -> list[str]:
        try:
            found = self.files.ls(self.path, detail=False)
        except FileNotFoundError:
            return []
        return sorted(n for n in (str(p).rsplit("/", 1)[-1] for p in found) if n.startswith("chunk-"))

    def read(self, name: str) -> bytes:
        return self.files.cat_file(f"{self.path}/{name}")

    def write(self, name: str, data: bytes) -> None:
        self.files.makedirs(self.path, exist_ok=True)
        self.files.pipe_file(f"{self.path}/{name}", data)

    def set_aside(self, name: str) -> None:
        self.files.makedirs(f"{self.path}/{DAMAGED}", exist_ok=True)
        self.files.mv(f"{self.path}/{name}", f"{self.path}/{DAMAGED}/{name}")


def place(where: str) -> Place:
    """The place that a path, ``file://`` address or fsspec address names."""
    if "://" not in where or where.startswith("file://"):
        return FolderPlace(Path(where.removeprefix("file://")))
    return UrlPlace(where)


def batch_samples(number: int, batch: int, limit: int | None) -> np.ndarray:
    """Sample numbers of a batch; the last of a plan with a fixed number of samples is shorter."""
    last = (number + 1) * batch
    return np.arange(number * batch, last if limit is None else min(last, limit))


@dataclass
class Index:
    """What the chunks hold.

    Attributes
    ----------
    chunk : dict
        Name of the chunk of each batch.
    failed : dict
        Status of each sample that is not "ok".
    damaged : dict
        Chunks that are not what was written, and why.
    bytes : int
        Size of the sound chunks.
    """

    chunk: dict[int, str] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    bytes: int = 0

    def add(self, stored: StoredChunk, batch: int) -> None:
        """Counts a chunk of batches of ``batch`` samples; it takes the place of what is known of its batches."""
        if any(b in self.chunk for b in stored.batches):
            # A cluster may run a task twice, and only one of the two may have lost a sample.
            again = set(stored.batches)
            self.failed = {sample: status for sample, status in self.failed.items() if sample // batch not in again}
        self.chunk.update(dict.fromkeys(stored.batches, stored.name))
        self.failed.update(stored.failed)
        self.bytes += stored.bytes


@dataclass(frozen=True)
class StoredChunk:
    """One chunk that was written: its name and size, its batches, and the status of samples that failed."""

    name: str
    bytes: int
    batches: list[int]
    failed: dict[int, str]


class ChunkStore:
    """Reads and writes the chunks of one plan.

    Parameters
    ----------
    where : str
        Folder or fsspec address.
    plan_sha256 : str
        Each chunk carries it: chunks of two plans never mix.
    batch : int
        Samples a batch.
    limit : int, optional
        Samples that the plan can have at most: its last batch is shorter.
    """

    def __init__(self, where: str, plan_sha256: str, batch: int, limit: int | None = None) -> None:
        self.where, self.plan_sha256, self.batch, self.limit = where, plan_sha256, batch, limit
        self._place = place(where)
        self._cached = lru_cache(maxsize=8)(self._read)

    def write(self, rows: pa.Table) -> StoredChunk:
        """Stores whole batches.

        Raises
        ------
        ToolkitError
            The place cannot be written to (full, read-only, not reachable).
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = rows.sort_by("sample").replace_schema_metadata({KEY: self.plan_sha256.encode()})
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd", use_dictionary=["status", "message"])
        data = sink.getvalue().to_pybytes()
        batches = self._batches(rows)
        name = f"chunk-{batches[0]:08d}-{sha256_of(data)[:DIGITS]}.parquet"
        try:
            self._place.write(name, data)
        except ToolkitError:
            raise
        except Exception as e:
            # Each object store has its own errors.
            raise ToolkitError(f"{self.where}: chunk {name} cannot be written ({e or type(e).__name__})") from None
        return StoredChunk(name, len(data), batches, _failed(rows))

    def scan(self) -> Index:
        """Looks at every chunk and its checksum.

        Raises
        ------
        InputError
            A sound chunk belongs to another plan.
        ToolkitError
            The place cannot be read.
        """
        index = Index()
        try:
            names = self._place.names()
        except Exception as e:
            raise ToolkitError(f"{self.where}: cannot be read ({e or type(e).__name__})") from None
        for name in names:
            try:
                rows, size = self._read(name)
                batches = self._batches(rows)
            except _Damaged as e:
                index.damaged[name] = str(e)
                continue
            index.add(StoredChunk(name, size, batches, _failed(rows)), self.batch)
        return index

    def set_aside(self, names: list[str]) -> None:
        """Moves damaged chunks to ``damaged/``, where nothing reads them."""
        for name in names:
            try:
                self._place.set_aside(name)
            except Exception as e:
                raise ToolkitError(f"{self.where}/{name}: is damaged and cannot be moved aside ({e})") from None

    def rows(self, index: Index, samples: int, size: int) -> Iterator[pa.Table]:
        """Rows of samples 0 to ``samples`` in order, ``size`` at a time; only a few chunks are in memory.

        Raises
        ------
        ToolkitError
            A chunk was damaged since `scan`.
        """
        import pyarrow as pa

        waiting: list[pa.Table] = []
        held = 0
        for batch in range(-(-samples // self.batch)):
            name = index.chunk[batch]
            try:
                rows, _ = self._cached(name)
            except _Damaged as e:
                raise ToolkitError(f"{self.where}/{name}: {e}; run the same command again, it is simulated anew") from None
            first = int(np.searchsorted(rows["sample"].to_numpy(), batch * self.batch))
            part = rows.slice(first, min(self.batch, samples - batch * self.batch))
            waiting.append(part)
            held += len(part)
            while held >= size:
                joined = pa.concat_tables(waiting)
                yield joined.slice(0, size)
                waiting, held = [joined.slice(size)], held - size
        if held:
            yield pa.concat_tables(waiting)

    def sample(self, index: Index, number: int) -> pa.Table:
        """The row of one stored sample; `ToolkitError` if its chunk was damaged since `scan`."""
        name = index.chunk[number // self.batch]
        try:
            rows, _ = self._cached(name)
        except _Damaged as e:
            raise ToolkitError(f"{self.where}/{name}: {e}; run the same command again, it is simulated anew") from None
        return rows.slice(int(np.searchsorted(rows["sample"].to_numpy(), number)), 1)

    def _read(self, name: str) -> tuple[pa.Table, int]:
        """A chunk whose checksum holds, and its size."""

        match = _NAME.fullmatch(name)
        if match is None:
            raise _Damaged("is not a chunk's name")
        try:
            data = self._place.read(name)
        except Exception as e:
            raise _Damaged(f"cannot be read ({e or type(e).__name__})") from None
        if sha256_of(data)[:DIGITS] != match.group(2):
            raise _Damaged("its content does not match its checksum")
        rows = read_parquet(data)
        owner = (rows.schema.metadata or {}).get(KEY, b"").decode()
        if owner != self.plan_sha256:
            raise InputError(f"{self.where}/{name}: belongs to a run of another plan; choose another place for the chunks")
        return rows.replace_schema_metadata(None), len(data)

    def _batches(self, rows: pa.Table) -> list[int]:
        numbers, counts = np.unique(rows["sample"].to_numpy() // self.batch, return_counts=True)
        batches = [int(b) for b in numbers]
        if counts.tolist() != [len(batch_samples(b, self.batch, self.limit)) for b in batches]:
            raise _Damaged("does not hold whole batches")
        return batches


class _Damaged(Exception):
    """A chunk is not what was written."""


def _failed(rows: pa.Table) -> dict[int, str]:
    pairs: Any = zip(rows["sample"].to_pylist(), rows["status"].to_pylist(), strict=True)
    return {sample: status for sample, status in pairs if status != "ok"}
