"""Study of measured cells: a device profile from tables of written cells, reads and I-V sweeps, and how far it can be trusted."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from characterization.devices import fit_profile, read_tables, sort_cells
from cosim.report import Results, Study, Work
from netlists.errors import InputError
from netlists.files import sha256_of
from netlists.technology import load_profile, memristor, write_profile

from .pictures import draw
from .settings import DevicesSettings
from .tables import fit_tables

PROFILE = "profile.toml"
_MICRO = {"g_min": "g_min_us", "g_max": "g_max_us", "g_hrs": "g_hrs_us"}


def compute(settings: DevicesSettings, work: Work) -> Results:
    """Reads, sorts, fits, checks, and writes the profile into the folder."""
    tables = read_tables(_paths(settings), _columns(settings.columns))
    cells = sort_cells(tables, stuck_beyond=_si(settings.stuck_beyond_us))
    said = [*(t.describe() for t in tables), *cells.said]
    for line in said:
        work.options.say(line)
    given = {name: value for name, field in _MICRO.items() if (value := _si(getattr(settings, field))) is not None}
    fit = fit_profile(
        cells,
        settings.name,
        base=None if settings.base is None else load_profile(settings.base),
        given=given,
        window=_si(settings.window_us),
        resample=settings.resample,
        read_interval=settings.read_interval,
        largest_voltage=settings.largest_voltage,
        origin=settings.origin or ", ".join(t.path.name for t in tables),
        seed=settings.seed,
    )
    p, law = fit.profile, fit.written
    write_profile(
        p, work.out / PROFILE, f"Fitted by `cosim device` to {', '.join(t.path.name for t in tables)}; conductances in siemens."
    )
    summary: dict[str, Any] = {
        "profile": p.name,
        "said": said,
        "files": {t.path.name: {"rows": len(t.frame), "kind": t.kind, "sha256": sha256_of(t.path.read_bytes())} for t in tables},
        "range_us": [1e6 * g for g in (p.g_min, p.g_max, p.g_hrs)],
        "checks": [c.as_dict() for c in fit.checks],
        "cells": cells.cells,
        "stuck": {"cells": len(cells.stuck), "rate": p.stuck_rate, "source": p.source.get("stuck", "")},
        "written": None,
        "read_sigma_us": 1e6 * p.read_sigma,
        "iv_curvature": p.iv_curvature,
        "sources": p.source,
    }
    if law is not None:
        moments = [memristor.law_moments(q) for q in law.quantiles()]
        summary["written"] = {
            "sigma_us": 1e6 * law.pooled_sigma,
            "sigma_interval_us": [1e6 * s for s in law.pooled_interval],
            "window_us": 1e6 * law.window,
            "kurtosis_of_cells": _kurtosis(cells.written["error"].to_numpy()),
            "kurtosis_of_law": _mixed(moments, law.cells),
            "log_likelihood_over_cut_gaussian": law.gain,
            "resample": settings.resample,
        }
    return Results(summary, fit_tables(fit, cells), {"device": partial(draw, fit, cells)}, "%.6g", fit.warnings)


def _kurtosis(error: Any) -> float:
    deviation = error - error.mean()
    return float((deviation**4).mean() / (deviation**2).mean() ** 2)


def _mixed(moments: list[tuple[float, float, float]], cells: Any) -> float:
    """Kurtosis of the errors of all targets together, each with its mean, deviation and kurtosis; skewness left out."""
    share = cells / cells.sum()
    mean = sum(w * m for w, (m, _, _) in zip(share, moments, strict=True))
    second = sum(w * (s**2 + (m - mean) ** 2) for w, (m, s, _) in zip(share, moments, strict=True))
    fourth = sum(w * (k * s**4 + 6 * s**2 * (m - mean) ** 2 + (m - mean) ** 4) for w, (m, s, k) in zip(share, moments, strict=True))
    return float(fourth / second**2)


def _si(micro: float | None) -> float | None:
    return None if micro is None else micro / 1e6


def _paths(settings: DevicesSettings) -> list[Path]:
    paths = [Path(t) if Path(t).is_absolute() or Path(t).exists() else Path(settings.data) / t for t in settings.tables]
    if missing := [p for p in paths if not p.exists()]:
        raise InputError(
            f"{missing[0]}: there is no such table"
            + (
                ""
                if settings.data == "."
                else "; the default ones are the source data of Fig. 3b-d of doi 10.1038/s41467-025-65233-w "
                "as CSV (written, reads, iv): name their folder with data"
            )
        )
    return paths


def _columns(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        role, separator, name = text.partition("=")
        if not separator or not name:
            raise InputError(f"columns {text!r}: must be ROLE=NAME or ROLE=NAME:UNIT, such as measured=G1:uS")
        if role in found:
            raise InputError(f"columns {role}: is given twice")
        found[role] = name
    return found


def describe(summary: dict[str, Any]) -> str:
    """Writes the summary for reading."""
    low, high, off = summary["range_us"]
    lines = [f"{summary['profile']}: {low:.4g} to {high:.4g} uS, OFF {off:.4g} uS"]
    if w := summary["written"]:
        law = "the table itself" if w["resample"] else "fitted law"
        lower, upper = w["sigma_interval_us"]
        lines.append(
            f"written cells: {w['sigma_us']:.4g} uS (95 % interval {lower:.4g} to {upper:.4g}) around the mean of each target, "
            f"{law} within +-{w['window_us']:.4g} uS"
        )
    lines.append(f"stuck cells: {summary['stuck']['source'] or 'no table of written cells'}")
    lines.append(f"read noise {summary['read_sigma_us']:.3g} uS, curvature {summary['iv_curvature']:.3g} V^-2")
    for c in summary["checks"]:
        lines.append(f"held out: {c['what']}: p = {c['p_value']:.2g}{'' if c['passed'] else ' FAILED'}")
    return "\n".join(lines)


STUDY = Study("devices", DevicesSettings, compute, describe, networks=False)
