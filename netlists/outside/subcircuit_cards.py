"""Cards of a subcircuit from outside: what they define and call, and whether each of them may stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

from netlists.spice import DEFINITIONS, Card, check_circuit_card, words

NAME = re.compile(r"[\w.$\-]+", re.ASCII)
PREFIXES = {"sky130": ("sky130_fd_pr__",), "gf180mcu": ("nfet_0", "pfet_0"), "ihp-sg13g2": ("sg13_",)}
"""How names of transistors begin."""


def text_of(found: list[Card]) -> str:
    """SPICE text of these cards, without comments."""
    return "\n".join(c.lines for c in found) + "\n"


def definitions(found: list[Card]) -> dict[str, Card]:
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


_MODEL_FROM = {"m": 4, "q": 3, "j": 3, "z": 3, "d": 2}
"""How many nodes come before the name of a device's model, at least."""


def check_known(found: list[Card], heads: Mapping[str, Card], pdk: str) -> None:
    """Raises `InputError` where a subcircuit or a model is called that is neither in the text nor one that its PDK may have.

    Also where a call has another number of nodes than the subcircuit has ports, which ngspice calls an unknown subcircuit.
    """
    ports = {words(c.text)[1].lower(): len(header(c)[0]) for c in (*heads.values(), *found) if c.word == ".subckt"}
    named = {re.split(r"[ (]", words(c.text)[1].lower())[0] for c in found if c.word == ".model"}
    # Bins of a model have numbers after its name.
    models = named | {re.sub(r"\.\d+$", "", name) for name in named}
    for card in found:
        kind, said = card.word[0], words(card.text)[1:]
        names = [w.lower() for w in said if "=" not in w and w.lower() != "params:"]
        if kind == "x":
            if names and names[-1] in ports:
                if len(names) - 1 != ports[names[-1]] and all("=" in w for w in said[len(names) :]):
                    raise card.refused(f"{names[-1]} has {ports[names[-1]]} ports, and {len(names) - 1} nodes are given")
            elif names and not pdk:
                of = next((p for p, start in PREFIXES.items() if names[-1].startswith(start)), None)
                raise card.refused(
                    f"the subcircuit {names[-1]} is defined nowhere: "
                    + (
                        f"it is a transistor of {of}: say so with pdk={of!r}"
                        if of
                        else "put its .subckt into the file, or .include it there"
                    )
                )
        elif kind in _MODEL_FROM and not pdk and not models.intersection(names[_MODEL_FROM[kind] :]):
            missing = names[_MODEL_FROM[kind]] if len(names) > _MODEL_FROM[kind] else names[-1] if names else ""
            raise card.refused(
                f"the model {missing} is defined nowhere: put its .model into the file, .include it there, or name a PDK"
            )


def header(card: Card) -> tuple[list[str], tuple[str, ...]]:
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


def _built_in() -> set[str]:
    folder = resources.files("netlists") / "circuits"
    return {p.name.removesuffix(".cir") for p in folder.iterdir() if p.name.endswith(".cir")}
