"""Settings of the gallery of activations."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from characterization.plan import DEFAULT_PROFILE
from cosim.report import Counts, StudySettings, Words
from netlists.checks import Bits
from netlists.function import ACTIVATIONS


class ActivationsSettings(StudySettings):
    """What is compiled and simulated."""

    activations: Words = Field(tuple(ACTIVATIONS), description="built-in functions")
    examples: bool = Field(True, description="also a polynomial, a spline, a callable and a CSV table")
    bits: Counts = Field((3, 4, 5, 6, 7, 8), min_length=1, description="resolutions to compile for")
    spice_bits: Bits = Field(5, description="of them, the resolution that ngspice measures")
    profile: str = Field(DEFAULT_PROFILE, description="device profile, or a TOML file of one's own")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.spice_bits not in self.bits:
            raise ValueError(f"spice_bits={self.spice_bits}: must be one of bits, {', '.join(map(str, self.bits))}")
        if not self.activations and not self.examples:
            raise ValueError("activations: none, and no examples: there is nothing to compile")
        return self
