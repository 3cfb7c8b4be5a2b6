"""What ngspice printed, in a line: why it failed, what it warns of, what it measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import takewhile

from netlists.spice import is_error

from .control import MARK

MOST = 50
"""Warnings of one ngspice that are shown."""
Place = Callable[[int], str]
"""Where a line of the deck comes from: ``FILE, line N``."""

# The first that matches says why; what it caught takes the places in the sentence.
_CAUSES = (
    (r"unknown subckt: (\S+).*?(\S+)\s*$", "{0}: the subcircuit {1} is defined nowhere in the deck or what it includes"),
    (
        r'Too (many|few) parameters for subcircuit type "(.+?)" \(instance: x?(\S+?)\)',
        "{2}: has too {0} nodes for the subcircuit {1}",
    ),
    (r"can't find model '(.+?)' from line\s+(\S+)", "{1}: the model {0} is defined nowhere in the deck or what it includes"),
    (r"^\s*(\S+) [^\n]*\n\s*could not find a valid modelname", "{0}: its model is missing, or is of another kind of device"),
    (r"Undefined parameter \[(.+?)\]", "the parameter {0} is defined nowhere"),
    (r"unknown (?:model )?parameter \((.+?)\)", "the parameter {0} is none of its device or model"),
    (r"no data saved", "none of the vectors to save is in the circuit"),
    (
        r"singular matrix:\s+check nodes? (\S+)#branch",
        "{0}: is in a loop of inductors or voltage sources, whose currents nothing limits; put a small resistor into it",
    ),
    (
        r"singular matrix:\s+check nodes? (\S+)",
        "node {0} floats: no path for a direct current leads from it to ground: tie it with a large resistor",
    ),
    (r"Timestep too small; (?:time = (\S+?),)?.*?trouble with (.+)$", "no convergence at {0} s (trouble with {1}): {hint}"),
    (r"[Tt]imestep too small", "no convergence in the transient: {hint}"),
    (r"no such function '(.+?)'", "{0} is no function of ngspice"),
    (r"Transient op failed|iteration limit reached|[Nn]o convergence", "no convergence to an operating point: {hint}"),
    (r"vector (@\S+) is not available", "saved vector {0}: there is no such device, or it has no such quantity"),
)
_HINT = "check models and units, give .ic or .nodeset, slower edges, a larger reltol, or parasitic capacitances where a node jumps"
# ngspice's way to an operating point, which matters if it fails alone; and a remark on every source with a waveform.
_PROGRESS = re.compile(
    r"gmin (?:step|increment)|gmin stepping|source step|Transient op|Trying gmin|Supplies reduced|no DC value, transient|^Note:"
    r"|can't find the initialization file|No compatibility mode|^(?:Circuit|Doing analysis|binary raw file)|^ngspice-\d+ done"
    rf"|checkvalid: vector cosim|/statm|^Checking parameters for|^{MARK}",
    re.IGNORECASE,
)
_LINE = re.compile(r"\bline (?:no\. ?)?(\d+)(?: or its substitute)?", re.IGNORECASE)
_WARNING = re.compile(r"warning\b|ignored|unrecognized|can't parse|singular matrix", re.IGNORECASE)
_BEGINS = re.compile(r"(?:fatal |internal )?(?:error|warning)\b", re.IGNORECASE)
_VALUE = r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)"
_MEASURED = re.compile(rf"^\s*([^\s=]+)\s*=\s+({_VALUE})(?:\s+(?:targ|trig|at|from|to|with)=.*)?\s*$", re.IGNORECASE)
_FAILED = re.compile(r"^\s*(?:\.?meas(?:ure)?\s+\w+\s+(\S+).*failed!|([^\s=]+)\s*=\s+failed\s*$)", re.IGNORECASE)


def without_shown(printed: str) -> str:
    """What ngspice printed of itself, without what commands were told to print."""
    return re.sub(rf"^{MARK}show .*?^{MARK}shown$", "", printed, flags=re.MULTILINE | re.DOTALL)


def placed(text: str, place: Place) -> str:
    """The text with the file's own line numbers."""
    return _LINE.sub(lambda m: place(int(m[1])) or m[0], text)


def succeeded(printed: str) -> str:
    """What ngspice printed, without the steps of a search for an operating point, which fail on the way."""
    return "\n".join(line for line in without_shown(printed).splitlines() if not _PROGRESS.search(line))


def cause(printed: str, place: Place) -> str:
    """Says in a line why ngspice failed; empty if it is none of the known reasons."""
    for pattern, sentence in _CAUSES:
        if found := re.search(pattern, printed, re.MULTILINE):
            values = [(value or "0").strip().replace('"', "") for value in found.groups()]
            near = printed[max(0, found.start() - 300) : found.end() + 200]
            where = next((place(int(m[1])) for m in _LINE.finditer(near) if place(int(m[1]))), "")
            said = sentence.format(*values, hint=_HINT)
            return f"{where}: {said}" if where else said
    return ""


def telling(printed: str, place: Place) -> str:
    """Lines that ngspice printed around the first error, without tables of values and steps on the way."""
    lines = [line for line in printed.splitlines() if line.strip() and not _PROGRESS.search(line)]
    first = next((i for i, line in enumerate(lines) if is_error(line)), max(len(lines) - 1, 0))
    return placed("\n".join(lines[max(0, first - 3) : first + 8])[-2000:], place)


def warnings_of(printed: str, place: Place, *, every: bool = False) -> list[str]:
    """What ngspice warns of: each with the lines that belong to it, once, in the words and lines of the file.

    Parameters
    ----------
    every : bool
        Whether all lines warn: on stderr are also commands of a control block that failed, whose words nobody can list.
    """
    said: list[str] = []
    lines = printed.splitlines()
    place = cache(place)
    used = -1
    for i, line in enumerate(lines):
        if i <= used or not line.strip() or _PROGRESS.search(line) or not (every or _WARNING.search(line)):
            continue
        block = [line.strip()]
        # "Warning: Model issue on line 5 :" has the card and the reason in the lines after it.
        if line.rstrip().endswith((":", ",")):
            block += takewhile(lambda more: more and not _BEGINS.match(more), (more.strip() for more in lines[i + 1 : i + 4]))
        used = i + len(block) - 1
        text = placed(" ".join(block), place)
        if found := re.search(r"singular matrix:\s+check nodes? \S+", text):
            text = cause(found[0], lambda n: "") + "; ngspice found a solution by a detour, which need not be the circuit's"
        said.append(f"ngspice: {text}")
    said = list(dict.fromkeys(said))
    return said if len(said) <= MOST else [*said[:MOST], f"ngspice: {len(said) - MOST} more warnings"]


def measurements(lines: Iterable[str]) -> dict[str, float | None]:
    """Results of ``.meas`` cards among printed lines; None for one that failed."""
    found: dict[str, float | None] = {}
    for name, value in _measured(lines):
        if value is not None or name not in found:
            found[name] = value
    return found


def repeated_measurements(lines: Iterable[str]) -> dict[str, float | None]:
    """Results of ``meas`` commands among printed lines: one that a loop takes again is ``NAME#2``, ``NAME#3`` ... from then on."""
    found: dict[str, float | None] = {}
    count: dict[str, int] = {}
    for name, value in _measured(lines):
        count[name] = count.get(name, 0) + 1
        found[name if count[name] == 1 else f"{name}#{count[name]}"] = value
    return found


def _measured(lines: Iterable[str]) -> Iterator[tuple[str, float | None]]:
    for line in lines:
        if match := _MEASURED.match(line):
            yield match[1].lower(), float(match[2])
        elif match := _FAILED.match(line):
            yield (match[1] or match[2]).lower(), None
