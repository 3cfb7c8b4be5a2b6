"""Figures that costs are made of: from SPICE, from publications, or assumed; each with unit, node, source and kind."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from netlists.errors import InputError

from .scaling import SIMULATED_NODE, SIMULATED_SUPPLY

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("SPICE", "published", "derived", "assumption")
MEASURED = "measured.toml"


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    name : str
    value : float
    unit : str
    node, v_dd : float
        Nanometres and volts it holds at.
    source : str
    kind : {"SPICE", "published", "derived", "assumption"}
    """

    name: str
    value: float
    unit: str
    node: float
    v_dd: float
    source: str
    kind: str


def figure(name: str) -> Figure:
    """A figure of ``figures.toml`` or ``measured.toml``; `InputError` lists those there are."""
    known = all_figures()
    if name not in known:
        raise InputError(f"figure {name!r}: unknown; there are {', '.join(known)}")
    return known[name]


@cache
def all_figures() -> dict[str, Figure]:
    """Every figure by name."""
    folder = files(__package__)
    spice = {"node": SIMULATED_NODE, "v_dd": SIMULATED_SUPPLY, "kind": "SPICE", "source": "ngspice, SKY130 blocks, tt, 27 C"}
    measured = tomllib.loads(folder.joinpath(MEASURED).read_text())
    stated = tomllib.loads(folder.joinpath("figures.toml").read_text())
    entries = {name: spice | entry for name, entry in measured.items()} | stated
    return {name: Figure(name, **entry) for name, entry in entries.items()}


def figure_table() -> pd.DataFrame:
    """Every figure as a row."""
    import pandas as pd

    return pd.DataFrame([vars(f) for f in all_figures().values()])
