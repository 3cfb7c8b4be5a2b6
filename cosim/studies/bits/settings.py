"""Settings that the studies of resolution share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from characterization.plan import DEFAULT_PROFILE
from cosim.report import StudySettings

Resolution = Annotated[int, Field(ge=1, le=8)]


class BitsSettings(StudySettings):
    """What is trained, and on what it is evaluated."""

    bits: tuple[Resolution, ...] = Field((3, 4, 5, 6, 8), min_length=1, description="resolutions of the ramps")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((1, 2), min_length=1, description="a network is trained with each")
    aware_bits: Resolution | Literal["each"] = Field(
        5, description="resolution of hardware-aware training; 'each': a network for each resolution"
    )
    weight_noise: float = Field(
        0.02, ge=0, le=1, description="hardware-aware training: noise of every weight, of the matrix's largest weight"
    )
    training_threshold_noise: float = Field(0.0, ge=0, description="hardware-aware training: noise of every threshold, LSB")
    pwm_bits: int = Field(5, ge=2, le=8, description="pulse widths of inputs and states, sign included")
    profile: str = Field(DEFAULT_PROFILE, description="device profile of the weights, or a TOML file of one's own")
    threshold_noise: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.5, 1.0), description="evaluated besides, LSB rms")
    samples: int = Field(128, ge=8, description="chips in ngspice behind the model of each ramp")
    models: str = Field("", description="folder with sigmoid3.json, tanh3.json etc.; empty: they are simulated and fitted")
    chips: int = Field(8, ge=2, description="chips that each network is evaluated on")
    seed: int = Field(1, ge=0, description="of the simulated chips, of the evaluated ones and of the resampling")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name in ("bits", "seeds", "threshold_noise"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name}={list(values)}: must name each value once")
        return self

    @property
    def model_bits(self) -> tuple[int, ...]:
        """Resolutions that models of ramps are needed of."""
        trained = () if self.aware_bits == "each" else (self.aware_bits,)
        return tuple(sorted({*self.bits, *trained}))
