"""Settings of the study of learned ramps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from characterization.plan import DEFAULT_PROFILE
from cosim.report import Resolutions, StudySettings, Words
from netlists.checks import Count, NonNegative, Positive, Seed, Whole

from ..kws_real import KwsRealSettings

Several = Annotated[int, Whole(0)]
SPEECH = KwsRealSettings.model_validate({})


class LearnedRampsSettings(StudySettings):
    """What is trained, and on what it is evaluated."""

    tasks: Words = Field(
        ("vowels", "digits", "voices"),
        min_length=1,
        description="tasks of labelled sequences, texts, or kws-real: real speech, where the published network is trained further",
    )
    bits: Resolutions = Field((2, 3, 4), min_length=2, description="resolutions of the ramps")
    n_hidden: Count = Field(16, description="units of the LSTM")
    epochs: Count = Field(20, description="of the training in floating point")
    tuning_epochs: Count = Field(5, description="of each training on ramps, which starts from there")
    tuning_rate: Positive = Field(3e-3, description="learning rate of those")
    text_hidden: Count = Field(128, description="texts: units of the LSTM")
    text_epochs: Count = Field(6, description="texts: of the training in floating point")
    text_tuning_epochs: Count = Field(1, description="texts: of each training on ramps")
    text_batch: Count = Field(64, description="texts: streams that run side by side in training")
    text_rate: Positive = Field(4e-3, description="texts: learning rate of the training in floating point")
    train_characters: Several = Field(1_000_000, description="from the start of a training text; 0: all of it")
    validation_characters: Several = Field(50_000, description="from the start of a validation text; 0: all of it")
    test_characters: Several = Field(60_000, description="from the start of a test text; 0: all of it")
    speech_epochs: Count = Field(5, description="kws-real: of each training, in floating point and on ramps")
    speech_rate: Positive = Field(1e-3, description="kws-real: learning rate of each")
    speech_batch: Count = Field(64, description="kws-real: clips in a gradient step")
    data: str = Field(SPEECH.data, description="kws-real: folder of the recordings, as of the study of that name")
    networks: str = Field(SPEECH.networks, description="kws-real: folder of the published network")
    threshold_noise: NonNegative = Field(0.3, description="hardware-aware training: noise of every threshold, LSB")
    weight_noise: NonNegative = Field(0.02, description="hardware-aware training: of every weight, of the matrix's largest")
    profile: str = Field(DEFAULT_PROFILE, description="device profile of ramps and weights, or a TOML file of one's own")
    errors: tuple[NonNegative, ...] = Field((1.0, 3.0), min_length=1, description="programming errors, in units of the profile's")
    chips: Annotated[int, Whole(2)] = Field(4, description="chips that each network is evaluated on")
    seed: Seed = Field(1, description="of trainings and chips")
