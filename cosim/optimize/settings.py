"""What a design search is asked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from cosim.report import StudySettings
from netlists.array import COMPENSATIONS
from netlists.checks import Ohms


class OptimizeSettings(StudySettings):
    """What a design search is asked."""

    task: str = Field(description="classification task the network was trained on")
    network: str = Field(description="network file")
    max_loss: float = Field(ge=0, le=0.5, description="largest loss of accuracy against floating point")
    objective: Literal["energy", "latency", "area", "edp"] = Field(
        "energy", description="what is minimised, for an inference (edp is energy times latency)"
    )
    judge: Literal["mean", "chips", "sequences"] = Field(
        "mean",
        description="what must be within the limit: the mean over chips (mean), or the upper end of its 95 % interval over chips "
        "(chips) or over sequences (sequences)",
    )
    method: Literal["tpe", "gradient"] = Field(
        "tpe",
        description="what proposes designs: the estimator on the grid, or gradient steps between its places (fewer evaluations)",
    )
    trials: int = Field(60, ge=2, le=100_000, description="designs to try, the default design first")
    chips: int = Field(8, ge=2, le=1000, description="chips of each design in the search")
    fixed: dict[str, float] = Field(default_factory=dict, description="variables that are not searched, SI units")
    profile: str = Field("taox-100-400", description="device profile: a built-in name or a .toml file")
    comparator: str | None = Field(
        default=None,
        description="block file of `cosim comparator`: its offset, noise and time constant are every design's; energy and "
        "area stay those of our comparator at that offset",
    )
    r_wire: Ohms = Field(1.0, description="wire resistance of a cell along rows and columns, ohm")
    compensate: Literal[COMPENSATIONS] = Field(  # type: ignore[valid-type]
        "mean", description="what makes good the loss in the wires: nothing, one gain a matrix, or targets of the cells"
    )
    bias_rows: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="rows that share the bias of a matrix; default as few as leave the conductance range to the other weights",
    )
    calibration: Literal["one-point", "per-column"] = Field(
        "one-point", description="of the ramps by their own column, or of every column by a pair of trimming cells"
    )
    samples: int = Field(64, ge=8, description="chips of each ramp that confirm a design in SPICE, 8 or more")
    confirm_chips: int = Field(16, ge=2, description="fresh chips that the confirmation runs the network on")
    tries: int = Field(3, ge=1, le=20, description="designs along the front that are taken to SPICE")
    seed: int = Field(1, ge=0, description="of the chips and of the search")

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON has them; what came later is left out where it is as in searches of before."""
        found = super().as_dict()
        if self.method == "tpe":
            del found["method"]
        return found
