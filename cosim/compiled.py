"""Functions compiled by numba, kept between runs where a folder for that can be written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numba


def compiled(*, sources: Sequence[str] = (), **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: ``numba.njit`` with these options, and with a cache unless numba finds no place for one.

    Parameters
    ----------
    sources : sequence of str
        Files, beside the function's own, that its code is made from: numba looks at the function's file alone.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            dispatcher = numba.njit(cache=True, **options)(function)
        except RuntimeError:
            # Neither the package's folder nor the user's can be written: compiled anew in each process.
            return numba.njit(**options)(function)
        if not sources:
            return dispatcher
        # numba has no public way to name further sources. Where it has another inside, the code is compiled anew in each process.
        file: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
        if not hasattr(file, "_source_stamp"):
            return numba.njit(**options)(function)
        digest = hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()
        file._source_stamp = (file._source_stamp, digest)
        return dispatcher

    return decorate
