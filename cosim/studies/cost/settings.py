"""Settings of the cost study."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cosim.report import StudySettings
from netlists.checks import Bits, Choice, Count, NonNegative, Positive, Seed, Whole
from netlists.technology import LEVELS

Level = Annotated[str, Choice(LEVELS)]


class CostSettings(StudySettings):
    """What is simulated and swept."""

    task: str = Field("voices", description="classification task of the accuracies")
    network: str = Field(
        "results/error-sources/networks/voices-plain.npz", description="network of the accuracies, from `cosim study error-sources`"
    )
    bits: tuple[Bits, ...] = Field((2, 3, 4, 5, 6, 7, 8), min_length=1, description="resolutions")
    threshold_noise: NonNegative = Field(0.5, description="of the accuracies, LSB rms")
    chips: Annotated[int, Whole(2)] = Field(8, description="of the accuracies")
    hidden: tuple[Count, ...] = Field((16, 32, 64, 128, 256, 512, 2016), min_length=1, description="units of the swept layers")
    arrays: tuple[Count, ...] = Field(
        (32, 64, 128, 256, 1024), min_length=1, description="rows and columns of the largest array swept"
    )
    levels: tuple[Level, ...] = Field(LEVELS, min_length=1, description="levels of detail whose energies are simulated")
    v_reads: tuple[Positive, ...] = Field(
        (0.2, 0.1), min_length=2, description="read voltages, volts; the first is compared with the others"
    )
    ramp_bits: Annotated[int, Whole(2, 5)] = Field(
        5, description="resolution of the ramp that is simulated; level sky130 counts to 5 bits"
    )
    mismatch_chips: Annotated[int, Whole(0)] = Field(4, description="chips of foundry mismatch at level sky130")
    seed: Seed = Field(1, description="of the accuracies' chips; the mismatch takes the numbers that follow it")
    write_measured: bool = Field(False, description="also write the package's file of measured figures")


QUANTITY = {
    "area": "area",
    "power": "power",
    "tops": "throughput",
    "tops_per_watt": "energy-efficiency",
    "tops_per_mm2": "area-efficiency",
}
"""Names of the printed figures in published.toml."""
