"""Files that are not what they are taken for: another simulator's language, a first line that is no title."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

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

_HSPICE = re.compile(r"\bnf\s*=|=\s*'[^']*'", re.IGNORECASE)
_PSPICE = re.compile(r"\bLIMIT\s*\(|\bVALUE\s*=?\s*\{|\bTABLE\s*\{|\bIF\s*\([^,()]*[<>=]", re.IGNORECASE)


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
        for card in (c for c in body if not c.word.startswith((".meas", ".option", ".opt"))):
            if found := pattern.search(card.text):
                said.append(
                    f"{card.file}, line {card.line}: {found[0].strip()!r} looks like {name}, whose meaning ngspice takes only in "
                    f"its compatibility mode: compat={mode!r} gives that one"
                )
                break
    return said
