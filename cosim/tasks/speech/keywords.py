"""Google Speech Commands, versions 1 and 2, from a local folder: real one-second recordings of single words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha1
from itertools import chain
from pathlib import Path

import numpy as np

from cosim.tasks import Provenance, SequenceSet, Task, listing_digest, local_folder
from cosim.tasks.own.manifest import LISTS, SOUNDS, list_names
from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of

from .audio import clip_features, fit, speech_task
from .features import mfcc_tensorflow
from .sound import read_sound, resampled
from .synthetic import CLASSES, CLIP, KEYWORDS, RATE, SILENCE, UNKNOWN

ENVIRONMENT = "NLADC_COSIM_KEYWORDS"
TEST_ENVIRONMENT = "NLADC_COSIM_KEYWORDS_TEST"
NOISE = "_background_noise_"

SHARE = 0.1
"""Clips of "unknown" and of "silence" in a split, relative to those of the ten keywords together, as in the data set's own code."""

NOISE_PARTS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
"""Stretch of each noise recording that a split's silence is cut from, so that no noise is in two splits."""

SEED = 1
"""Seed of the generator that chooses unknown words and cuts silence."""

SOURCE = "Google Speech Commands (P. Warden, arXiv 1804.03209): ten keywords, unknown words and silence, real recordings at 16 kHz"
LAYOUT = "Recordings in the layout of Google Speech Commands, which are none of its official data"
HOW = (
    "unpack speech_commands_v0.01.tar.gz or speech_commands_v0.02.tar.gz (download.tensorflow.org/data) and give its folder by "
    f"`get_task('keywords', source=FOLDER)` or name it in the environment variable {ENVIRONMENT}; own words by their path"
)

OFFICIAL = {
    "0.01": {
        "validation": "6b6f7abb6c5b0d86bafcebec36842baa4033feafca530480cedd547ed2427f2e",
        "test": "7cba6df63a67b2fd965d42720384510b9dc50177e37b4ee36cebe89829afcb89",
    }
}
"""SHA-256 of the sorted names of each official list, a line each: 6,798 and 6,835 names of version 0.01.

The lists of version 0.02 are known by what its description says of them: 9,981 and 11,005 names, each where `assigned` puts it.
"""
SIZES = {"0.02": {"validation": 9981, "test": 11005}}

TEST_SET = "00e320df2b4418a2f5546cc98d51caaf9bb81888c0383250f7647087b5d19037"
"""Digest of the samples (16-bit, little end first) of the 4,890 clips of the test set v0.02, by name without ending."""
TEST_FOLDERS = {"_unknown_": "unknown", "_silence_": "silence"}
TEST_HOW = (
    "unpack speech_commands_test_set_v0.02.tar.gz (download.tensorflow.org/data), twelve folders with `_silence_` and `_unknown_`, "
    "and give its folder by `get_task('keywords-test', source=FOLDER)`"
)


def build_keywords(folder: Path | None = None, *, seed: int = SEED) -> Task:
    """The twelve-class task from ``folder``, or from the one that the environment variable names.

    Recordings of another rate, with several channels or in other numbers are brought to 16 kHz and one channel; the provenance says
    how many.

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
        A list names a file that is not there, a recording cannot be read, a keyword without training data.
    """
    folder = _inside(local_folder(folder, ENVIRONMENT, "task 'keywords'", HOW))
    if all((folder / name).is_dir() for name in TEST_FOLDERS):
        raise ToolkitError(f"task 'keywords': {folder} is a test set alone, without training data: `get_task('keywords-test')`")
    for needed in (*LISTS.values(), NOISE, *KEYWORDS):
        if not (folder / needed).exists():
            raise ToolkitError(f"task 'keywords': {folder} has no {needed}; {HOW}")
    rng = np.random.default_rng(seed)
    reader = _Recordings(folder)
    noise = [reader.read(path) for path in _sounds(folder, NOISE)]
    if not noise:
        raise ToolkitError(f"task 'keywords': {folder / NOISE} holds no recording; {HOW}")
    features: dict[str, np.ndarray] = {}
    labels: dict[str, list[int]] = {}
    account = {"seen": len(noise)}
    splits, lists = _splits(folder)
    for split, paths in splits.items():
        known = [p for p in paths if p.split("/")[0] in KEYWORDS]
        others = [p for p in paths if p.split("/")[0] not in KEYWORDS]
        if split == "train" and (bare := sorted(set(KEYWORDS) - {p.split("/")[0] for p in known})):
            raise InputError(
                f"{folder}: no training data of keyword {bare[0]!r}; the lists hold all of its recordings, or there are none"
            )
        count = math.ceil(SHARE * len(known))
        if not known or len(others) < count:
            raise InputError(
                f"{folder}: {split} has {len(known)} recordings of keywords and {len(others)} of other words; it needs "
                "some, and at least a tenth as many"
            )
        chosen = known + [others[i] for i in np.sort(rng.choice(len(others), count, replace=False))]
        words = (fit(reader.read(p), CLIP) for p in chosen)
        silence = (_silence(noise, NOISE_PARTS[split], rng) for _ in range(count))
        features[split] = clip_features(chain(words, silence), RATE)
        labels[split] = [KEYWORDS.index(w) if (w := p.split("/")[0]) in KEYWORDS else UNKNOWN for p in chosen]
        labels[split] += [SILENCE] * count
        account["seen"] += len(paths)
        account |= {f"{split}, taken": len(chosen), f"{split}, left, other words": len(paths) - len(chosen)}
    version = _version(lists)
    if version is None:
        counts = ", ".join(
            f"{n} of {sum(map(len, splits.values()))} names in {split}" for split, n in ((s, len(x)) for s, x in lists.items())
        )
        reader.notes.append(f"no official lists: {counts}")
    return speech_task(
        "keywords",
        CLASSES,
        features,
        labels,
        source=LAYOUT + "." if version is None else f"{SOURCE}; official validation and testing lists.",
        version="unknown" if version is None else version,
        licence="unknown" if version is None else "CC BY 4.0",
        sha256={"all files read": listing_digest(reader.digests)},
        notes=" ".join(
            [
                f"Unknown words and silence: a tenth each of the keywords, seed {seed}. 49 x 40 MFCC.",
                *(f"{n}." for n in reader.told()),
            ]
        ),
        account=account,
    )


def build_keywords_test(folder: Path | None = None, *, features: str = "mfcc") -> Task:
    """The test set of twelve folders, ``_silence_`` and ``_unknown_`` among them, as a task without training data.

    Parameters
    ----------
    features : {"mfcc", "mfcc-tensorflow"}
        40 coefficients, scaled by the set's own frames, as there are no others; or the 10 of TensorFlow's operators as they are,
        for networks that were trained on those.

    Raises
    ------
    ToolkitError
        No folder, or it lacks one of the twelve.
    InputError
        A recording cannot be read.
    """
    folder, paths = _test_recordings(folder)
    reader = _Recordings(folder)
    ordered = [(c, p) for c, own in paths.items() for p in own]
    clips = (fit(reader.read(p), CLIP) for _, p in ordered)
    if features == "mfcc-tensorflow":
        x, what = np.stack([mfcc_tensorflow(c, RATE) for c in clips]), "as TensorFlow's operators have them, as they are"
    else:
        found = clip_features(clips, RATE)
        flat = found.reshape(-1, found.shape[2]).astype(np.float64)
        x, what = ((found - flat.mean(axis=0)) / flat.std(axis=0)).astype(np.float32), "scaled by the set's own frames"
    labels = [CLASSES.index(c) for c, _ in ordered]
    official = listing_digest(reader.contents) == TEST_SET
    counts = ", ".join(f"{len(own)} {c}" for c, own in paths.items())
    return Task(
        name="keywords-test",
        train=None,
        test=SequenceSet(x, np.full(len(x), x.shape[1]), np.array(labels)),
        classes=CLASSES,
        metric="accuracy",
        provenance=Provenance(
            source=f"{SOURCE}; the official test set." if official else f"{LAYOUT}.",
            version="0.02" if official else "unknown",
            licence="CC BY 4.0" if official else "unknown",
            sha256={"samples of all files": listing_digest(reader.contents)},
            items={"test": len(x)},
            notes=" ".join([f"{counts}. {x.shape[1]} x {x.shape[2]} MFCC, {what}.", *(f"{n}." for n in reader.told())]),
            account={"seen": len(ordered), "taken": len(ordered)},
        ),
    )


def _test_recordings(folder: Path | None) -> tuple[Path, dict[str, list[str]]]:
    """The folder of the test set, and the recordings of each class."""
    folder = _inside(local_folder(folder, TEST_ENVIRONMENT, "task 'keywords-test'", TEST_HOW))
    names = {c: next((f for f, own in TEST_FOLDERS.items() if own == c), c) for c in CLASSES}
    for needed in names.values():
        if not (folder / needed).is_dir():
            raise ToolkitError(f"task 'keywords-test': {folder} has no folder {needed}; {TEST_HOW}")
    paths = {c: _sounds(folder, f) for c, f in names.items()}
    if bare := [f for c, f in names.items() if not paths[c]]:
        raise InputError(f"{folder}: {bare[0]} holds no recording")
    return folder, paths


def clip_speakers(folder: Path | None = None) -> list[str]:
    """Who speaks in each clip of `build_keywords_test`, as the names of the files say; a clip without a speaker is its own.

    Errors as there.
    """
    return [p.rpartition(".")[0].split("/")[-1].split("_nohash_")[0] for own in _test_recordings(folder)[1].values() for p in own]


def assigned(name: str) -> str:
    """The split that the data set's own rule gives a recording: by the SHA-1 of what stands before ``_nohash_`` in its name."""
    most = 2**27 - 1
    speaker = name.split("/")[-1].split("_nohash_")[0]
    percent = int(sha1(speaker.encode()).hexdigest(), 16) % (most + 1) * (100.0 / most)
    return "validation" if percent < 10 else "test" if percent < 20 else "train"


def _version(lists: Mapping[str, Sequence[str]]) -> str | None:
    """The version whose official lists these are; None if they are none."""
    digests = {split: sha256_of("".join(f"{n}\n" for n in sorted(names)).encode()) for split, names in lists.items()}
    for version, official in OFFICIAL.items():
        if digests == official:
            return version
    for version, sizes in SIZES.items():
        if all(len(names) == sizes[split] and all(assigned(n) == split for n in names) for split, names in lists.items()):
            return version
    return None


def _inside(folder: Path) -> Path:
    """The folder, or the only one in it, as some archives unpack."""
    inside = [d for d in folder.iterdir() if d.is_dir()] if folder.is_dir() else []
    return inside[0] if len(inside) == 1 and not any((folder / n).exists() for n in LISTS.values()) else folder


def _splits(folder: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Paths of each split's recordings, those of the lists and the others for training; and the lists."""
    listed = {split: list_names(folder / name) for split, name in LISTS.items()}
    for split, names in listed.items():
        if missing := next((p for p in names if not (folder / p).is_file()), None):
            raise InputError(
                f"{folder / LISTS[split]}: names {missing}, which is not in {folder}; the archive is not whole, unpack it again"
            )
    if both := set(listed["validation"]) & set(listed["test"]):
        raise InputError(f"{folder}: {min(both)} is in both lists; take the official ones")
    held = {p for paths in listed.values() for p in paths}
    words = sorted(d.name for d in folder.iterdir() if d.is_dir() and d.name != NOISE and not d.name.startswith("."))
    return {"train": [p for w in words for p in _sounds(folder, w) if p not in held]} | listed, listed


def _sounds(folder: Path, word: str) -> list[str]:
    """Recordings below a folder, whatever the case of their endings."""
    found = (p for p in (folder / word).rglob("*") if p.suffix.lower() in SOUNDS and p.is_file() and not p.name.startswith("."))
    return sorted(p.relative_to(folder).as_posix() for p in found)


class _Recordings:
    """Recordings as they are wanted, with the digests of their files and of their samples, and what was done to them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.digests, self.contents = folder, dict[str, str](), dict[str, str]()
        self.notes: list[str] = []
        self._done: Counter[str] = Counter()

    def read(self, path: str) -> np.ndarray:
        """Samples at `RATE`."""
        try:
            data = (self.folder / path).read_bytes()
        except OSError as e:
            raise InputError(f"{self.folder / path}: cannot be read ({e.strerror})") from None
        samples, rate = read_sound(data, str(self.folder / path))
        self.digests[path] = sha256_of(data)
        name = path.rpartition(".")[0]
        self.contents[name] = sha256_of(np.rint(samples * 32768.0).astype("<i2").tobytes())
        if rate != RATE:
            self._done[f"brought from {rate} to {RATE} Hz"] += 1
            samples = resampled(samples, rate, RATE)
        self._done["silent all through"] += not samples.any()
        return samples

    def told(self) -> list[str]:
        """What was done, for the provenance."""
        return [*self.notes, *(f"{n} recordings {what}" for what, n in self._done.items() if n)]


def _silence(noise: list[np.ndarray], part: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """One second of a noise recording's ``part``, at a random volume."""
    samples = noise[rng.integers(len(noise))]
    start, end = (int(share * len(samples)) for share in part)
    start += int(rng.integers(max(1, end - start - CLIP + 1)))
    return fit(samples[start:end], CLIP) * np.float32(rng.uniform())
