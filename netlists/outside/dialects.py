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
_MORE_NODES = re.compile(
    rf"(?:[eg]\w*(?:\s+[^\s=]+){{4}}\s+{_VALUE}|[eg]\w*\s+[^\s=]+\s+[^\s=]+\s+(?:value|vol|cur|poly|table)\b.*|b\w*\s+[^\s=]+\s+[^\s=]+\s+[vi]\s*=.*"
    rf"|[fh]\w*\s+[^\s=]+\s+[^\s=]+\s+v\w*\s+{_VALUE}|k\w*\s+l\w*\s+l\w*\s+{_VALUE}|t\w*(?:\s+[^\s=]+){{4}}\s+z0\s*=.*)",
    re.IGNORECASE,
)
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
_SPECTRE_BLOCK = re.compile(r"^[ \t]*((?:inline[ \t]+)?subckt[ \t]+\w+[^\n]*)", re.MULTILINE)
_SPECTRE_END = re.compile(r"^[ \t]*ends\b", re.MULTILINE)
_OTHERS = (
    (
        re.compile(r"\s*Version \d+\s+SHEET "),
        "an LTspice schematic (.asc), no netlist: LTspice writes one with View > SPICE Netlist, or `-netlist`",
    ),
    (
        re.compile(r"v \{xschem|[GKVSE] \{[^\n]*\n[GKVSE] \{"),
        "an xschem schematic, no netlist: xschem writes one with `xschem -n -s -q`, or its button Netlist",
    ),
    (re.compile(r"<Qucs"), "a Qucs schematic, no netlist: write it as a SPICE netlist"),
    (re.compile(r"\(kicad_sch"), "a KiCad schematic, no netlist: export it as a SPICE netlist"),
    (re.compile(r"Title:.*\nDate:.*\nPlotname:"), "a raw file, results of a simulation, and no netlist"),
    (
        re.compile(r"(?:[^\S\n]*(?:(?://|/\*|`).*)?\n)*[^\S\n]*module\s+\w+\s*[(;]"),
        "Verilog, no netlist: a Verilog-A comparator or op-amp is named FILE.va:MODULE",
    ),
)
"""How files begin that are no netlists, and what they are."""
_HSPICE = re.compile(r"\bnf\s*=|=\s*'[^']*'", re.IGNORECASE)
_LTSPICE = re.compile(r"(?<=\s)\d+(?:r|k|m|meg|u|n|p)\d+(?=\s|$)", re.IGNORECASE)
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
    if other := next((what for begins, what in _OTHERS if begins.match(text)), ""):
        raise refuse(f"is {other}")
    if found := _SPECTRE.search(text) or _spectre_block(text):
        line = text.count("\n", 0, found.start(1)) + 1
        raise refuse(
            f"is a Spectre netlist (line {line}: {found[1].strip()!r}), which ngspice does not read: "
            "netlist it for ngspice or SPICE"
        )
    return text


def _spectre_block(text: str) -> re.Match[str] | None:
    """The first subcircuit of Spectre with an end somewhere behind it."""
    begins = _SPECTRE_BLOCK.search(text)
    return begins if begins and _SPECTRE_END.search(text, begins.end()) else None


def title_warning(path: Path, body: Sequence[Card]) -> list[str]:
    """What to say of a first line that looks like a part of the circuit: SPICE takes it for the title."""
    with open(path, "rb") as file:
        line = file.readline(2000).decode("latin-1").strip()
    line = line.removeprefix("\xef\xbb\xbf")
    found = words(line)
    names = {words(c.text)[1].lower() for c in body if c.word in (".model", ".subckt") and len(words(c.text)) > 1}
    device = (
        len(found) > 2
        and found[0][0] in "dqmjxswzrcDQMJXSWZRC"
        and names.intersection(w.lower() for w in found[3 if len(found) > 3 else 2 :])
    )
    if not (_TWO_NODES.fullmatch(line) or _MORE_NODES.fullmatch(line) or _CARD.match(line) or device):
        return []
    shown = ascii(line[:60])[1:-1]
    return [f"{path.name}, line 1: {shown!r} is the title, as SPICE has it, and no part of the circuit: put a title line before it"]


def dialect_warnings(body: Sequence[Card], file: str) -> list[str]:
    """What to say of cards of a file that HSPICE or PSpice reads otherwise than ngspice, without a compatibility mode."""
    said = []
    body = [card for card in body if card.file == file]
    for pattern, name, mode in ((_HSPICE, "HSPICE", "hsa"), (_PSPICE, "PSpice", "psa"), (_LTSPICE, "LTspice", "lta")):
        for card in (c for c in body if not c.word.startswith((".meas", ".option", ".opt", ".if", ".elseif"))):
            if pattern is _LTSPICE and not re.match(r"[rcl]\S*(?:\s+\S+){3}", card.text, re.IGNORECASE):
                continue
            if found := pattern.search(card.text):
                said.append(
                    f"{card.file}, line {card.line}: {found[0].strip()!r} looks like {name}, whose meaning ngspice takes only in "
                    f"its compatibility mode: compat={mode!r} gives that one"
                )
                break
    return said


_MILLIOHM = re.compile(r"r\S*\s+[^\s=]+\s+[^\s=]+\s+(?:r\s*=\s*)?[{']?\s*(\d[\d.]*M)(?:ohms?)?(?![a-zA-Z])", re.IGNORECASE)


def unit_warnings(body: Sequence[Card]) -> list[str]:
    """What to say of resistors of ``1M``, which is a milliohm to SPICE."""
    found = ((card, _MILLIOHM.match(card.text)) for card in body)
    return [
        f"{card.file}, line {card.line}: {value[1]} is {value[1][:-1]} milliohm, as SPICE has it: "
        f"write {value[1][:-1]}MEG for megohm"
        for card, value in found
        if value and value[1].endswith("M")
    ]


_FOREIGN_WORDS = re.compile(
    r"\b(?P<random>mc|flat|rand|random|white)\s*\(|^[eg].*\b(?P<transfer>laplace|chebyshev)\b|^[efgh].*\b(?P<limit>max|min)\s*=",
    re.IGNORECASE,
)
_FOREIGN = {
    "random": "draws a random number in LTspice, and is no function of ngspice: take the random part out, or write agauss or "
    "aunif, whose spread the datasheet of a block measures",
    "transfer": "a source of PSpice that ngspice does not have: write the transfer function as R and C, or as a code model s_xfer",
    "limit": "limits of HSPICE's controlled sources, which ngspice does not read: write B1 n+ n- v={min(max(...,low),high)}",
}


def check_foreign_words(found: Sequence[Card]) -> None:
    """Raises `InputError` with the line of functions and sources of other simulators that ngspice does not have."""
    own = {
        name.lower() for card in found if card.word == ".func" for name in re.findall(r"^\.func\s+(\w+)", card.text, re.IGNORECASE)
    }
    for card in found:
        for word in _FOREIGN_WORDS.finditer(card.text):
            kind = str(word.lastgroup)
            if word[kind].lower() not in own:
                raise card.refused(f"{word[kind]}: {_FOREIGN[kind]}")
