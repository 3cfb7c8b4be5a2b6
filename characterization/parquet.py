"""Reads Parquet files without a thread: Arrow's outlive the reading, and on a busy machine can abort a process as it ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netlists.machine import require_memory

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

VALUE_BYTES = 20.0
"""Memory of a value while its table becomes a data frame."""


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
        # A table of one value a million times is a file of nothing.
        rows, columns = file.metadata.num_rows, file.metadata.num_columns
        require_memory(VALUE_BYTES * rows * columns, f"table of {rows} rows")
        return file.read(use_threads=False)


def read_frame(path: Path) -> pd.DataFrame:
    """Reads a whole file as a data frame."""
    return read_parquet(path).to_pandas(use_threads=False)
