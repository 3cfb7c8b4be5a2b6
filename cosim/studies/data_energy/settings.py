"""Settings of the study of the data's energy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cosim.report import StudySettings
from netlists.checks import Bits, Count, NonNegative, PwmBits, Seed, Whole

Amount = Annotated[int, Whole(0)]


class DataEnergySettings(StudySettings):
    """What is evaluated and simulated."""

    task: str = Field("voices", description="classification task")
    network: str = Field("results/error-sources/networks/voices-plain.npz", description="trained network")
    bits: tuple[Bits, ...] = Field((5, 4, 3), min_length=1, description="resolutions of the ramps; the first is held against SPICE")
    pwm_bits: PwmBits = Field(5, description="of the pulse widths, sign included")
    deltas: tuple[NonNegative, ...] = Field(
        (0.1, 0.2, 0.4),
        description="thresholds of delta inputs, for inputs and states; rows that are driven at every step are always there",
    )
    tiles: tuple[Count, ...] = Field(
        (128, 32), min_length=1, description="columns of a tile, whose ramps stop together; the first counts"
    )
    sequences: Amount = Field(20, description="test sequences that are held against ngspice, level macro, one column each")
    steps_each: Count = Field(8, description="steps of each of them, evenly spread; all, if it has no more")
    transistor_steps: Amount = Field(4, description="steps that are held against level sky130, each of another sequence")
    seed: Seed = Field(1, description="of the sequences that are picked")
