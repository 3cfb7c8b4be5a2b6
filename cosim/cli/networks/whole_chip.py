"""Options of commands that take the whole chip of a budget as their hardware."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from characterization.plan import CALIBRATIONS, RampPlan
from netlists.errors import InputError

from .. import options as o
from ..fields import Options
from ..output import note

if TYPE_CHECKING:
    from ...chip import Arrays, Hardware
    from ...network import Network
    from ..fields import Given

FLAGS = {"max_rows": "array-rows", "max_columns": "array-columns", "drift_time": "drift"}
CHIP_ARRAYS = Options(
    only=("max_rows", "max_columns", "compensate", "bias_rows"),
    flags=FLAGS,
    helps={
        "max_rows": "Cells along a column of an array of --everything. Default: 64; 0 is one array a matrix",
        "max_columns": "Cells along a row of an array, likewise",
    },
)


@dataclass(frozen=True)
class WholeChip:
    """A chip with every error source of ``cosim budget``."""

    everything: Annotated[
        bool, typer.Option("--everything", help="A whole chip: every error source of `cosim budget` at its default amount.")
    ] = False
    amounts: o.Amounts = None
    comparator: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Block file of `cosim comparator`: its offset, noise and time constant are the amounts of the comparators.",
        ),
    ] = None
    autozero: Annotated[
        bool | None,
        typer.Option(
            "--auto-zero/--no-auto-zero",
            help="Op-amps of the columns store their offsets in reset, or have them integrated for the whole MAC. Default: stored "
            "with --everything, else ideal integrators.",
        ),
    ] = None
    calibration: Annotated[
        str | None, typer.Option(help=f"Of the ramps of --everything: {', '.join(CALIBRATIONS)}. Default: one-point.")
    ] = None

    @cached_property
    def _given(self) -> tuple[dict[str, float], list[str]]:
        """Amounts as ``--set`` gives them, those of a measured comparator where it does not, and what that does not have."""
        given = o.numbers_from(self.amounts, "--set", "NAME=VALUE", "ir_drop=0.5", o.source_units())
        if self.comparator is None:
            return given, []
        from ...budget import measured_comparator

        found, warnings = measured_comparator(self.comparator, given)
        for line in warnings:
            note(f"warning: {line}")
        return found | given, warnings

    @property
    def warnings(self) -> list[str]:
        """What of a measured comparator is ours, as it was not measured."""
        return self._given[1]

    def hardware(
        self, network: Network, profile: str | None, bits: int | None, pwm_bits: int | None, arrays: Given[Arrays]
    ) -> Hardware:
        """The chip on a device, taox-100-400 by default, in arrays of 64 x 64 cells by default; 0 is one array a matrix."""
        from netlists.converter import AutoZero
        from netlists.technology import load_profile

        from ...budget import whole_chip

        rows, columns = (64 if n is None else n or None for n in (arrays.values[k] for k in ("max_rows", "max_columns")))
        return whole_chip(
            network,
            load_profile(profile or "taox-100-400"),
            5 if bits is None else bits,
            self._given[0],
            pwm_bits=5 if pwm_bits is None else pwm_bits,
            array_rows=rows,
            array_columns=columns,
            compensate=arrays.values["compensate"],
            bias_rows=arrays.values["bias_rows"],
            autozero=None if self.autozero is False else AutoZero(),
            calibration=self.calibration or RampPlan.calibration,
        )

    def check(self, *, integrators: bool = False) -> None:
        """Raise `InputError` for amounts without the chip that they are of; ``integrators``: the command has some without it."""
        if self.amounts and not self.everything:
            raise InputError(f"--set {self.amounts[0]}: is an amount of a whole chip; give --everything as well")
        if self.comparator and not self.everything:
            raise InputError(f"--comparator {self.comparator}: is of a whole chip; give --everything as well")
        if self.calibration and not self.everything:
            raise InputError(f"--calibration {self.calibration}: is of a whole chip; give --everything as well")
        if self.autozero is not None and not self.everything and not integrators:
            raise InputError("--auto-zero: is of a whole chip; give --everything as well")
