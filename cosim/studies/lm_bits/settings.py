"""Settings of the study of resolution, language model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netlists.checks import Count, Number, Whole

from ..bits import BitsSettings

Several = Annotated[int, Whole(0)]


class LmSettings(BitsSettings):
    """What is trained, and on what it is evaluated."""

    tasks: tuple[str, ...] = Field(("sotu",), min_length=1, description="texts")
    ptb_folder: str = Field("", description="folder of the Penn Treebank's files; empty: task ptb is run if it is in the cache")
    n_hidden: Count = Field(128, description="units of the LSTM")
    n_projection: Several = Field(0, description="rows of its projected output; 0: no projection")
    n_embedding: Count = Field(64, description="numbers that stand for a character")
    epochs: Count = Field(3, description="of each training")
    train_characters: Several = Field(2_000_000, description="from the start of the training text; 0: all of it")
    aware_characters: Several = Field(0, description="of those, for hardware-aware training; 0: all")
    validation_characters: Several = Field(100_000, description="from the start of the validation text; 0: all of it")
    test_characters: Several = Field(50_000, description="from the start of the test text; 0: all of it")
    batch: Count = Field(64, description="streams of text that run side by side in training")
    steps: Count = Field(64, description="characters through which the gradient flows back")
    learning_rate: Annotated[float, Number(above=0, high=1)] = Field(4e-3, description="at its highest; it falls as half a cosine")
    block: Count = Field(1000, description="characters in a block of the bootstrap")


TITLES = {
    "sotu": "sotu (State of the Union addresses, normalised like the Penn Treebank)",
    "ptb": "ptb (Penn Treebank)",
}
