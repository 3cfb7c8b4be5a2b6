"""Hardware of the study: ideal ramps, and chips with parts of the circuit or all of it, with the errors of `cosim budget`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cosim.budget import whole_chip
from cosim.budget.sources import GROUPS, NAMES
from cosim.chip import Hardware
from netlists.technology import DeviceProfile

from .placement import Placement

FLOAT = "float"
IDEAL = "ideal ramps"
PULSES = "ideal ramps, pulse widths"
MEMRISTORS = "memristors"
EVERYTHING = "whole chip"
WIRES = "whole chip, targets allow for wires"


class CircuitPart(NamedTuple):
    """Which error sources of a budget are on, beside the resolutions, and what makes good the wires."""

    name: str
    sources: Sequence[str]
    compensate: str = "mean"


ALONE = (
    CircuitPart(PULSES, ()),
    CircuitPart(MEMRISTORS, GROUPS["memristors"]),
    CircuitPart("wires, not compensated", ("ir_drop",), "none"),
    CircuitPart("wires, one gain for the matrix", ("ir_drop",)),
    CircuitPart("wires, targets allow for them", ("ir_drop",), "wires"),
    CircuitPart("access transistors", ("access",)),
    CircuitPart("integrators and ramps", GROUPS["integrator"]),
    CircuitPart("comparators", GROUPS["comparator"]),
    CircuitPart(EVERYTHING, NAMES),
    CircuitPart(WIRES, NAMES, "wires"),
)
"""Parts of the circuit at one resolution. Ramps lie on the same device: their cells have the errors of memristors too."""
CURVES = tuple(p for p in ALONE if p.name in (MEMRISTORS, EVERYTHING))
"""Those that are shown at several resolutions."""


def part_hardware(part: CircuitPart, placed: Placement, profile: DeviceProfile, bits: int) -> Hardware:
    """The hardware of a part, in arrays of 64 x 64 cells, with pulses of 5 bits."""
    on = {*part.sources, *GROUPS["resolution"]}
    off: dict[str, Any] = {name: 0.0 for name in NAMES if name not in on}
    return whole_chip(placed.network, profile, bits, off, bias_rows=placed.bias_rows, compensate=part.compensate)
