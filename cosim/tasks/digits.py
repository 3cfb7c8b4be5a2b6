"""Handwritten digits, 8 x 8 pixels, read row by row: a small task for smoke tests."""

from __future__ import annotations

import numpy as np

from netlists.errors import ToolkitError
from netlists.files import sha256_of

from .provenance import Provenance
from .sequences import SequenceSet
from .shipped import shipped
from .task import Task

SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of the 1,797 x 64 pixels, 0..16, as bytes, followed by the 1,797 labels as bytes."""

TRAINING = 1347
"""Images trained on: the first three quarters. The files are ordered by writer, so that few writers are on both sides."""

SOURCE = (
    "Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (E. Alpaydin, C. Kaynak, 1998), its test set: "
    "8 rows of 8 pixels, one row a step."
)


def load_digits() -> Task:
    """Loads digits by rows: 8 steps of 8 pixels, scaled to 0..1; raises `ToolkitError` if the copy is not the known one."""
    return digits_from(**shipped("digits"))


def digits_from(images: np.ndarray, labels: np.ndarray) -> Task:
    """The task from pixels (1797, 64), 0..16, and labels (1797,); `ToolkitError` if they are not the known ones."""
    digest = sha256_of(np.asarray(images).astype(np.uint8).tobytes() + np.asarray(labels).astype(np.uint8).tobytes())
    if digest != SHA256:
        raise ToolkitError(f"task 'digits': SHA-256 of pixels and labels is {digest}, must be {SHA256}; reinstall the package")
    rows, steps = np.asarray(images).reshape(-1, 8, 8) / 16.0, np.full(len(images), 8)
    return Task(
        name="digits",
        train=SequenceSet(rows[:TRAINING], steps[:TRAINING], labels[:TRAINING]),
        test=SequenceSet(rows[TRAINING:], steps[TRAINING:], labels[TRAINING:]),
        classes=tuple("0123456789"),
        metric="accuracy",
        provenance=Provenance(
            source=SOURCE,
            version="ships with this toolkit",
            licence="CC BY 4.0 (UCI Machine Learning Repository)",
            sha256={"pixels and labels": digest},
            items={"train": TRAINING, "test": len(images) - TRAINING},
        ),
    )
