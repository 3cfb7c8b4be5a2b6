"""Recordings: WAV files read with named errors, clips of one length, and sets of their features."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cosim.tasks import Provenance, SequenceSet, Task
from netlists.errors import InputError

from .features import CHUNK, mfcc


def read_wav(source: Path | bytes, rate: int, what: str = "") -> np.ndarray:
    """Samples of a 16-bit mono WAV file.

    Parameters
    ----------
    source : Path or bytes
        The file, or what is in it.
    rate : int
        Samples a second that the file must have.
    what : str
        Name in errors; the path by default.

    Returns
    -------
    ndarray of float32 (samples,), within +-1

    Raises
    ------
    InputError
        Not a WAV file, cut off, or in another format.
    """
    what = what or str(source)
    try:
        with wave.open(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as w:
            form = (w.getframerate(), w.getnchannels(), 8 * w.getsampwidth())
            expected, data = w.getnframes(), w.readframes(w.getnframes())
    except OSError as e:
        raise InputError(f"{what}: cannot be read ({e.strerror})") from None
    except (wave.Error, EOFError, RuntimeError) as e:
        raise InputError(f"{what}: not a readable WAV file ({str(e) or 'it ends in its header'})") from None
    if form != (rate, 1, 16):
        raise InputError(f"{what}: has {form[0]} Hz, {form[1]} channels, {form[2]} bits; must be {rate} Hz, 1 channel, 16 bits")
    if len(data) != 2 * expected:
        raise InputError(f"{what}: is cut off: {len(data) // 2} of {expected} samples are there")
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0


def fit(samples: np.ndarray, length: int) -> np.ndarray:
    """The first ``length`` samples, with zeros after a shorter clip."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def clip_features(clips: Iterable[np.ndarray], rate: int) -> np.ndarray:
    """Cepstral coefficients of clips of the same length, taken a few at a time, so that not all of them need be in memory.

    Returns
    -------
    ndarray of float32 (clips, frames, 40)
    """
    remaining, features = iter(clips), []
    while batch := list(islice(remaining, CHUNK)):
        features.append(mfcc(np.stack(batch).astype(np.float32), rate))
    if not features:
        raise InputError("clips: there is none; at least one is needed")
    return np.concatenate(features)


def speech_task(
    name: str, classes: tuple[str, ...], features: Mapping[str, np.ndarray], labels: Mapping[str, Sequence[int]], **origin: Any
) -> Task:
    """A task of clips' features; ``origin`` are the fields of its `Provenance` but for the number of clips."""
    provenance = Provenance(items={split: len(f) for split, f in features.items()}, **origin)
    return Task(name=name, classes=classes, metric="accuracy", provenance=provenance, **feature_sets(features, labels))


def feature_sets(features: Mapping[str, np.ndarray], labels: Mapping[str, Sequence[int]]) -> dict[str, SequenceSet]:
    """Each split's features, each coefficient scaled by the training frames' mean and deviation.

    Parameters
    ----------
    features : mapping of ndarray (clips, frames, coefficients)
        Of each split, one of which is "train".
    labels : mapping of lists of int
    """
    mean = features["train"].mean(axis=(0, 1), dtype=np.float64)
    deviation = features["train"].std(axis=(0, 1), dtype=np.float64)
    return {
        # Single precision, as the cache keeps it: a set just made and one read back are the same to the last bit.
        split: SequenceSet(
            ((f - mean) / deviation).astype(np.float32), np.full(len(f), f.shape[1]), np.asarray(labels[split], dtype=np.int64)
        )
        for split, f in features.items()
    }
