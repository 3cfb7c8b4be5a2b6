"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import joblib
import typer

from characterization.plan import RampPlan, Variation
from netlists.errors import InputError
from netlists.function import ACTIVATIONS
from netlists.outside import load_user_subcircuit
from netlists.ramp.compiler import SCHEMES
from netlists.spice import Permissions
from netlists.technology import RampCircuit, load_profile

Activation = Annotated[str, typer.Option(help=f"Activation the ramp follows: {', '.join(ACTIVATIONS)}.")]
Bits = Annotated[int, typer.Option(help="Resolution, 1..8.")]
Profile = Annotated[str, typer.Option(help="Device profile: a built-in name or a .toml file.")]
Scheme = Annotated[str, typer.Option(help=f"How step sizes beyond the conductance range are made: auto, {', '.join(SCHEMES)}.")]
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


PLAN_FIELDS = {
    "activation": "activation",
    "bits": "bits",
    "scheme": "scheme",
    "calibration_cells": "n_calibration",
    "level": "level",
    "cells": "cells",
    "seed": "seed",
}
"""Options that are fields of a `RampPlan` as they stand."""
DESCRIBE_A_RAMP = (*PLAN_FIELDS, "profile", "comparator", "opamp", "set_", "no_variation")
"""All options that describe a ramp."""


def plan_from(context: typer.Context) -> RampPlan:
    """The plan that the running command's options describe; where it lacks one, `RampPlan`'s own default holds.

    Raises
    ------
    InputError
        A value that is not allowed, or a file that cannot be read.
    """
    given = context.params
    device, variation = load_profile(given["profile"]), Variation()
    if given.get("no_variation"):
        device, variation = device.without_variation(), Variation.none()
    allowed = Permissions(files=given.get("allow_files", False))
    own: dict[str, Any] = {
        kind: load_user_subcircuit(given[kind], kind, allowed) for kind in ("comparator", "opamp") if given.get(kind) is not None
    }
    fields = {field: given[option] for option, field in PLAN_FIELDS.items() if option in given}
    return RampPlan(**fields, **own, profile=device, circuit=circuit_from(given["set_"]), variation=variation)


def on_command_line(context: typer.Context, names: Iterable[str]) -> str:
    """Those of the named options that were written on the command line, as ``--one, --two``; empty if none was."""
    given = [n for n in names if getattr(context.get_parameter_source(n), "name", "") == "COMMANDLINE"]
    return ", ".join("--" + n.strip("_").replace("_", "-") for n in given)


def only_the_plan_file(context: typer.Context, *more: str) -> None:
    """Raise `InputError` if the command line also describes a ramp, or gives one of ``more``: the plan file says all of it."""
    if names := on_command_line(context, (*DESCRIBE_A_RAMP, *more)):
        raise InputError(f"{names}: cannot be given with --plan; write it into the plan file")
