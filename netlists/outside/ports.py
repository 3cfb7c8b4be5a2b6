"""What each port of a user's block is: by its name, or as the user says; nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from netlists.checks import checked
from netlists.errors import InputError
from netlists.quantities import spice_number
from netlists.spice import Card

ROLES = {"comparator": ("inp", "inn", "out"), "opamp": ("inp", "inn", "out")}
"""Ports that each role needs; the built-in blocks of these names say in their headers what each port is."""

OPTIONAL = {"comparator": ("com", "vdd", "vss", "clk"), "opamp": ("com", "vdd", "vss")}
"""Ports that it may have besides: analog ground, supplies, and the clock of a comparator that decides when it rises."""

BIAS = "bias"
"""What a port is that is tied to a voltage, a current, a supply or nothing."""

NAMES = {
    "inp": "inp vinp in_p vin_p vip in+ vin+ inplus in_plus plus pos inpos in_pos",
    "inn": "inn vinn in_n vin_n vin- in- inminus in_minus inm vinm in_m vin_m vim minus neg inneg in_neg",
    "out": "out vout output out_p outp voutp vout_p vo vop",
    "com": "com vcom vcm",
    "vdd": "vdd avdd vdda vcc avcc vpwr",
    "vss": "vss avss vssa gnd vgnd gnda",
    "clk": "clk clock ck vclk",
}
"""Names by which a port is known, upper or lower case."""
_COMPLEMENT = ("outn", "out_n", "voutn", "vout_n", "von", "outm", "out_m", "voutm", "outb", "qn", "qb")
"""Names of a second, inverted output, which stays open beside ``outp``."""

PORTS_HINT = "say what each port is with ports={'inp': 'plus', ...}"
BIAS_HINT = "and what a bias pin gets with bias={'VBN': '0.65'}"
_TIES = ("vdd", "vss", "com", "open")
_KNOWN = {name: role for role, names in NAMES.items() for name in names.split()}


@checked
@dataclass(frozen=True)
class Wiring:
    """What a user says about the ports and parameters of a block.

    Attributes
    ----------
    ports : mapping
        Name of the block's own port for roles (``inp``, ``inn``, ``out``, ``com``, ``vdd``, ``vss``, ``clk``).
    bias : mapping
        What other ports get: a voltage to ground (``0.65``, ``650mV``), a current into the port (``10uA``; without a unit where the
        port's name begins with I), ``vdd``, ``vss``, ``com`` or ``open``.
    params : mapping
        Values of parameters that the block declares.
    pdk : str
        PDK whose models it uses, ``sky130`` or ``gf180mcu:ss``; empty if its file says.
    compat : str
        ngspice's compatibility mode that its text needs: ``psa`` for PSpice, ``hsa`` for HSPICE; empty for none.
    """

    ports: Mapping[str, str] = field(default_factory=dict)
    bias: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    pdk: str = ""
    compat: str = ""

    @classmethod
    def parse(
        cls,
        role: str,
        ports: Iterable[str] = (),
        bias: Iterable[str] = (),
        params: Iterable[str] = (),
        pdk: str | None = None,
        compat: str | None = None,
    ) -> Self:
        """From texts such as ``inp=plus,inn=minus``; one that begins with another role and a colon is not this block's."""
        found = (_pairs(role, name, texts) for name, texts in (("ports", ports), ("bias", bias), ("params", params)))
        own, tied, values = found
        return cls(own, tied, values, pdk or "", compat or "")


def _pairs(role: str, what: str, texts: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        prefix, colon, rest = text.partition(":")
        if colon and prefix not in ROLES:
            raise InputError(f"{what} {text!r}: begins with {prefix!r}, must be one of {', '.join(ROLES)}")
        if colon and prefix != role:
            continue
        for item in (rest if colon else text).split(","):
            name, equals, value = (part.strip() for part in item.partition("="))
            if not (name and equals and value):
                raise InputError(
                    f"{what} {item.strip()!r}: must be NAME=VALUE, such as {'inp=plus' if what == 'ports' else 'VBN=0.65'}"
                )
            if name.lower() in found:
                raise InputError(f"{what} {name}: is given twice")
            found[name.lower()] = value
    return found


def match_ports(own: Sequence[str], role: str, card: Card, wiring: Wiring) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """What each of a block's ports is, in its own order, and what its bias ports get.

    Raises
    ------
    InputError
        A port that nothing is known of, two ports for one role, or a role without a port; names them all.
    """
    roles = (*ROLES[role], *OPTIONAL[role])
    said = {name.lower(): port.lower() for name, port in wiring.ports.items()}
    tied = {port.lower(): what for port, what in wiring.bias.items()}
    for name, port in said.items():
        if name not in roles:
            raise card.refused(f"ports {name}={port}: a {role} has no port {name!r}; it has {', '.join(roles)}")
        if port not in own:
            raise card.refused(f"ports {name}={port}: it has no port {port!r}; its ports are {' '.join(own)}")
    if unknown := [port for port in tied if port not in own]:
        raise card.refused(f"bias {unknown[0]}: it has no such port; its ports are {' '.join(own)}")
    if both := [port for port in said.values() if port in tied]:
        raise card.refused(f"port {both[0]!r}: is given a role and a bias; give one of them")
    found: dict[str, str] = {}
    for name, port in said.items():
        if port in found:
            raise card.refused(f"port {port!r}: is given as {found[port]} and as {name}")
        found[port] = name
    for port in own:
        # HSPICE ends the names of global nets so.
        known = _KNOWN.get(port.rstrip("!"))
        if port not in found and port not in tied and known in roles and known not in said:
            found[port] = known
    taken = list(found.values())
    if twice := next((r for r in roles if taken.count(r) > 1), None):
        names = " and ".join(p for p, r in found.items() if r == twice)
        raise card.refused(f"ports {names}: both may be {twice}; {PORTS_HINT} {BIAS_HINT}")
    if role == "comparator" and "out" in taken:
        tied |= {port: "open" for port in own if port in _COMPLEMENT and port not in found and port not in tied}
    if "gnd" in own and found.get("gnd") != "vss" and bias_value("gnd", tied.get("gnd", "open")) not in ("vss", "0 V"):
        given = found.get("gnd") or tied.get("gnd")
        raise card.refused(
            f"port 'gnd' would be {given}: ngspice takes gnd inside a subcircuit for node 0, 0 V, whatever its port gets: "
            "give the port another name"
        )
    missing = [r for r in ROLES[role] if r not in taken]
    left = [p for p in own if p not in found and p not in tied]
    if missing or left:
        takes = f"a {role} needs {' '.join(ROLES[role])} and may have {' '.join(OPTIONAL[role])}"
        which = [*(f"none of its ports is known to be {r}" for r in missing), *(f"port {p!r} is unknown" for p in left)]
        raise card.refused(f"{', '.join(which)}: {takes}; {PORTS_HINT} {BIAS_HINT}")
    return tuple(found.get(port, BIAS) for port in own), tuple((p, bias_value(p, tied[p])) for p in own if p in tied)


def bias_value(port: str, text: str) -> str:
    """What a bias port gets, as ``0.65 V``, ``1e-05 A`` or one of ``vdd``, ``vss``, ``com``, ``open``.

    Raises
    ------
    InputError
        Another text, or a voltage so small that a current must be meant.
    """
    plain = text.strip()
    if plain.lower() in _TIES:
        return plain.lower()
    number = re.fullmatch(r"([-+]?[\d.]+(?:e[-+]?\d+)?(?:meg|[tgkmunpf])?)\s*([av]?)", plain, re.IGNORECASE)
    try:
        value = spice_number(number.group(1)) if number else None
    except (InputError, ValueError):
        value = None
    if number is None or value is None:
        raise InputError(
            f"bias {port}={text!r}: must be a voltage such as 0.65, a current such as 10uA, or one of {', '.join(_TIES)}"
        )
    unit = number.group(2).upper() or ("A" if port.lower().startswith("i") else "V")
    if unit == "V" and 0 < abs(value) < 1e-3 and not number.group(2):
        raise InputError(f"bias {port}={text}: would be {value:g} V; write {text}A for a current, {text}V if it is meant")
    if unit == "A" and abs(value) > 0.1:
        raise InputError(f"bias {port}={text}: would be {value:g} A; write {text}V for a voltage")
    return f"{value:.12g} {unit}"


def bias_cards(number: int, what: str, supplied: bool) -> tuple[list[str], str]:
    """Cards that make a bias inside the subcircuit around a block, and the node that its port gets."""
    node = f"bias{number}"
    if what in ("vdd", "vss", "com"):
        return [], what
    if what == "open":
        return [f"Rbias{number} {node} 0 1e12"], node
    value, unit = what.split()
    if unit == "V":
        return [f"Vbias{number} {node} 0 DC {value}"], node
    # What flows into the block comes from the supply, what flows out of it goes to ground.
    source = ("vdd" if supplied else "0", node) if float(value) >= 0 else (node, "0")
    return [f"Ibias{number} {source[0]} {source[1]} DC {abs(float(value))!r}"], node
