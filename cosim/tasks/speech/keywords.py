"""Google Speech Commands, versions 1 and 2, from a local folder: real one-second recordings of single words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from cosim.tasks import Provenance, Task, listing_digest, local_folder
from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of

from .audio import clip_features, feature_sets, fit, read_wav
from .synthetic import CLASSES, CLIP, KEYWORDS, RATE, SILENCE, UNKNOWN

ENVIRONMENT = "NLADC_COSIM_KEYWORDS"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
NOISE = "_background_noise_"

SHARE = 0.1
"""Clips of "unknown" and of "silence" in a split, relative to those of the ten keywords together, as in the data set's own code."""

NOISE_PARTS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
"""Stretch of each noise recording that a split's silence is cut from, so that no noise is in two splits."""

SEED = 1
"""Seed of the generator that chooses unknown words and cuts silence."""

SOURCE = (
    "Google Speech Commands (P. Warden, arXiv 1804.03209): ten keywords, unknown words and silence, real recordings of one second "
    "at 16 kHz; official validation and testing lists."
)
HOW = (
    "unpack speech_commands_v0.01.tar.gz or speech_commands_v0.02.tar.gz (download.tensorflow.org/data) and name its folder with "
    f"`cosim tasks get keywords --from FOLDER` or in the environment variable {ENVIRONMENT}"
)


def build_keywords(folder: Path | None = None, *, seed: int = SEED) -> Task:
    """The twelve-class task from ``folder``, or from the one that the environment variable names.

    Parameters
    ----------
    folder : Path or None
        Holds a folder for each word, ``_background_noise_``, ``validation_list.txt`` and ``testing_list.txt``.
    seed : int
        Of the choice of unknown words and of the silence.

    Raises
    ------
    ToolkitError
        No folder, or it lacks something.
    InputError
        A list names a file that is not there, or a recording cannot be read.
    """
    folder = local_folder(folder, ENVIRONMENT, "task 'keywords'", HOW)
    for needed in (*LISTS.values(), NOISE, *KEYWORDS):
        if not (folder / needed).exists():
            raise ToolkitError(f"task 'keywords': {folder} has no {needed}; {HOW}")
    rng = np.random.default_rng(seed)
    digests = {path: sha256_of((folder / path).read_bytes()) for path in LISTS.values()}
    noise = [_read(folder, path, digests) for path in _wavs(folder / NOISE)]
    if not noise:
        raise ToolkitError(f"task 'keywords': {folder / NOISE} holds no .wav file; {HOW}")
    features: dict[str, np.ndarray] = {}
    labels: dict[str, list[int]] = {}
    for split, paths in _splits(folder).items():
        known = [p for p in paths if p.split("/")[0] in KEYWORDS]
        others = [p for p in paths if p.split("/")[0] not in KEYWORDS]
        count = math.ceil(SHARE * len(known))
        if not known or len(others) < count:
            raise InputError(
                f"{folder}: {split} has {len(known)} recordings of keywords and {len(others)} of other words; it needs "
                "some, and at least a tenth as many"
            )
        chosen = known + [others[i] for i in np.sort(rng.choice(len(others), count, replace=False))]
        words = (fit(_read(folder, p, digests), CLIP) for p in chosen)
        silence = (_silence(noise, NOISE_PARTS[split], rng) for _ in range(count))
        features[split] = clip_features(chain(words, silence), RATE)
        labels[split] = [KEYWORDS.index(w) if (w := p.split("/")[0]) in KEYWORDS else UNKNOWN for p in chosen]
        labels[split] += [SILENCE] * count
    return Task(
        name="keywords",
        classes=CLASSES,
        metric="accuracy",
        provenance=Provenance(
            source=SOURCE,
            version=_version(folder),
            licence="CC BY 4.0",
            sha256={"all files read": listing_digest(digests)},
            items={split: len(f) for split, f in features.items()},
            notes=f"Unknown words and silence: a tenth each of the keywords, seed {seed}. 49 x 40 MFCC.",
        ),
        **feature_sets(features, labels),
    )


def _splits(folder: Path) -> dict[str, list[str]]:
    """Paths of each split's recordings: those of the official lists, the others for training."""
    listed = {}
    for split, name in LISTS.items():
        try:
            listed[split] = sorted(set((folder / name).read_text(encoding="utf-8").split()))
        except (OSError, UnicodeDecodeError) as e:
            raise InputError(f"{folder / name}: cannot be read ({e})") from None
        if missing := next((p for p in listed[split] if not (folder / p).is_file()), None):
            raise InputError(
                f"{folder / name}: names {missing}, which is not in {folder}; the archive is not whole, unpack it again"
            )
    if both := set(listed["validation"]) & set(listed["test"]):
        raise InputError(f"{folder}: {min(both)} is in both lists; take the official ones")
    held = {p for paths in listed.values() for p in paths}
    words = sorted(d.name for d in folder.iterdir() if d.is_dir() and d.name != NOISE and not d.name.startswith("."))
    return {"train": [p for w in words for p in _wavs(folder / w) if p not in held]} | listed


def _wavs(folder: Path) -> Iterator[str]:
    return (f"{folder.name}/{p.name}" for p in sorted(folder.glob("*.wav")))


def _read(folder: Path, path: str, digests: dict[str, str]) -> np.ndarray:
    """Samples of a recording, whose digest is noted down."""
    try:
        data = (folder / path).read_bytes()
    except OSError as e:
        raise InputError(f"{folder / path}: cannot be read ({e.strerror})") from None
    digests[path] = sha256_of(data)
    return read_wav(data, RATE, str(folder / path))


def _silence(noise: list[np.ndarray], part: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """One second of a noise recording's ``part``, at a random volume."""
    samples = noise[rng.integers(len(noise))]
    start, end = (int(share * len(samples)) for share in part)
    start += int(rng.integers(max(1, end - start - CLIP + 1)))
    return fit(samples[start:end], CLIP) * np.float32(rng.uniform())


def _version(folder: Path) -> str:
    """Version 2 added words that version 1 does not have."""
    return "0.02" if (folder / "backward").is_dir() else "0.01"
