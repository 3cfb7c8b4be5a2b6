"""Settings of the calibration study, and the names in its tables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from characterization.plan import DEFAULT_PROFILE
from cosim.report import Numbers, StudySettings, Words
from netlists.checks import Bits, Inside, Positive, Seed, Whole

AS_PROGRAMMED, BEST_SHIFT = "as programmed", "best shift"
"""Names that stand beside the calibrations in the tables: before, and the bound of all that only shift."""
CASE = ("activation", "group", "calibration")


class CalibrationSettings(StudySettings):
    """What is simulated."""

    activations: Words = Field(("sigmoid", "tanh"), min_length=1, description="functions of the ramps")
    bits: Bits = Field(5, description="resolution")
    samples: Annotated[int, Whole(8)] = Field(256, description="chips of each ramp, group and calibration")
    seed: Seed = Field(1, description="of the first function; the next takes the next seed")
    profile: str = Field(DEFAULT_PROFILE, description="device profile, or a TOML file of one's own")
    calibration_cells: Annotated[int, Whole(1, 32)] = Field(5, description="cells that set where the ramp starts")
    calibrations: Words = Field(("one-point", "two-point", "trim"), min_length=1, description="procedures")
    stuck_rate: Inside = Field(0.02, description="share of cells stuck at OFF in the group with a rate")
    error_factors: Numbers = Field((3.0, 10.0), description="programming error, times the profile's")
    limits: Numbers = Field((0.5, 1.0), min_length=1, description="largest |INL| of a chip that passes, input LSB")
    v_swing: Positive = Field(1.0, description="span of the ramp, volts")
