"""Japanese Vowels: who of nine speakers says /ae/, from twelve LPC cepstra a frame."""

from __future__ import annotations

import numpy as np

from netlists.errors import ToolkitError
from netlists.files import sha256_of

from .provenance import Provenance
from .sequences import SequenceSet
from .shipped import shipped
from .task import Task

FILES = {
    "JapaneseVowels_TRAIN.ts": "d691705fdcd951dedfd7493dfa1395a8643cf3586b37a9415c40e22a220a9b22",
    "JapaneseVowels_TEST.ts": "b33323fdf18ad1d1ce2f37fbdf529b77ee2c11d9ad2d5aeec77f85d7fece88cd",
}
"""The published files and the SHA-256 of their data: what follows the line ``@data``, lines ended by ``\\n``."""

SHA256 = "ccb5cde03639c3a8450c583b9e00db54a4da4c6549cb5ce853dfad3b445c9eab"
"""Of the frames (in millionths, as 32-bit integers), lengths and speakers of the training set, then of the test set."""

SOURCE = (
    "Japanese Vowels, UCI Machine Learning Repository: M. Kudo, J. Toyama, M. Shimbo, Multidimensional curve classification "
    "using passing-through regions, Pattern Recognition Letters 20 (1999) 1103-1111. Utterances of nine male speakers, "
    "7 to 29 frames of 12 LPC cepstra. Real recordings."
)
LICENCE = "CC BY 4.0 (UCI Machine Learning Repository)"


def load_vowels() -> Task:
    """Loads Japanese Vowels with its published sets, each feature scaled by the training frames' mean and deviation.

    Raises
    ------
    ToolkitError
        The installed copy of the data is not the known one.
    """
    return vowels_from(shipped("vowels"))


def vowels_from(arrays: dict[str, np.ndarray]) -> Task:
    """Makes the task from the published numbers; raises `ToolkitError` if they are not the known ones.

    Parameters
    ----------
    arrays : dict
        ``S_frames`` (frames, 12) in millionths, ``S_lengths`` and ``S_speakers``, each (utterances,), for S = train and test.
    """
    digest = sha256_of(b"".join(arrays[f"{s}_{a}"].tobytes() for s in ("train", "test") for a in ("frames", "lengths", "speakers")))
    if digest != SHA256:
        raise ToolkitError(f"task 'vowels': SHA-256 of its data is {digest}, must be {SHA256}; reinstall the package")
    frames = arrays["train_frames"] / 1e6
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    classes = np.unique(arrays["train_speakers"])

    def part(name: str) -> SequenceSet:
        ends = np.cumsum(arrays[f"{name}_lengths"], dtype=int)
        utterances = np.split((arrays[f"{name}_frames"] / 1e6 - mean) / deviation, ends[:-1])
        return SequenceSet.from_list(utterances, np.searchsorted(classes, arrays[f"{name}_speakers"]))

    train, test = part("train"), part("test")
    return Task(
        name="vowels",
        train=train,
        test=test,
        classes=tuple(f"speaker {c}" for c in classes),
        metric="accuracy",
        provenance=Provenance(
            source=SOURCE,
            version="ships with this toolkit",
            licence=LICENCE,
            sha256={f"data of {name}": known for name, known in FILES.items()},
            items={"train": len(train), "test": len(test)},
        ),
    )
