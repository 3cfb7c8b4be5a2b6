"""Words spoken by eSpeak NG, the same for the same list and seed.

eSpeak NG keeps state from one utterance to the next, so that a word sounds a little different after another one. A list is
therefore spoken in a process of its own, which takes JSON and answers with an .npz.
"""

from __future__ import annotations

import ctypes
import io
import json
import subprocess
import sys
from dataclasses import astuple, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of

# From espeak-ng/speak_lib.h.
_SYNCHRONOUS, _DONT_EXIT, _CHARACTERS_UTF8, _FROM_CHARACTER = 2, 0x8000, 1, 1
_RATE, _VOLUME, _PITCH, _PITCH_RANGE = 1, 2, 3, 4
_RECEIVER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

HOW = "install the extra that brings it: pip install 'nladc-cosim[speech]'"


@dataclass(frozen=True)
class Utterance:
    """What to say and how.

    Attributes
    ----------
    text : str
    accent, variant : str
        Language and speaker, such as "en-us" and "f3".
    rate : int
        Words a minute, 80..450.
    pitch, pitch_range : int
        Of eSpeak's scales, 0..100.
    """

    text: str
    accent: str
    variant: str
    rate: int
    pitch: int
    pitch_range: int


@dataclass(frozen=True, eq=False)
class Speech:
    """Spoken words.

    Attributes
    ----------
    clips : list of ndarray of float32 (samples,)
        Within +-1, one for each utterance.
    rate : int
        Samples a second.
    version, library_sha256 : str
        Of the package espeakng-loader and its library.
    """

    clips: list[np.ndarray]
    rate: int
    version: str
    library_sha256: str


def speak(utterances: list[Utterance], seed: int) -> Speech:
    """Speaks a list of utterances.

    Parameters
    ----------
    seed : int
        Of the generator behind breath and jitter, 0..2**31 - 1.

    Raises
    ------
    InputError
        A voice that eSpeak NG does not have.
    ToolkitError
        eSpeak NG is missing or fails.
    """
    library, data = _installed()
    for variant in {u.variant for u in utterances}:
        # eSpeak NG takes its plain voice, without a word, for a variant that it does not know.
        if not (data / "voices" / "!v" / variant).is_file():
            raise InputError(f"variant={variant!r}: eSpeak NG has no such voice")
    question = json.dumps({"seed": seed, "utterances": [astuple(u) for u in utterances]}).encode()
    command = [sys.executable, "-c", f"from {__name__} import answer; answer()"]
    result = subprocess.run(command, input=question, capture_output=True)
    if result.returncode != 0:
        raise ToolkitError(f"eSpeak NG: failed ({result.stderr.decode(errors='replace').strip().splitlines()[-1:]})")
    with np.load(io.BytesIO(result.stdout), allow_pickle=False) as spoken:
        clips = np.split(spoken["samples"].astype(np.float32) / 32768.0, np.cumsum(spoken["lengths"])[:-1])
        return Speech(clips, int(spoken["rate"]), version("espeakng-loader"), sha256_of(library.read_bytes()))


def _installed() -> tuple[Path, Path]:
    """The library and the folder of its data."""
    try:
        import espeakng_loader
    except ImportError as e:
        raise ToolkitError(f"eSpeak NG: the package espeakng-loader cannot be imported ({e}); {HOW}") from None
    return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())


def _speak_here(utterances: list[Utterance], seed: int) -> tuple[int, list[np.ndarray]]:
    """Sample rate and 16-bit samples; only for a process that has not spoken yet."""
    library, data = _installed()
    espeak = ctypes.CDLL(str(library))
    rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, str(data).encode(), _DONT_EXIT)
    if rate <= 0:
        raise ToolkitError(f"cannot start with the data in {data}; it takes no path longer than 160 characters")
    parts: list[np.ndarray] = []

    @_RECEIVER
    def receive(samples, count, _events):
        if samples and count > 0:
            parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    espeak.espeak_SetSynthCallback(receive)
    espeak.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    espeak.espeak_ng_SetRandSeed(seed)
    clips = []
    for u in utterances:
        if espeak.espeak_SetVoiceByName(f"{u.accent}+{u.variant}".encode()) != 0:
            raise InputError(f"accent={u.accent!r}: eSpeak NG has no such language")
        for parameter, value in ((_RATE, u.rate), (_VOLUME, 100), (_PITCH, u.pitch), (_PITCH_RANGE, u.pitch_range)):
            espeak.espeak_SetParameter(parameter, value, 0)
        parts.clear()
        text = u.text.encode()
        status = espeak.espeak_Synth(text, len(text) + 1, 0, _FROM_CHARACTER, 0, _CHARACTERS_UTF8, None, None)
        if status != 0 or not parts:
            raise ToolkitError(f"nothing came for {u} (status {status})")
        clips.append(np.concatenate(parts))
    return rate, clips


def answer() -> None:
    """Speak what standard input asks for and write the samples to standard output: the other end of `speak`."""
    question = json.load(sys.stdin)
    rate, clips = _speak_here([Utterance(*u) for u in question["utterances"]], question["seed"])
    buffer = io.BytesIO()
    np.savez(buffer, rate=rate, lengths=np.array([len(c) for c in clips]), samples=np.concatenate(clips))
    sys.stdout.buffer.write(buffer.getvalue())
