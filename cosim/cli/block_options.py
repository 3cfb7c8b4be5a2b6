"""Options that name blocks of your own, and say how they are wired."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from netlists.errors import InputError
from netlists.outside import PDKS, Wiring, load_user_subcircuit
from netlists.spice import Permissions

from .output import note


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

    def read(self, comparator: str | None = None, opamp: str | None = None) -> dict[str, Any]:
        """Reads the blocks, each ``FILE:NAME``, by their place; what each of their ports gets is said on stderr.

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
            note(f"{role} {found[role].wiring}")
            for line in found[role].notes:
                note(f"{role} {found[role].name}: {line.replace('compat=', '--compat ')}")
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

    def read(self) -> dict[str, Any]:
        """Reads the blocks that were given; raises as `WiringOptions.read`."""
        return self.wiring.read(self.comparator, self.opamp)
