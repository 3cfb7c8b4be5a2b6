"""A user's own comparator or op-amp: a ``.subckt`` of a SPICE file, checked and ready to take the place of a built-in block."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from netlists.checks import Choice, check, checked
from netlists.errors import InputError
from netlists.spice import DEFINITIONS, NOTHING, Card, Permissions, check_circuit_card, subcircuit, words
from netlists.spice.cards import cards

from .deck import read_cards

_NAME = re.compile(r"[\w.$\-]+", re.ASCII)

ROLES = {"comparator": ("inp", "inn", "out", "com"), "opamp": ("inp", "inn", "out", "com")}
"""Ports that each role needs; the built-in blocks of these names say in their headers what each port is."""

SUPPLIES = ("vdd", "vss")
"""Ports a block may have besides those of its role."""


@checked
@dataclass(frozen=True)
class UserSubcircuit:
    """A subcircuit that is checked however it is made: nothing in its text can run a program or read a file.

    Attributes
    ----------
    name : str
        Its name, lower case.
    text : str
        Everything its file defines (subcircuits, models, parameters), SPICE text; comments are taken out.
    ports : tuple of str
        What each of its ports is, in its own order: names of the role's ports, ``vdd``, ``vss``.
    params : tuple of str
        Names of the parameters it declares, lower case.

    Raises
    ------
    InputError
        A text that holds more than definitions, or does not define it with these ports and parameters.
    """

    name: str
    text: str
    ports: tuple[str, ...]
    params: tuple[str, ...]

    def __post_init__(self) -> None:
        found = cards(self.text, f"subcircuit {self.name!a}", title=False)
        heads = _definitions(found)
        if self.name not in heads or not _NAME.fullmatch(self.name):
            raise InputError(f"subcircuit {self.name!a}: its text has no such .subckt; it has {', '.join(heads) or 'none'}")
        ports, params = _header(heads[self.name])
        role = next((r for r, needed in ROLES.items() if set(needed) == set(self.ports) - set(SUPPLIES)), "comparator")
        if (self.ports, self.params) != (_match(ports, role, heads[self.name]), params):
            raise heads[self.name].refused(f"does not have the ports {self.ports} and the parameters {self.params}")
        object.__setattr__(self, "text", _text(found))

    def nodes(self, connections: Mapping[str, str]) -> list[str]:
        """Nodes of an instance in the order of its ports.

        Parameters
        ----------
        connections : mapping
            Node of each port of the role and of the supplies; those it has no port for are left out.

        Raises
        ------
        InputError
            If it has a supply port for which no node is given.
        """
        if missing := [p for p in self.ports if p not in connections]:
            raise InputError(
                f"subcircuit {self.name}: port {missing[0]!r} has no node here; connected are {', '.join(connections)}"
            )
        return [connections[p] for p in self.ports]

    def accepted(self, values: Mapping[str, str]) -> dict[str, str]:
        """Those of the values that it declares as parameters; the others it does not have."""
        return {name: value for name, value in values.items() if name in self.params}


def integrator_around(opamp: UserSubcircuit, kind: str = "integrator") -> str:
    """SPICE text of ``<kind>_user``: ``<kind>_macro`` with another op-amp, which has the ports ``vdd vss`` too, after the others.

    An op-amp without a parameter ``v_os`` gets its offset from a source in series with its input.

    Parameters
    ----------
    kind : {"integrator", "autozero_integrator"}
    """
    text = subcircuit(f"{kind}_macro")
    block = text[text.index(f".subckt {kind}_macro") :].replace(f"{kind}_macro", f"{kind}_user")
    _, _, inn, out, *_ = re.findall(r"^x1 .*$", block, flags=re.MULTILINE)[0].split()
    nodes = opamp.nodes({"inp": "ref", "inn": inn, "out": out, "com": "com", "vdd": "vdd", "vss": "vss"})
    passed = opamp.accepted({name: f"{{{name}}}" for name in ("a0", "gbw", "slew", "v_os")})
    offset = "0" if "v_os" in passed else "{v_os}"
    card = " ".join(["x1", *nodes, opamp.name, *(f"{name}={value}" for name, value in passed.items())])
    block = re.sub(r"^x1 .*$", f"vos ref com {offset}\n{card}", block, flags=re.MULTILINE)
    return opamp.text + block.replace(" params:", " vdd vss params:", 1)


def load_user_subcircuit(where: str, role: str, allowed: Permissions = NOTHING) -> UserSubcircuit:
    """Reads ``FILE:NAME`` and checks that the subcircuit can play a role.

    Ports are matched by name when all of the role's names are there, in any order; when none of them is there the ports
    are taken in the role's order. Supply ports ``vdd`` and ``vss`` may stand anywhere.

    Parameters
    ----------
    where : str
        Such as ``mycomp.cir:mycomp``.
    role : {"comparator", "opamp"}
    allowed : Permissions
        Which files its file may include; what is taken from them may never read a file.

    Raises
    ------
    InputError
        For a file that cannot be read or holds what is not allowed, a name that is not in it, and ports that do not
        fit, by name.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.cir"
    ...     _ = path.write_text(".subckt mine com inp inn out params: gain=1k\\nb1 out com v=tanh(gain*v(inp,inn))\\n.ends\\n")
    ...     own = load_user_subcircuit(f"{path}:mine", "comparator")
    >>> own.name, own.ports, own.params
    ('mine', ('com', 'inp', 'inn', 'out'), ('gain',))
    """
    check(Choice(ROLES), role, "role")
    file, separator, name = where.rpartition(":")
    if not (separator and file and _NAME.fullmatch(name)):
        raise InputError(f"{role} {where!r}: must be FILE:NAME, such as mycomp.cir:mycomp")
    name = name.lower()
    found = read_cards(file, allowed, title=False)
    definitions = _definitions(found)
    if name not in definitions:
        raise InputError(f"{role} {where!r}: {file} has no .subckt {name}; it has {', '.join(definitions) or 'none'}")
    ports, params = _header(definitions[name])
    return UserSubcircuit(name, _text(found), _match(ports, role, definitions[name]), params)


def _text(found: list[Card]) -> str:
    return "\n".join(c.lines for c in found) + "\n"


def _definitions(found: list[Card]) -> dict[str, Card]:
    """Head of each outermost ``.subckt``, after checking every card of the file."""
    heads: dict[str, Card] = {}
    open_: list[Card] = []
    for card in found:
        if card.control:
            raise card.refused("a subcircuit's file may hold no commands: take the control block out")
        check_circuit_card(card, None)
        if card.word == ".subckt":
            head = words(card.text)
            if len(head) < 2:
                raise card.refused("has no name: written as .subckt NAME PORT ... PARAMETER=VALUE ...")
            if not open_:
                if head[1].lower() in heads:
                    raise card.refused(f"a second subcircuit of this name; the first is in line {heads[head[1].lower()].line}")
                heads[head[1].lower()] = card
            open_.append(card)
        elif card.word == ".ends":
            if not open_:
                raise card.refused("ends a subcircuit that no .subckt began")
            open_.pop()
        elif not open_ and card.word not in DEFINITIONS:
            raise card.refused(
                "stands outside every .subckt; a subcircuit's file holds .subckt, .model, .param and .func alone, and no title line"
            )
    if open_:
        raise open_[-1].refused("is never closed: it needs .ends")
    if taken := sorted(set(heads) & _built_in()):
        raise heads[taken[0]].refused("a built-in block has this name: give the subcircuit another one")
    return heads


def _header(card: Card) -> tuple[list[str], tuple[str, ...]]:
    """Ports and parameter names of a ``.subckt`` line, lower case."""
    ports: list[str] = []
    params: list[str] = []
    for word in words(re.sub(r"\bparams\s*:", " ", card.text, flags=re.IGNORECASE))[2:]:
        name, equals, _ = word.lower().partition("=")
        if equals:
            params.append(name)
        elif params:
            raise card.refused(f"{word!r} after the parameters: ports come first, parameters are NAME=VALUE")
        else:
            ports.append(name)
    if twice := [p for i, p in enumerate(ports) if p in ports[:i]]:
        raise card.refused(f"port {twice[0]!r} is there twice")
    return ports, tuple(params)


def _match(ports: list[str], role: str, card: Card) -> tuple[str, ...]:
    """The role's name of each port."""
    needed = ROLES[role]
    signals = [p for p in ports if p not in SUPPLIES]
    takes = f"a {role} has the ports {' '.join(needed)}, and may have {' '.join(SUPPLIES)}"
    named = [p for p in signals if p in needed]
    if not named and len(signals) == len(needed):
        names = iter(needed)
        return tuple(p if p in SUPPLIES else next(names) for p in ports)
    if missing := [p for p in needed if p not in signals]:
        raise card.refused(f"port {missing[0]!r} is missing: {takes}")
    if extra := [p for p in signals if p not in needed]:
        raise card.refused(f"port {extra[0]!r} is unknown: {takes}")
    return tuple(ports)


def _built_in() -> set[str]:
    folder = resources.files("netlists") / "circuits"
    return {p.name.removesuffix(".cir") for p in folder.iterdir() if p.name.endswith(".cir")}
