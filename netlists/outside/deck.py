"""Decks written by somebody else: read, checked, and made into a `Deck` that does nothing but simulate.

Nothing of the file reaches ngspice unread: comments are dropped, included files are read here (ngspice gets no file
name), commands of control blocks are those of `netlists.outside.control`, and every card that is left passed
`netlists.spice.safety`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netlists.checks import check, checked
from netlists.errors import InputError
from netlists.spice import (
    ANALYSES,
    FILES_HINT,
    NOTHING,
    OTHER_ANALYSES,
    OUTPUTS,
    Card,
    Deck,
    Permissions,
    check_circuit_card,
    words,
)
from netlists.spice.cards import cards
from netlists.technology.libraries import pdk_of, readable_folders

from .analysis import Analysis, Kind, requests, save_card
from .control import marked_commands, safe_commands
from .dialects import FOREIGN_CARDS, check_foreign_words, decoded, title_warning

MAX_CHARACTERS = 64_000_000
"""Of a deck with everything it includes: a whole PDK has about 20 million."""
MAX_DEPTH = 40
"""Files that include one another."""
MAX_FILES, MAX_LINES = 2_000, 1_000_000
"""Of a deck with everything it includes: a whole PDK has about 100 files and 200,000 lines."""


@checked
@dataclass(frozen=True)
class OutsideDeck:
    """Contents of a deck from outside.

    Attributes
    ----------
    path : Path
    cards : tuple of Card
        Elements, definitions and settings.
    analyses : tuple of Analysis
        Of its cards, in the order of the file.
    saved : tuple of str
        Vectors its ``.save`` and ``.print`` cards name; empty if it has none.
    commands : tuple of str
        What is run of its control blocks, which then decide what is simulated.
    skipped : tuple of str
        What was left out, and where.
    warnings : tuple of str
        What may not be meant as it is read.
    """

    path: Path
    cards: tuple[Card, ...]
    analyses: tuple[Analysis, ...]
    saved: tuple[str, ...]
    commands: tuple[str, ...]
    skipped: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """SPICE text of the circuit, without comments."""
        return "\n".join(card.lines for card in self.cards)

    @property
    def seeded(self) -> bool:
        """Whether its options say with which random numbers parameters are drawn."""
        return any(re.search(r"\bseed\b", c.text, re.IGNORECASE) for c in self.cards if c.word in (".options", ".option", ".opt"))

    def chosen(self, kind: str | None = None) -> tuple[Analysis, ...]:
        """Analyses of its cards, all or those of a kind (``tran``, ``ac``, ``dc``, ``op`` ...).

        Raises
        ------
        InputError
            If there is none.
        """
        check(Kind | None, kind, "analysis")
        of_kind = tuple(a for a in self.analyses if kind in (None, a.kind))
        if not of_kind:
            there = ", ".join(a.card for a in self.analyses) or "none"
            raise InputError(f"{self.path}: has no .{kind or 'tran, .ac, .dc, .op, .noise or .tf'} analysis; found: {there}")
        return of_kind

    def deck(self, analyses: Sequence[Analysis], control: Sequence[str], vectors: Sequence[str], extra: Sequence[str] = ()) -> Deck:
        """The deck with these analyses, commands, saved vectors and more cards."""
        title = "".join(c if " " <= c <= "~" else "?" for c in self.path.name)
        lines = [f"deck {title}", self.body, save_card(tuple(vectors)), *(a.card for a in analyses), *extra, ""]
        return Deck("\n".join(lines), "\n".join(control))

    def place(self, line: int) -> str:
        """Where line ``line`` of `deck` comes from: ``FILE, line N``; empty if it is none of the file's."""
        at = 2
        for card in self.cards:
            if line < at:
                break
            if line < at + len(card.parts):
                return f"{card.file}, line {card.line}"
            at += len(card.parts)
        return ""


def read_outside_deck(path: str | Path, allowed: Permissions = NOTHING) -> OutsideDeck:
    """Reads a deck that may come from anybody.

    Raises
    ------
    InputError
        If the file cannot be read, or holds something that is not allowed: names file, line and construct.
    """
    path = Path(path)
    body, analyses, saved, printed, control, skipped = [], [], [], [], [], []
    reader = _Reader(_resolved(path).parent, allowed, whole=True)
    for card in reader.cards(_resolved(path), None, title=True, asked=None):
        name = card.word.removeprefix(".")
        if name == "save" and (card.control or card.word.startswith(".")):
            saved += requests(card.text.partition(" ")[2], card)
        elif card.control:
            control.append(card)
        elif card.word.startswith(".") and name in ANALYSES:
            analyses.append(Analysis.parse(card))
        elif card.word in FOREIGN_CARDS and card.word != ".backanno":
            raise card.refused(FOREIGN_CARDS[card.word])
        elif card.word in OUTPUTS | OTHER_ANALYSES | {".backanno"}:
            skipped.append(f"{card.file}, line {card.line}: {card.word}")
            printed += _printed(card)
        else:
            check_circuit_card(card, allowed)
            body.append(card)
    check_foreign_words(body)
    left: list[str] = []
    if allowed.commands:
        commands = marked_commands(control)
    else:
        commands, left = safe_commands(control)
    if control and analyses and not any(card.word == "run" for card in control):
        commands.append("run")
    return OutsideDeck(
        path,
        tuple(body),
        tuple(dict.fromkeys(analyses)),
        tuple(dict.fromkeys([*saved, *(["all", *printed] if printed and not saved else printed)])),
        tuple(commands) if control else (),
        (*skipped, *left),
        (*title_warning(path, body), *reader.behind_end()),
    )


def _printed(card: Card) -> list[str]:
    """Vectors of a ``.print`` card that are not saved of themselves, such as a device's current."""
    found = (
        re.findall(r"@[^\s\[\]]+\[\w+\]|\bi\([rcldmqj][^\s(),]*\)", card.text.lower()) if card.word in (".print", ".plot") else []
    )
    return [v for text in found for v in requests(text, card)]


def read_cards(path: str | Path, allowed: Permissions = NOTHING, *, title: bool | None, head: str = "") -> list[Card]:
    """Cards of a file with those of all files it includes in their place; none of them checked yet.

    Parameters
    ----------
    title : bool, optional
        Whether the first line is a title; None if it is one unless it is a card that begins with a dot.
    head : str
        Name of a subcircuit that is taken out of the file: a commented head ``**.subckt NAME`` of it counts (xschem writes the top
        of a schematic so), and libraries of a PDK stay as they are named.

    Raises
    ------
    InputError
        For a file that cannot be read, is too large, includes itself, or lies outside the folder of ``path``.
    """
    path = Path(path)
    reader = _Reader(_resolved(path).parent, allowed, head)
    return reader.cards(_resolved(path), None, title=title, asked=None)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError) as e:
        raise InputError(f"{str(path)!a}: is no path that can be read ({e})") from None


_MACRO = re.compile(r"^([ \t]*)(\.macro|\.eom)\b", re.MULTILINE | re.IGNORECASE)
_AS = {".macro": ".subckt", ".eom": ".ends"}
"""HSPICE's other names of these cards."""


class _Reader:
    """Reads a file and what it includes; remembers where it is and how much it has read."""

    def __init__(self, root: Path, allowed: Permissions, head: str = "", whole: bool = False) -> None:
        self.root, self.head, self.whole = root, head, whole
        self.allowed = allowed
        self.characters = self.files = self.lines = 0
        self.open: list[tuple[Path, str | None]] = []
        self.ends: dict[str, Card] = {}
        self.behind: Card | None = None

    def cards(self, path: Path, section: str | None, *, title: bool | None, asked: Card | None) -> list[Card]:
        if (path, section) in self.open or len(self.open) >= MAX_DEPTH:
            refuse = asked.refused if asked else InputError
            raise refuse("the files include one another without end" if (path, section) in self.open else "includes too deep")
        self.open.append((path, section))
        name = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
        text = self._text(path, asked)
        if self.head and asked is None:
            text = _uncommented(_MACRO.sub(lambda m: f"{m[1]}{_AS[m[2].lower()]}", text), self.head)
        if title is None:
            title = not re.match(r"\ufeff?\s*(?:[.*+]|\Z)", text)
        found = _section(cards(text, name, title=title, whole=self.whole), name, section, asked)
        out = []
        for card in found:
            if card.word == ".end" and not card.control:
                self.ends.setdefault(card.file, card)
                continue
            self.behind = self.behind or (card if card.file in self.ends else None)
            out += self._included(card, path.parent) if card.word in (".include", ".inc", ".lib") and not card.control else [card]
        self.open.pop()
        return out

    def behind_end(self) -> list[str]:
        """What to say of cards behind an ``.end``, which other simulators do not read."""
        if not self.behind:
            return []
        file, line, shown = self.behind.file, self.behind.line, ascii(self.behind.text[:60])[1:-1]
        end = self.ends[file].line
        return [f"{file}, line {line}: {shown!r} stands behind the .end of line {end}: ngspice reads on, so it is part of the deck"]

    def _included(self, card: Card, folder: Path) -> list[Card]:
        arguments = [w.strip("\"'") for w in words(card.text)[1:]]
        if not arguments or len(arguments) != (2 if card.word == ".lib" else 1):
            raise card.refused('not understood: written as .include "FILE" or .lib "FILE" SECTION')
        if self.head and pdk_of(arguments[0]):
            return [card]
        name = Path(arguments[0])
        path = _resolved(folder / name)
        inside = path.is_relative_to(self.root) and not (name.is_absolute() or arguments[0].startswith("~"))
        if not (self.allowed.files or inside or any(path.is_relative_to(root) for root in readable_folders())):
            raise card.refused(f"a file outside the folder {self.root} and those of PDKs (PDK_ROOT); {FILES_HINT}")
        return self.cards(path, arguments[1].lower() if card.word == ".lib" else None, title=False, asked=card)

    def _text(self, path: Path, asked: Card | None) -> str:
        refuse = asked.refused if asked else (lambda why: InputError(f"{path}: {why}"))
        try:
            # Anything but a plain file may never end, or answer with something else the next time.
            if not path.is_file():
                raise refuse("no such file" if not path.exists() else "is not a plain file")
            self.characters += path.stat().st_size
            if self.characters > MAX_CHARACTERS:
                raise refuse(f"the deck and what it includes have more than {MAX_CHARACTERS // 1_000_000} million characters")
            data = path.read_bytes()
            self.files += 1
            self.lines += data.count(b"\n")
            if self.files > MAX_FILES or self.lines > MAX_LINES:
                raise refuse(f"the deck and what it includes are more than {MAX_FILES} files or {MAX_LINES} lines")
            return decoded(data, refuse)
        except (OSError, ValueError) as e:
            if isinstance(e, InputError):
                raise
            raise refuse(f"cannot be read ({e})") from None


def _uncommented(text: str, name: str) -> str:
    """The text with a commented head of this subcircuit, and the ``**.ends`` that belongs to it, as cards."""
    head = re.search(rf"^\*\*(?=\.subckt[ \t]+{re.escape(name)}(?:[ \t]|$))", text, re.MULTILINE | re.IGNORECASE)
    end = re.compile(r"^\*\*(?=\.ends\b)", re.MULTILINE | re.IGNORECASE).search(text, head.end()) if head else None
    if not head or not end:
        return text
    return text[: head.start()] + text[head.end() : end.start()] + text[end.end() :]


def _section(found: list[Card], name: str, section: str | None, asked: Card | None) -> list[Card]:
    """Cards of one ``.lib SECTION`` .. ``.endl`` of a file, or those outside all sections."""
    out, there = [], set()
    inside: Card | None = None
    current: str | None = None
    for card in found:
        arguments = words(card.text)[1:] if card.word == ".lib" else []
        if card.word == ".lib" and len(arguments) == 1 and not card.control:
            if inside:
                raise card.refused(f"the section of line {inside.line} is still open: it needs .endl")
            inside, current = card, arguments[0].strip("\"'").lower()
            there.add(current)
        elif card.word == ".endl" and not card.control:
            if not inside:
                raise card.refused("ends a section that no .lib began")
            inside = current = None
        elif current == section:
            out.append(card)
    if inside:
        raise inside.refused("begins a section that no .endl ends; to read a whole file write .include")
    if section is not None and section not in there and asked is not None:
        raise asked.refused(f"{name} has no section {section!r}; it has {', '.join(sorted(there)) or 'none'}")
    return out
