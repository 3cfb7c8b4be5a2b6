"""Settings of the study of resolution, keyword spotting."""

from __future__ import annotations

from pydantic import Field

from netlists.checks import Count, Share

from ..bits import BitsSettings


class KwsSettings(BitsSettings):
    """What is trained, and on what it is evaluated."""

    tasks: tuple[str, ...] = Field(("voices", "keywords-synthetic"), min_length=1, description="tasks of labelled sequences")
    keywords_folder: str = Field(
        "", description="folder of Google Speech Commands; empty: task keywords is run if it is in the cache"
    )
    epochs: Count = Field(20, description="of each training")
    aware_weight_decay: Share = Field(0.1, description="weight decay of hardware-aware training")


TITLES = {
    "voices": "voices (real recordings: who speaks which language)",
    "keywords-synthetic": "keywords-synthetic (SYNTHETIC speech)",
    "keywords": "keywords (Google Speech Commands, real recordings)",
}
