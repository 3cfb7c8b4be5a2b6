"""Numbers as files of tensors keep them, bfloat16 among them, which NumPy does not have."""

from __future__ import annotations

import numpy as np

from netlists.errors import InputError

KINDS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
    "BOOL": "?", "U16": "<u2", "U32": "<u4", "U64": "<u8",
}  # fmt: skip
DTYPES = {"<f8": "float64", "<f4": "float32", "<f2": "float16"}


def decoded(content: bytes, kind: str) -> np.ndarray:
    """Numbers of a kind of `KINDS`, flat; a bfloat16 is the upper half of a float32."""
    if kind not in KINDS:
        raise InputError(f"holds numbers of type {kind}; {', '.join(KINDS)} are read")
    raw = np.frombuffer(content, KINDS[kind])
    return (raw.astype("<u4") << 16).view("<f4") if kind == "BF16" else raw


def finite(arrays: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """The arrays in double precision; `InputError` names one with a value that is not finite."""
    out = {}
    for name, a in arrays.items():
        out[name] = np.asarray(a, np.float64)
        if not np.isfinite(out[name]).all():
            raise InputError(f"{where}: {name} has {np.count_nonzero(~np.isfinite(out[name]))} values that are not finite")
    return out
