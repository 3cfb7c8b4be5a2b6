"""Settings of the study of learned ramps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from characterization.plan import DEFAULT_PROFILE
from cosim.report import Resolutions, StudySettings
from netlists.checks import Count, NonNegative, Positive, Seed, Whole


class LearnedRampsSettings(StudySettings):
    """What is trained, and on what it is evaluated."""

    tasks: tuple[str, ...] = Field(("vowels", "digits", "voices"), min_length=1, description="tasks of labelled sequences")
    bits: Resolutions = Field((2, 3, 4), min_length=2, description="resolutions of the ramps")
    n_hidden: Count = Field(16, description="units of the LSTM")
    epochs: Count = Field(20, description="of the training in floating point")
    tuning_epochs: Count = Field(5, description="of each training on ramps, which starts from there")
    tuning_rate: Positive = Field(3e-3, description="learning rate of those")
    threshold_noise: NonNegative = Field(0.3, description="hardware-aware training: noise of every threshold, LSB")
    weight_noise: NonNegative = Field(0.02, description="hardware-aware training: of every weight, of the matrix's largest")
    profile: str = Field(DEFAULT_PROFILE, description="device profile of ramps and weights, or a TOML file of one's own")
    errors: tuple[NonNegative, ...] = Field((1.0, 3.0), min_length=1, description="programming errors, in units of the profile's")
    chips: Annotated[int, Whole(2)] = Field(4, description="chips that each network is evaluated on")
    seed: Seed = Field(1, description="of trainings and chips")
