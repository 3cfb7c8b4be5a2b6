"""Features of recordings of any rate and length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netlists.errors import InputError

from .audio import fit
from .features import HOP, TENSORFLOW_RATE, WINDOW, mfcc, mfcc_tensorflow
from .sound import read_sound, resampled


def recording_features(
    paths: Sequence[Path], rate: int | None, seconds: float | None, features: str = "mfcc"
) -> tuple[list[np.ndarray], list[str]]:
    """Cepstral coefficients of each recording, (frames, coefficients), and what was done, for the provenance.

    Parameters
    ----------
    rate : int or None
        Samples a second that all are brought to; None: that of most of them.
    seconds : float or None
        Length of each; None: as long as it is, filled up to one window.
    features : {"mfcc", "mfcc-tensorflow"}

    Raises
    ------
    InputError
        A recording that cannot be read; names it.
    """
    rates: Counter[int] = Counter()
    if features == "mfcc-tensorflow":
        if rate not in (None, TENSORFLOW_RATE):
            raise InputError(f"rate={rate}: features 'mfcc-tensorflow' are of {TENSORFLOW_RATE} Hz")
        rate = TENSORFLOW_RATE
    coefficients = mfcc_tensorflow if features == "mfcc-tensorflow" else mfcc
    if rate is None:
        # The rate of most: those of the first hundred say it, without holding all in memory.
        rates.update(read_sound(p)[1] for p in paths[:100])
        rate = rates.most_common(1)[0][0]
    window = round(WINDOW * rate)
    if round(HOP * rate) < 1:
        raise InputError(f"rate={rate}: a hop of {1e3 * HOP:g} ms must be a sample at least")
    done: Counter[str] = Counter()
    out = []
    for path in paths:
        samples, own = read_sound(path)
        done["louder than full scale"] += bool(np.abs(samples).max() > 1)
        if own != rate:
            done[f"brought from {own} to {rate} Hz"] += 1
            samples = resampled(samples, own, rate)
        if seconds is not None:
            length = round(seconds * rate)
            done[f"cut to {seconds:g} s"] += len(samples) > length
            done[f"filled to {seconds:g} s"] += len(samples) < length
            samples = fit(samples, length)
        elif len(samples) < window:
            done[f"shorter than a window of {1e3 * WINDOW:g} ms, filled"] += 1
            samples = fit(samples, window)
        done["silent all through"] += not samples.any()
        out.append(coefficients(samples, rate))
    return out, [f"{n} {what}" for what, n in done.items() if n] + [f"{out[0].shape[1]} MFCC at {rate} Hz ({features})"]
