"""``cosim comparator`` and ``cosim opamp``: the datasheet of a block of your own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import ToolkitError
from netlists.technology import CORNERS, RampCircuit

from .. import options as o
from ..output import answer, notes
from ..ramp_options import WiringOptions

Where = Annotated[str, typer.Argument(metavar="FILE:NAME", help="File and subcircuit.")]


@dataclass(frozen=True)
class DatasheetOptions:
    """A block, and where it is measured, as options describe them."""

    wiring: WiringOptions = field(default_factory=WiringOptions)
    supply: Annotated[float, typer.Option(metavar="VOLTS", help="Nominal supply.")] = RampCircuit.v_dd
    v_cm: Annotated[float, typer.Option("--v-cm", metavar="VOLTS", help="Analog ground.")] = RampCircuit.v_cm
    corners: Annotated[str, typer.Option(help="Corners of the library.")] = ",".join(CORNERS)
    temperatures: Annotated[str, typer.Option(help="Extremes, deg C; measured beside 27; none: 27 alone.")] = "-40,125"
    spread: Annotated[float, typer.Option(help="Supplies go this share below and above.")] = 0.1
    samples: Annotated[int, typer.Option(help="Instances with mismatch.")] = 300
    chips: Annotated[int, typer.Option(help="Converters on which the macro-model is held against the block; 0: none.")] = 16
    seed: o.Seed = o.SEED
    noise: Annotated[
        float | None,
        typer.Option(metavar="VOLTS", help="Rms noise of a decision of a comparator with a clock, in place of measuring it."),
    ] = None
    limits: Annotated[Path | None, typer.Option(help="Limits (TOML): [power] max = 1e-4; exit code 1 where one is not met.")] = None

    def make(self, role: str, where: str, out: Path, jobs: int, quiet: bool, json: bool) -> None:
        """Makes the datasheet and says what came out."""
        from ...datasheet.figures import load_limits
        from ...datasheet.run import BLOCK, describe, make_datasheet
        from ...datasheet.settings import DatasheetSettings

        own = self.wiring.read(**{role: where}, say=notes(quiet))
        settings = DatasheetSettings(
            own[role],
            role,
            v_dd=self.supply,
            v_cm=self.v_cm,
            corners=tuple(c.strip() for c in self.corners.split(",")),
            temperatures=o.floats_from(self.temperatures, "--temperatures", "degC"),
            spread=self.spread,
            samples=self.samples,
            chips=self.chips,
            seed=self.seed,
            noise=self.noise,
        )
        limits = load_limits(self.limits, role)
        summary = make_datasheet(settings, out, o.run_options(jobs, quiet, command=o.as_typed()), limits=limits)
        answer(summary, f"{describe(summary)}\ndatasheet: {out / 'report.html'}; for other commands: --{role} {out / BLOCK}", json)
        if summary["failed"]:
            raise ToolkitError(f"limits {self.limits}: not met by {', '.join(summary['failed'])}")


def comparator(
    *, where: Where, out: o.OutFolder, options: DatasheetOptions, jobs: o.Jobs = 0, quiet: o.Quiet = False, json: o.Json = False
) -> None:
    """Datasheet of a comparator of your own, over corners, temperature, supply and mismatch, and its block file for all commands.

    Example: cosim comparator mycomp.spice:mycomp --pdk sky130 --bias VBN=0.65 --limits limits.toml --out mycomp

    Example: cosim characterize --comparator mycomp/block.json --out runs/mine
    """
    options.make("comparator", where, out, jobs, quiet, json)


def opamp(
    *, where: Where, out: o.OutFolder, options: DatasheetOptions, jobs: o.Jobs = 0, quiet: o.Quiet = False, json: o.Json = False
) -> None:
    """Datasheet of an op-amp of your own for the integrator, with a two-stage macro-model, and its block file for all commands.

    Example: cosim opamp myota.spice:myota --pdk sky130 --bias IREF=20uA --out myota
    """
    options.make("opamp", where, out, jobs, quiet, json)
