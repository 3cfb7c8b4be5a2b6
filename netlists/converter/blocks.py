"""Which block stands in each place at each level of detail, and how it is called: its ports, its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from netlists.checks import Choice, brief, checked
from netlists.errors import InputError
from netlists.outside import UserSubcircuit, integrator_around
from netlists.spice import subcircuits
from netlists.technology import OPAMP_STAGES, Level, RampCircuit, pdk

SUPPLY = "vdd"
"""Node of the supply; only blocks of level ``sky130`` have supply ports (``vdd 0`` after the others)."""


CELL_STYLES = ("selected", "switch")
"""How the memristor column of a ramp is written; see `Blocks`."""


@checked
@dataclass(frozen=True)
class Blocks:
    """Blocks of a converter: which one stands in each place.

    Attributes
    ----------
    level : {"ideal", "macro", "sky130"}
        Level of circuit detail. At ``sky130`` the transistors are nominal (corner tt); mismatch enters as drawn offsets.
    cells : {"selected", "switch"}
        One element per column whose conductance is that of the selected cell, or each cell with its switch.
    comparator, opamp : UserSubcircuit or None
        A comparator, and an op-amp of the integrator, that take the place of the level's own. At ``sky130`` the latch reads
        the comparator against an inverter's threshold: its output must swing from rail to rail.
    """

    level: Level = "macro"
    cells: Annotated[str, Choice(CELL_STYLES)] = "selected"
    comparator: UserSubcircuit | None = None
    opamp: UserSubcircuit | None = None

    @classmethod
    def of(cls, given: Blocks | str) -> Blocks:
        """The blocks themselves, or the level's own."""
        return given if isinstance(given, Blocks) else cls(given)

    def __post_init__(self) -> None:
        if self.opamp is not None and self.level != "macro":
            raise InputError(f"level={self.level!r}: an op-amp of your own takes the place of the macro-model; use level macro")

    def __repr__(self) -> str:
        return brief(self)

    @property
    def linear(self) -> bool:
        """Whether the comparator's output is a voltage that tells how far the ramp is from V_mac, not only on which side."""
        return self.comparator is None and self.level != "sky130"

    @property
    def settings(self) -> tuple[str, ...]:
        """Of a `Deck` with these blocks."""
        return pdk.SETTINGS if self.level == "sky130" else ()

    def takes_supply(self, place: str) -> bool:
        """Whether what stands for ``comparator`` or ``opamp`` has supply ports."""
        own = getattr(self, place)
        return self.level == "sky130" if own is None else "vdd" in own.ports

    @property
    def supplied(self) -> bool:
        """Whether any block has supply ports."""
        return self.takes_supply("comparator") or self.takes_supply("opamp")

    def models(self, *, mismatch: bool = False) -> list[str]:
        """The card of the transistor models, where there are transistors."""
        return [pdk.lib_card(mismatch=mismatch)] if self.level == "sky130" else []

    def text(self, *parts: str) -> str:
        """SPICE text of subcircuits: what stands for ``cells``, ``integrator``, ``comparator``, and built-in blocks by name."""
        own = {"integrator": integrator_around(self.opamp) if self.opamp else ""}
        # Both may come from one file.
        if self.comparator and not ("integrator" in parts and self.comparator.text in own["integrator"]):
            own = {"comparator": self.comparator.text} | own
        places = {
            "cells": "ramp_cells_selected" if self.cells == "selected" else "ramp_cell_switch",
            "integrator": "" if self.opamp else f"integrator_{self.level}",
            "comparator": "" if self.comparator else f"comparator_{self.level}",
        }
        names = [name for part in parts if (name := places.get(part, part))]
        return (subcircuits(*names) + "".join(text for place, text in own.items() if place in parts)).rstrip()

    def only(self, deck: str, *places: str) -> None:
        """Raises `InputError` if a block of one's own stands in a place that a deck does not have."""
        for place in ("cells", "comparator", "opamp"):
            given = getattr(self, place)
            if place not in places and given != getattr(MACRO, place):
                has = f"its blocks are {', '.join(places)}" if places else "it has neither cells, comparator nor op-amp"
                raise InputError(f"{place}={getattr(given, 'name', given)!r}: {deck} has no such place; {has}")


MACRO = Blocks()
"""The default level of detail."""


def integrator_values(level: str, circuit: RampCircuit, *, c_f: float, offset: float) -> dict[str, float]:
    """Parameters of ``integrator_<level>``; ``offset`` is the whole input offset, volts."""
    values = {"c_f": c_f, "v_os": offset}
    if level != "sky130":
        values["v_dd"] = circuit.v_dd
    if level != "ideal":
        values["c_in"] = circuit.c_in
    if level == "macro":
        values |= {"a0": circuit.a0, "gbw": circuit.gbw, "slew": circuit.slew, "r_rst": circuit.r_reset, "c_inj": circuit.c_inject}
        values |= {name.removeprefix("opamp_"): getattr(circuit, name) for name in OPAMP_STAGES}
    return values


def comparator_values(level: str, circuit: RampCircuit, *, offset: float) -> dict[str, float]:
    """Parameters of ``comparator_<level>``; ``offset`` is the whole input offset, volts."""
    values = {"v_os": offset}
    if level != "sky130":
        values["gain"] = circuit.comparator_gain
    if level == "macro":
        values |= {"tau": circuit.comparator_tau, "v_sat": circuit.comparator_limit}
    return values
