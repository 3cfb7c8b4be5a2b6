"""NumPy's own loop of a function of single precision, to be called where numbers lie in a core's cache, with its bits.

A ufunc is a C structure whose layout is part of NumPy's public interface (`PyUFuncObject` in `ufuncobject.h`): it has the addresses
of its loops, which take no Python objects.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

import numpy as np


class _Ufunc(ctypes.Structure):
    """The beginning of `PyUFuncObject`, without what counts references."""

    _fields_ = (
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
    )


@cache
def float_loop(function: np.ufunc) -> tuple[int, int]:
    """Addresses of the loop of a function of one float32 and of its data; (0, 0) where they are not known.

    They are known if the structure says what Python says, in CPython with NumPy 2.
    """
    if sys.implementation.name != "cpython" or np.lib.NumpyVersion(np.__version__).major != 2:
        return 0, 0
    found = _Ufunc.from_address(id(function) + object.__basicsize__)
    as_python = (function.nin, function.nout, function.nargs, function.ntypes)
    if (found.nin, found.nout, found.nargs, found.ntypes) != as_python or "f->f" not in function.types:
        return 0, 0
    number = function.types.index("f->f")
    return found.functions[number] or 0, (found.data[number] if found.data else 0) or 0
