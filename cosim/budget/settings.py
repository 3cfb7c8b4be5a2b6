"""What a budget is drawn up for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from characterization.plan import CALIBRATIONS
from cosim.report import StudySettings
from netlists.array import COMPENSATIONS


def _no_single_line(value: int) -> int:
    if value == 1:
        raise ValueError("must be 2 or more, or 0: one array a matrix")
    return value


Lines = Annotated[int, Field(ge=0), AfterValidator(_no_single_line)]


class BudgetSettings(StudySettings):
    """What a budget is drawn up for."""

    network: str = Field(description="network file")
    task: str = Field(description="classification task")
    bits: int = Field(default=5, ge=1, le=8, description="resolution of the ramps, 1..8")
    chips: int = Field(default=8, ge=2, le=1024, description="chips, 2 or more; the same for every set of sources")
    permutations: int = Field(
        default=64, ge=4, le=4096, multiple_of=2, description="orders of the sources for the Shapley shares, even, 4 or more"
    )
    seed: int = Field(default=1, ge=0, description="of chips, orders and resampling")
    max_loss: float = Field(default=0.01, gt=0, lt=1, description="loss of accuracy that tolerances allow")
    profile: str = Field(default="taox-100-400", description="device profile: a built-in name or a .toml file")
    comparator: str | None = Field(
        default=None,
        description="block file of `cosim comparator`: its offset, noise and time constant are the amounts of the comparators",
    )
    array_rows: Lines = Field(default=64, description="cells along a column of an array, 2 or more; 0: one array a matrix")
    array_columns: Lines = Field(default=64, description="cells along a row of an array, as array_rows")
    compensate: Literal[COMPENSATIONS] = Field(  # type: ignore[valid-type]
        default="mean", description="what makes good the loss in the wires: nothing, one gain a matrix, or targets of the cells"
    )
    autozero: bool = Field(default=True, description="op-amps of the columns store their offsets, which else integrate")
    calibration: Literal[CALIBRATIONS] = Field(  # type: ignore[valid-type]
        default="one-point", description="of the ramps; per-column: of every column too"
    )
    bias_rows: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="rows that share the bias of a matrix; default as few as leave the conductance range to the other weights",
    )
    amounts: dict[str, float] = Field(
        default_factory=dict, description="amounts in place of the defaults, SI units; 0 leaves a source out"
    )
