"""Decks: SPICE text plus what was put into it, ready for any runner; and the subcircuit library behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from netlists.checks import checked
from netlists.errors import InputError
from netlists.files import sha256_of, write_atomic
from netlists.technology.libraries import is_pdk_card

from .safety import check_deck
from .settings import split

FOREIGN = "* own block "
"""How the comment begins that stands before a block of a user's own."""


@checked
@dataclass(frozen=True)
class Deck:
    """A SPICE netlist with one analysis, in which ngspice runs no commands but those of ``control``.

    Attributes
    ----------
    circuit : str
        Title, subcircuits, elements, analysis, saves; no ``.end``.
    control : str
        ngspice commands that run the analysis, measure and print; used by plain ``ngspice -b`` only. They are run as they
        are: never text of a file that was read, unless its user allows the commands in it.
    settings : tuple of str
        ngspice variables that the shared library holds while it loads and runs the deck (``netlists.technology.pdk.SETTINGS``),
        and compiled models that it loads before (``osdi=FILE``, `netlists.spice.osdi`).
    trusted : bool
        Leave ``circuit`` unchecked: control blocks and includes in it are run and read.

    Raises
    ------
    InputError
        A ``circuit`` with commands, or with a card that reads a file other than the PDK's, unless it is trusted.
    """

    circuit: str
    control: str = ""
    settings: tuple[str, ...] = ()
    trusted: bool = False

    def __post_init__(self) -> None:
        if not self.trusted:
            check_deck(self.circuit, is_pdk_card)

    def __repr__(self) -> str:
        title, _, rest = self.circuit.partition("\n")
        top = _outside_subcircuits(rest)
        analyses = ", ".join(re.findall(r"^\.(?:tran|ac|dc|op)\b", top, re.MULTILINE | re.IGNORECASE)) or "no analysis"
        elements, lines = len(re.findall(r"^[a-z]", top, re.MULTILINE | re.IGNORECASE)), rest.count("\n")
        return f"<Deck {title.removeprefix('.title ')!r}: {analyses}, {elements} elements, {lines} lines>"

    @property
    def foreign(self) -> bool:
        """Whether a block of its user's own stands in it, which may hang or crash ngspice."""
        return f"\n{FOREIGN}" in self.circuit

    @property
    def text(self) -> str:
        """The whole deck, as `write` puts it on disk: runs unchanged in ``ngspice -b deck.cir``."""
        commands = [*(f"pre_osdi {model}" for model in split(self.settings)[1]), *([self.control.rstrip()] if self.control else [])]
        control = "\n".join([".control", *commands, ".endc\n"]) if commands else ""
        return f"{self.circuit.rstrip()}\n{control}.end\n"

    @property
    def sha256(self) -> str:
        """Hash of `text`, for provenance."""
        return sha256_of(self.text.encode())

    def command(self, path: str | Path) -> str:
        """The line by which plain ngspice gives the same levels: it holds the variables that the models need."""
        return " ".join(["ngspice", *(f"-D {variable}" for variable in split(self.settings)[0]), "-b", str(path)])

    def write(self, path: str | Path) -> Path:
        """Writes `text` to ``path`` (complete or not at all); `ToolkitError` names a folder that can't be written."""
        # Decks that only ngspice reads come by the thousand: none waits for the disk.
        return write_atomic(Path(path), lambda p: p.write_text(self.text), sync=False)


def _outside_subcircuits(text: str) -> str:
    """The lines of a text that stand in no subcircuit."""
    found, inside = [], False
    for line in text.splitlines():
        word = line.lower().split(maxsplit=1)[:1]
        if word == [".subckt"]:
            inside = True
        elif word == [".ends"]:
            inside = False
        elif not inside:
            found.append(line)
    return "\n".join(found)


@cache
def subcircuits(*names: str) -> str:
    """SPICE text of several built-in blocks with all they need, each once."""
    text = "".join(subcircuit(name) for name in names)
    return "".join(dict.fromkeys(re.findall(r".*?^\.ends[^\n]*\n", text, re.DOTALL | re.MULTILINE)))


@cache
def subcircuit(name: str) -> str:
    """SPICE text of one built-in ``.subckt`` block, with the blocks its header says it needs before it.

    Raises
    ------
    InputError
        If there is no such block; the message lists those there are.
    """
    folder = resources.files("netlists") / "circuits"
    file = folder / f"{name}.cir"
    if not re.fullmatch(r"\w+", name) or not file.is_file():
        known = ", ".join(sorted(p.name.removesuffix(".cir") for p in folder.iterdir() if p.name.endswith(".cir")))
        raise InputError(f"subcircuit {name!r}: unknown; built in are {known}")
    text = file.read_text()
    needs = re.search(r"^\* needs:\s*(.+)$", text, re.MULTILINE)
    return "".join(subcircuit(n.strip()) for n in needs.group(1).split(",")) + text if needs else text
