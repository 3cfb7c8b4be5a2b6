"""A block on a bench: its text, ports and models, so that every bench takes a built-in block and a user's own alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from netlists.checks import Number, checked
from netlists.errors import InputError
from netlists.outside import UserSubcircuit
from netlists.spice import subcircuits
from netlists.technology import SETTINGS, Conditions, libraries


@checked
@dataclass(frozen=True)
class BenchConditions:
    """Corner, temperature, supply and analog ground of a bench of a user's block; degrees Celsius, volts."""

    corner: str = "tt"
    temperature: Annotated[float, Number(-100, 300, unit="C")] = 27.0
    v_dd: Annotated[float, Number(0, above=0, unit="V")] = 1.8
    v_cm: Annotated[float, Number(0, above=0, unit="V")] = 0.9

    def __post_init__(self) -> None:
        if self.v_cm >= self.v_dd:
            raise InputError(f"v_cm={self.v_cm:g}: analog ground must lie below the supply, {self.v_dd:g} V")

    def __str__(self) -> str:
        corner = "" if self.corner == "-" else f"{self.corner}, "
        return f"{corner}{self.temperature:g} C, {self.v_dd:g} V"


At = Conditions | BenchConditions


@dataclass(frozen=True)
class BlockOnBench:
    """A block as benches call it.

    Attributes
    ----------
    name : str
        Subcircuit that is called.
    text : str
        Its definitions.
    ports : tuple of str
        What its ports are, in order.
    pdk : str
        PDK whose models it takes; empty for none.
    settings : tuple of str
        ngspice's settings that its text needs.
    """

    name: str
    text: str
    ports: tuple[str, ...]
    pdk: str = "sky130"
    settings: tuple[str, ...] = SETTINGS

    @classmethod
    def built_in(cls, name: str, *ports: str) -> Self:
        """One of the transistor-level blocks of this package."""
        return cls(name, subcircuits(name), ports)

    @classmethod
    def of(cls, own: UserSubcircuit) -> Self:
        """A user's own."""
        return cls(own.name_of_instance, own.definitions, own.interface, own.pdk.partition(":")[0], (*own.settings, *own.compiled))

    def head(self, title: str, conditions: At, *, mismatch: bool = False, seed: int | None = None) -> str:
        """First lines of its bench: title, models, definitions, temperature, analog ground ``com``."""
        cards = libraries.cards_of(self.pdk, conditions.corner, mismatch=mismatch) if self.pdk else []
        models = "".join(f"{card}\n" for card in cards)
        draws = f".options seed={seed}\n" if seed is not None else ""
        ground = f".temp {conditions.temperature!r}\nvcom com 0 {conditions.v_cm!r}\n"
        return f"{title}: {self.name}\n{models}{draws}{self.text}{ground}"

    @property
    def is_clocked(self) -> bool:
        """Whether it decides when its clock rises."""
        return "clk" in self.ports

    def card(self, tag: str, inp: str, inn: str, out: str, vdd: str, clk: str = "") -> str:
        """An instance between these nodes, with analog ground ``com``."""
        nodes = {"inp": inp, "inn": inn, "out": out, "com": "com", "vdd": vdd, "vss": "0"} | ({"clk": clk} if clk else {})
        if missing := [p for p in self.ports if p not in nodes]:
            raise InputError(
                f"{self.name}: its port {missing[0]!r} has no node on this bench; a clocked comparator has benches of its own"
            )
        return f"x{tag} {' '.join(nodes[p] for p in self.ports)} {self.name}\n"


COMPARATOR = BlockOnBench.built_in("comparator_sky130", "inp", "inn", "out", "com", "vdd", "vss")
OTA = BlockOnBench.built_in("ota_sky130", "inp", "inn", "out", "vdd", "vss")
