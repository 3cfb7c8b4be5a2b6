"""SYNTHETIC keywords: the classes of Google Speech Commands, spoken by a program in simulated rooms.

Figures on this task say how networks and circuits compare with each other; they say nothing of real speech.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from characterization.streams import part_sequences
from cosim.tasks import Provenance, Task
from netlists.check_rules import Whole
from netlists.checks import checked
from netlists.files import sha256_of

from .acoustics import at_ratio, babble, coloured_noise, reverberate
from .audio import clip_features, feature_sets, fit
from .espeak import Speech, Utterance, speak

RATE = 16000
CLIP = RATE
"""Samples of a clip, one second: 49 frames."""

JITTER = RATE // 10
"""A word begins at most so many samples off the middle place."""

KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
CLASSES = (*KEYWORDS, "unknown", "silence")
UNKNOWN, SILENCE = CLASSES.index("unknown"), CLASSES.index("silence")

OTHER_WORDS = (
    *("bed", "bird", "cat", "dog", "happy", "house", "marvin", "sheila", "tree", "wow"),
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
)
"""The auxiliary words of Google Speech Commands v1."""

ACCENTS = ("en", "en-us", "en-us-nyc", "en-gb-x-rp")

VARIANTS = {
    "train": (
        *("f1", "f2", "f5", "m1", "m2", "m3", "m5", "m7", "Alex", "Alicia", "Andrea", "Annie", "Denis", "Diogo", "Hugo", "Lee"),
        *("Marco", "Michael", "Nguyen", "adam", "anika", "antonio", "aunty", "benjamin", "boris", "caleb", "ed", "gustave", "iven"),
        *("iven2", "iven3", "iven4", "john", "max", "michel", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert"),
        *("sandro", "steph", "steph2", "steph3", "travis", "zac"),
    ),
    "validation": ("f3", "m4", "m8", "Jacky", "Mario", "david", "edward", "edward2", "grandpa", "linda", "miguel", "shelby"),
    "test": (
        *("f4", "m6", "Andy", "Gene", "Gene2", "Henrique", "Mike", "mike2", "Reed", "Storm", "belinda", "grandma", "marcelo"),
        *("victor",),
    ),
}
"""Speakers of each split. Those that are one speaker twice (iven, iven2) stay together; robots and whisperers are left out."""

POOL, POOL_VOICES = 96, 4
"""Utterances that babble is mixed from, and how many at a time."""

SOURCE = (
    "Speech made by a program, no recordings: ten keywords, unknown words and silence, shaped like Google Speech Commands "
    "(P. Warden, arXiv 1804.03209), spoken by eSpeak NG in simulated rooms with noise and babble."
)
LICENCE = "made here; eSpeak NG is GPL-3.0-or-later, which does not cover the speech it makes"
NOTES = (
    "No speaker is in two splits. 16 kHz, one second, 49 x 40 MFCC. Reverberation 0.1-0.4 s, direct sound 6-20 dB over the tail; "
    "noise 10-30 dB and babble 15-35 dB below the word."
)


Clips = Annotated[int, Whole(len(CLASSES), why="one clip a class")]


@checked
@dataclass(frozen=True)
class SyntheticKeywords:
    """How many clips of each split, shared evenly by the twelve classes, and the seed behind all of them."""

    train: Clips = 6000
    validation: Clips = 600
    test: Clips = 1200
    seed: Annotated[int, Whole(0, 2**31 - 1)] = 1


def build_synthetic_keywords(settings: SyntheticKeywords | None = None) -> Task:
    """Speaks, mixes and transforms the clips; the same settings give the same clips.

    Raises
    ------
    ToolkitError
        eSpeak NG is missing (extra ``speech``) or fails.
    """
    settings = settings or SyntheticKeywords()
    rngs = dict(zip(VARIANTS, map(np.random.default_rng, part_sequences(settings.seed, len(VARIANTS))), strict=True))
    labels = {split: np.arange(getattr(settings, split)) % len(CLASSES) for split in VARIANTS}
    plans = {split: _plan(labels[split], split, rngs[split]) for split in VARIANTS}
    speech = speak([u for plan in plans.values() for u in plan], settings.seed)
    words = iter([_trimmed(clip, speech.rate) for clip in speech.clips])
    clips: dict[str, np.ndarray] = {}
    for split, rng in rngs.items():
        spoken = [next(words) for _ in plans[split]]
        pool, rest = spoken[:POOL], iter(spoken[POOL:])
        clips[split] = np.stack(
            [
                _clip(None if k == SILENCE else next(rest), pool, r)
                for k, r in zip(labels[split], rng.spawn(len(labels[split])), strict=True)
            ]
        )
    return Task(
        name="keywords-synthetic",
        classes=CLASSES,
        metric="accuracy",
        provenance=_provenance(settings, speech, clips),
        **feature_sets({s: clip_features(c / 32768.0, RATE) for s, c in clips.items()}, {s: list(k) for s, k in labels.items()}),
    )


def _provenance(settings: SyntheticKeywords, speech: Speech, clips: dict[str, np.ndarray]) -> Provenance:
    return Provenance(
        source=SOURCE,
        version=f"espeakng-loader {speech.version}, seed {settings.seed}",
        licence=LICENCE,
        sha256={"eSpeak NG library": speech.library_sha256}
        | {f"{split} clips, 16 bits": sha256_of(c.tobytes()) for split, c in clips.items()},
        items={split: len(c) for split, c in clips.items()},
        synthetic=True,
        notes=NOTES,
    )


def _plan(labels: np.ndarray, split: str, rng: np.random.Generator) -> list[Utterance]:
    """What a split's speakers say: first the pool of babble, then one word for each clip that is not silence."""
    words = [" ".join(rng.choice(OTHER_WORDS, 3)) for _ in range(POOL)]
    words += [str(rng.choice(OTHER_WORDS)) if k == UNKNOWN else KEYWORDS[k] for k in labels if k != SILENCE]
    return [
        Utterance(
            text=word,
            accent=str(rng.choice(ACCENTS)),
            variant=str(rng.choice(VARIANTS[split])),
            rate=int(rng.integers(140, 200)),
            pitch=int(rng.integers(30, 71)),
            pitch_range=int(rng.integers(30, 71)),
        )
        for word in words
    ]


def _trimmed(samples: np.ndarray, rate: int) -> np.ndarray:
    """A word at `RATE` without the silence around it."""
    from scipy.signal import resample_poly

    resampled = resample_poly(samples.astype(float), RATE, rate)
    loud = np.flatnonzero(np.abs(resampled) > 0.02 * np.abs(resampled).max())
    return resampled[loud[0] : loud[-1] + 1]


def _clip(word: np.ndarray | None, pool: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """One second as a microphone hears it, ndarray of int16 (CLIP,); without a word, what is around it."""
    background = coloured_noise(CLIP, rng.uniform(0.0, 2.0), rng), babble(pool, CLIP, POOL_VOICES, rng)
    ratios = rng.uniform(10.0, 30.0), rng.uniform(15.0, 35.0)
    heard, power = np.zeros(CLIP), 1.0
    if word is not None:
        word = word[:CLIP]
        start = int(np.clip((CLIP - len(word)) // 2 + rng.integers(-JITTER, JITTER + 1), 0, CLIP - len(word)))
        heard = fit(np.concatenate([np.zeros(start), word]), CLIP)
        heard = reverberate(heard, RATE, decay_s=rng.uniform(0.1, 0.4), direct_db=rng.uniform(6.0, 20.0), rng=rng)
        power = float(np.mean(word**2))
    for noise, ratio in zip(background, ratios, strict=True):
        heard = heard + at_ratio(noise, ratio, power)
    peak = 10.0 ** (-rng.uniform(3.0, 20.0) / 20)
    return np.round(heard * (32767 * peak / np.abs(heard).max())).astype(np.int16)
