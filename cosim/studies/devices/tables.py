"""Tables of the study of measured cells."""

from __future__ import annotations

import pandas as pd

from characterization.devices import DeviceFit, MeasuredCells


def fit_tables(fit: DeviceFit, cells: MeasuredCells) -> dict[str, pd.DataFrame]:
    """Makes a table of each thing that was fitted, in uS; those that were not are left out."""
    out: dict[str, pd.DataFrame] = {}
    if (law := fit.written) is not None:
        columns = {"target_us": law.targets, "mean_us": law.mean, "mean_stderr_us": law.mean_stderr}
        columns |= {"sigma_us": law.sigma, "sigma_stderr_us": law.sigma_stderr}
        columns |= {"mean_low_us": law.mean_interval[0], "mean_high_us": law.mean_interval[1]}
        columns |= {"sigma_low_us": law.sigma_interval[0], "sigma_high_us": law.sigma_interval[1]}
        out["written.csv"] = pd.DataFrame({name: 1e6 * value for name, value in columns.items()}).assign(cells=law.cells)
    if fit.reads:
        rows = [
            {
                "cell": r.cell,
                "conductance_us": 1e6 * r.conductance,
                "reads": r.reads,
                "kind": r.kind,
                "sigma_us": 1e6 * r.sigma,
                "sigma_stderr_us": 1e6 * r.sigma_stderr,
                "white_us": 1e6 * r.white,
                "slow_us": 1e6 * r.slow,
                "slow_reads": r.slow_time,
                "step_us": 1e6 * r.step,
                "upper_share": r.occupied if r.step else float("nan"),
                "telegraph_reads": r.telegraph_time,
                "lasting_share": r.lasting_share,
                "evidence": r.evidence,
            }
            for r in fit.reads
        ]
        out["reads.csv"] = pd.DataFrame(rows)
    if fit.drift is not None:
        table = pd.DataFrame(fit.drift.table)
        out["drift.csv"] = table.rename(columns={c: c[:-1] + "us" for c in table if c.endswith("_s") and c != "time_s"}).assign(
            **{c[:-1] + "us": 1e6 * table[c] for c in table if c.endswith("_s") and c != "time_s"}
        )
    if fit.curves:
        rows = [
            {"state": c.state, "conductance_us": 1e6 * c.conductance, "conductance_stderr_us": 1e6 * c.conductance_stderr}
            | {"curvature": c.curvature, "curvature_stderr": c.curvature_stderr, "points": c.points, "rms": c.rms}
            for c in fit.curves
        ]
        out["curves.csv"] = pd.DataFrame(rows)
    if len(cells.stuck):
        table = cells.stuck.copy()
        for name in ("conductance", "target"):
            if name in table:
                table[f"{name}_us"] = 1e6 * table.pop(name)
        out["faults.csv"] = table
    return out
