"""Which block stands in each place at each level of detail, and how it is called: its ports, its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from netlists.checks import Choice, brief, checked
from netlists.errors import InputError
from netlists.outside import UserSubcircuit, integrator_around
from netlists.spice import subcircuits
from netlists.technology import OPAMP_STAGES, Level, RampCircuit, libraries, pdk

from .autozero import AutoZero

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
        self._check_names()

    def _check_names(self) -> None:
        """Raises `InputError` where two blocks give one name to different things: ngspice would take the same for both."""
        if len(self._pdks) > 1:
            raise InputError(f"blocks of {' and '.join(self._pdks)}: one deck takes the models of one PDK at one corner")
        modes = {s for block in self._own for s in block.settings if s.startswith("ngbehavior")}
        if self.level == "sky130":
            modes.add("ngbehavior=hsa")
        if len(modes) > 1:
            raise InputError(f"blocks that need {' and '.join(sorted(modes))}: one deck takes one compatibility mode")
        a, b = self.comparator, self.opamp
        if a and b and a.text != b.text and (both := sorted(a.defined & b.defined)):
            which = f"comparator={a.name!r}, opamp={b.name!r}"
            raise InputError(f"{which}: both define {both[0]}, each in its own way; give one of them another name")

    def __repr__(self) -> str:
        return brief(self)

    @property
    def linear(self) -> bool:
        """Whether the comparator's output is a voltage that tells how far the ramp is from V_mac, not only on which side."""
        return self.comparator is None and self.level != "sky130"

    @property
    def is_clocked(self) -> bool:
        """Whether the comparator decides when its clock rises."""
        return self.comparator is not None and "clk" in self.comparator.ports

    @property
    def settings(self) -> tuple[str, ...]:
        """Of a `Deck` with these blocks; models that have to be compiled are compiled now."""
        own = (setting for block in self._own for setting in (*block.settings, *block.compiled))
        return tuple(dict.fromkeys((*own, *(pdk.SETTINGS if self.level == "sky130" else ()))))

    @property
    def has_transistors(self) -> bool:
        """Whether any block takes the models of a PDK."""
        return bool(self._pdks)

    def takes_supply(self, place: str) -> bool:
        """Whether what stands for ``comparator`` or ``opamp`` has supply ports."""
        own = getattr(self, place)
        return self.level == "sky130" if own is None else "vdd" in own.interface

    @property
    def supplied(self) -> bool:
        """Whether any block has supply ports."""
        return self.takes_supply("comparator") or self.takes_supply("opamp")

    def models(self, *, mismatch: bool = False) -> list[str]:
        """The card of the transistor models, where there are transistors."""
        return [c for name in self._pdks for c in libraries.cards_of(*name.split(":"), mismatch=mismatch)]

    @property
    def _own(self) -> list[UserSubcircuit]:
        return [block for block in (self.comparator, self.opamp) if block is not None]

    @property
    def _pdks(self) -> list[str]:
        """PDKs and corners of all blocks, each once."""
        of_level = ["sky130:tt"] if self.level == "sky130" else []
        return list(dict.fromkeys(of_level + [libraries.with_corner(block.pdk) for block in self._own if block.pdk]))

    def text(self, *parts: str) -> str:
        """SPICE text of subcircuits: what stands for ``cells``, ``integrator``, ``comparator``, and built-in blocks by name."""
        kinds = ("integrator", "autozero_integrator")
        around = [kind for kind in kinds if kind in parts]
        own = {around[0]: integrator_around(self.opamp, *around)} if self.opamp and around else {}
        if self.comparator:
            # Both may come from one file.
            shared = self.opamp is not None and bool(around) and self.opamp.text == self.comparator.text
            own = own | {"comparator": self.comparator.around if shared else self.comparator.definitions}
        places = {
            "cells": "ramp_cells_selected" if self.cells == "selected" else "ramp_cell_switch",
            **{kind: "" if self.opamp else f"{kind}_{self.level}" for kind in kinds},
            "comparator": "" if self.comparator else f"comparator_{self.level}",
        }
        names = [name for part in parts if (name := places.get(part, part))]
        return (subcircuits(*names) + "".join(text for place, text in own.items() if place in parts)).rstrip()

    def missing_load(self, circuit: RampCircuit, present: int) -> float:
        """Capacitor in place of the comparators of a ramp that a deck does not have, farads, where it has ``present``.

        Those of levels ``ideal`` and ``macro`` draw nothing: all of them are in it. At level ``ideal`` nothing loads a ramp.
        """
        if self.level == "ideal":
            return 0.0
        own = self.comparator
        each = circuit.comparator_load if own is None or own.input_load is None else own.input_load
        return max(circuit.comparators - (present if own or self.level == "sky130" else 0), 0.0) * each

    @property
    def shifted(self) -> bool:
        """Whether the deck has to add how the comparator's offset follows the common mode: the macro-model's own does not."""
        return self.level == "macro" and self.comparator is None

    def only(self, deck: str, *places: str) -> None:
        """Raises `InputError` if a block of one's own stands in a place that a deck does not have."""
        for place in ("cells", "comparator", "opamp"):
            given = getattr(self, place)
            if place not in places and given != getattr(MACRO, place):
                has = f"its blocks are {', '.join(places)}" if places else "it has neither cells, comparator nor op-amp"
                raise InputError(f"{place}={getattr(given, 'name', given)!r}: {deck} has no such place; {has}")


MACRO = Blocks()
"""The default level of detail."""


def integrator_values(level: str, circuit: RampCircuit, *, c_f: float, offset: float, load: float = 0.0) -> dict[str, float]:
    """Parameters of ``integrator_<level>``: the whole input ``offset``, volts, and the ``load`` of a macro-model, farads."""
    values = {"c_f": c_f, "v_os": offset}
    if level != "sky130":
        values["v_dd"] = circuit.v_dd
    if level != "ideal":
        values["c_in"] = circuit.c_in
    if level == "macro":
        values |= {"a0": circuit.a0, "gbw": circuit.gbw, "slew": circuit.slew, "r_rst": circuit.r_reset, "c_inj": circuit.c_inject}
        values |= {name.removeprefix("opamp_"): getattr(circuit, name) for name in OPAMP_STAGES}
        values["c_out"] += load
    return values


def autozero_values(level: str, autozero: AutoZero) -> dict[str, float]:
    """Parameters that ``autozero_integrator_<level>`` has beside, or in place of, the integrator's."""
    if level == "sky130":
        return {"c_az": autozero.c_az}
    return {
        "c_az": autozero.c_az,
        "r_az": autozero.r_az,
        "c_inj_az": autozero.c_inject,
        "c_inj": autozero.c_reset,
        "c_far": autozero.c_far,
        "c_gate": autozero.c_gate,
    }


def comparator_values(level: str, circuit: RampCircuit, *, offset: float) -> dict[str, float]:
    """Parameters of ``comparator_<level>``; ``offset`` is the whole input offset, volts."""
    values = {"v_os": offset}
    if level != "sky130":
        values["gain"] = circuit.comparator_gain
    if level == "macro":
        values |= {"tau": circuit.comparator_tau, "v_sat": circuit.comparator_limit}
    return values
