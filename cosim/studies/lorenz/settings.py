"""Settings of the study of a reconstructed attractor."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from characterization.plan import DEFAULT_PROFILE
from cosim.report import Resolutions, StudySettings
from netlists.checks import Bits, Count, Number, PwmBits, Seed


class LorenzSettings(StudySettings):
    """What is learned, and on what it runs."""

    points: Annotated[int, Field(ge=1000)] = Field(20000, description="points of the trajectories that train and judge")
    dt: Annotated[float, Number(above=0, high=0.1)] = Field(0.02, description="time units between two points")
    n_hidden: Count = Field(20, description="units")
    n_relu: Count = Field(5, description="rectified units among them")
    updates: Count = Field(8000, description="gradient steps")
    forcing: Count = Field(15, description="steps between those in which data forces the network")
    trainings: Count = Field(2, description="trainings, each from weights of its own")
    bits: Resolutions = Field((5, 6, 8), min_length=1, description="resolutions of ramps and pulses together")
    pwm_bits: PwmBits = Field(8, description="pulse widths beside ramps of alone_bits")
    alone_bits: Bits = Field(5, description="resolution of ramps beside finer pulses, and on memristors")
    profile: str = Field(DEFAULT_PROFILE, description="device profile of the weights, or a TOML file of one's own")
    chips: Count = Field(3, description="chips with memristors")
    generated: Annotated[int, Field(ge=1000)] = Field(20000, description="points that each network generates")
    seed: Seed = Field(1, description="of trajectories, trainings and chips")
