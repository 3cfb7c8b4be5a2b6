"""A device profile from measured cells, with its errors, checks and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from characterization.estimates import proportion_interval
from netlists.errors import InputError
from netlists.technology import DeviceProfile

from .cells import MeasuredCells
from .curvature import LARGEST_VOLTAGE, LEAST_POINTS, CurvatureFit, check_curves, fit_curve_of, mean_curvature
from .drift import Drift, check_drift, fit_drift
from .reads import ReadNoise, check_reads, fit_reads, fit_repeats
from .written import DRAWS, HeldOut, WrittenLaw, check_written, fit_written

FAR = 12
"""Times the median deviation of a target's cells from which on a cell may be stuck; 8 standard deviations of a Gaussian."""


@dataclass(frozen=True, eq=False)
class DeviceFit:
    """What was fitted.

    Attributes
    ----------
    profile : DeviceProfile
    written : WrittenLaw or None
    reads : list of ReadNoise
    drift : Drift or None
    curves : list of CurvatureFit
    checks : list of HeldOut
    warnings : list of str
    """

    profile: DeviceProfile
    written: WrittenLaw | None
    reads: list[ReadNoise]
    drift: Drift | None
    curves: list[CurvatureFit]
    checks: list[HeldOut]
    warnings: list[str] = field(default_factory=list)


def fit_profile(
    cells: MeasuredCells,
    name: str,
    *,
    base: DeviceProfile | None = None,
    given: Mapping[str, float] | None = None,
    window: float | None = None,
    resample: bool = False,
    read_interval: float | None = None,
    largest_voltage: float = LARGEST_VOLTAGE,
    origin: str = "",
    seed: int = 0,
    draws: int = DRAWS,
) -> DeviceFit:
    """Fits what the tables tell; the rest is ``base``'s, or absent, and ``warnings`` say so.

    Parameters
    ----------
    given : mapping
        ``g_min``, ``g_max``, ``g_hrs``, siemens, where the tables do not tell them.
    window : float or None
        Largest error that write-verify accepts, siemens.
    resample : bool
        The profile holds the errors themselves, and cells draw from them.
    read_interval : float or None
        Seconds between two reads; None: not known.
    seed, draws : int
        Of the halves that are held out, and how many tables the check of the law draws: its p-value is 1 / (draws + 1) or more.
    origin : str
        Where the tables come from, for the profile's sources.

    Raises
    ------
    InputError
        A table that cannot be fitted, or neither written cells nor a ``base``.
    """
    rng = np.random.default_rng(seed)
    read_interval = cells.read_interval if read_interval is None else read_interval
    given, warnings, checks = dict(given or {}), list(cells.warnings), []
    values, source = _from(base)
    target, error = cells.written["target"].to_numpy(float), cells.written["error"].to_numpy(float)
    law = None
    if len(target):
        warnings += _far_off(target, error)
        law = fit_written(target, error, window)
        checks.append(check_written(law, target, error, rng, draws))
        values |= _written_values(law, target, error, resample) | _range(law, given, base, warnings)
        source["programming"] = f"{origin}: {len(error)} written cells, {len(law.targets)} targets; " + (
            "errors drawn from the table itself"
            if resample
            else f"a law on +-{1e6 * law.window:.4g} uS with each target's mean and spread"
        )
        source["range"] = f"{origin}: targets {1e6 * law.targets[0]:g}-{1e6 * law.targets[-1]:g} uS" + _said(given)
    elif base is None:
        raise InputError(
            "tables: none has written cells, with target and measured; give one, or a base profile that has what is missing"
        )
    else:
        warnings.append(f"no written cells: range and programming error are those of {base.name}")
        values |= given
    if cells.cells:
        values |= _stuck_values(cells, base, source, origin, warnings)
    reads = [fit_reads(series, label) for label, _, series in cells.reads]
    if reads:
        checks.append(check_reads([series for *_, series in cells.reads]))
        if cells.repeats:
            warnings.append(
                f"read noise is that of the long series alone; {len(cells.repeats)} cells with a few reads are left out"
            )
    states = [t for _, t, _ in cells.reads]
    if not reads and cells.repeats:
        repeats = fit_repeats(cells.repeats)
        reads, states = list(repeats.values()), list(repeats)
        warnings.append("no series of many reads: read noise is taken to be drawn anew at each read")
    warnings += _unlike(reads, states)
    if reads:
        values |= _read_values(reads, states, read_interval)
        n = len(cells.reads) or len(cells.repeats)
        source["read_noise"] = f"{origin}: {sum(r.reads for r in reads)} reads of {n} cells"
        if read_interval is None and any(r.lasting_share for r in reads):
            warnings.append("the time between reads is not known: lasting read noise is taken to last over a whole evaluation")
    else:
        warnings.append(_missing("series of reads", "read noise", base))
    drift = None
    if len(cells.drift):
        at, time, deviation = (cells.drift[c].to_numpy(float) for c in ("target", "time", "deviation"))
        reference = float(max(values["g_max"], at.max()))
        drift = fit_drift(at, time, deviation, reference)
        checks.append(check_drift(at, time, deviation, reference, rng))
        if shrinking := drift.shrinking():
            worst = min(shrinking, key=lambda r: r["sigma_s"])
            warnings.append(
                f"drift: at {len(shrinking)} of {len(drift.table)} targets and times cells are closer together than at first, "
                f"such as {1e6 * worst['sigma_s']:.3g} uS at {1e6 * worst['target_s']:g} uS after {worst['time_s']:g} s; cells "
                "drawn from the profile keep their first spread"
            )
        values |= {
            "fit_conductance": reference,
            "relaxation_times": tuple(drift.times.tolist()),
            "relaxation_sigma_fit": _rows(drift.sigma_fit),
            "relaxation_mean_fit": _rows(drift.mean_fit),
        }
        source["relaxation"] = f"{origin}: {len(drift.times)} times from {drift.times[0]:g} to {drift.times[-1]:g} s"
    else:
        warnings.append(_missing("times", "drift", base))
    curves = [c for state, v, i in cells.sweeps if (c := fit_curve_of(v, i, state, largest_voltage))]
    if left := len(cells.sweeps) - len(curves):
        warnings.append(
            f"{left} of {len(cells.sweeps)} parts of I-V sweeps have fewer than {LEAST_POINTS} points, or 3 voltages, up to "
            f"{largest_voltage:g} V and are left out; largest_voltage takes more"
        )
    if curves:
        checks.append(check_curves([(v, i) for _, v, i in cells.sweeps], largest_voltage))
        b, spread, n = mean_curvature(curves, values["g_min"], values["g_max"])
        if n == 0:
            warnings.append("no I-V sweep is of a state within the range: the curvature is 0")
        values["iv_curvature"] = neat(max(b, 0.0))
        if b < 0:
            warnings.append(f"I-V sweeps: the mean curvature is {b:.3g} V^-2, below 0; 0 is taken")
        source["iv_curvature"] = (
            f"{origin}: mean of {n} sweeps at {largest_voltage:g} V or less, {spread:.2g} V^-2 from state to state"
        )
    else:
        warnings.append(_missing("I-V sweeps", "curvature", base))
    warnings += [f"held-out check failed: {c.what}: p = {c.p_value:.2g}" for c in checks if not c.passed]
    profile = DeviceProfile(name=name, source=source, **values)
    return DeviceFit(profile, law, reads, drift, curves, checks, warnings)


def _far_off(target: np.ndarray, error: np.ndarray) -> list[str]:
    """A warning of cells that are so far from the others of their target that they may be stuck."""
    off = np.zeros(len(error))
    for t in np.unique(target):
        own = error[target == t] - np.median(error[target == t])
        off[target == t] = np.abs(own) / max(float(np.median(np.abs(own))), 1e-12)
    far = off > FAR
    if not far.any():
        return []
    return [
        f"{int(far.sum())} of {len(error)} written cells are {1e6 * np.abs(error[far]).min():.3g} uS or more from their target, "
        f"{FAR} times as far as half of the others: they are kept; if they are stuck, say from which error on a cell counts so"
    ]


def _unlike(reads: list[ReadNoise], targets: list[float]) -> list[str]:
    """A warning of cells of one target whose read noise is not the same: the profile has one for all."""
    out = []
    for target in sorted({t for t in targets if not np.isnan(t)}):
        own = [r for r, t in zip(reads, targets, strict=True) if t == target]
        low, high = min(own, key=lambda r: r.sigma), max(own, key=lambda r: r.sigma)
        if high.sigma - low.sigma > 5 * np.hypot(high.sigma_stderr, low.sigma_stderr) and high.sigma > 2 * low.sigma:
            out.append(f"{1e6 * target:g} uS from {1e6 * low.sigma:.2g} to {1e6 * high.sigma:.2g} uS")
    if not out:
        return []
    return [f"read noise differs from cell to cell, at {'; '.join(out[:4])}: each cell of the profile has their mean square"]


def neat(value: float) -> float:
    """A number of a profile: six digits, far below its error, and a file that can be read."""
    return float(f"{value:.6g}")


def _rows(fit: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(neat, row)) for row in fit.tolist())


def _from(base: DeviceProfile | None) -> tuple[dict[str, Any], dict[str, str]]:
    if base is None:
        return {"program_sigma": 0.0, "program_window": 0.0, "read_sigma": 0.0}, {}
    values = {k: v for k, v in vars(base).items() if k in DeviceProfile.__dataclass_fields__ and k not in ("name", "source")}
    return values, {k: f"profile {base.name}: {v}" for k, v in base.source.items()}


def _missing(what: str, effect: str, base: DeviceProfile | None) -> str:
    return f"no {what}: {effect} is none" if base is None else f"no {what}: {effect} is that of {base.name}"


def _said(given: Mapping[str, float]) -> str:
    return "".join(f"; {k} {1e6 * v:g} uS was given" for k, v in given.items())


def _written_values(law: WrittenLaw, target: np.ndarray, error: np.ndarray, resample: bool) -> dict[str, Any]:
    rows = [np.sort(error[target == t]) for t in law.targets] if resample else law.quantiles()
    scaled = tuple(
        (float(t), tuple((row / neat(law.pooled_sigma)).round(6).tolist())) for t, row in zip(law.targets, rows, strict=True)
    )
    own = {
        "program_sigma": neat(law.pooled_sigma),
        "program_window": neat(law.window),
        "program_law": scaled,
        "program_resample": resample,
    }
    return own | {"program_sigma_shape": ()}


def _range(law: WrittenLaw, given: Mapping[str, float], base: DeviceProfile | None, warnings: list[str]) -> dict[str, float]:
    out = {"g_min": float(law.targets[0]), "g_max": float(law.targets[-1])}
    if len(law.targets) == 1 and not {"g_min", "g_max"} <= set(given):
        raise InputError(
            f"target: all cells have {1e6 * law.targets[0]:g} uS; give g_min and g_max, the range that can be programmed"
        )
    if base is not None:
        out["g_hrs"] = min(base.g_hrs, out["g_min"])
    elif "g_hrs" not in given:
        warnings.append("g_hrs is not given: the lowest target is taken for the OFF state")
        out["g_hrs"] = given.get("g_min", out["g_min"])
    return out | dict(given)


def _stuck_values(
    cells: MeasuredCells, base: DeviceProfile | None, source: dict[str, str], origin: str, warnings: list[str]
) -> dict[str, Any]:
    n = len(cells.stuck)
    low, high = proportion_interval(n, cells.cells)
    source["stuck"] = f"{origin}: {n} of {cells.cells} cells, 95 % interval {100 * low:.2g} to {100 * high:.2g} %"
    if n == 0 and base is not None and base.stuck_off_rate + base.stuck_on_rate + base.stuck_rate > 0:
        warnings.append(f"no cell of the tables is stuck: the rate is 0, not that of {base.name}")
    own = tuple(float(g) for g in cells.stuck["conductance"])
    return {"stuck_off_rate": 0.0, "stuck_on_rate": 0.0, "stuck_rate": n / cells.cells, "stuck_values": own}


def _read_values(reads: list[ReadNoise], targets: list[float], interval: float | None) -> dict[str, Any]:
    """Read noise by state: cells of one target together, else each cell by itself."""
    rows = pd.DataFrame(
        {
            "state": [r.conductance if np.isnan(t) else t for r, t in zip(reads, targets, strict=True)],
            "conductance": [r.conductance for r in reads],
            "variance": [r.sigma**2 for r in reads],
            "lasting": [r.lasting_share * r.sigma**2 for r in reads],
            "telegraph": [r.telegraph_share * r.sigma**2 for r in reads],
            "occupied": [r.occupied * r.telegraph_share * r.sigma**2 for r in reads],
            "time": [r.time * r.lasting_share * r.sigma**2 for r in reads],
        }
    )
    own = rows.groupby("state").mean().sort_values("conductance")
    own = own.groupby(own["conductance"].round(12)).mean()
    sigma = np.sqrt(own["variance"])
    mean = neat(sigma.mean())
    if mean == 0:
        return {"read_sigma": 0.0, "read_sigma_shape": (), "read_lasting": (), "read_times": ()}

    def share(part: str, whole: str, none: float = 0.0) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(own[whole] > 0, own[part] / own[whole], none).clip(0, 1)

    g, lasting, telegraph = list(map(neat, own["conductance"])), share("lasting", "variance"), share("telegraph", "variance")
    occupied = share("occupied", "telegraph", 0.5).clip(1e-3, 1 - 1e-3)
    table = np.stack([lasting, np.minimum(telegraph, lasting), occupied], axis=1).round(6).tolist()
    times = own["time"] / own["lasting"].clip(1e-300)
    return {
        "read_sigma": mean,
        "read_sigma_shape": tuple((a, round(b, 6)) for a, b in zip(g, (sigma / mean).tolist(), strict=True)),
        "read_lasting": tuple((a, *row) for a, row in zip(g, table, strict=True)) if np.any(lasting > 0) else (),
        "read_times": () if interval is None else tuple((a, neat(t * interval)) for a, t in zip(g, times, strict=True)),
    }
