"""Binary raw files, as ``ngspice -b -r FILE`` and the command ``write`` make them."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    lengths : tuple of int
        Of each vector: a number computed from the others, say, stands in row 0 alone. Empty: all are whole.
    """

    name: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    lengths: tuple[int, ...] = ()


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
    vectors = re.findall(r"^\t\d+\t(\S+)\t(\S+)(.*)$", text, re.MULTILINE)
    try:
        points, variables = int(fields["No. Points"]), int(fields["No. Variables"])
        kind = np.dtype(complex if "complex" in fields["Flags"] else float)
        if not mark or variables != len(vectors):
            raise ValueError("header")
        values = np.frombuffer(body, kind, count=points * variables).reshape(points, variables)
    except (KeyError, ValueError) as e:
        raise SimulationError(f"ngspice wrote no complete raw file ({e})") from None
    dims = [re.search(r"\bdims=(\d+)", rest) for _, _, rest in vectors]
    lengths = tuple(min(points, int(d[1])) if d else points for d in dims)
    return RawPlot(fields["Plotname"], tuple(n.lower() for n, *_ in vectors), tuple(u for _, u, _ in vectors), values, lengths)


def write_raw_plots(path: Path, plots: Sequence[RawPlot], title: str) -> None:
    """Writes plots one after the other into a binary raw file, which ngspice and waveform viewers load."""
    with open(path, "wb") as file:
        for plot in plots:
            kind = "complex" if np.iscomplexobj(plot.values) else "real"
            rows = "".join(f"\t{i}\t{n}\t{u}\n" for i, (n, u) in enumerate(zip(plot.names, plot.units, strict=True)))
            head = (
                f"Title: {title}\nDate: \nPlotname: {plot.name}\nFlags: {kind}\nNo. Variables: {len(plot.names)}\n"
                f"No. Points: {len(plot.values)}\nVariables:\n{rows}Binary:\n"
            )
            file.write(head.encode("ascii", errors="replace"))
            file.write(np.ascontiguousarray(plot.values, complex if kind == "complex" else float).tobytes())
