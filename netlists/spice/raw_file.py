"""Binary raw files, as ``ngspice -b -r FILE`` writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netlists.errors import SimulationError


@dataclass(frozen=True)
class RawPlot:
    """First plot of a raw file.

    Attributes
    ----------
    name : str
        ngspice's name of the analysis, such as ``Transient Analysis``.
    names, units : tuple of str
        Of each vector, names in lower case; the scale is the first.
    values : ndarray (points, vectors)
        Real or complex.
    """

    name: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray


def read_raw_plot(path: Path) -> RawPlot:
    """Reads a binary raw file.

    Raises
    ------
    SimulationError
        If the file is missing or is no complete binary raw file.
    """
    try:
        head, mark, body = path.read_bytes().partition(b"\nBinary:\n")
    except FileNotFoundError:
        raise SimulationError("ngspice wrote no raw file") from None
    text = head.decode("ascii", errors="replace")
    fields = dict(re.findall(r"^(Plotname|Flags|No\. Variables|No\. Points):\s*(.*?)\s*$", text, re.MULTILINE))
    vectors = re.findall(r"^\t\d+\t(\S+)\t(\S+)", text, re.MULTILINE)
    try:
        points, variables = int(fields["No. Points"]), int(fields["No. Variables"])
        kind = np.dtype(complex if "complex" in fields["Flags"] else float)
        if not mark or variables != len(vectors):
            raise ValueError("header")
        values = np.frombuffer(body, kind, count=points * variables).reshape(points, variables)
    except (KeyError, ValueError) as e:
        raise SimulationError(f"ngspice wrote no complete raw file ({e})") from None
    return RawPlot(fields["Plotname"], tuple(n.lower() for n, _ in vectors), tuple(u for _, u in vectors), values)
