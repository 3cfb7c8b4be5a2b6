"""A module of Verilog-A as a subcircuit: ports and parameters are read here, its behaviour is compiled (`netlists.spice.osdi`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netlists.errors import InputError
from netlists.quantities import spice_number
from netlists.spice import compiled

SUFFIXES = (".va", ".vams")
LARGEST = 2_000_000
"""Characters that a file may have."""
_STANDARD = frozenset(("disciplines.vams", "constants.vams", "discipline.h", "constants.h"))
"""Files that the compiler brings along; no other may be included."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?[TGMKkmunpfa]?", re.IGNORECASE)
_SCALES = {"T": 1e12, "G": 1e9, "M": 1e6, "K": 1e3, "k": 1e3, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18}
_MODULE = re.compile(r"\bmodule\s+(\w+)\s*(?:#\s*\((?:[^()]|\([^()]*\))*\)\s*)?\(([^()]*)\)\s*;")
_RANDOM = re.compile(r"\$(?:random|arandom|rdist_\w+|dist_\w+)\b")
_TASKS = re.compile(r"\$(?:fopen|fclose|fwrite|fdisplay|fstrobe|fmonitor|fscanf|fgets|readmem\w*|system|simparam\$str)\b")


@dataclass(frozen=True)
class Module:
    """Head of a module.

    Attributes
    ----------
    name : str
        As its file writes it.
    ports : tuple of str
        Lower case, in order.
    parameters : dict
        Parameters with plain numbers as defaults: those that can be set.
    """

    name: str
    ports: tuple[str, ...]
    parameters: dict[str, float]

    def subcircuit(self) -> str:
        """SPICE text of the subcircuit that has one instance of it, with the same ports and parameters."""
        own = self.name.lower()
        head = " ".join([f".subckt {own}", *self.ports, *(f"{n.lower()}={v!r}" for n, v in self.parameters.items())])
        values = " ".join(f"{n}={{{n.lower()}}}" for n in self.parameters)
        model = f".model {own}_compiled {own}{f' ({values})' if values else ''}"
        return f"{head}\nN1 {' '.join(self.ports)} {own}_compiled\n{model}\n.ends {own}\n"


def read_module(text: str, name: str, file: str) -> Module:
    """The module of this name, in any case.

    Raises
    ------
    InputError
        There is none, or the file holds what is not compiled here: other files, random numbers, reading and writing of files.
    """
    if len(text) > LARGEST:
        raise InputError(f"{file}: has more than {LARGEST // 1_000_000} million characters")
    plain = re.sub(r"//[^\n]*", "", re.sub(r"/\*.*?(?:\*/|\Z)", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL))
    for found in re.finditer(r"`include\b[ \t]*([^\n]*)", plain):
        if found[1].strip().strip('"<>') not in _STANDARD:
            where = f"{file}, line {plain.count(chr(10), 0, found.start()) + 1}"
            raise InputError(
                f"{where}: includes {found[1].strip()!a}: put its text into the file; {', '.join(sorted(_STANDARD))} are known"
            )
    if random := _RANDOM.search(plain):
        where = f"{file}, line {plain.count(chr(10), 0, random.start()) + 1}"
        raise InputError(f"{where}: {random[0]} draws anew at every use, so that no two probes see one block: take it out")
    if task := _TASKS.search(plain):
        raise InputError(f"{file}, line {plain.count(chr(10), 0, task.start()) + 1}: {task[0]}: reads or writes files")
    there = {m[1].lower(): m for piece in re.split(r"\bendmodule\b", plain)[:-1] if (m := _MODULE.search(piece))}
    if name not in there:
        known = ", ".join(m[1] for m in there.values()) or "none"
        raise InputError(f"{file}: has no module {name} with a list of ports; it has {known}")
    module = there[name]
    ports = tuple(re.split(r"\s+", p.strip())[-1].lower() for p in module[2].split(",") if p.strip())
    if bad := [p for p in ports if not re.fullmatch(r"[a-z_]\w*", p)]:
        raise InputError(f"{file}: module {module[1]}: port {bad[0]!r}: buses and escaped names are not taken")
    return Module(module[1], ports, _parameters(module.string[module.end() :]))


def _parameters(body: str) -> dict[str, float]:
    """Parameters whose default is a plain number."""
    found: dict[str, float] = {}
    for statement in re.sub(r"\(\*.*?(?:\*\)|\Z)", "", body, flags=re.DOTALL).split(";")[:-1]:
        if card := re.search(r"\bparameter\b", statement):
            for item in statement[card.end() :].split(","):
                name, _, value = item.partition("=")
                number = re.split(r"\b(?:from|exclude)\b", value)[0].strip()
                if name.strip() and _NUMBER.fullmatch(number):
                    found[name.split()[-1]] = _number(number)
    return found


def _number(text: str) -> float:
    """A number of Verilog-A: M is mega there, m is milli."""
    return float(text[:-1]) * _SCALES[text[-1]] if text[-1] in _SCALES else spice_number(text)


def compile_module(text: str, name: str) -> str:
    """File of the compiled form; see `netlists.spice.osdi.compiled`."""
    return str(compiled({f"{name}.va": text.encode()}, f"{name}.va", f"Verilog-A module {name}"))
