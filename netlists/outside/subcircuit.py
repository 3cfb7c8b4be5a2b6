"""A user's own comparator or op-amp: a ``.subckt`` of a SPICE file, checked and ready to take the place of a built-in block."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from netlists.checks import Choice, NonNegative, check, checked
from netlists.errors import InputError
from netlists.files import read_text
from netlists.quantities import spice_number
from netlists.spice import (
    COMPILED,
    NOTHING,
    Card,
    Permissions,
    pdk_models,
    subcircuit,
    words,
)
from netlists.spice.cards import cards
from netlists.spice.deck import FOREIGN
from netlists.technology import libraries

from .deck import read_cards
from .dialects import COMPATIBILITY, check_foreign_words, dialect_warnings, unit_warnings
from .extract import extract
from .ports import BIAS, OPTIONAL, ROLES, Wiring, bias_cards, bias_value, match_ports
from .subcircuit_cards import NAME, check_known, definitions, header, text_of
from .verilog_a import LARGEST, SUFFIXES, compile_module, read_module

_NO_WIRING = Wiring()

SOURCES = ("comparator_offset", "comparator_noise", "opamp_offset")
"""Sources of variation that a block may have sigmas of."""
PDKS = ("", *libraries.PDKS)
"""PDKs whose models a block may take."""


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
        What each of its ports is, in its own order: ``inp``, ``inn``, ``out``, ``com``, ``vdd``, ``vss``, ``clk`` or ``bias``.
    params : tuple of str
        Names of the parameters it declares, lower case.
    bias : tuple of (port, what)
        What each port that is ``bias`` gets, as `ports.bias_value` writes it.
    values : tuple of (parameter, value)
        Parameters that are set, SPICE text; the others keep their own defaults.
    pdk : str
        PDK whose models it uses, with a corner such as ``sky130:ss`` if it is not tt; empty: its text has all it needs.
    statistics : tuple of (source, sigma)
        Its own sigmas in volts, by their names in a variation: they are drawn in place of those of our blocks.
    compat : str
        ngspice's compatibility mode that its text needs, one of `dialects.COMPATIBILITY`; empty for none.
    notes : tuple of str
        What of its file was left out or changed.
    input_load : float or None
        Capacitor that stands for it on the ramp that many share, farads; None: not known, and that of our comparator is taken.
    verilog_a : str
        Verilog-A of the module that it stands for; its text is then the call of the compiled module.

    Raises
    ------
    InputError
        A text that holds more than definitions, or does not define it with these ports and parameters.
    """

    name: str
    text: str
    ports: tuple[str, ...]
    params: tuple[str, ...]

    bias: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    pdk: str = ""
    statistics: tuple[tuple[Annotated[str, Choice(SOURCES)], NonNegative], ...] = ()
    compat: str = ""
    notes: tuple[str, ...] = field(default=(), compare=False, repr=False)
    input_load: NonNegative | None = None
    verilog_a: str = ""

    def __post_init__(self) -> None:
        found = cards(self.text, f"subcircuit {self.name!a}", title=False)
        if self.verilog_a and self.text != read_module(self.verilog_a, self.name, f"subcircuit {self.name!a}").subcircuit():
            raise InputError(f"subcircuit {self.name!a}: its text is not the call of its Verilog-A module")
        heads = {self.name: found[0]} if self.verilog_a else definitions(found)
        if self.name not in heads or not NAME.fullmatch(self.name):
            raise InputError(f"subcircuit {self.name!a}: its text has no such .subckt; it has {', '.join(heads) or 'none'}")
        head = heads[self.name]
        if self.pdk:
            libraries.with_corner(self.pdk)
        if self.compat:
            check(Choice(COMPATIBILITY), self.compat, "compat")
        check_known(found, heads, self.pdk)
        self._check_ports(head, *header(head))
        if self.name_of_instance != self.name and self.name_of_instance in heads:
            raise heads[self.name_of_instance].refused("is the name of what stands around the block: give it another one")
        object.__setattr__(self, "text", text_of(found))

    def _check_ports(self, head: Card, own: list[str], params: tuple[str, ...]) -> None:
        roles = [p for p in self.ports if p != BIAS]
        biased = tuple(port for port, what in zip(own, self.ports, strict=False) if what == BIAS)
        if (
            len(own) != len(self.ports)
            or params != self.params
            or len(set(roles)) != len(roles)
            or not set(ROLES["comparator"]) <= set(roles) <= {*ROLES["comparator"], *OPTIONAL["comparator"]}
            or biased != tuple(port for port, _ in self.bias)
            or any(bias_value(port, what) != what for port, what in self.bias)
        ):
            raise head.refused(f"does not have the ports {self.ports} with the bias {self.bias} and the parameters {self.params}")
        for name, value in self.values:
            if name not in params:
                raise head.refused(f"params {name}={value}: it declares no such parameter; it has {', '.join(params) or 'none'}")
            spice_number(value)

    @property
    def _head(self) -> Card:
        """Its own ``.subckt`` card."""
        found = cards(self.text, self.name, title=False)
        return next(c for c in found if c.word == ".subckt" and words(c.text)[1].lower() == self.name)

    @property
    def name_of_instance(self) -> str:
        """The subcircuit that decks call: its own, or one around it that has its bias and its values."""
        return f"{self.name}_wired" if self.bias or self.values else self.name

    @property
    def settings(self) -> tuple[str, ...]:
        """ngspice variables that must be set before its text is parsed."""
        own = (f"ngbehavior={self.compat}",) if self.compat else ()
        return tuple(dict.fromkeys((*own, *(libraries.PDKS[self.pdk.partition(":")[0]].settings if self.pdk else ()))))

    @property
    def compiled(self) -> tuple[str, ...]:
        """Settings by which ngspice loads the compiled models that it needs; they are compiled now if they never were."""
        own = (f"{COMPILED}{compile_module(self.verilog_a, self.name)}",) if self.verilog_a else ()
        return (*own, *(pdk_models(self.pdk.partition(":")[0]) if self.pdk else ()))

    @property
    def definitions(self) -> str:
        """SPICE text of everything that an instance needs."""
        return f"{FOREIGN}{self.name}\n{self.text}{self.around}"

    @property
    def defined(self) -> set[str]:
        """What its text defines outside every subcircuit, such as ``.model nch``."""
        found, depth = set(), 0
        for card in cards(self.text, self.name, title=False):
            if not depth and card.word in (".subckt", ".model", ".func"):
                found.add(f"{card.word} {re.split(r'[ (]', words(card.text)[1].lower())[0]}")
            elif not depth and card.word == ".param":
                found |= {f".param {w.partition('=')[0].lower()}" for w in words(card.text)[1:]}
            depth += (card.word == ".subckt") - (card.word == ".ends")
        return found

    @property
    def around(self) -> str:
        """SPICE text of the subcircuit around it that has its bias and values; empty if it has none."""
        if self.name_of_instance == self.name:
            return ""
        lines, given, at = [], dict(self.bias), []
        own, _ = header(self._head)
        for number, (port, what) in enumerate(zip(own, self.ports, strict=True)):
            more, node = bias_cards(number, given[port], "vdd" in self.ports) if what == BIAS else ([], what)
            lines += more
            at.append(node)
        card = " ".join(["Xown", *at, self.name, *(f"{name}={value}" for name, value in self.values)])
        head = f".subckt {self.name_of_instance} {' '.join(self.interface)}"
        return "\n".join([head, *lines, card, f".ends {self.name_of_instance}", ""])

    @property
    def interface(self) -> tuple[str, ...]:
        """Ports of an instance, in order: those of its role, supplies, and what its bias is tied to."""
        ties = [what for _, what in self.bias if what in ("vdd", "vss", "com")]
        return tuple(dict.fromkeys([p for p in self.ports if p != BIAS] + ties))

    @property
    def wiring(self) -> str:
        """What each of its ports gets, in one line."""
        own, _ = header(self._head)
        given, said = dict(self.bias), {"vss": "vss (0 V)", "vdd": "vdd (supply)", "com": "com (analog ground)"}
        ports = [f"{p.upper()} = {given[p] if r == BIAS else said.get(r, r)}" for p, r in zip(own, self.ports, strict=True)]
        if "com" not in self.ports:
            ports.append("no port for analog ground: its output is read against v_cm")
        return f"{self.name}: {', '.join([*ports, *(f'parameter {n} = {v}' for n, v in self.values)])}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary; without what came later where it has none of it."""
        later = ("bias", "values", "pdk", "statistics", "compat", "input_load", "verilog_a")
        return {k: v for k, v in asdict(self).items() if k != "notes" and (v or k not in later)}

    def nodes(self, connections: Mapping[str, str]) -> list[str]:
        """Nodes of an instance in the order of its ports.

        Parameters
        ----------
        connections : mapping
            Node of each port of the role and of the supplies; those it has no port for are left out.

        Raises
        ------
        InputError
            If it has a port, such as a supply or a clock, for which no node is given.
        """
        if missing := [p for p in self.interface if p not in connections]:
            raise InputError(
                f"subcircuit {self.name}: port {missing[0]!r} has no node here; connected are {', '.join(connections)}"
            )
        return [connections[p] for p in self.interface]


def integrator_around(opamp: UserSubcircuit, *kinds: str) -> str:
    """SPICE text of each ``<kind>_user``: ``<kind>_macro`` with another op-amp, with the ports ``vdd vss`` after the others.

    The offset comes from a source in series with its input; of our op-amp's parameters it gets none.

    Parameters
    ----------
    kinds : {"integrator", "autozero_integrator"}
    """
    blocks = []
    for kind in kinds:
        text = subcircuit(f"{kind}_macro")
        block = text[text.index(f".subckt {kind}_macro") :].replace(f"{kind}_macro", f"{kind}_user")
        inn, out = re.findall(r"^x1 \S+ (\S+) (\S+) ", block, flags=re.MULTILINE)[0]
        nodes = opamp.nodes({"inp": "ref", "inn": inn, "out": out, "com": "com", "vdd": "vdd", "vss": "vss"})
        card = " ".join(["x1", *nodes, opamp.name_of_instance])
        block = re.sub(r"^x1 .*$", f"vos ref com {{v_os}}\n{card}", block, flags=re.MULTILINE)
        blocks.append(block.replace(" params:", " vdd vss params:", 1))
    return opamp.definitions + "".join(blocks)


def load_user_subcircuit(
    where: str, role: str, allowed: Permissions = NOTHING, wiring: Wiring = _NO_WIRING, pdk: str = ""
) -> UserSubcircuit:
    """Takes ``FILE:NAME`` out of whatever else its file holds, or reads ``FILE.json``, a block file; and checks its ports.

    Ports are known by their names (`ports.NAMES`), or as ``wiring`` says; a port that neither tells is an error.

    Parameters
    ----------
    where : str
        Such as ``mycomp.cir:mycomp``; ``mycomp.va:mycomp`` for a module of Verilog-A.
    role : {"comparator", "opamp"}
    allowed : Permissions
        Which files its file may include; what is taken from them may never read a file.
    wiring : Wiring
        Roles of ports, bias of others, values of parameters; its PDK and compatibility mode.
    pdk : str
        PDK whose models it uses; default that of ``wiring``, else the one whose library its file names.

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
    if where.endswith((".json", ".json:transistors")):
        from .block_file import load_block

        if wiring != _NO_WIRING or pdk:
            raise InputError(f"{role} {where!r}: a block file has its ports, bias, parameters and models; give none")
        return load_block(where, role)
    file, separator, name = where.rpartition(":")
    if not (separator and file and NAME.fullmatch(name)):
        raise InputError(f"{role} {where!r}: must be FILE:NAME, such as mycomp.cir:mycomp")
    name = name.lower()
    if Path(file).suffix.lower() in SUFFIXES:
        return _of_module(where, file, name, role, wiring, pdk)
    everything = read_cards(file, allowed, title=None, head=name)
    try:
        part = extract(everything, name, pdk or wiring.pdk or None)
    except InputError as e:
        raise InputError(f"{role} {where!r}: {file} {e}" if str(e).startswith("has no") else str(e)) from None
    found = list(part.cards)
    heads = definitions(found)
    check_known(found, heads, part.pdk)
    check_foreign_words(found)
    head = heads[name]
    own, params = header(head)
    roles, bias = match_ports(own, role, head, wiring)
    values = tuple((n.lower(), str(v)) for n, v in wiring.params.items())
    foreign = [] if wiring.compat or part.pdk else dialect_warnings(found, Path(file).name)
    notes = [*part.notes, *unit_warnings(found), *foreign]
    return UserSubcircuit(name, text_of(found), roles, params, bias, values, part.pdk, (), wiring.compat, tuple(notes))


def _of_module(where: str, file: str, name: str, role: str, wiring: Wiring, pdk: str) -> UserSubcircuit:
    """The block of a Verilog-A module."""
    if pdk or wiring.pdk or wiring.compat:
        raise InputError(f"{role} {where!r}: Verilog-A is compiled, and takes neither a PDK nor a compatibility mode")
    source = read_text(file, "Verilog-A file", limit=LARGEST)
    text = read_module(source, name, file).subcircuit()
    head = cards(text, Path(file).name, title=False)[0]
    own, params = header(head)
    roles, bias = match_ports(own, role, head, wiring)
    values = tuple((n.lower(), str(v)) for n, v in wiring.params.items())
    return UserSubcircuit(name, text, roles, params, bias, values, verilog_a=source)
