"""Reads numbers as SPICE writes them, with the unit that they are said in."""

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
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_WORDS = {
    "V": "v|volts?",
    "A": "a|amps?",
    "ohm": "ohms?|Ω",
    "s": "s|secs?|seconds?",
    "F": "f|farads?",
    "S": "s|siemens",
    "Hz": "hz",
    "J": "j",
    "W": "w",
}
"""Units in which a number is said with a suffix, and how they are written behind it."""
_RATIOS = ("V/V", "V/s", "S/S", "ohm S", "1/V", "1/V**2", "V^-2")
"""Units that are not written behind a number."""
_PLAIN = {"uS": "us", "degC": "c|°c", "K": "k", "GiB": "gib"}
"""Units in which a number is said without a suffix, which would scale it twice or stand for the unit."""
_MEGA, _MEGA_WORDS = ("ohm", "Hz"), ("ohm", "ohms", "ω", "hz")
"""Units that nobody means in milli who writes a capital M."""


def spice_number(text: str) -> float:
    """A SPICE number with its scale suffix: ``1u``, ``2.5Meg``, ``10ns``; `InputError` if it is none.

    As in SPICE, letters behind the suffix are not looked at; `quantity` does.
    """
    match = re.fullmatch(rf"({_NUMBER})(meg|mil|[tgkmunpf]?)[a-z]*", text.lower())
    if match is None:
        raise InputError(f"{text!r}: is not a SPICE number")
    return float(match.group(1)) * _SCALE[match.group(2)]


def takes_suffix(unit: str) -> bool:
    """Whether a number of this unit may be written with a scale suffix."""
    return unit in _WORDS or unit in _RATIOS


def base_unit(unit: str) -> str:
    """The SI unit of one that numbers are shown in, ``V`` of ``mV``; empty where there is none, as of ``%``."""
    return unit if unit in _PLAIN else next((u for u in (unit, unit[1:]) if u in _WORDS), "")


def quantity(text: str, unit: str | None = None) -> float:
    """A number of a unit: ``2e-9``, ``2n`` or ``2ns`` where it is seconds, ``34`` or ``34uS`` where it is microsiemens.

    Parameters
    ----------
    unit : str or None
        Of the number, as ``V``; empty: it has none; None: any SI unit may stand behind it.

    Raises
    ------
    InputError
        No number, another unit behind it, a suffix where the unit is scaled already, or ``1M`` of ohms or hertz, milli to SPICE.
    """
    plain = text.strip()
    try:
        return float(plain)
    except ValueError:
        pass
    if unit in _PLAIN:
        if (said := re.fullmatch(rf"({_NUMBER})({_PLAIN[unit]})", plain.lower())) is None:
            raise InputError(f"{text!r}: must be a plain number, it is in {unit}")
        return float(said.group(1))
    words = "|".join(_WORDS.values()) if unit is None else _WORDS.get(unit, "")
    match = re.fullmatch(rf"({_NUMBER})(meg|mil|[tgkmunpf]?)(?:{words})?", plain, re.IGNORECASE)
    if match is None:
        kind = f" of {unit}" if unit in _WORDS else ""
        hint = "; write a point for the comma" if re.fullmatch(r"[+-]?\d+,\d+\D*", plain) else ""
        example = f"5m or 5m{unit}" if unit in _WORDS else "5m"
        raise InputError(f"{text!r}: is not a SPICE number{kind}, such as {example}{hint}")
    if match.group(2) == "M" and (unit in _MEGA or plain.lower().endswith(_MEGA_WORDS)):
        raise InputError(f"{text!r}: M is milli, as in SPICE: write {match.group(1)}MEG for mega, {match.group(1)}m for milli")
    return float(match.group(1)) * _SCALE[match.group(2).lower()]
