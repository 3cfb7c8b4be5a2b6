"""Training sequences as they could have been as well: shifted, faster, louder, noisy, masked; drawn anew for every gradient step.

All of it works on features. For cepstral coefficients that says what it would on the recording: a louder recording adds to the
first coefficient, another microphone to each one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class Augmentation:
    """What training sequences go through, with the figures of the training frames that its amounts are relative to.

    Attributes
    ----------
    settings : TrainingSettings
        The amounts.
    mean, deviation : ndarray (features,)
        Of each feature over all training steps.
    """

    settings: TrainingSettings
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, settings: TrainingSettings, inputs: np.ndarray, lengths: np.ndarray) -> Augmentation | None:
        """The augmentation of these training sequences (sequences, steps, features); None if the settings ask for none."""
        if not settings.augmented:
            return None
        frames = inputs[np.arange(inputs.shape[1]) < lengths[:, None]]
        return cls(settings, frames.mean(axis=0), frames.std(axis=0))

    def apply(self, x: np.ndarray, lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Sequences (sequences, steps, features) of the same lengths; what is not asked for draws nothing.

        Steps behind a sequence's end may be anything.
        """
        s, kind = self.settings, x.dtype.type
        if s.time_shift or s.time_stretch:
            x = _moved(x, lengths, s.time_shift, s.time_stretch, rng)
        if s.feature_gain:
            x = x * np.exp(s.feature_gain * rng.standard_normal((len(x), 1, 1), dtype=x.dtype))
        if s.feature_offset:
            x = x + (kind(s.feature_offset) * self.deviation) * rng.standard_normal((len(x), 1, x.shape[2]), dtype=x.dtype)
        if s.feature_noise:
            x = x + (kind(s.feature_noise) * self.deviation) * rng.standard_normal(x.shape, dtype=x.dtype)
        for _ in range(s.masks):
            if s.time_mask:
                x = np.where(_masked(lengths, x.shape[1], s.time_mask, rng)[:, :, None], self.mean, x)
            if s.feature_mask:
                whole = np.full(len(x), x.shape[2])
                x = np.where(_masked(whole, x.shape[2], s.feature_mask, rng)[:, None, :], self.mean, x)
        return x


def _moved(x: np.ndarray, lengths: np.ndarray, shift: int, stretch: float, rng: np.random.Generator) -> np.ndarray:
    """Each sequence shifted, and stretched about its middle; beyond its ends its first or last step stands still."""
    last = lengths[:, None] - 1.0
    at = np.broadcast_to(np.arange(x.shape[1], dtype=float), x.shape[:2])
    if stretch:
        at = last / 2 + (at - last / 2) * rng.uniform(1 - stretch, 1 + stretch, (len(x), 1))
    if shift:
        at = at - rng.integers(-shift, shift + 1, (len(x), 1))
    at = np.clip(at, 0, last)
    before = np.floor(at).astype(int)
    sequence = np.arange(len(x))[:, None]
    if not stretch:
        return x[sequence, before]
    part = (at - before).astype(x.dtype)[:, :, None]
    after = np.minimum(before + 1, lengths[:, None] - 1)
    return x[sequence, before] * (1 - part) + x[sequence, after] * part


def _masked(lengths: np.ndarray, places: int, widest: int, rng: np.random.Generator) -> np.ndarray:
    """A run of 0 to ``widest`` places anywhere within the length of each of several rows, bool (rows, places)."""
    width = np.minimum(rng.integers(0, widest + 1, len(lengths)), lengths)
    start = rng.integers(0, lengths - width + 1)
    place = np.arange(places)
    return (place >= start[:, None]) & (place < (start + width)[:, None])
