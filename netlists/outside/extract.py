"""A subcircuit taken out of whatever file it stands in, with what it needs, and nothing else.

Files come as schematic editors and vendors write them: a testbench around the block, ``.save`` and ``.print`` lines, control
blocks, ``.GLOBAL`` nets, the libraries of a PDK. What the block needs of it (other subcircuits, models, parameters, functions)
comes along; the rest is left out, with a note each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from netlists.check_rules import near
from netlists.errors import InputError
from netlists.spice import DEFINITIONS, Card, words
from netlists.technology import libraries

_NAMES = re.compile(r"[a-z_][\w$]*(?:\.[\w$]+)*", re.IGNORECASE)
_VOLTAGES = re.compile(r"\bv\s*\(([^()]*)\)", re.IGNORECASE)
_GROUND = ("0", "gnd")
_INSIDE = frozenset(
    (
        ".save",
        ".print",
        ".plot",
        ".probe",
        ".meas",
        ".measure",
        ".four",
        ".width",
        ".title",
        ".op",
        ".tran",
        ".ac",
        ".dc",
        ".noise",
        ".tf",
        ".ic",
        ".nodeset",
    )
)
"""Cards that stand in subcircuits of schematic editors and are no part of a circuit."""
# Options that change what a transistor's size means.
_SIZES = re.compile(r"\b(scale|scalm|defw|defl|defad|defas)\s*=", re.IGNORECASE)


@dataclass(frozen=True)
class Extract:
    """What is taken out of a file.

    Attributes
    ----------
    cards : tuple of Card
        Definitions alone.
    pdk : str
        PDK and corner that it needs, such as ``sky130:tt``; empty if none.
    notes : tuple of str
        What was left out or changed.
    """

    cards: tuple[Card, ...]
    pdk: str
    notes: tuple[str, ...]


@dataclass
class _Item:
    """A definition at the top of a file, with its cards."""

    names: set[str]
    cards: list[Card]
    kind: str


def extract(found: Sequence[Card], name: str, pdk: str | None = None) -> Extract:
    """Takes subcircuit ``name`` out of the cards of a file.

    Parameters
    ----------
    pdk : str, optional
        PDK, or ``PDK:CORNER``, whose models it uses; default the one whose library the file names.

    Raises
    ------
    InputError
        There is no such subcircuit, it is there twice, or it uses a global node in a way that is not clear.
    """
    items, left, library, drawn = _items(found)
    heads = [item for item in items if item.kind == ".subckt" and name in item.names]
    if len(heads) > 1:
        lines = " and ".join(str(h.cards[0].line) for h in heads)
        raise heads[1].cards[0].refused(f"a second subcircuit of this name; they are in lines {lines}")
    if not heads:
        there = ", ".join(sorted(n for item in items if item.kind == ".subckt" for n in item.names))
        raise InputError(f"has no .subckt {name}; it has {there or 'none'}")
    needed = _closure(items, heads[0])
    kept = [item for item in items if id(item) in needed]
    notes = _notes(left)
    if unused := [item for item in items if id(item) not in needed and item.kind == ".subckt"]:
        notes.append(f"left out, as {name} does not use them: {', '.join(sorted(n for i in unused for n in i.names))}")
    if others := sum(id(item) not in needed and item.kind != ".subckt" for item in items):
        notes.append(f"left out, as {name} does not use them: {others} models, parameters or functions")
    globals_ = {node.lower() for card in left if card.word == ".global" for node in words(card.text)[1:]} - set(_GROUND)
    kept, more = _global_ports(kept, globals_)
    asked = _asked_pdk(pdk, library)
    if asked and pdk is None:
        notes.append(f"models of {asked.partition(':')[0]}, corner {asked.partition(':')[2]}, as the file's .lib says")
    notes += [
        f"{c.file}, line {c.line}: {words(c.text)[-1]} has random models: nominal ones are taken, and mismatch where it is measured"
        for c in drawn
    ]
    return Extract(tuple(c for item in kept for c in item.cards), asked, tuple(notes + more))


def _asked_pdk(pdk: str | None, library: tuple[str, str] | None) -> str:
    if pdk is None:
        return f"{library[0]}:{library[1]}" if library else ""
    name, _, corner = pdk.partition(":")
    if name not in libraries.PDKS or pdk.endswith(":"):
        must = f"must be one of {', '.join(libraries.PDKS)}, with :CORNER if it is not the file's or tt"
        raise InputError(f"pdk={pdk!r}: {must}{near(name, libraries.PDKS) if name not in libraries.PDKS else ''}")
    return f"{name}:{corner or (library[1] if library and library[0] == name else 'tt')}"


def _items(found: Sequence[Card]) -> tuple[list[_Item], list[Card], tuple[str, str] | None, list[Card]]:
    """Definitions at the top of a file; what is none; PDK and corner that a ``.lib`` names; those that name random sections."""
    items: list[_Item] = []
    left: list[Card] = []
    library: tuple[str, str] | None = None
    drawn: list[Card] = []
    opened: list[Card] = []
    conditional: list[Card] = []
    for card in found:
        word = card.word
        if word in (".lib", ".include", ".inc") and not card.control:
            arguments = [w.strip("\"'") for w in words(card.text)[1:]]
            name = libraries.pdk_of(arguments[0]) if arguments else None
            if name:
                corner = libraries.corner_of(name, arguments[1]) if len(arguments) > 1 else None
                library = (name, corner) if corner else library or (name, "tt")
                if len(arguments) > 1 and libraries.is_statistical(arguments[1]):
                    drawn.append(card)
            continue
        if card.control:
            left.append(card)
        elif word == ".subckt":
            head = words(card.text)
            if len(head) < 2:
                raise card.refused("has no name: written as .subckt NAME PORT ... PARAMETER=VALUE ...")
            if not opened:
                items.append(_Item({head[1].lower()}, [], ".subckt"))
            opened.append(card)
            items[-1].cards.append(card)
        elif word == ".ends":
            if not opened:
                raise card.refused("ends a subcircuit that no .subckt began")
            opened.pop()
            items[-1].cards.append(card)
        elif opened:
            if word in _INSIDE or word in (".option", ".options", ".temp", ".global", ".end"):
                left.append(card)
            else:
                items[-1].cards.append(card)
        elif word in (".if", ".elseif", ".else", ".endif"):
            # Which branch counts is ngspice's to say: all of them come along.
            if word == ".if":
                if not conditional:
                    items.append(_Item(set(), [], ".if"))
                conditional.append(card)
            (items[-1].cards if conditional else left).append(card)
            if word == ".endif" and conditional:
                conditional.pop()
        elif conditional:
            items[-1].cards.append(card)
            items[-1].names |= _defined(card)
        elif word in DEFINITIONS:
            items.append(_Item(_defined(card), [card], word))
        else:
            left.append(card)
    if opened:
        raise opened[-1].refused("is never closed: it needs .ends")
    for card in left:
        if card.word in (".option", ".options", ".opt") and (size := _SIZES.search(card.text)):
            raise card.refused(f"{size[1]} changes what sizes mean, for every block of a deck: write the sizes in metres")
    return items, left, library, drawn


def _defined(card: Card) -> set[str]:
    """Names that a ``.model``, ``.param`` or ``.func`` card defines; that of a binned model without its number."""
    found = words(card.text)
    if card.word == ".param":
        return {w.partition("=")[0].partition("(")[0].lower() for w in found[1:] if "=" in w}
    if len(found) < 2:
        return set()
    name = re.split(r"[(]", found[1].lower())[0]
    return {name, re.sub(r"\.\d+$", "", name)}


def _closure(items: list[_Item], head: _Item) -> set[int]:
    """The items that the head needs, by identity: whatever a card of a needed one names."""
    where: dict[str, list[_Item]] = {}
    for item in items:
        for name in item.names:
            where.setdefault(name, []).append(item)
    needed, todo = {id(head)}, [head]
    while todo:
        for card in todo.pop().cards:
            for name in {n.lower() for n in _NAMES.findall(card.text)}:
                for item in where.get(name, ()):
                    if id(item) not in needed:
                        needed.add(id(item))
                        todo.append(item)
    return needed


def _notes(left: list[Card]) -> list[str]:
    """What was left out: cards of a kind together, as a testbench has many."""
    notes: list[str] = []
    kinds: dict[str, list[Card]] = {}
    for card in left:
        kind = "control block" if card.control else card.word if card.word.startswith(".") else "elements outside the subcircuit"
        kinds.setdefault(kind, []).append(card)
    for kind, cards in kinds.items():
        if kind in (".ends", ".end"):
            continue
        lines = ", ".join(str(c.line) for c in cards[:4]) + (f" and {len(cards) - 4} more" if len(cards) > 4 else "")
        first = cards[0]
        notes.append(f"{first.file}, line{'s' if len(cards) > 1 else ''} {lines}: left out: {kind}")
    return notes


def _global_ports(kept: list[_Item], nets: set[str]) -> tuple[list[_Item], list[str]]:
    """Global nets as ports: of each subcircuit that uses one, itself or in those that it calls."""
    if not nets:
        return kept, []
    heads = {next(iter(item.names)): item for item in kept if item.kind == ".subckt"}
    uses: dict[str, set[str]] = {}
    for name, item in heads.items():
        own = {w.lower() for w in words(item.cards[0].text)[2:] if "=" not in w}
        nodes = {n for card in item.cards[1:] if not card.word.startswith(".") for n in _nodes(card)}
        uses[name] = (nets & nodes) - own
    calls = {
        name: {w.lower() for c in item.cards if c.word.startswith("x") for w in words(c.text)[1:]} & set(heads)
        for name, item in heads.items()
    }
    for _ in heads:
        for name in heads:
            own = {w.lower() for w in words(heads[name].cards[0].text)[2:] if "=" not in w}
            uses[name] |= set().union(*(uses[c] for c in calls[name]), set()) - own
    out = [
        replace(item, cards=[_with_nets(card, uses, i == 0) for i, card in enumerate(item.cards)])
        if item.kind == ".subckt"
        else item
        for item in kept
    ]
    made = sorted({net for found in uses.values() for net in found})
    return out, [f"global net {net.upper()} is a port of what uses it" for net in made]


def _nodes(card: Card) -> set[str]:
    """Whatever may be a node of an element's card, lower case: its words, and what ``v(a,b)`` of an expression names."""
    inside = (n.strip().lower() for pair in _VOLTAGES.findall(card.text) for n in pair.split(","))
    return {*(w.lower() for w in words(card.text)[1:]), *inside}


def _with_nets(card: Card, uses: dict[str, set[str]], head: bool) -> Card:
    """A head or a call with the nets that its subcircuit uses, before its parameters."""
    found = words(card.text)
    if head:
        name, after = found[1].lower(), 2
    elif card.word.startswith("x"):
        called = [i for i, w in enumerate(found) if i and "=" not in w and w.lower() in uses]
        if not called:
            return card
        name, after = found[called[-1]].lower(), called[-1]
    else:
        return card
    nets = sorted(uses[name])
    if not nets:
        return card
    if head:
        plain = next((i for i, w in enumerate(found) if i >= after and ("=" in w or w.lower() == "params:")), len(found))
        after = plain
    return replace(card, parts=(" ".join([*found[:after], *nets, *found[after:]]),))
