"""Settings of the study of stuck cells."""

from __future__ import annotations

from pydantic import Field

from characterization.plan import DEFAULT_PROFILE
from cosim.report import Counts, Numbers, StudySettings, Words
from netlists.checks import Bits, Count, Seed


class StuckSettings(StudySettings):
    """What is simulated."""

    activation: str = Field("sigmoid", description="function of the ramp")
    bits: Bits = Field(5, description="resolution")
    samples: Count = Field(128, description="chips of each point, all of them in ngspice")
    seed: Seed = Field(1, description="of the chips")
    profile: str = Field(DEFAULT_PROFILE, description="device profile, or a TOML file of one's own")
    rates: Numbers = Field((0.0, 0.01, 0.02, 0.05), min_length=1, description="probability that a cell is stuck at OFF")
    cells: Counts = Field((3, 5, 8), min_length=1, description="calibration cells of the column")
    calibrations: Words = Field(("one-point", "trim"), min_length=1, description="procedures")
    limits: Numbers = Field((0.5, 1.0), min_length=1, description="largest |INL| of a chip that passes, input LSB")
