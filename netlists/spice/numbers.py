"""Reads numbers as SPICE writes them."""

from __future__ import annotations

import re

from netlists.errors import InputError

_SCALE = {
    "t": 1e12,
    "g": 1e9,
    "meg": 1e6,
    "k": 1e3,
    "mil": 25.4e-6,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
    "": 1.0,
}


def spice_number(text: str) -> float:
    """A SPICE number with its scale suffix: ``1u``, ``2.5Meg``, ``10ns``; `InputError` if it is none."""
    match = re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(meg|mil|[tgkmunpf]?)[a-z]*", text.lower())
    if match is None:
        raise InputError(f"{text!r}: is not a SPICE number")
    return float(match.group(1)) * _SCALE[match.group(2)]
