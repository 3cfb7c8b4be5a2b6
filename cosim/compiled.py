"""Functions compiled by numba, an extra: whether it is there, what computes where it is not, and where compiled code is kept.

This is the one place that knows. Without numba, or with one that does not load, everything is computed in NumPy: codes are the
same to the bit for the same sums, trainings agree within single precision, and both take longer, which is said once a process.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing import current_process
from pathlib import Path
from typing import Any

from netlists.errors import InputError, ToolkitError

ENGINES = ("numba", "numpy")
REMEDY = "pip install 'nladc-cosim[fast]'"

Function = Callable[..., Any]


@cache
def numba_fault() -> str:
    """Says why numba cannot be used; empty if it can. It is loaded for that, which takes a moment."""
    try:
        import numba  # noqa: F401
    except ModuleNotFoundError as e:
        return "numba is not installed" if e.name == "numba" else f"numba does not load ({e})"
    except Exception as e:
        # As with a NumPy that is newer than it knows, or a library of another system.
        return f"numba does not load ({str(e).splitlines()[0] if str(e) else type(e).__name__})"
    return ""


def default_engine() -> str:
    """Names the engine that computes where none is asked for: numba where it can be used, NumPy where not."""
    return "numpy" if numba_fault() else "numba"


def chosen_engine(engine: str | None = None) -> str:
    """Names the engine that computes; says on stderr, once a process, if it is NumPy for want of numba.

    Parameters
    ----------
    engine : {"numba", "numpy"} or None
        None: `default_engine`.

    Raises
    ------
    InputError
        An engine that there is none of, or numba where it cannot be used.
    """
    if engine is None:
        # Workers leave it to the process whose they are, which asks for itself.
        if numba_fault() and current_process().name == "MainProcess":
            _say_slow()
        return default_engine()
    if engine not in ENGINES:
        raise InputError(f"engine={engine!r}: unknown; allowed are {', '.join(ENGINES)}")
    if engine == "numba" and numba_fault():
        raise InputError(f"engine='numba': {numba_fault()}; {REMEDY}, or leave it out to compute in NumPy")
    return engine


@cache
def _say_slow() -> None:
    print(f"warning: {numba_fault()}: networks are computed in NumPy, which takes longer; {REMEDY}", file=sys.stderr, flush=True)


def compiled(*, otherwise: Function | None = None, sources: Sequence[str] = (), **options: Any) -> Callable[[Function], Any]:
    """A decorator: ``numba.njit`` with these options, and with a cache unless numba finds no place for one.

    Parameters
    ----------
    otherwise : callable or None
        What does the same in NumPy, where numba cannot be used; None: a call is refused there, as its loops would take for ever.
    sources : sequence of str
        Files, beside the function's own, that its code is made from: numba looks at the function's file alone.
    """

    def decorate(function: Function) -> Any:
        if numba_fault():
            return otherwise or _refused(function)
        import numba

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


def inlined(**options: Any) -> Callable[[Function], Any]:
    """A decorator for what compiled functions alone call, ``numba.njit``; the function itself where numba cannot be used."""

    def decorate(function: Function) -> Any:
        if numba_fault():
            return function
        import numba

        return numba.njit(**options)(function)

    return decorate


def shared(function: Function) -> Any:
    """A decorator for what compiled functions and Python call; Python's calls are not compiled."""
    if not numba_fault():
        from numba.extending import register_jitable

        register_jitable(function)
    return function


def _refused(function: Function) -> Function:
    def refuse(*_: Any) -> Any:
        raise ToolkitError(f"{function.__name__}: is compiled code, and {numba_fault()}; {REMEDY}")

    return refuse
