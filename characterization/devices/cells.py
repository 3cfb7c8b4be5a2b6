"""Sorts the rows of measured tables by what they tell: written errors, stuck cells, drift, series of reads, I-V sweeps."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from netlists.errors import InputError

from .curvature import LEAST_POINTS, parts
from .reads import LEAST_READS
from .tables import MeasuredTable, different, different_temperatures

STUCK_WORDS = ("stuck", "short", "open", "dead")
_STUCK = re.compile(rf"\b(?:{'|'.join(STUCK_WORDS)})", re.IGNORECASE)
_NOT_STUCK = re.compile(rf"\b(?:not|no|non|never|un)[\s-]*(?:{'|'.join(STUCK_WORDS)})", re.IGNORECASE)
_LEAST_CONDUCTANCE = 1e-9
_EVEN = 2.0
"""By which factor the times between the reads of a series may differ."""


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
        Two reads or more of a cell, too few for time constants; the target is NaN where the table has none.
    sweeps : list of (state, voltage, current)
        One rising or falling part each.
    stuck : DataFrame
        ``cell``, ``conductance``, and ``row``, ``column``, ``target``, ``note`` where the tables have them.
    cells : int
        Cells that were written, stuck ones included; each counts once, whatever the number of its targets, times and tables.
    read_interval : float or None
        Seconds between two reads, where the tables have the time of each.
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
    read_interval: float | None = None
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
    _one_temperature(tables)
    written_too = any(t.kind == "written" for t in tables)
    found = []
    for table in tables:
        if table.kind == "iv":
            _add_sweeps(out, table)
            continue
        alone = table.kind == "reads" and (written_too or "target" not in table.frame)
        frame = _sampled(out, table, alone) if table.kind == "reads" else table.frame.copy()
        if table.kind == "reads" and "cell" not in frame and "target" in frame:
            frame["label"] = _shown(frame["target"])
        else:
            frame["label"] = frame["cell"] if "cell" in frame else [f"row {i + 1}" for i in frame.index]
        found.append((table, frame, _noted(out, table, frame, stuck_beyond), alone))
    # A cell that is stuck once is stuck, in every table that names it.
    names = set().union(*(set(frame["cell"][stuck]) for _, frame, stuck, _ in found if "cell" in frame))
    written: list[pd.DataFrame] = []
    seen: dict[str, str] = {}
    for table, whole, stuck, alone in found:
        stuck = whole["cell"].isin(names).to_numpy() if "cell" in whole else stuck
        frame = _kept(out, table, whole, stuck)
        if alone:
            if stuck.any():
                out.warnings.append(f"{table.path.name}: {int(stuck.sum())} rows of stuck cells are left out of the read noise")
        else:
            _say_again(out, table, whole, seen)
            _count(out, table, whole, stuck, seen)
        if table.kind == "reads":
            frame = _add_reads(out, table, frame)
            if alone:
                out.said.append(f"{table.path.name}: taken for read noise alone, not as written cells")
                continue
        written.append(_written_rows(out, table, frame))
    _add_written(out, written)
    return out


def _one_temperature(tables: list[MeasuredTable]) -> None:
    found = [t for t in tables if "temperature" in t.frame]
    if found and len(different_temperatures(pd.concat([t.frame["temperature"] for t in found]))) > 1:
        said = ", ".join(f"{t.path.name} has {different(t.frame['temperature'])[0]}" for t in found)
        raise InputError(f"temperature: {said}: a profile is of one temperature; give the tables of one")


def _noted(out: MeasuredCells, table: MeasuredTable, frame: pd.DataFrame, beyond: float | None) -> np.ndarray:
    """Which rows are of a stuck cell, by their notes and by their distance from the target."""
    stuck, name = np.zeros(len(frame), bool), table.path.name
    if "note" in frame:
        own = frame["note"]
        stuck = (own.str.contains(_STUCK) & ~own.str.contains(_NOT_STUCK)).to_numpy(copy=True)
        if stuck.any():
            shown = ", ".join(map(repr, sorted(set(own[stuck]))[:5]))
            out.said.append(f"{name}: {int(stuck.sum())} rows are of stuck cells by their notes, {shown}")
        if others := sorted(set(own[~stuck & (own != "").to_numpy()])):
            out.warnings.append(
                f"{name}: notes {', '.join(map(repr, others[:5]))} are none of {', '.join(STUCK_WORDS)}: their rows are kept"
            )
    if beyond is not None and "target" in frame:
        stuck |= np.abs(_distance(frame)) > beyond
    return stuck


def _distance(frame: pd.DataFrame) -> np.ndarray:
    """How far each row is from its target; after the first time, when all have drifted, from the middle of the others.

    A cell with a name is judged at the first time alone (0 later): its spread grows too.
    """
    away = frame["measured"] - frame["target"]
    if "time" not in frame:
        return away.to_numpy()
    late = frame["time"] > frame.groupby("target")["time"].transform("min")
    if "cell" in frame:
        return away.where(~late, 0.0).to_numpy()
    middle = away.groupby([frame["target"], frame["time"]]).transform("median")
    return away.where(~late, away - middle).to_numpy()


def _kept(out: MeasuredCells, table: MeasuredTable, frame: pd.DataFrame, stuck: np.ndarray) -> pd.DataFrame:
    """The rows that are measured and of cells that are not stuck."""
    empty = ~stuck & frame["measured"].isna().to_numpy()
    if empty.any():
        out.warnings.append(f"{table.path.name}: {int(empty.sum())} of {len(frame)} rows have no measured value and are left out")
    frame = frame[~empty & ~stuck]
    bad = ~(frame["measured"] > 0).to_numpy()
    if bad.any():
        first = frame.index[bad][0]
        raise InputError(
            f"{table.path}: row {first + 1} below the names: measured {frame['measured'][first]:g} S: "
            f"must be above 0, unless its note says {', '.join(STUCK_WORDS)}"
        )
    return frame


def _count(out: MeasuredCells, table: MeasuredTable, frame: pd.DataFrame, stuck: np.ndarray, seen: dict[str, str]) -> None:
    """Counts the cells of a table, and adds those that are stuck; a named cell once, whatever its rows."""
    found = frame[stuck]
    if table.kind == "written" and "cell" not in frame and "time" in frame and frame["time"].nunique() > 1:
        # Rows of one time and target are so many cells; which of them are those of another time is not known.
        each = pd.DataFrame({"target": frame["target"], "time": frame["time"], "stuck": stuck})
        sizes = each.groupby(["target", "time"])["stuck"].agg(["size", "sum"]).reset_index()
        worst = sizes.sort_values(["sum", "time"], kind="stable").groupby("target").last()
        found = found[found["time"].to_numpy() == worst["time"].reindex(found["target"]).to_numpy()]
        out.cells += int(sizes.groupby("target")["size"].max().sum())
        if len(found):
            out.said.append(
                f"{table.path.name}: no column says which cell a row is of: stuck cells of a target are counted at the time "
                "with most of them"
            )
    elif "cell" in frame:
        new = set(frame["cell"]) - set(seen)
        out.cells += len(new)
        found = found[found["cell"].isin(new)]
        seen |= dict.fromkeys(new, table.path.name)
    else:
        out.cells += frame["label"].nunique()
    if len(found):
        keys = [k for k in ("row", "column", "note", "target") if k in found]
        rows = (
            found.assign(cell=found["label"]).groupby("cell", sort=False).agg({"measured": "mean"} | dict.fromkeys(keys, "first"))
        )
        rows = rows.rename(columns={"measured": "conductance"}).reset_index()
        low = ~(rows["conductance"] > _LEAST_CONDUCTANCE)
        if low.any():
            out.warnings.append(
                f"{table.path.name}: {int(low.sum())} stuck cells conduct nothing; they are taken with {_LEAST_CONDUCTANCE:g} S"
            )
            rows.loc[low, "conductance"] = _LEAST_CONDUCTANCE
        out.stuck = rows if out.stuck.empty else pd.concat([out.stuck, rows], ignore_index=True)


def _say_again(out: MeasuredCells, table: MeasuredTable, frame: pd.DataFrame, seen: dict[str, str]) -> None:
    if "cell" in frame and (again := sorted(set(frame["cell"]) & set(seen))):
        out.warnings.append(
            f"{table.path.name}: {len(again)} cells have names of {', '.join(sorted({seen[c] for c in again}))} and are taken for "
            "the same; if they are others, a column must say of which chip"
        )


def _shown(target: pd.Series) -> pd.Series:
    """Targets as text, also where there is none."""
    return (1e6 * target).map("{:g} uS".format).astype(str)


def _cell_of(table: MeasuredTable, frame: pd.DataFrame, keys: list[str], what: str) -> tuple[pd.Series, str]:
    """A name of each row's cell; without a column of cells the target is the cell, if that is unambiguous."""
    if "cell" in frame:
        if frame.duplicated(["cell", *[k for k in ("target", *keys) if k in frame]]).any():
            raise InputError(
                f"{table.path}: a cell has several rows of the same {' and '.join(keys)}; each {what} must be there once"
            )
        label = frame["cell"]
        return (label + " at " + _shown(frame["target"]) if "target" in frame else label), "cell"
    own = ["target", *keys] if "target" in frame else keys
    if frame.duplicated(own).any():
        raise InputError(
            f"{table.path}: several rows have the same {', '.join(own)} and no column says which cell they are; add one"
        )
    if "target" not in frame:
        return pd.Series("cell", frame.index), "one cell"
    return _shown(frame["target"]), "target"


def _add_reads(out: MeasuredCells, table: MeasuredTable, frame: pd.DataFrame) -> pd.DataFrame:
    """Adds series of reads; returns the first read of each cell and time."""
    keys = ["time", "read"] if "time" in frame else ["read"]
    label, how = _cell_of(table, frame, keys, "read")
    frame = frame.assign(label=label).sort_values(["label", *keys], kind="stable")
    whole = ["label", "time"] if "time" in frame else ["label"]
    before = len(out.reads), len(out.repeats)
    begins = ~frame.duplicated(whole).to_numpy()
    first = frame[begins]
    targets = first["target"].tolist() if "target" in frame else [np.nan] * len(first)
    # Rows of a series follow each other.
    found = np.split(frame["measured"].to_numpy(), np.flatnonzero(begins)[1:]) if len(frame) else []
    for key, target, own in zip(first[whole].itertuples(index=False), targets, found, strict=True):
        if len(own) >= LEAST_READS:
            out.reads.append((", ".join(map(str, key)), target, own))
        elif len(own) > 1:
            out.repeats.append((target, own))
    of = "cell and time" if "time" in frame else "cell"
    series, few = len(out.reads) - before[0], len(out.repeats) - before[1]
    out.said.append(
        f"{table.path.name}: cells are told apart by {how}; {series} series of {LEAST_READS} reads or more of a {of}, "
        f"{few} of 2 to {LEAST_READS - 1}"
    )
    return first.reset_index(drop=True)


def _sampled(out: MeasuredCells, table: MeasuredTable, alone: bool) -> pd.DataFrame:
    """The rows of a table; times that each read of a cell has for itself, evenly apart, are those of reading, not of drift.

    Two times in all are those of drift, unless the table tells read noise ``alone``.
    """
    frame = table.frame.copy()
    if "time" not in frame or (frame["time"].nunique() <= 2 and not alone):
        return frame
    own = [k for k in ("cell", "target") if k in frame]
    if any(frame.duplicated([*own, k]).any() for k in ("time", "read")):
        return frame
    ordered = frame.sort_values([*own, "time"])
    steps = ordered["time"].diff()[ordered.duplicated(own) if own else ordered.index != ordered.index[0]].to_numpy()
    if not len(steps):
        return frame
    middle = float(np.median(steps))
    if not middle / _EVEN <= steps.min() <= steps.max() <= middle * _EVEN:
        return frame
    if out.read_interval is not None and not 1 / _EVEN <= middle / out.read_interval <= _EVEN:
        raise InputError(
            f"{table.path}: its reads are {middle:.3g} s apart, those of another table {out.read_interval:.3g} s: a profile has "
            "one time between reads; give tables of one"
        )
    out.read_interval = middle if out.read_interval is None else out.read_interval
    out.said.append(
        f"{table.path.name}: each read of a cell has a time of its own: they are {middle:.3g} s apart, and tell no drift"
    )
    return frame.drop(columns="time")


def _written_rows(out: MeasuredCells, table: MeasuredTable, frame: pd.DataFrame) -> pd.DataFrame:
    """Target, error, time (NaN without) and cell (None without) of a table's rows."""
    rows = pd.DataFrame({"target": frame["target"], "error": frame["measured"] - frame["target"], "time": np.nan})
    rows["cell"] = frame["cell"].astype(object) if "cell" in frame else None
    if "time" in frame:
        if "cell" in frame:
            _cell_of(table, frame, ["time"], "time")
        rows["time"] = frame["time"]
        out.said.append(
            f"{table.path.name}: the error of a written cell is the one at its earliest time, {frame['time'].min():g} s"
        )
    elif "cell" in frame and (again := int(frame.duplicated(["cell", "target"]).sum())):
        out.warnings.append(
            f"{table.path.name}: {again} rows are of a cell and target that stand above them: each is taken for a cell "
            "written anew; if they are reads of what was written once, a column must say which read or at which time"
        )
    return rows.assign(table=str(table.path))


def _add_written(out: MeasuredCells, found: list[pd.DataFrame]) -> None:
    """Adds the error of each written cell: the row without a time, else the one at the earliest time of its target; and drift.

    Drift are the rows of a table with several times, and those of cells with names that have several in all tables together.
    """
    if not found:
        return
    rows = pd.concat(found, ignore_index=True)
    timed = rows["time"].notna()
    named = timed & rows["cell"].notna()
    own = pd.MultiIndex.from_frame(rows[["cell", "target"]])
    several = rows.groupby("table")["time"].transform("nunique") > 1
    several |= named & (rows.groupby(["cell", "target"])["time"].transform("nunique") > 1)
    drift = rows.loc[several, ["target", "time"]].assign(deviation=rows["error"])
    out.drift = drift.reset_index(drop=True) if several.any() else out.drift
    # Of a cell that stands in a table without times too, those with times are later readings.
    later = named & own.isin(own[(~timed & rows["cell"].notna()).to_numpy()])
    # Without names each table has cells of its own.
    group = [rows["target"], rows["table"].where(timed & ~named, "")]
    first = rows["time"].where(timed & ~later).groupby(group).transform("min")
    kept = ~timed | (~later & (rows["time"] == first))
    late = rows[named & ~later & ~own.isin(own[(named & kept).to_numpy()])].drop_duplicates(["cell", "target"])
    for name, some in late.groupby("table", sort=False):
        out.warnings.append(
            f"{Path(name).name}: {len(some)} cells have no value at the earliest time of their target: they tell drift, but no "
            "written error"
        )
    if later.any():
        out.said.append(
            f"{int(later.sum())} rows with times are of cells that a table without times has: their written error is there"
        )
    if len(out.drift) and (~timed).any():
        out.warnings.append(
            f"some written cells have no time: drift counts from {out.drift['time'].min():g} s, and what changed before is left out"
        )
    ages = rows[kept & timed].groupby("target")["time"].agg(["min", "max"])
    if len(apart := ages[ages["max"] > _EVEN * ages["min"]]):
        worst = apart.iloc[0]
        out.warnings.append(
            f"written cells of {len(apart)} targets have their first value at different times, {worst['min']:g} to "
            f"{worst['max']:g} s at one: their errors hold the drift in between; a column that names cells tells which are the same"
        )
    out.written = rows.loc[kept, ["target", "error"]].reset_index(drop=True)


def _add_sweeps(out: MeasuredCells, table: MeasuredTable) -> None:
    frame, name = table.frame, table.path.name
    keys = [k for k in ("sweep", "cell", "target") if k in frame]
    groups = frame.groupby(keys, sort=False) if keys else [(("sweep",), frame)]
    unsigned, short = [], []
    for key, rows in groups:
        state = ", ".join(f"{1e6 * k:g} uS" if isinstance(k, float) else str(k) for k in key)
        v, i = rows["voltage"].to_numpy(), rows["current"].to_numpy()
        against = [np.sign(v) == side for side in (1, -1) if np.sum((v * i)[np.sign(v) == side]) < 0]
        if against:
            unsigned.append(state)
            i = np.where(np.any(against, axis=0), np.sign(v) * np.abs(i), i)
        found = parts(v)
        short += [state] * (not found)
        for n, part in enumerate(found, start=1):
            out.sweeps.append((f"{state}, part {n}", v[part], i[part]))
    if unsigned:
        out.warnings.append(f"{name}: currents against their voltage are taken as magnitudes: {'; '.join(unsigned[:8])}")
    if short:
        out.warnings.append(
            f"{name}: {len(short)} of {len(groups)} sweeps have no {LEAST_POINTS} voltages in a row that rise or fall, and are "
            f"left out: {'; '.join(short[:8])}; are rows in the order in which they were measured?"
        )
