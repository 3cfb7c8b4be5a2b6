"""Settings of the study of sensitivities."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cosim.report import Numbers, StudySettings
from netlists.checks import Bits, Inside, Positive, Seed, Whole


class SensitivityStudySettings(StudySettings):
    """What is differentiated, drawn and searched."""

    task: str = Field("voices", description="classification task")
    network: str = Field("results/error-sources/networks/voices-with-noise.npz", description="trained network")
    activation: str = Field("sigmoid", description="ramp whose cells are trimmed and whose yield is estimated")
    bits: Bits = Field(5, description="resolution of the ramps")
    trim_chips: Annotated[int, Whole(8, 10_000)] = Field(
        200, description="chips whose cells are written in the order of the gradient"
    )
    trim_limit: Positive = Field(0.05, description="largest |INL| of a chip that passes after trimming, LSB")
    yield_chips: Annotated[int, Whole(100, 10**7)] = Field(20_000, description="chips of each yield, linear and in closed form")
    limits: Numbers = Field(
        (0.05, 0.07, 0.09, 0.12, 0.16, 0.22), min_length=1, description="largest |INL| of a chip that passes as calibrated, LSB"
    )
    spice_chips: Annotated[int, Whole(0, 10**6)] = Field(96, description="chips of the yield that ngspice simulates, middle limit")
    network_chips: Annotated[int, Whole(8, 10**6)] = Field(100, description="chips whose loss the gradient foretells")
    max_loss: Inside = Field(0.01, description="loss of accuracy that a search allows")
    trials: Annotated[int, Whole(10, 10_000)] = Field(60, description="designs that the search without gradients tries")
    search_seeds: tuple[Seed, ...] = Field((1, 2), min_length=1, description="of the searches")
    search_chips: Annotated[int, Whole(2, 1000)] = Field(4, description="chips of each design; the wires are left out")
    seed: Seed = Field(1, description="of all chips")
