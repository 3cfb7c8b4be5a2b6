"""Mel-frequency cepstral coefficients of speech, defined as in librosa with its default settings and no centring."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from netlists.errors import InputError

WINDOW, HOP = 0.040, 0.020
"""Window and hop, seconds: 49 frames of a one-second clip, as in Zhang et al., Hello Edge (arXiv 1711.07128)."""

FLOOR, RANGE_DB = 1e-10, 80.0
"""Least power of a mel band, and how far below a clip's loudest band its quietest may lie (librosa's amin and top_db)."""

TENSORFLOW_RATE, TENSORFLOW_BANDS, TENSORFLOW_RANGE, TENSORFLOW_FLOOR = 16000, 40, (20.0, 4000.0), 1e-12
"""Rate, mel bands, their range in Hz and the least band of TensorFlow's `audio_spectrogram` and `mfcc` operators."""

CHUNK = 128
"""Clips transformed at once; the spectra of all clips of a data set would fill the memory."""


def hz_to_mel(frequency: np.ndarray) -> np.ndarray:
    """Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above."""
    f = np.asarray(frequency, dtype=float)
    return np.where(f < 1000.0, f * 3 / 200, 15.0 + 27.0 * np.log(np.maximum(f, 1000.0) / 1000.0) / np.log(6.4))


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Inverse of `hz_to_mel`."""
    m = np.asarray(mel, dtype=float)
    return np.where(m < 15.0, m * 200 / 3, 1000.0 * np.exp((m - 15.0) * np.log(6.4) / 27.0))


@lru_cache(maxsize=8)
def mel_filters(rate: int, n_window: int, n_mels: int) -> np.ndarray:
    """Triangles of equal area, evenly spaced in mel from 0 Hz to half the rate; ndarray (n_window // 2 + 1, n_mels)."""
    bins = np.arange(n_window // 2 + 1) * rate / n_window
    corners = mel_to_hz(np.linspace(0.0, hz_to_mel(np.array(rate / 2)), n_mels + 2))
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rise = (bins[:, None] - left) / (centre - left)
    fall = (right - bins[:, None]) / (right - centre)
    return np.maximum(0.0, np.minimum(rise, fall)) * 2.0 / (right - left)


def mfcc(audio: np.ndarray, rate: int, *, n_mfcc: int = 40, n_mels: int = 40) -> np.ndarray:
    """Cepstral coefficients of clips of the same length.

    Parameters
    ----------
    audio : ndarray of float (clips, samples) or (samples,)
        Full scale is +-1.
    rate : int
        Samples a second.
    n_mfcc, n_mels : int
        Coefficients kept, 1..n_mels; mel bands.

    Returns
    -------
    ndarray (clips, frames, n_mfcc) or (frames, n_mfcc), of the type of ``audio``
        ``frames = 1 + (samples - window) // hop``; no frame reaches past the clip.

    Raises
    ------
    InputError
        Shape, type, values that are not finite, a clip shorter than one window, or more coefficients than bands.
    """
    from scipy.signal import get_window

    audio = np.asarray(audio)
    if audio.ndim not in (1, 2) or audio.dtype.kind != "f":
        raise InputError(
            f"audio: has shape {audio.shape} and type {audio.dtype}, must be (clips, samples) or (samples,) of floats within +-1"
        )
    if audio.ndim == 2 and len(audio) == 0:
        raise InputError("audio: holds no clip; at least one is needed")
    if not np.isfinite(audio).all():
        raise InputError("audio: has values that are not finite")
    if not 1 <= n_mfcc <= n_mels:
        raise InputError(f"n_mfcc={n_mfcc}: must be 1..{n_mels}, the number of mel bands")
    n_window, hop = round(WINDOW * rate), round(HOP * rate)
    if hop < 1 or audio.shape[-1] < n_window:
        raise InputError(
            f"audio: has {audio.shape[-1]} samples at {rate} Hz; a clip must be at least one window of {1e3 * WINDOW:g} ms long"
        )

    window = get_window("hann", n_window).astype(audio.dtype)
    filters = mel_filters(rate, n_window, n_mels).astype(audio.dtype)
    clips = np.atleast_2d(audio)
    return np.concatenate([_mfcc(clips[i : i + CHUNK], window, hop, filters) for i in range(0, len(clips), CHUNK)])[
        (0 if audio.ndim == 1 else slice(None)), ..., :n_mfcc
    ]


def _mfcc(clips: np.ndarray, window: np.ndarray, hop: int, filters: np.ndarray) -> np.ndarray:
    from scipy.fft import dct, rfft

    frames = np.lib.stride_tricks.sliding_window_view(clips, len(window), axis=-1)[:, ::hop] * window
    spectra = rfft(frames)
    decibels = 10.0 * np.log10(np.maximum(FLOOR, (spectra.real**2 + spectra.imag**2) @ filters))
    decibels = np.maximum(decibels, decibels.max(axis=(-2, -1), keepdims=True) - RANGE_DB)
    return dct(decibels, type=2, norm="ortho")


@lru_cache(maxsize=1)
def tensorflow_filters(n_fft: int) -> np.ndarray:
    """Triangles linear in mel, 1127 ln(1 + f / 700), of height 1; ndarray (n_fft // 2 + 1, bands)."""
    low, high = (1127.0 * np.log1p(f / 700.0) for f in TENSORFLOW_RANGE)
    corners = np.linspace(low, high, TENSORFLOW_BANDS + 2)
    mel = 1127.0 * np.log1p(np.arange(n_fft // 2 + 1) * TENSORFLOW_RATE / n_fft / 700.0)
    width = corners[1] - corners[0]
    out = np.maximum(0.0, 1.0 - np.abs(mel[:, None] - corners[None, 1:-1]) / width)
    out[(mel < low) | (mel > high)] = 0.0
    out[0] = 0.0
    return out


def mfcc_tensorflow(audio: np.ndarray, rate: int, *, n_mfcc: int = 10) -> np.ndarray:
    """Cepstral coefficients as TensorFlow's operators `audio_spectrogram` and `mfcc` give them, (frames, n_mfcc).

    Hann window of 640 samples (periodic), hop 320, FFT of 1,024 points, square root of the power, 40 mel bands from 20 to 4,000 Hz,
    natural logarithm, DCT-II with the factor sqrt(2 / 40): the features of Zhang et al., Hello Edge (arXiv 1711.07128).

    Raises
    ------
    InputError
        Another rate than 16 kHz, or a clip shorter than a window.
    """
    from scipy.fft import dct, rfft
    from scipy.signal import get_window

    n_window, hop = round(WINDOW * TENSORFLOW_RATE), round(HOP * TENSORFLOW_RATE)
    if rate != TENSORFLOW_RATE or audio.ndim != 1 or len(audio) < n_window:
        raise InputError(
            f"audio: has shape {audio.shape} at {rate} Hz; must be samples at {TENSORFLOW_RATE} Hz, {n_window} at least"
        )
    n_fft = 2 ** int(np.ceil(np.log2(n_window)))
    frames = np.lib.stride_tricks.sliding_window_view(audio.astype(np.float64), n_window)[::hop] * get_window("hann", n_window)
    bands = np.abs(rfft(frames, n_fft)) @ tensorflow_filters(n_fft)
    logarithms = np.log(np.maximum(bands, TENSORFLOW_FLOOR))
    return dct(logarithms, type=2)[:, :n_mfcc] * np.sqrt(2.0 / TENSORFLOW_BANDS) / 2.0
