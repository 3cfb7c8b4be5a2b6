"""Files that are not what they are taken for: another simulator's language, a first line that is no title."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from netlists.errors import InputError
from netlists.spice import Card, words

COMPATIBILITY = {
    "hsa": "HSPICE, as open PDKs need it",
    "psa": "PSpice",
    "lta": "LTspice",
    "ltpsa": "LTspice and PSpice",
    "hs": "HSPICE, in included libraries alone",
    "ps": "PSpice, in included libraries alone",
    "lt": "LTspice, in included libraries alone",
    "all": "what ngspice takes for all of them",
}
"""Values of ngspice's variable ``ngbehavior``, and whose files they are for."""

_VALUE = r"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?[a-zA-Z]*|\{.*|'.*|(?:dc|ac|pulse|sin|pwl|exp|sffm)\b.*)"
_TWO_NODES = re.compile(rf"[rclvi]\w*\s+[^\s=]+\s+[^\s=]+\s+{_VALUE}(?:\s.*)?", re.IGNORECASE)
_CARD = re.compile(
    r"\.(?:param|model|subckt|include|inc|lib|tran|ac|dc|op|save|option|options|control|global|ends)\b", re.IGNORECASE
)

FOREIGN_CARDS = {
    ".step": "LTspice's card for parameter steps: write a loop in a .control block (foreach, alter)",
    ".backanno": "a card of LTspice, without effect",
    ".alter": "HSPICE's card for several runs: write a loop in a .control block, or several decks",
    ".data": "HSPICE's card for tables of parameters: write a loop in a .control block",
    ".prot": "HSPICE's mark of encrypted text, which ngspice cannot read",
    ".protect": "HSPICE's mark of encrypted text, which ngspice cannot read",
    ".hdl": "a card for Verilog-A of HSPICE: ngspice takes compiled models (OSDI)",
    ".inc_spectre": "a card of Spectre",
}
"""Cards of other simulators, and what they are."""

_SPECTRE = re.compile(
    r"^[ \t]*(simulator[ \t]+lang[ \t]*=[ \t]*spectre"
    r"|(?:inline[ \t]+)?subckt[ \t]+\w+[ \t]*\(|parameters[ \t]+\w+[ \t]*=|include[ \t]+\")",
    re.MULTILINE,
)
_LTSPICE_SHEET = re.compile(r"\s*Version \d+\s*\n\s*SHEET ")
_HSPICE = re.compile(r"\bnf\s*=|=\s*'[^']*'", re.IGNORECASE)
_PSPICE = re.compile(r"\bLIMIT\s*\(|\bVALUE\s*=?\s*\{|\bTABLE\s*\{|\bIF\s*\([^,()]*[<>=]", re.IGNORECASE)


def decoded(data: bytes, refuse: Callable[[str], InputError]) -> str:
    """The text of a SPICE file; comments may be in any encoding that keeps ASCII.

    Raises
    ------
    InputError
        Made by ``refuse``, for what is no SPICE netlist in such an encoding: says what it is.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[:200].count(0) > len(data[:200]) // 4 > 0:
        raise refuse("is UTF-16 text, as LTspice and some editors write it: save it as UTF-8 or ASCII (iconv -f UTF-16 -t UTF-8)")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\n" not in text:
        # Line ends of old Macintosh programs, which SPICE takes for one line.
        text = text.replace("\r", "\n")
    if _LTSPICE_SHEET.match(text):
        raise refuse("is an LTspice schematic (.asc), no netlist: LTspice writes one with View > SPICE Netlist, or `-netlist`")
    if text.startswith("v {xschem"):
        raise refuse("is an xschem schematic, no netlist: xschem writes one with `xschem -n -s -q`, or its button Netlist")
    if found := _SPECTRE.search(text):
        line = text.count("\n", 0, found.start(1)) + 1
        raise refuse(
            f"is a Spectre netlist (line {line}: {found[1].strip()!r}), which ngspice does not read: "
            "netlist it for ngspice or SPICE"
        )
    return text


def title_warning(path: Path, body: Sequence[Card]) -> list[str]:
    """What to say of a first line that looks like a part of the circuit: SPICE takes it for the title."""
    with open(path, "rb") as file:
        line = file.readline(2000).decode("latin-1").strip()
    line = line.removeprefix("\xef\xbb\xbf")
    found = words(line)
    names = {words(c.text)[1].lower() for c in body if c.word in (".model", ".subckt") and len(words(c.text)) > 1}
    device = (
        len(found) > 2
        and found[0][0] in "dqmjxDQMJX"
        and names.intersection(w.lower() for w in found[3 if len(found) > 3 else 2 :])
    )
    if not (_TWO_NODES.fullmatch(line) or _CARD.match(line) or device):
        return []
    shown = ascii(line[:60])[1:-1]
    return [f"{path.name}, line 1: {shown!r} is the title, as SPICE has it, and no part of the circuit: put a title line before it"]


def dialect_warnings(body: Sequence[Card], file: str) -> list[str]:
    """What to say of cards of a file that HSPICE or PSpice reads otherwise than ngspice, without a compatibility mode."""
    said = []
    body = [card for card in body if card.file == file]
    for pattern, name, mode in ((_HSPICE, "HSPICE", "hsa"), (_PSPICE, "PSpice", "psa")):
        for card in (c for c in body if not c.word.startswith((".meas", ".option", ".opt", ".if", ".elseif"))):
            if found := pattern.search(card.text):
                said.append(
                    f"{card.file}, line {card.line}: {found[0].strip()!r} looks like {name}, whose meaning ngspice takes only in "
                    f"its compatibility mode: compat={mode!r} gives that one"
                )
                break
    return said
