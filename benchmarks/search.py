"""Evaluations that the design search needs with gradient steps and without: ``python benchmarks/search.py [--json] [--trials N]``.

Problems on which no constant of the gradient steps was chosen: networks of other tasks, sizes and limits than those of their tests
and of the study of sensitivities. Both methods have the same network, chips, seeds and evaluation; the best of a problem is the
cheapest design within the limit that any of its searches tried. Counted are evaluations until a search is within 1 % of that cost;
one that does not come there counts as all of its trials. Nothing is confirmed in SPICE.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from cosim.optimize.gradient import Guide, run_gradient_search
from cosim.optimize.run import JUDGED, Job
from cosim.optimize.search import Row, run_search
from cosim.optimize.settings import OptimizeSettings
from cosim.report import RunOptions, Work
from cosim.tasks import load_task
from cosim.training import TrainingSettings, train_task

PROBLEMS = (
    # task, units, objective, allowed loss, resistance of the wires
    ("digits", 24, "energy", 0.03, 0.0),
    ("digits", 24, "area", 0.02, 0.0),
    ("vowels", 24, "latency", 0.03, 0.0),
    ("vowels", 24, "edp", 0.02, 1.0),
)
NEAR = 0.01
"""Within which part of the best cost a search has found it."""
CHIPS = 4


def searched(settings: OptimizeSettings, folder: Path, jobs: int) -> list[Row]:
    """Rows of all trials of one search."""
    job = Job(settings, Work(settings, folder, RunOptions(jobs=jobs, progress=False)))
    asked: dict[str, Any] = {
        "trials": settings.trials,
        "seed": settings.seed,
        "objective": settings.objective,
        "judged": JUDGED[settings.judge],
        "max_loss": settings.max_loss,
    }
    with_steps = settings.method == "gradient"
    run = run_gradient_search if with_steps else run_search
    return run(job.space, job.evaluate, job.work.parts(), **asked, **({"guide": Guide.of(job)} if with_steps else {}))


def needed(costs: Sequence[float | None], best: float) -> int | None:
    """Evaluations until a cost is within `NEAR` of the best; None is a design beyond the limit."""
    return next((n for n, cost in enumerate(costs, 1) if cost is not None and cost <= (1 + NEAR) * best), None)


def measured(trials: int, seeds: Sequence[int], jobs: int) -> list[dict[str, Any]]:
    """One row a problem and seed."""
    rows = []
    for task, units, objective, limit, r_wire in PROBLEMS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            network = folder / "network.npz"
            training = TrainingSettings(n_hidden=units, epochs=60, preactivation_noise=0.3)
            train_task(load_task(task), seed=11, settings=training).save(network)
            costs: dict[tuple[str, int], list[float | None]] = {}
            began = time.process_time()
            for seed in seeds:
                for method in ("gradient", "tpe"):
                    settings = OptimizeSettings.model_validate(
                        {
                            "task": task,
                            "network": str(network),
                            "objective": objective,
                            "max_loss": limit,
                            "r_wire": r_wire,
                            "trials": trials,
                            "seed": seed,
                            "method": method,
                            "chips": CHIPS,
                        }
                    )
                    found = searched(settings, folder / f"{method}-{seed}", jobs)
                    within = [r["loss"] is not None and r["loss"] <= limit for r in found]
                    costs[method, seed] = [r[objective] if ok else None for r, ok in zip(found, within, strict=True)]
            # Nobody came within the limit: nothing can be said.
            best = min((c for each in costs.values() for c in each if c is not None), default=float("nan"))
            for seed in seeds:
                row: dict[str, Any] = {
                    "task": task,
                    "units": units,
                    "objective": objective,
                    "limit": limit,
                    "r_wire": r_wire,
                    "seed": seed,
                }
                for method in ("gradient", "tpe"):
                    each = costs[method, seed]
                    cheapest = min((c for c in each if c is not None), default=float("nan"))
                    row |= {method: needed(each, best), f"{method}_trials": len(each), f"{method}_above": cheapest / best - 1}
                row["ratio"] = (row["gradient"] or trials) / (row["tpe"] or trials)
                rows.append(row)
                print(row, f"{time.process_time() - began:.0f} s", file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--trials", type=int, default=60, help="at most, of each search (default 60)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12], help="of the searches (default 11 12)")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows = measured(options.trials, options.seeds, options.jobs)
    found = {"rows": rows, "median_ratio": median(r["ratio"] for r in rows)}
    print(json.dumps(found, indent=1) if options.json else f"median ratio of evaluations {found['median_ratio']:.2f}")


if __name__ == "__main__":
    main()
