"""Study of resolution, language model: bits per character at several bits, on ideal ramps, noisy weights and fitted chips.

The counterpart of Yang et al. 2025, Fig. 5c, with a smaller network by default; ``full.toml`` has the shape of theirs.
"""

from __future__ import annotations

import numpy as np

from cosim.chip import Hardware
from cosim.evaluation import bits_interval, evaluate_text
from cosim.network import Network
from cosim.report import Results, Study, Takes, Work
from cosim.tasks import CharacterTask, load_characters
from cosim.training import TrainingSettings
from netlists.errors import InputError

from ..bits import PLAIN, Judge, Kind, check_tasks, describe, run_bits, where_present
from .settings import TITLES, LmSettings

LARGE = 512
"""Units from which on a training takes all cores instead of one."""
SPLITS = ("train", "validation", "test")


def compute(settings: LmSettings, work: Work) -> Results:
    """Loads the texts, and `run_bits`."""
    check_tasks(settings.tasks, "characters")
    whole: dict[str, CharacterTask] = {name: load_characters(name) for name in settings.tasks if name != "ptb"}
    real, absent = where_present("ptb", settings.ptb_folder, "ptb_folder", CharacterTask)
    if real is not None:
        whole["ptb"] = real
    kind = Kind[CharacterTask](
        unit="bits per character",
        factor=1.0,
        titles=TITLES,
        training=lambda task, training: training_settings(settings, training),
        learned=lambda task, training: learned(task, settings, training),
        judge=lambda task: text_judge(task.test, settings.block, settings.seed, work.options.jobs),
        size=lambda task: {f"{split} characters": len(getattr(task, split)) for split in SPLITS},
        side_by_side=settings.n_hidden < LARGE,
    )
    data = {name: shortened(task, settings) for name, task in whole.items()}
    return run_bits(kind, data, {} if real is not None else {"ptb": absent}, settings, work)


def shortened(task: CharacterTask, settings: LmSettings) -> CharacterTask:
    """Takes the start of each of a task's texts.

    Raises
    ------
    InputError
        A text has fewer characters than are asked for, hardware-aware training takes more than plain, or the test text has too few
        for the bootstrap.
    """
    out = task.shortened(settings.train_characters, settings.validation_characters, settings.test_characters)
    if settings.aware_characters > len(out.train):
        raise InputError(f"aware_characters={settings.aware_characters}: {len(out.train)} characters are learned; 0 takes all")
    if len(out.test) - 1 <= settings.block:
        raise InputError(f"block={settings.block}: {len(out.test)} characters of test text must hold two blocks at least")
    return out


def learned(task: CharacterTask, settings: LmSettings, training: str) -> CharacterTask:
    """Takes the start of the training text that a kind of training learns."""
    return task.shortened(0 if training == PLAIN else settings.aware_characters, 0, 0)


def training_settings(settings: LmSettings, training: str) -> TrainingSettings:
    """Sets the same for all trainings, but for what is set for hardware-aware ones alone."""
    plain = TrainingSettings(
        n_hidden=settings.n_hidden,
        n_projection=settings.n_projection or None,
        n_embedding=settings.n_embedding,
        epochs=settings.epochs,
        batch=settings.batch,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        weight_decay=0.0,
    )
    return plain if training == PLAIN else settings.of_aware(plain)


def text_judge(text: np.ndarray, block: int, seed: int, threads: int) -> Judge:
    """Judges a language model: bits of each character; intervals by resampling blocks of the text, the same ones each time."""

    def answers(network: Network, hardware: Hardware, chips: int, rng: np.random.Generator) -> np.ndarray:
        return evaluate_text(network, text, hardware, chips, rng, threads=threads).bits

    def change(bits: np.ndarray, reference: np.ndarray) -> tuple[float, float, float]:
        difference = bits.mean(axis=0, dtype=np.float64) - reference.mean(axis=0, dtype=np.float64)
        i = bits_interval(difference, np.random.default_rng(seed), block=block)
        return i.value, i.low, i.high

    def interval(bits: np.ndarray) -> tuple[float, float]:
        _, low, high = change(bits, np.zeros_like(bits))
        return low, high

    return Judge(answers, interval, change)


def _work(s: LmSettings) -> float:
    """Characters times weights, in training and on chips."""
    text = s.train_characters or 10**7
    learned = s.epochs * text + 1.8 * (s.aware_epochs or s.epochs) * (s.aware_characters or text)
    judged = 15 * len(s.bits) * s.chips * (s.test_characters or 10**6)
    return len(s.seeds) * _weights(s) * (learned + judged) + s.samples


def _weights(s: LmSettings) -> float:
    return 4.0 * s.n_hidden * (s.n_embedding + (s.n_projection or s.n_hidden))


STUDY = Study(
    "lm-bits",
    LmSettings,
    compute,
    describe,
    Takes(650.0, _work, lambda s: 48.0 * _weights(s) + 100.0 * s.batch * s.steps * s.n_hidden),
)
