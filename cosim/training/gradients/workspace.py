"""What a training computes with: arrays that are kept from one gradient step to the next, and threads for large products."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

LARGE_PRODUCT = 2**22
"""Multiplications from which on a product is shared between threads."""
LARGE_ARRAY = 2**17
"""Numbers from which on a pass over an array is shared between threads."""


class Workspace:
    """Named arrays, and matrix products on a number of threads.

    Fresh memory costs as much as the arithmetic on it, so arrays are taken once, and again only for more rows. Products
    are shared here and not by the BLAS library, whose threads spin while they wait: with another busy process beside them, two
    take several times as long as one.

    Parameters
    ----------
    dtype : float32 or float64
    threads : int
    """

    def __init__(self, dtype: np.dtype | type, threads: int = 1) -> None:
        self.dtype = np.dtype(dtype)
        self._arrays: dict[str, np.ndarray] = {}
        self.use_threads(threads)

    def use_threads(self, threads: int) -> None:
        """Shares large products between so many threads from now on."""
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def array(self, name: str, rows: int, columns: int, dtype: np.dtype | type | None = None) -> np.ndarray:
        """An array (rows, columns) whose content is of no meaning, the same memory for the same name."""
        kept = self._arrays.get(name)
        if kept is None or len(kept) < rows or kept.shape[1] != columns:
            kept = self._arrays[name] = np.empty((rows, columns), dtype or self.dtype)
        return kept[:rows]

    def matmul(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
        """``a @ b`` into ``out``; columns of a large product are shared between the threads."""
        if self._pool is None or out.size * len(b) < LARGE_PRODUCT:
            return np.matmul(a, b, out=out)
        edges = np.linspace(0, out.shape[1], self.threads + 1).astype(int)
        # The pool waits without using the processor; all parts go through it, so that none is done twice as late.
        list(self._pool.map(lambda part: np.matmul(a, b[:, part[0] : part[1]], out=out[:, part[0] : part[1]]), pairwise(edges)))
        return out

    def share(self, shape: tuple[int, ...], work: Callable[[slice], None]) -> None:
        """Does ``work`` on all rows of arrays of a shape; of large ones, each thread does some."""
        if self._pool is None or np.prod(shape) < LARGE_ARRAY:
            work(slice(0, shape[0]))
            return
        edges = np.linspace(0, shape[0], self.threads + 1).astype(int)
        list(self._pool.map(lambda part: work(slice(*part)), pairwise(edges)))
