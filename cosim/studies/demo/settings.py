"""Settings of the demo."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cosim.report import StudySettings
from netlists.checks import Count, Seed, Whole


class DemoSettings(StudySettings):
    """Size and seed of the study."""

    samples: Annotated[int, Whole(8)] = Field(208, description="Monte Carlo chips of each ramp in ngspice")
    held_out: Annotated[int, Whole(8)] = Field(64, description="fresh chips that each model is held against")
    chips: Count = Field(16, description="chips that the network runs on")
    converting_chips: Count = Field(8, description="of the fresh chips, those that also convert inputs to codes")
    seed: Seed = Field(1, description="of chips and training")
