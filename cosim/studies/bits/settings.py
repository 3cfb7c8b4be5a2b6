"""Settings that the studies of resolution share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from characterization.plan import DEFAULT_PROFILE
from cosim.report import Resolutions, StudySettings, distinct
from netlists.checks import Bits, NonNegative, Positive, Seed, Share, Whole

if TYPE_CHECKING:
    from cosim.training import TrainingSettings


class BitsSettings(StudySettings):
    """What is trained, and on what it is evaluated."""

    bits: Resolutions = Field((3, 4, 5, 6, 8), min_length=1, description="resolutions of the ramps")
    seeds: Annotated[tuple[Seed, ...], AfterValidator(distinct)] = Field(
        (1, 2), min_length=1, description="a network is trained with each"
    )
    aware_bits: Bits | Literal["each"] = Field(
        5, description="resolution of hardware-aware training; 'each': a network for each resolution"
    )
    aware_start: Literal["anew", "plain"] = Field(
        "anew", description="hardware-aware training begins with random weights, or with those of the plain network"
    )
    aware_epochs: Annotated[int, Whole(0)] = Field(0, description="of each hardware-aware training; 0: as many as of a plain one")
    aware_learning_rate: Share = Field(0.0, description="of hardware-aware training; 0: the plain one's")
    weight_noise: Share = Field(0.02, description="hardware-aware training: noise of every weight, of the matrix's largest weight")
    training_threshold_noise: NonNegative = Field(0.0, description="hardware-aware training: noise of every threshold, LSB")
    pwm_bits: Annotated[int, Whole(2, 8)] = Field(5, description="pulse widths of inputs and states, sign included")
    profile: str = Field(DEFAULT_PROFILE, description="device profile of the weights, or a TOML file of one's own")
    threshold_noise: Annotated[tuple[Positive, ...], AfterValidator(distinct)] = Field(
        (0.5, 1.0), description="evaluated besides, LSB rms"
    )
    samples: Annotated[int, Whole(8)] = Field(128, description="chips in ngspice behind the model of each ramp")
    models: str = Field("", description="folder with sigmoid3.json, tanh3.json etc.; empty: they are simulated and fitted")
    chips: Annotated[int, Whole(2)] = Field(8, description="chips that each network is evaluated on")
    seed: Seed = Field(1, description="of the simulated chips, of the evaluated ones and of the resampling")

    @property
    def model_bits(self) -> tuple[int, ...]:
        """Lists the resolutions that models of ramps are needed of."""
        trained = () if self.aware_bits == "each" else (self.aware_bits,)
        return tuple(sorted({*self.bits, *trained}))

    def of_aware(self, training: TrainingSettings) -> TrainingSettings:
        """Sets hardware-aware training by what else would be that of a plain one."""
        own: dict[str, Any] = {"epochs": self.aware_epochs, "learning_rate": self.aware_learning_rate}
        return replace(training, **{name: value for name, value in own.items() if value})
