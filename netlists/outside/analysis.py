"""Analyses as data: what a .tran, .ac, .dc, .op, .noise or .tf card asks for, and how to tell that ngspice has done all of it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from netlists.checks import Choice, checked
from netlists.errors import InputError
from netlists.quantities import spice_number
from netlists.spice import ANALYSES, Card, words

Kind = Annotated[str, Choice(ANALYSES)]

_ARGUMENTS = {"tran": (2, 5), "ac": (4, 4), "dc": (4, 8), "op": (0, 0), "noise": (5, 7), "tf": (2, 2)}
_LTSPICE_WORDS = ("startup", "steady", "nodiscard", "step")
_NODE = r"[^\s(),;\"'`$={}|&]+"
_VECTOR = rf"@{_NODE}\[\w+\]|[vi]\(\s*{_NODE}\s*(?:,\s*{_NODE}\s*)?\)|{_NODE}"


@checked
@dataclass(frozen=True)
class Analysis:
    """One analysis.

    Attributes
    ----------
    kind : {"op", "dc", "ac", "tran", "noise", "tf", "sens", "pz", "disto", "sp"}
    arguments : tuple of str
        As in the card: SPICE numbers, names, or ``{expressions}``.
    """

    kind: Kind
    arguments: tuple[str, ...] = ()

    @classmethod
    def parse(cls, card: Card) -> Analysis:
        """The analysis of a card (``.tran 1n 1u``) or of a command (``tran 1n 1u``); `InputError` names line and construct."""
        kind = card.word.removeprefix(".")
        arguments = tuple(words(card.text)[1:])
        low, high = _ARGUMENTS.get(kind, (1, 20))
        if "sweep" in (a.lower() for a in arguments):
            raise card.refused("sweep is HSPICE's: write a loop in a .control block (foreach, alter), or several decks")
        if kind == "tran" and len(arguments) == 1:
            raise card.refused("has a stop time alone, as LTspice takes it: write .tran STEP STOP")
        if kind == "tran" and (word := next((a for a in arguments if a.lower() in _LTSPICE_WORDS), "")):
            raise card.refused(f"{word} is LTspice's: take it out, and begin sources at 0 where it matters")
        if not low <= len(arguments) <= high or (kind == "dc" and len(arguments) % 4):
            raise card.refused(f"takes {' or '.join(str(n) for n in dict.fromkeys((low, high)))} values, got {len(arguments)}")
        steps = [a for i, a in enumerate(arguments) if kind == "dc" and i % 4 == 3 and _is_zero(a)]
        if steps or (kind == "ac" and arguments[0].lower() in ("dec", "oct", "lin") and _is_zero(arguments[1])):
            raise card.refused("a step or number of points of 0 never comes to the end of the sweep")
        if bad := [a for a in arguments if re.search(r"[$`<>|;\"]", a)]:
            raise card.refused(f"{bad[0]!r} is no number, name or {{expression}}")
        return cls(kind, arguments)

    @property
    def card(self) -> str:
        """The card of a deck."""
        return " ".join([f".{self.kind}", *self.arguments])

    def _number(self, i: int) -> float:
        """Argument ``i`` as a number; nan if it is an expression, which only ngspice evaluates."""
        try:
            return spice_number(self.arguments[i])
        except (InputError, IndexError):
            return math.nan

    def shortfall(self, scale: np.ndarray) -> str | None:
        """Says what is missing of the result, or None; what expressions ask for is not known here and not checked.

        Parameters
        ----------
        scale : ndarray (points,)
            Time, frequency or the swept value; any array of length 1 for ``op``.
        """
        if self.kind in ("op", "tf"):
            return None if len(scale) == 1 else f"{len(scale)} points instead of 1"
        if self.kind not in ("dc", "tran", "ac"):
            return None if len(scale) else "no points"
        if len(scale) == 0:
            return "no points"
        if self.kind == "dc":
            expected = [_sweep_points(*(self._number(i + k) for k in (1, 2, 3))) for i in range(0, len(self.arguments), 4)]
            # Adding up steps may lose or gain the last point of a sweep to rounding.
            low, high = math.prod(n - 1 for n in expected), math.prod(n + 1 for n in expected)
            wrong = len(scale) < low or len(scale) > high
            return f"{len(scale)} points instead of {math.prod(expected):.0f}" if wrong else None
        if self.kind == "tran":
            stop, tolerance = self._number(1), 1e-9
        else:
            stop, tolerance = self._number(3), 1e-6
            if self.arguments[0].lower() == "lin" and self._number(1) == 1:
                stop = self._number(2)
            elif self.arguments[0].lower() in ("dec", "oct") and self._number(1) > 0:
                # A sweep in steps of one n-th of a decade or octave ends at the last step, not at the stop frequency.
                tolerance = 1 - (10 if self.arguments[0].lower() == "dec" else 2) ** (-1 / self._number(1)) + 1e-6
        # Not <: nan compares false, so that an unknown stop passes.
        return f"it ended at {scale[-1]:.4g} of {stop:.4g}" if scale[-1] < stop * (1 - tolerance) else None

    def outer_sweep(self, scale: np.ndarray) -> tuple[str, np.ndarray] | None:
        """Name and values, shape (points,), of the second source of a nested ``.dc``; None if there is none.

        ngspice saves the inner sweep alone, so the outer one is made from the card.

        Raises
        ------
        InputError
            If the card gives it by an expression.
        """
        if self.kind != "dc" or len(self.arguments) == 4:
            return None
        start, step = self._number(5), self._number(7)
        if not math.isfinite(start + step):
            raise InputError(f"{self.card}: the outer sweep of a nested .dc must be given in numbers")
        index = (
            np.cumsum(np.append(False, np.diff(scale) * np.sign(scale[1] - scale[0]) < 0))
            if len(scale) > 1
            else np.zeros(len(scale))
        )
        return f"{self.arguments[4].lower()}-sweep", start + step * index


def _is_zero(text: str) -> bool:
    try:
        return spice_number(text) == 0
    except InputError:
        return False


def _sweep_points(start: float, stop: float, step: float) -> float:
    return math.floor((stop - start) / step * (1 + 1e-9) + 1e-9) + 1 if step and math.isfinite(start + stop + step) else math.nan


def requests(text: str, card: Card | None = None) -> list[str]:
    """Vectors named in a ``.save`` card or by a user: ``v(out)``, ``v(a,b)``, ``i(v1)``, ``@m1[id]``, ``out``.

    Returns
    -------
    list of str
        Lower case, without blanks.

    Raises
    ------
    InputError
        If something in the text is none of these.
    """
    left = re.sub(_VECTOR, " ", text, flags=re.IGNORECASE)
    if left.strip(" \t,"):
        why = f"{left.split()[0]!r} is no vector: write v(node), v(node,node), i(source), @device[parameter] or the node's name"
        raise card.refused(why) if card else InputError(f"vectors {text!r}: {why}")
    return [re.sub(r"\s", "", v).lower() for v in re.findall(_VECTOR, text, re.IGNORECASE)]


def difference(vector: str) -> tuple[str, str] | None:
    """The two nodes of ``v(a,b)``; None for any other vector."""
    match = re.fullmatch(r"v\(([^,]+),([^,]+)\)", vector)
    return (match.group(1), match.group(2)) if match else None


def ngspice_name(vector: str) -> str:
    """Name by which ngspice knows the vector: the current of a resistor, say, as a parameter of the device."""
    match = re.fullmatch(r"i\(([rcjdmqi])([^.,]*)\)", vector)
    if match is None:
        return vector
    current = {"d": "id", "m": "id", "j": "id", "q": "ic", "i": "current"}.get(match.group(1), "i")
    return f"@{match.group(1)}{match.group(2)}[{current}]"


def save_card(vectors: tuple[str, ...]) -> str:
    """The ``.save`` card for these vectors, all when there are none."""
    names: list[str] = []
    for vector in vectors:
        pair = difference(vector)
        names += [f"v({n})" for n in pair if n not in ("0", "gnd")] if pair else [ngspice_name(vector)]
    return ".save " + "\n+ ".join(dict.fromkeys(names) or ["all"])
