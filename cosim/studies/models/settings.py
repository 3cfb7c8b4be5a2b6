"""Settings of the study of trust in the ramp models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cosim.report import StudySettings, Words
from netlists.checks import Bits, Count, Seed, Whole

Several = Annotated[int, Whole(0)]


class ModelsSettings(StudySettings):
    """What is fitted, and what it is held against."""

    activations: Words = Field(("sigmoid", "tanh"), description="functions of the ramps at level macro; none: no model is fitted")
    bits: Bits = Field(5, description="resolution at level macro")
    samples: Count = Field(16_384, description="chips that each model is fitted to")
    held_out: Count = Field(1250, description="fresh chips that each model is held against")
    conversions: Count = Field(1250, description="of the fresh chips, those that also convert 16 inputs each to codes")
    further_sets: Several = Field(
        8, description="further sets of as many fresh chips, whose levels alone are tested: whether what one set fails was chance"
    )
    transistors: tuple[tuple[Bits, Count, Several], ...] = Field(
        ((3, 96, 8), (5, 48, 0)), description="sigmoid ramps at level sky130: bits, chips, how many of them are calibrated too"
    )
    calibration_chips: Several = Field(256, description="chips of each calibration procedure; 0: none")
    seed: Seed = Field(1, description="of the first activation; the next takes the next seed")
