"""The lines of a SPICE file as cards: comments gone, continuation lines joined, each with the place it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netlists.errors import InputError

# What ngspice takes for the start of a comment at the end of a line. The text handed to ngspice has none left, so that
# nothing can hide from the checks in what one of the two readers takes for a comment.
_TAIL = re.compile(r";.*|//.*|(?:^|(?<=[\s,]))\$(?=\s|$).*")
_WORD = re.compile(r"[^\s(=]*")
_CONTROL_TAIL = re.compile(r";.*|(?:^|(?<=\s))\$ .*")


@dataclass(frozen=True, slots=True)
class Card:
    """One statement of a SPICE file.

    Attributes
    ----------
    file : str
        Name of the file, for messages.
    line : int
        Number of its first line, from 1.
    parts : tuple of str
        Its lines without comments and without the leading ``+``.
    control : bool
        A command of a ``.control`` block (or of a ``*#`` line, which ngspice runs as one), not a part of the circuit.
    """

    file: str
    line: int
    parts: tuple[str, ...]
    control: bool = False

    @property
    def text(self) -> str:
        """The statement on one line."""
        return self.parts[0] if len(self.parts) == 1 else " ".join(self.parts)

    @property
    def word(self) -> str:
        """Its first word, lower case: ``.tran``, ``r1``, ``print``."""
        return _WORD.match(self.parts[0])[0].lower()  # type: ignore[index]

    @property
    def lines(self) -> str:
        """The statement as lines of a deck; continuation lines keep long ones below ngspice's limits."""
        return "\n+ ".join(self.parts)

    def refused(self, why: str) -> InputError:
        """An `InputError` that names file, line and construct."""
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return InputError(f"{self.file}, line {self.line}: {ascii(shown)[1:-1]}: {why}")


def cards(text: str, file: str, *, title: bool, whole: bool = False) -> list[Card]:
    """Splits a file's text into cards, up to its ``.end``.

    Parameters
    ----------
    file : str
        Name for messages.
    title : bool
        Whether the first line is a title (a deck) or already a card (a file that is included).
    whole : bool
        Whether to read on behind ``.end``, which is then a card, as ngspice does.

    Raises
    ------
    InputError
        For characters outside printable ASCII in a card, a continuation of nothing, and a ``.control`` block that
        is never closed or never opened.
    """
    drafts: list[tuple[int, bool, list[str]]] = []
    opened: Card | None = None
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.strip(" \t\r")
        if title and number == 1:
            continue
        command = line.startswith("*#")
        if command:
            line = line[2:].strip()
        elif line.startswith(("*", "#") if opened else "*"):
            continue
        line = (_CONTROL_TAIL if opened or command else _TAIL).sub("", line).strip(" \t")
        if not line:
            continue
        control = command or opened is not None
        card = Card(file, number, (line,), control)
        if re.search(r"[^\t -~]", line):
            hint = "SPICE writes micro as u, such as 5u" if re.search("[\u00b5\u03bc]", line) else "replace the others"
            raise card.refused(f"only printable ASCII characters may stand outside comments: {hint}")
        if line.startswith("+"):
            if not drafts or drafts[-1][1] != control:
                raise card.refused("continues nothing: the line before is the title, or the start or end of a control block")
            drafts[-1][2].append(line[1:].strip())
        elif card.word == ".control":
            if opened:
                raise card.refused(f"the control block of line {opened.line} is still open: it needs .endc")
            opened = card
        elif card.word == ".endc":
            if not opened:
                raise card.refused("ends a control block that no .control began")
            opened = None
        elif card.word == ".end" and not opened and not whole:
            break
        else:
            drafts.append((number, control, [line]))
    if opened:
        raise opened.refused("the control block is never closed: it needs .endc")
    return [Card(file, number, tuple(parts), control) for number, control, parts in drafts]


def words(text: str) -> list[str]:
    """Words of a card; quoted text and ``{expressions}`` stay whole, ``name = value`` becomes ``name=value``."""
    # Not by an expression, which looks at a long run of blanks from each of them.
    first, *others = text.split("=")
    parts = [first.rstrip(), *map(str.strip, others[:-1]), others[-1].lstrip()] if others else [text]
    return re.findall(r"(?:\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[^\s{'\"]|[{'\"])+", "=".join(parts))
