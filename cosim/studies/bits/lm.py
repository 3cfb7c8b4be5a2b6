"""Study of resolution, language model: bits per character at several bits, on ideal ramps, noisy weights and fitted chips.

The counterpart of Yang et al. 2025, Fig. 5c, with a smaller network by default; ``lm-bits-full.toml`` has the shape of theirs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from cosim.chip import Hardware
from cosim.evaluation import bits_interval, evaluate_text
from cosim.network import Network
from cosim.report import Page, RunOptions, Study
from cosim.tasks import CharacterTask, load_characters
from cosim.training import TrainingSettings
from netlists.errors import InputError

from .answers import Judge
from .data import check_tasks, where_present
from .page import Reader, bits_page, describe
from .run import Kind, run_bits
from .settings import BitsSettings

LARGE = 512
"""Units from which on a training takes all cores instead of one."""
SPLITS = ("train", "validation", "test")
TITLES = {
    "sotu": "sotu (State of the Union addresses, normalised like the Penn Treebank)",
    "ptb": "ptb (Penn Treebank)",
}
Count = Annotated[int, Field(ge=0)]


class Settings(BitsSettings):
    """What is trained, and on what it is evaluated."""

    tasks: tuple[str, ...] = Field(("sotu",), min_length=1, description="texts")
    ptb_folder: str = Field("", description="folder of the Penn Treebank's files; empty: task ptb is run if it is in the cache")
    n_hidden: int = Field(128, ge=1, description="units of the LSTM")
    n_projection: Count = Field(0, description="rows of its projected output; 0: no projection")
    n_embedding: int = Field(64, ge=1, description="numbers that stand for a character")
    epochs: int = Field(3, ge=1, description="of each training")
    train_characters: Count = Field(2_000_000, description="from the start of the training text; 0: all of it")
    validation_characters: Count = Field(100_000, description="from the start of the validation text; 0: all of it")
    test_characters: Count = Field(50_000, description="from the start of the test text; 0: all of it")
    batch: int = Field(64, ge=1, description="streams of text that run side by side in training")
    steps: int = Field(64, ge=1, description="characters through which the gradient flows back")
    learning_rate: float = Field(4e-3, gt=0, le=1, description="at its highest; it falls as half a cosine")
    block: int = Field(1000, ge=1, description="characters in a block of the bootstrap")


def run_lm_bits(settings: Settings, out: Path, run: RunOptions) -> dict[str, Any]:
    """Load the texts, and `run_bits`."""
    check_tasks(settings.tasks, "characters")
    whole: dict[str, CharacterTask] = {name: load_characters(name) for name in settings.tasks if name != "ptb"}
    real, absent = where_present("ptb", settings.ptb_folder, "ptb_folder", CharacterTask)
    if real is not None:
        whole["ptb"] = real
    kind = Kind[CharacterTask](
        study="lm-bits",
        unit="bits per character",
        factor=1.0,
        titles=TITLES,
        training=lambda task, training: training_settings(settings),
        judge=lambda task: text_judge(task.test, settings.block, settings.seed, run.jobs),
        size=lambda task: {f"{split} characters": len(getattr(task, split)) for split in SPLITS},
        side_by_side=settings.n_hidden < LARGE,
    )
    data = {name: shortened(task, settings) for name, task in whole.items()}
    return run_bits(kind, data, {} if real is not None else {"ptb": absent}, settings, out, run)


def shortened(task: CharacterTask, settings: Settings) -> CharacterTask:
    """The start of each of a task's texts.

    Raises
    ------
    InputError
        A text has fewer characters than are asked for, or too few for the bootstrap.
    """
    texts = {}
    for split in SPLITS:
        text, asked = getattr(task, split), getattr(settings, f"{split}_characters")
        if asked > len(text):
            raise InputError(f"{split}_characters={asked}: the {split} text of task {task.name!r} has {len(text)}; 0 takes all")
        texts[split] = text[: asked or len(text)]
    if len(texts["test"]) - 1 <= settings.block:
        raise InputError(f"block={settings.block}: {len(texts['test'])} characters of test text must hold two blocks at least")
    return CharacterTask(task.name, task.alphabet, **texts, provenance=task.provenance)


def training_settings(settings: Settings) -> TrainingSettings:
    """The same for all trainings."""
    return TrainingSettings(
        n_hidden=settings.n_hidden,
        n_projection=settings.n_projection or None,
        n_embedding=settings.n_embedding,
        epochs=settings.epochs,
        batch=settings.batch,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        weight_decay=0.0,
    )


def text_judge(text: np.ndarray, block: int, seed: int, threads: int) -> Judge:
    """Answers of a language model: bits of each character; intervals by resampling blocks of the text, the same ones each time."""

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


READER = Reader(
    title="Bits per character against bits: language model",
    question="How many bits does an in-memory ramp need for a language model?",
    unit="bits per character",
    titles=TITLES,
    value=lambda v: f"{v:.3f}",
    headline=lambda v: f"{v:.3f}",
    beside=lambda v: f"{v:.3f}",
)


def page(folder: Path) -> Page:
    """The page of a folder that `run_lm_bits` wrote."""
    return bits_page(folder, READER, "ptb", _differences, lambda summary: _network(summary["settings"]))


def _network(settings: dict[str, Any]) -> str:
    projection = f" with projection {settings['n_projection']}" if settings["n_projection"] else ""
    return f"LSTM of {settings['n_hidden']} units{projection}, embedding {settings['n_embedding']}"


def _differences(summary: dict[str, Any]) -> dict[str, str]:
    on_ptb = "ptb" in summary["tasks"]
    main = "ptb" if on_ptb else next(iter(summary["tasks"]))
    data = "" if on_ptb else "Not the same text: addresses here, newspaper there; bits of different texts cannot be compared. "
    here = (
        f"{data}Network: {_network(summary['settings'])} here, LSTM of 2016 units with projection 504 and embedding 128 there. "
        f"Training: {summary['settings']['epochs']} epochs on {summary['sizes'][main]['train characters']:,} characters here."
    )
    return {"lm-bpc": here, "lm-bpc-rival": f"{here} Another circuit."}


STUDY = Study("lm-bits", Settings, run_lm_bits, describe)
