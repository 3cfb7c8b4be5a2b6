"""Reads Parquet files without a thread: Arrow's outlive the reading, and on a busy machine can abort a process as it ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq


def open_parquet(source: Path | bytes) -> pq.ParquetFile:
    """Opens a file, or the bytes of one; each reading of it takes ``use_threads=False``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # A buffer, as Arrow reads anything else in a thread of its own whatever it is told; mapped, it takes no memory.
    data = source if isinstance(source, bytes) else pa.memory_map(str(source)).read_buffer()
    return pq.ParquetFile(pa.BufferReader(data))


def read_parquet(source: Path | bytes) -> pa.Table:
    """Reads a whole file, or the bytes of one."""
    with open_parquet(source) as file:
        return file.read(use_threads=False)


def read_frame(path: Path) -> pd.DataFrame:
    """Reads a whole file as a data frame."""
    return read_parquet(path).to_pandas(use_threads=False)
