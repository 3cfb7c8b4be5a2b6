"""Options that describe a ramp converter and its blocks, and the plan that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, ClassVar

import typer

from characterization.plan import BUFFERS, CALIBRATIONS, DEFAULT_PROFILE, RampPlan, Variation
from netlists.errors import InputError
from netlists.function import ACTIVATIONS
from netlists.outside import PDKS, Wiring, load_user_subcircuit
from netlists.ramp.compiler import SCHEMES
from netlists.spice import Permissions
from netlists.technology import RampCircuit, load_profile

from . import options as o
from .fields import parameters_of
from .inputs import written
from .output import note

Activation = Annotated[str, typer.Option(help=f"Activation the ramp follows: {', '.join(ACTIVATIONS)}.")]
Bits = Annotated[int, typer.Option(help="Resolution, 1..8.")]


@dataclass(frozen=True)
class WiringOptions:
    """What the ports and parameters of blocks get, and where their models are, as options describe them."""

    ports: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=PORT,...",
            help="Which port of the block is what: inp=plus,inn=minus,out=q; with two blocks comparator:inp=... and opamp:inp=...",
        ),
    ] = None
    bias: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PORT=VALUE,...", help="What other ports of the block get: VBN=0.65 (volts), IBIAS=10uA, EN=vdd, QB=open."
        ),
    ] = None
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE,...", help="Parameters of the block; the others keep its own defaults.")
    ] = None
    pdk: Annotated[
        str,
        typer.Option(
            "--pdk",
            metavar="NAME[:CORNER]",
            help=f"PDK of the block's models, if its file does not say: {', '.join(filter(None, PDKS))}.",
        ),
    ] = ""
    compat: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="ngspice's compatibility mode that the block needs: psa (PSpice), hsa (HSPICE) ..."),
    ] = None
    allow_files: Annotated[
        bool, typer.Option("--allow-files", help="Let the files of --comparator and --opamp include files outside its folder.")
    ] = False

    def read(self, comparator: str | None = None, opamp: str | None = None, say: Callable[[str], None] = note) -> dict[str, Any]:
        """Reads the blocks, each ``FILE:NAME``, by their place; ``say`` takes what each of their ports gets.

        Raises
        ------
        InputError
            A block that cannot be read, or ports, bias or parameters without a block, or without saying which of two.
        """
        given = {role: where for role, where in (("comparator", comparator), ("opamp", opamp)) if where is not None}
        said = {"ports": self.ports or [], "bias": self.bias or [], "param": self.param or []}
        for flag, texts in said.items():
            for text in texts:
                prefix, colon, _ = text.partition(":")
                if len(given) != 1 and not colon:
                    which = "give --comparator or --opamp as well" if not given else "begin it with comparator: or opamp:"
                    raise InputError(f"--{flag} {text}: of which block? {which}")
                if colon and prefix not in given:
                    raise InputError(f"--{flag} {text}: there is no {prefix} of your own here; give --{prefix} as well")
        if not given and (self.pdk or self.compat):
            flag = f"--pdk {self.pdk}" if self.pdk else f"--compat {self.compat}"
            raise InputError(f"{flag}: of which block? give --comparator or --opamp as well")
        found = {}
        for role, where in given.items():
            wiring = Wiring.parse(role, said["ports"], said["bias"], said["param"], self.pdk, self.compat)
            found[role] = load_user_subcircuit(where, role, Permissions(files=self.allow_files), wiring)
            say(f"{role} {found[role].wiring}")
            for line in found[role].notes:
                say(f"{role} {found[role].name}: {line.replace('compat=', '--compat ')}")
        return found


@dataclass(frozen=True)
class BlockOptions:
    """A comparator and an op-amp of your own as options describe them."""

    comparator: Annotated[
        str | None,
        typer.Option(
            metavar="FILE:NAME",
            help="A comparator of your own: a .subckt with ports inp inn out, and com, vdd, vss, clk if it has them.",
        ),
    ] = None
    opamp: Annotated[
        str | None,
        typer.Option(
            metavar="FILE:NAME",
            help="An op-amp of your own for the integrator; ports inp inn out, and com, vdd, vss if it has them.",
        ),
    ] = None
    wiring: WiringOptions = field(default_factory=WiringOptions)

    def read(self, say: Callable[[str], None] = note) -> dict[str, Any]:
        """Reads the blocks that were given; raises as `WiringOptions.read`."""
        return self.wiring.read(self.comparator, self.opamp, say)


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

    def plan(self, say: Callable[[str], None] = note) -> RampPlan:
        """The plan of a ramp; ``say`` takes what blocks of your own are wired to.

        Raises
        ------
        InputError
            A value that is not allowed, or a file that cannot be read.
        """
        return self._plan(say)

    def _plan(self, say: Callable[[str], None], seed: int = 0, vary: bool = True) -> RampPlan:
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
            **self.blocks.read(say),
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

    def plan(self, say: Callable[[str], None] = note) -> RampPlan:
        """The plan of the chips; raises as a ramp's."""
        if self.trim_reach is not None and self.calibration != "per-column":
            raise InputError(f"--trim-reach {self.trim_reach:g}: is of --calibration per-column; give it as well")
        plan = self._plan(say, self.seed, not self.no_variation)
        return replace(plan, calibration=self.calibration, columns=self.columns_, trim_reach=self.trim_reach, buffer=self.buffer)

    def plans(self, say: Callable[[str], None] = note) -> list[RampPlan]:
        """The plans of one or several activations, ``sigmoid,tanh``, with the same blocks."""
        first, *others = names = [name.strip() for name in self.activation.split(",")]
        if len(set(names)) < len(names):
            raise InputError(f"--activation {self.activation}: names one twice; name each once")
        plan = replace(self, activation=first).plan(say)
        return [plan, *(replace(plan, activation=name) for name in others)]


def only_the_plan_file(context: typer.Context, *more: str) -> None:
    """Raise `InputError` if the command line also describes a ramp, or gives one of ``more``: the plan file says all of it."""
    names = [name for name in parameters_of(ChipOptions) if name not in ChipOptions.NOT_OF_THE_PLAN]
    if given := written(context, (*names, *more)):
        raise InputError(f"{given}: cannot be given with --plan; write it into the plan file")


def circuit_from(settings: list[str] | None) -> RampCircuit:
    """The default circuit with ``NAME=VALUE`` changes."""
    units = {f.name: f.metadata.get("unit", "") for f in fields(RampCircuit)}
    return RampCircuit().with_(**o.numbers_from(settings, "--set", "NAME=VALUE", "comparator_offset=0.002", units))
