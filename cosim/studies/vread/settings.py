"""Settings of the study of the read voltage."""

from __future__ import annotations

from pydantic import Field

from cosim.report import Numbers, StudySettings, Words
from netlists.checks import Bits, Count, Seed
from netlists.technology import RampCircuit

IN_MEMORY, FIXED = "in memory", "fixed reference"
CALIBRATED_AT = RampCircuit().v_read
"""Read voltage of the plan's circuit, volts."""


class VreadSettings(StudySettings):
    """What is simulated."""

    activations: Words = Field(
        ("sigmoid", "identity"),
        min_length=1,
        description="ramps; a tanh ramp is the sigmoid's in other units, and of the same seed gives the same figures",
    )
    bits: Bits = Field(5, description="resolution")
    samples: Count = Field(64, description="chips of each activation, the same at every read voltage")
    seed: Seed = Field(1, description="of the chips")
    v_read: Numbers = Field(
        (0.15, 0.16, 0.18, 0.2, 0.22, 0.24, 0.25), min_length=2, description="read voltages, rising; calibrated at 0.2 V"
    )
