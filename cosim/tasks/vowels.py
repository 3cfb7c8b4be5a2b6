"""Japanese Vowels: who of nine speakers says /ae/, from twelve LPC cepstra a frame."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np

from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of

from .provenance import Provenance
from .sequences import SequenceSet
from .task import Task

FILES = {
    "JapaneseVowels_TRAIN.ts": "d691705fdcd951dedfd7493dfa1395a8643cf3586b37a9415c40e22a220a9b22",
    "JapaneseVowels_TEST.ts": "b33323fdf18ad1d1ce2f37fbdf529b77ee2c11d9ad2d5aeec77f85d7fece88cd",
}
"""The files in the installed package aeon and the SHA-256 of their data: what follows the line ``@data``, lines ended by ``\\n``.

The comments above that line and the line ends differ between aeon 1.0 and 1.6; the data does not.
"""

SOURCE = (
    "Japanese Vowels, UCI Machine Learning Repository: M. Kudo, J. Toyama, M. Shimbo, Multidimensional curve classification "
    "using passing-through regions, Pattern Recognition Letters 20 (1999) 1103-1111. Utterances of nine male speakers, "
    "7 to 29 frames of 12 LPC cepstra. Real recordings, read from the files inside the package aeon."
)
LICENCE = "CC BY 4.0 (UCI Machine Learning Repository)"


def load_vowels() -> Task:
    """Japanese Vowels with the published training and test sets, each feature scaled by the training frames' mean and deviation.

    Raises
    ------
    ToolkitError
        aeon is not installed, or its copy of the data set is not the known one.
    """
    try:
        # Imported here because it brings numba along and takes over a second, which only this function should cost.
        import aeon.datasets
    except ImportError as e:
        raise ToolkitError(f"task 'vowels': its data ships inside the package aeon, which cannot be imported ({e})") from None
    return vowels_from(Path(aeon.datasets.__file__).parent / "data" / "JapaneseVowels")


def vowels_from(folder: Path) -> Task:
    """The task from a folder that holds the files named in `FILES`; raises `InputError` if one is missing or differs."""
    from aeon.datasets import load_from_ts_file

    sets, digests = [], {}
    for name, expected in FILES.items():
        path = folder / name
        try:
            raw = path.read_bytes()
        except OSError as e:
            raise InputError(f"{path}: cannot be read ({e.strerror}); reinstall the package aeon, which ships it") from None
        digest = sha256_of(raw.replace(b"\r\n", b"\n").partition(b"\n@data\n")[2])
        if digest != expected:
            raise InputError(
                f"{path}: SHA-256 of its data is {digest}, must be {expected}; reinstall the package aeon, which ships it"
            )
        digests[f"data of {name}"] = digest
        utterances, speakers = load_from_ts_file(str(path))
        sets.append(([np.asarray(u, float).T for u in utterances], np.asarray(speakers)))

    (train, train_speakers), (test, test_speakers) = sets
    classes, train_labels = np.unique(train_speakers, return_inverse=True)
    frames = np.concatenate(train)
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    return Task(
        name="vowels",
        train=SequenceSet.from_list([(u - mean) / deviation for u in train], train_labels),
        test=SequenceSet.from_list([(u - mean) / deviation for u in test], np.searchsorted(classes, test_speakers)),
        classes=tuple(f"speaker {c}" for c in classes),
        metric="accuracy",
        provenance=Provenance(
            source=SOURCE,
            version=f"aeon {version('aeon')}",
            licence=LICENCE,
            sha256=digests,
            items={"train": len(train), "test": len(test)},
        ),
    )
