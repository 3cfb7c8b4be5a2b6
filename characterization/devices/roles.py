"""What columns of measured tables can be: names that they go by, and units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_CONDUCTANCE = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9}
RESISTANCE = {"ohm": 1.0, "kohm": 1e3, "Mohm": 1e6}
_VOLTAGE = {"V": 1.0, "mV": 1e-3}
_CURRENT = {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9}
_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TIME |= {"sec": 1.0, "seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0}
SIGNS = {"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u", "\N{GREEK CAPITAL LETTER OMEGA}": "ohm", "\N{OHM SIGN}": "ohm"}
STUCK_NAMES = ("stuck", "isstuck", "stuckat")
_TEMPERATURES = ("temp", "tempc", "tempk", "tempdegc", "temperature", "temperaturec", "temperaturek", "tc", "tk", "tdegc")
UNTRUE = ("", "0", "0.0", "false", "f", "no", "n", "-", "none", "nan")
MISSING = ("", "-", "--", "na", "n/a", "nan", "none", "null")
"""What stands, in small letters, where nothing was measured."""


@dataclass(frozen=True)
class Role:
    """What a column can be: names that it goes by, without signs and in small letters, and its units; none: text or a number."""

    names: tuple[str, ...]
    units: Mapping[str, float]
    what: str


ROLES: dict[str, Role] = {
    "cell": Role(("cell", "device", "cellid", "deviceid", "dut", "cellnumber"), {}, "which cell it is"),
    "chip": Role(
        ("chip", "chipid", "chipno", "die", "dieid", "wafer", "waferid", "lot", "lotid", "array", "arrayid"),
        {},
        "chip, die or wafer: cells of one name on two of them are two cells",
    ),
    "target": Role(
        ("target", "gtarget", "targetg", "setpoint", "targetconductance", "gset", "rtarget", "goal", "desired", "wanted"),
        _CONDUCTANCE | RESISTANCE,
        "conductance (or resistance) that was asked for",
    ),
    "measured": Role(
        (
            "measured",
            "gmeasured",
            "measuredg",
            "conductance",
            "g",
            "gread",
            "gmeas",
            "actual",
            "r",
            "resistance",
            "rmeasured",
            "rread",
        ),
        _CONDUCTANCE | RESISTANCE,
        "conductance (or resistance) that was read",
    ),
    "time": Role(("time", "t", "delay", "age", "elapsed", "elapsedtime", "wait"), _TIME, "time since programming"),
    "read": Role(
        ("read", "readnumber", "readno", "readnr", "nread", "readindex", "iread", "repetition", "repeat"),
        {},
        "number of the read of one cell, in order",
    ),
    "note": Role(
        ("note", "notes", "comment", "remark", "status", "flag", *STUCK_NAMES),
        {},
        "words; stuck, short, open and dead mean a stuck cell",
    ),
    "temperature": Role(_TEMPERATURES, {}, "temperature at which it was measured"),
    "row": Role(("row", "wordline", "wl"), {}, "row of the cell in its array"),
    "column": Role(("column", "col", "bitline", "bl"), {}, "column of the cell in its array"),
    "voltage": Role(("voltage", "v", "bias", "vread", "u"), _VOLTAGE, "voltage of an I-V sweep"),
    "current": Role(("current", "i"), _CURRENT, "current of an I-V sweep"),
    "sweep": Role(
        ("sweep", "state", "compliance", "branch", "direction", "polarity"), _CURRENT | _CONDUCTANCE, "which I-V sweep it is"
    ),
}
SEVERAL = ("sweep", "chip")
"""Roles that several columns may have together."""
_FACTOR = re.compile(r"(?:[(\[/*x\N{MULTIPLICATION SIGN}]\s*[\d.]+|\d[eE][-+]?\d+|\d\s*\^\s*\(?[-+]?\d+\)?|10[-+]\d+)[\s_*.]*$")
"""A number before a unit, as in G (1e-6 S): it is no unit that is known."""


def recognised(name: str, role: Role) -> str | None:
    """The unit in a column's name, "" without one, if the name is one of the role's; otherwise None."""
    unit = named_unit(name, role.units)
    # At which voltage a cell was read is no part of its name: G @ 0.2 V.
    plain = re.sub(r"@\s*[\d.]+\s*m?v", "", without_unit(name, unit).lower())
    plain = re.sub(r"[^a-z0-9]", "", plain)
    return unit if plain in role.names else None


def named_unit(name: str, units: Mapping[str, float]) -> str:
    """The unit at the end of a name, in the spelling of ``units``; an unknown ending is no unit."""
    text = "".join(SIGNS.get(c, c) for c in name).replace("Ohm", "ohm")
    ending = re.search(r"(?:^|[\s_(\[/,.-])([A-Za-z]+)\s*[)\]]?$", text)
    if ending is None or ending.group(1) not in units or _FACTOR.search(text[: ending.start(1)]):
        return ""
    return ending.group(1)


def without_unit(name: str, unit: str) -> str:
    return re.sub(r"(?<![\s_(\[/,.-])[\s_(\[/,.-]+[^\s_(\[/,.-]+$", "", name.rstrip(" )]")) if unit else name
