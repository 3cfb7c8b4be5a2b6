"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import joblib
import typer

from characterization.plan import DEFAULT_PROFILE, RampPlan, Variation
from netlists.deck_safety import Permissions
from netlists.devices import load_profile
from netlists.errors import InputError
from netlists.parameters import RampCircuit
from netlists.user_subcircuit import load_user_subcircuit

Activation = Annotated[
    str, typer.Option(help="Activation the ramp follows: sigmoid, tanh, softsign, softplus, elu, selu, identity.")
]
Bits = Annotated[int, typer.Option(help="Resolution, 1..8.")]
Profile = Annotated[str, typer.Option(help="Device profile: a built-in name or a .toml file.")]
Scheme = Annotated[
    str, typer.Option(help="How step sizes beyond the conductance range are made: auto, pulse, hrs, differential, split.")
]
CalibrationCells = Annotated[int, typer.Option(help="Calibration cells of the ramp column, 1..32.")]
Level = Annotated[str, typer.Option(help="Level of circuit detail: ideal, macro or sky130 (transistors; slow).")]
Cells = Annotated[str, typer.Option(help="Memristor column: selected (one element, fast) or switch (each cell with its switch).")]
Comparator = Annotated[
    str | None,
    typer.Option(
        metavar="FILE:NAME", help="A comparator of your own: a .subckt with ports inp inn out com (vdd, vss if it needs them)."
    ),
]
Opamp = Annotated[
    str | None,
    typer.Option(metavar="FILE:NAME", help="An op-amp of your own for the integrator; ports inp inn out com (vdd, vss)."),
]
AllowFiles = Annotated[
    bool, typer.Option("--allow-files", help="Let the files of --comparator and --opamp include files outside its folder.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a circuit parameter, SI units; may be repeated.")
]
NoVariation = Annotated[bool, typer.Option("--no-variation", help="Every chip exactly as programmed, no noise.")]
Seed = Annotated[int, typer.Option(help="Sample i depends on the seed and i alone.")]
Jobs = Annotated[int, typer.Option(help="Worker processes, one ngspice each; 0 takes every core. The numbers do not depend on it.")]
Out = Annotated[Path, typer.Option(help="Where to write.")]
Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable JSON value on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]


def workers(jobs: int) -> int:
    """Number of worker processes: ``jobs``, or every core for 0."""
    if jobs < 0:
        raise InputError(f"jobs={jobs}: must be 0 (every core) or more")
    return jobs or joblib.cpu_count()


def circuit_from(settings: list[str] | None) -> RampCircuit:
    """The default circuit with ``NAME=VALUE`` changes."""
    changes = {}
    for item in settings or []:
        name, separator, value = item.partition("=")
        try:
            changes[name.strip()] = float(value)
        except ValueError:
            separator = ""
        if not separator:
            raise InputError(f"--set {item!r}: must be NAME=VALUE with a number in SI units, such as comparator_offset=0.002")
    return RampCircuit().with_(**changes)


def plan_from(
    activation: str,
    bits: int,
    *,
    profile: str = DEFAULT_PROFILE,
    scheme: str = "auto",
    calibration_cells: int = 5,
    level: str = "macro",
    cells: str = "selected",
    settings: list[str] | None = None,
    no_variation: bool = False,
    seed: int = 0,
    comparator: str | None = None,
    opamp: str | None = None,
    allow_files: bool = False,
) -> RampPlan:
    """The plan that a command's options describe."""
    device, allowed = load_profile(profile), Permissions(files=allow_files)
    variation = Variation()
    if no_variation:
        device = device.without_variation()
        variation = Variation.none()
    return RampPlan(
        activation=activation,
        bits=bits,
        profile=device,
        circuit=circuit_from(settings),
        variation=variation,
        scheme=scheme,
        n_calibration=calibration_cells,
        level=level,
        cells=cells,
        comparator=None if comparator is None else load_user_subcircuit(comparator, "comparator", allowed),
        opamp=None if opamp is None else load_user_subcircuit(opamp, "opamp", allowed),
        seed=seed,
    )
