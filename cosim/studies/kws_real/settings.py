"""Settings of the study of published networks on real speech."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from characterization.plan import DEFAULT_PROFILE
from cosim.report import Resolutions, StudySettings, Words
from netlists.checks import Bits, Count, Positive, Seed, Whole


class KwsRealSettings(StudySettings):
    """Which networks run on which data, and on what."""

    data: str = Field(
        "../shared/data/speech_commands_test_set_v0.02",
        description="unpacked test set of Speech Commands v0.02, or the file that `cosim tasks make` made of it",
    )
    networks: str = Field("../shared/data/ml-kws-lstm", description="folder of the networks")
    files: Words = Field(("basic_lstm_S.npz", "basic_lstm_L.npz"), min_length=1, description="networks, in that folder")
    bits: Resolutions = Field((3, 4, 5, 6, 7, 8), min_length=1, description="resolutions of ideal ramps")
    chip_files: Words = Field(
        ("basic_lstm_S.npz",), description="networks that run on chips of several resolutions and with parts of the circuit alone"
    )
    chip_bits: Resolutions = Field((3, 5, 8), description="resolutions of memristors alone and of whole chips")
    alone_bits: Bits = Field(5, description="resolution of those parts, of the loop and of the other networks' chips")
    chips: Count = Field(3, description="chips of each condition")
    parts_alone: bool = Field(True, description="whether parts of the circuit are set side by side")
    slow_chips: Annotated[int, Whole(0)] = Field(
        1, description="chips of the other networks, 0: none; and of targets that allow for the wires, 1 at least: slow to draw"
    )
    spice_clips: Annotated[int, Whole(0)] = Field(20, description="clips with ngspice in the loop, first of chip_files; 0: none")
    tuning_epochs: Annotated[int, Whole(0)] = Field(
        6,
        description="epochs of fine-tuning of the first of chip_files on two thirds of the speakers, judged on the others; 0: none",
    )
    tuning_rate: Positive = Field(1e-3, description="largest step size of the fine-tuning")
    tuning_batch: Count = Field(64, description="clips in a gradient step of the fine-tuning, each with a chip of its own")
    profile: str = Field(DEFAULT_PROFILE, description="device profile, or a TOML file of one's own")
    deviations: Positive = Field(2.5, description="standard deviations of a feature that take the longest pulse")
    largest: Positive = Field(0.6, description="weight times input that a cell holds at most; larger ones are spread over rows")
    seed: Seed = Field(1, description="of the chips")
