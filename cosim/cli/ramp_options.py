"""Options that describe a ramp converter, and the plan that they make."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

import typer

from characterization.plan import BUFFERS, CALIBRATIONS, DEFAULT_PROFILE, RampPlan, Variation
from netlists.errors import InputError
from netlists.function import ACTIVATIONS
from netlists.ramp.compiler import SCHEMES
from netlists.technology import RampCircuit, load_profile

from . import options as o
from .block_options import BlockOptions
from .fields import parameters_of
from .inputs import written

Activation = Annotated[str, typer.Option(help=f"Activation the ramp follows: {', '.join(ACTIVATIONS)}.")]
Bits = Annotated[int, typer.Option(help="Resolution, 1..8.")]


@dataclass(frozen=True)
class RampOptions:
    """A ramp converter as options describe it."""

    activation: Activation = "sigmoid"
    bits: Bits = 5
    profile: o.Profile = DEFAULT_PROFILE
    scheme: Annotated[
        str, typer.Option(help=f"How step sizes beyond the conductance range are made: auto, {', '.join(SCHEMES)}.")
    ] = RampPlan.scheme
    n_calibration: Annotated[int, typer.Option("--calibration-cells", help="Calibration cells of the ramp column, 1..32.")] = (
        RampPlan.n_calibration
    )
    level: Annotated[str, typer.Option(help="Level of circuit detail: ideal, macro or sky130 (transistors; slow).")] = (
        RampPlan.level
    )
    cells: Annotated[
        str, typer.Option(help="Memristor column: selected (one element, fast) or switch (each cell with its switch).")
    ] = RampPlan.cells
    program_from: Annotated[
        str,
        typer.Option(
            help="What the cells' targets allow for: closed-form (the op-amp of level macro), spice (nominal transients of the"
            " chosen level and op-amp), auto: spice for --opamp."
        ),
    ] = RampPlan.program_from
    blocks: BlockOptions = field(default_factory=BlockOptions)
    set_: o.Set = None

    def plan(self) -> RampPlan:
        """The plan of a ramp.

        Raises
        ------
        InputError
            A value that is not allowed, or a file that cannot be read.
        """
        return self._plan()

    def _plan(self, seed: int = 0, vary: bool = True) -> RampPlan:
        device = load_profile(self.profile)
        return RampPlan(
            activation=self.activation,
            bits=self.bits,
            profile=device if vary else device.without_variation(),
            circuit=circuit_from(self.set_),
            variation=None if vary else Variation.none(),  # type: ignore[arg-type]
            scheme=self.scheme,
            n_calibration=self.n_calibration,
            level=self.level,
            cells=self.cells,
            program_from=self.program_from,
            seed=seed,
            **self.blocks.read(),
        )


@dataclass(frozen=True)
class ChipOptions(RampOptions):
    """Drawn chips of a ramp converter as options describe them."""

    seed: o.Seed = o.SEED
    calibration: Annotated[str, typer.Option(help=f"How chips are calibrated: {', '.join(CALIBRATIONS)}.")] = RampPlan.calibration
    columns_: Annotated[int, typer.Option("--n-columns", help="Columns of a chip that share the ramp.")] = RampPlan.columns
    trim_reach: Annotated[
        float | None,
        typer.Option(
            metavar="VOLTS", help="Largest shift of a column's trimming cells (--calibration per-column). Default: 4 sigma."
        ),
    ] = None
    buffer: Annotated[
        str, typer.Option(help=f"What drives the comparators: a buffer, or (none) the ramp's op-amp itself: {', '.join(BUFFERS)}.")
    ] = RampPlan.buffer
    no_variation: Annotated[bool, typer.Option("--no-variation", help="Every chip exactly as programmed, no noise.")] = False

    NOT_OF_THE_PLAN: ClassVar = ("allow_files",)

    def plan(self) -> RampPlan:
        """The plan of the chips; raises as a ramp's."""
        plan = self._plan(self.seed, not self.no_variation)
        return replace(plan, calibration=self.calibration, columns=self.columns_, trim_reach=self.trim_reach, buffer=self.buffer)

    def plans(self) -> list[RampPlan]:
        """The plans of one or several activations, ``sigmoid,tanh``, with the same blocks."""
        first, *others = [name.strip() for name in self.activation.split(",")]
        plan = replace(self, activation=first).plan()
        return [plan, *(replace(plan, activation=name) for name in others)]


def only_the_plan_file(context: typer.Context, *more: str) -> None:
    """Raise `InputError` if the command line also describes a ramp, or gives one of ``more``: the plan file says all of it."""
    names = [name for name in parameters_of(ChipOptions) if name not in ChipOptions.NOT_OF_THE_PLAN]
    if given := written(context, (*names, *more)):
        raise InputError(f"{given}: cannot be given with --plan; write it into the plan file")


def circuit_from(settings: list[str] | None) -> RampCircuit:
    """The default circuit with ``NAME=VALUE`` changes."""
    return RampCircuit().with_(**o.numbers_from(settings, "--set", "NAME=VALUE", "comparator_offset=0.002"))
