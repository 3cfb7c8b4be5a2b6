"""Real speech and the published networks for it, from folders of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cosim.network import Network
from cosim.network.importers import Convention, import_network
from cosim.tasks import SequenceSet, Task, load_own
from cosim.tasks.speech import build_keywords_test
from netlists.errors import InputError

SILENCE = "silence"
CLASSES = (SILENCE, "unknown", "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""The classes in the order of the networks' scores."""
HOW = (
    "the archive speech_commands_test_set_v0.02.tar.gz (download.tensorflow.org/data, CC BY 4.0) unpacked; the networks are "
    "those of ML-KWS-for-MCU (Apache-2.0) as arrays; name the folders with data and networks"
)


def load_published(folder: str, files: Sequence[str]) -> dict[str, Network]:
    """The published networks by their files; `InputError` says how to get one that is missing."""
    paths = {name: Path(folder).expanduser() / name for name in files}
    if missing := [p for p in paths.values() if not p.exists()]:
        raise InputError(f"networks: there is no {missing[0]}; {HOW}")
    return {name: import_network(path, Convention(pooling="last")).network for name, path in paths.items()}


def load_speech(path: str) -> Task:
    """The test set with features and order of classes of the published networks: of the recordings, or of a file made of them.

    Raises
    ------
    InputError
        Nothing there, or another kind of data; the message says how to get it.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise InputError(f"data: there is no {place}; {HOW}")
    task = load_own(place) if place.is_file() else build_keywords_test(place, features="mfcc-tensorflow")
    names = [c.strip("_") for c in task.classes]
    if task.test.n_features != 10 or set(names) != set(CLASSES):
        raise InputError(
            f"data: {place} has {task.test.n_features} features and the classes {', '.join(names)}; the networks take 10 "
            "coefficients of ten words, unknown and silence: the folder itself, or "
            "own data made of it with features='mfcc-tensorflow' and scale='none'"
        )
    test = task.test
    labels = np.array([CLASSES.index(c) for c in names])[test.labels]
    return replace(task, train=None, validation=None, test=SequenceSet(test.inputs, test.lengths, labels), classes=CLASSES)
