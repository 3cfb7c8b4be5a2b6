"""Recordings of any rate, channels and number format: WAV by SciPy, everything else by soundfile (extra ``audio``)."""

from __future__ import annotations

import io
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np

from netlists.errors import InputError, ToolkitError

RIFF = b"RIFF"
COMPRESSED = ("MULAW", "ALAW", "ADPCM", "GSM", "MPEG")
"""In SciPy's names of WAV formats that soundfile knows."""
SCALES = {"int16": 2.0**15, "int32": 2.0**31, "int64": 2.0**63}


def read_sound(source: Path | bytes, what: str = "") -> tuple[np.ndarray, int]:
    """Samples of a recording, its channels averaged, and its rate.

    Returns
    -------
    samples : ndarray of float32 (samples,), within +-1
    rate : int
        Samples a second.

    Raises
    ------
    InputError
        Not a recording, cut off, empty, or with values that are no numbers; names it.
    ToolkitError
        A format that needs the package soundfile.
    """
    what = what or str(source)
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as e:
        raise InputError(f"{what}: cannot be read ({e.strerror})") from None
    if not data:
        raise InputError(f"{what}: is empty (0 bytes)")
    samples, rate = _wav(data, what) if data[:4] in (RIFF, b"RIFX", b"RF64") else _other(data, what)
    if samples.size == 0:
        raise InputError(f"{what}: has no samples")
    if not np.isfinite(samples).all():
        raise InputError(f"{what}: has {np.count_nonzero(~np.isfinite(samples))} samples that are not finite")
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    return mono.astype(np.float32), rate


def resampled(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Samples at another rate, by a polyphase filter that keeps what lies above half the lower rate out."""
    if rate == to:
        return samples
    from scipy.signal import resample_poly

    ratio = Fraction(to, rate)
    return resample_poly(samples.astype(np.float64), ratio.numerator, ratio.denominator).astype(np.float32)


def _wav(data: bytes, what: str) -> tuple[np.ndarray, int]:
    from scipy.io import wavfile

    data = _whole(data, what)
    try:
        with warnings.catch_warnings():
            # Chunks that are no sound are skipped; a file that ends early is an error.
            warnings.filterwarnings("ignore", "Chunk", wavfile.WavFileWarning)
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            rate, samples = wavfile.read(io.BytesIO(data))
    except Exception as e:  # SciPy raises errors of many kinds on files that are no WAV
        if "Unknown wave file format" in str(e) and any(f"{name}." in str(e) for name in COMPRESSED):
            return _other(data, what)
        raise InputError(f"{what}: not a readable WAV file ({str(e) or type(e).__name__})") from None
    if rate <= 0:
        raise InputError(f"{what}: says a rate of {rate} Hz")
    if samples.dtype.kind == "f":
        return samples.astype(np.float64), int(rate)
    if samples.dtype == np.uint8:
        return (samples.astype(np.float64) - 128.0) / 128.0, int(rate)
    return samples / SCALES[samples.dtype.name], int(rate)


def _whole(data: bytes, what: str) -> bytes:
    """The file with its chunks on even places, and its length where a program that wrote to a pipe left it open.

    Raises
    ------
    InputError
        The samples are cut off, or there are none.
    """
    if data[:4] != RIFF or data[8:12] != b"WAVE":
        return data
    at, form, sound = 12, b"", None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt ":
            form = body
        elif name == b"data":
            if size >= 0xFFFFFF00 - 0x1000 or size == 0xFFFFFFFF:
                body = data[at + 8 :]
            elif len(body) < size:
                raise InputError(f"{what}: is cut off: {len(body)} of {size} bytes of samples are there")
            sound = body
            break
        # Some writers leave the byte away that fills an odd chunk.
        at += 8 + size + (size % 2 if data[at + 8 + size : at + 9 + size] == b"\0" else 0)
    if sound is None or len(form) < 16:
        raise InputError(f"{what}: not a readable WAV file (it has no {'fmt' if len(form) < 16 else 'data'} chunk)")
    block = int.from_bytes(form[12:14], "little")
    if block == 0 or not int.from_bytes(form[2:4], "little"):
        raise InputError(f"{what}: not a readable WAV file (its header says no channels or no bytes a sample)")
    sound = sound[: len(sound) // block * block]
    chunks = b"".join(n + len(b).to_bytes(4, "little") + b + b"\0" * (len(b) % 2) for n, b in ((b"fmt ", form), (b"data", sound)))
    return RIFF + (4 + len(chunks)).to_bytes(4, "little") + b"WAVE" + chunks


def _other(data: bytes, what: str) -> tuple[np.ndarray, int]:
    try:
        import soundfile
    except (ImportError, OSError):
        raise ToolkitError(
            f"{what}: is not a WAV file of plain samples; FLAC and others need the package soundfile: "
            "pip install 'nladc-cosim[audio]'"
        ) from None
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=False)
    except (RuntimeError, ValueError) as e:
        raise InputError(f"{what}: not a readable recording ({e})") from None
    return samples, int(rate)
