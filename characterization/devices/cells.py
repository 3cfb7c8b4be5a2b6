"""Sorts the rows of measured tables by what they tell: written errors, stuck cells, drift, series of reads, I-V sweeps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from netlists.errors import InputError

from .curvature import parts
from .reads import LEAST_READS
from .tables import MeasuredTable

STUCK_WORDS = ("stuck", "short", "open", "dead")
_LEAST_CONDUCTANCE = 1e-9


@dataclass(eq=False)
class MeasuredCells:
    """What the tables hold, siemens and seconds.

    Attributes
    ----------
    written : DataFrame
        ``target`` and ``error`` of each written cell.
    drift : DataFrame
        ``target``, ``time``, ``deviation``; empty without times.
    reads : list of (cell, target, series)
        The target is NaN where the table has none.
    repeats : list of (target, series)
        Two reads or more of a cell, too few for time constants; without a target their mean.
    sweeps : list of (state, voltage, current)
        One rising or falling part each.
    stuck : DataFrame
        ``cell``, ``conductance``, and ``row``, ``column``, ``target``, ``note`` where the tables have them.
    cells : int
        Cells that were written, stuck ones included.
    said : list of str
        How rows were taken, for the user; every choice that the tables left open.
    warnings : list of str
    """

    written: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"target": [], "error": []}))
    drift: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"target": [], "time": [], "deviation": []}))
    reads: list[tuple[str, float, np.ndarray]] = field(default_factory=list)
    repeats: list[tuple[float, np.ndarray]] = field(default_factory=list)
    sweeps: list[tuple[str, np.ndarray, np.ndarray]] = field(default_factory=list)
    stuck: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"cell": [], "conductance": []}))
    cells: int = 0
    said: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def sort_cells(tables: list[MeasuredTable], *, stuck_beyond: float | None = None) -> MeasuredCells:
    """Sorts the rows of all tables.

    Parameters
    ----------
    stuck_beyond : float or None
        Siemens: a cell that is farther from its target counts as stuck; None: only cells whose note says so.

    Raises
    ------
    InputError
        Rows of one cell that cannot be told apart, an empty or negative conductance of a cell that is not stuck.
    """
    out = MeasuredCells()
    written_too = any(t.kind == "written" for t in tables)
    for table in tables:
        if table.kind == "iv":
            _add_sweeps(out, table)
            continue
        frame = _without_stuck(out, table, stuck_beyond)
        if table.kind == "reads":
            frame = _add_reads(out, table, frame)
            if written_too or "target" not in frame:
                out.said.append(f"{table.path.name}: taken for read noise alone, not as written cells")
                continue
        _add_written(out, table, frame)
    return out


def _without_stuck(out: MeasuredCells, table: MeasuredTable, beyond: float | None) -> pd.DataFrame:
    """The rows of cells that are not stuck; the others go to ``out.stuck``, each cell once."""
    frame, name = table.frame.copy(), table.path.name
    stuck = np.zeros(len(frame), bool)
    if "note" in frame:
        words = frame["note"].str.lower()
        stuck = words.str.contains("|".join(STUCK_WORDS)).to_numpy(copy=True)
        if others := sorted(set(frame["note"][~stuck & (words != "").to_numpy()])):
            out.warnings.append(
                f"{name}: notes {', '.join(map(repr, others[:5]))} are none of {', '.join(STUCK_WORDS)}: their rows are kept"
            )
    if beyond is not None and "target" in frame:
        stuck |= (np.abs(frame["measured"] - frame["target"]) > beyond).to_numpy()
    if "cell" in frame:
        # A cell that is stuck once is stuck.
        stuck = frame["cell"].isin(set(frame["cell"][stuck])).to_numpy()
    empty = ~stuck & frame["measured"].isna().to_numpy()
    if empty.any():
        out.warnings.append(f"{name}: {int(empty.sum())} of {len(frame)} rows have no measured value and are left out")
        frame, stuck = frame[~empty], stuck[~empty]
    bad = ~stuck & ~(frame["measured"] > 0).to_numpy()
    if bad.any():
        first = frame.index[bad][0]
        raise InputError(
            f"{table.path}: row {first + 1} below the names: measured {frame['measured'][first]:g} S: "
            f"must be above 0, unless its note says {', '.join(STUCK_WORDS)}"
        )
    found = frame[stuck]
    if len(found):
        keys = [k for k in ("row", "column", "note", "target") if k in found]
        label = found["cell"] if "cell" in found else pd.Series([f"row {i + 1}" for i in found.index], found.index)
        rows = found.assign(cell=label).groupby("cell", sort=False).agg({"measured": "mean"} | dict.fromkeys(keys, "first"))
        rows = rows.rename(columns={"measured": "conductance"}).reset_index()
        low = ~(rows["conductance"] > _LEAST_CONDUCTANCE)
        if low.any():
            out.warnings.append(
                f"{name}: {int(low.sum())} stuck cells conduct nothing; they are taken with {_LEAST_CONDUCTANCE:g} S"
            )
            rows.loc[low, "conductance"] = _LEAST_CONDUCTANCE
        out.stuck = rows if out.stuck.empty else pd.concat([out.stuck, rows], ignore_index=True)
        out.cells += len(rows)
    return frame[~stuck]


def _cell_of(table: MeasuredTable, frame: pd.DataFrame, keys: list[str], what: str) -> tuple[pd.Series, str]:
    """A name of each row's cell; without a column of cells the target is the cell, if that is unambiguous."""
    if "cell" in frame:
        if frame.duplicated(["cell", *[k for k in ("target", *keys) if k in frame]]).any():
            raise InputError(
                f"{table.path}: a cell has several rows of the same {' and '.join(keys)}; each {what} must be there once"
            )
        label = frame["cell"]
        return (label + " at " + (1e6 * frame["target"]).map("{:g} uS".format) if "target" in frame else label), "cell"
    own = ["target", *keys] if "target" in frame else keys
    if frame.duplicated(own).any():
        raise InputError(
            f"{table.path}: several rows have the same {', '.join(own)} and no column says which cell they are; add one"
        )
    if "target" not in frame:
        return pd.Series("cell", frame.index), "one cell"
    return (1e6 * frame["target"]).map("{:g} uS".format), "target"


def _add_reads(out: MeasuredCells, table: MeasuredTable, frame: pd.DataFrame) -> pd.DataFrame:
    """Adds series of reads; returns the first read of each cell and time."""
    keys = ["time", "read"] if "time" in frame else ["read"]
    label, how = _cell_of(table, frame, keys, "read")
    frame = frame.assign(label=label).sort_values(["label", *keys], kind="stable")
    whole = ["label", "time"] if "time" in frame else ["label"]
    for key, rows in frame.groupby(whole, sort=False):
        name = ", ".join(str(k) for k in key) if isinstance(key, tuple) else str(key)
        target = float(rows["target"].iloc[0]) if "target" in rows else np.nan
        own = rows["measured"].to_numpy()
        if len(own) >= LEAST_READS:
            out.reads.append((name, target, own))
        elif len(own) > 1:
            out.repeats.append((float(own.mean()) if np.isnan(target) else target, own))
    of = "cell and time" if "time" in frame else "cell"
    out.said.append(
        f"{table.path.name}: cells are told apart by {how}; {len(out.reads)} series of {LEAST_READS} reads or more of a {of}, "
        f"{len(out.repeats)} of 2 to {LEAST_READS - 1}"
    )
    return frame.groupby(whole, sort=False, as_index=False).first()


def _add_written(out: MeasuredCells, table: MeasuredTable, frame: pd.DataFrame) -> None:
    first = frame
    if "time" in frame:
        if "cell" in frame:
            _cell_of(table, frame, ["time"], "time")
            first = frame.sort_values("time", kind="stable").groupby(["cell", "target"], sort=False, as_index=False).first()
        else:
            first = frame[frame["time"] == frame.groupby("target")["time"].transform("min")]
        if frame["time"].nunique() > 1:
            rows = pd.DataFrame(
                {"target": frame["target"], "time": frame["time"], "deviation": frame["measured"] - frame["target"]}
            )
            out.drift = pd.concat([out.drift, rows], ignore_index=True) if len(out.drift) else rows
        out.said.append(
            f"{table.path.name}: the error of a written cell is the one at its earliest time, {frame['time'].min():g} s"
        )
    if "cell" in first and (again := int(first.duplicated(["cell", "target"]).sum())):
        out.warnings.append(
            f"{table.path.name}: {again} rows are of a cell and target that stand above them: each is taken for a cell "
            "written anew; if they are reads of what was written once, a column must say which read or at which time"
        )
    rows = pd.DataFrame({"target": first["target"], "error": first["measured"] - first["target"]})
    out.written = pd.concat([out.written, rows], ignore_index=True) if len(out.written) else rows.reset_index(drop=True)
    out.cells += len(rows)


def _add_sweeps(out: MeasuredCells, table: MeasuredTable) -> None:
    frame = table.frame
    groups = frame.groupby("sweep", sort=False) if "sweep" in frame else [("sweep", frame)]
    unsigned = []
    for name, rows in groups:
        v, i = rows["voltage"].to_numpy(), rows["current"].to_numpy()
        if np.sum(v * i) < 0:
            unsigned.append(str(name))
            i = np.sign(v) * np.abs(i)
        for n, part in enumerate(parts(v), start=1):
            out.sweeps.append((f"{name}, part {n}", v[part], i[part]))
    if unsigned:
        out.warnings.append(f"{table.path.name}: currents against their voltage are taken as magnitudes: {'; '.join(unsigned)}")
