"""What the ramp models must hold: codes and chips against held-out SPICE, speed against a bare table look-up.

    python benchmarks/models.py [--json] [--seed 1] [--work runs/models] [--out results/models] [--jobs 1]

It runs `cosim study models`, which goes on from the parts in its work folder: an hour and more of ngspice the first time, seconds
after that. Then it measures speed. Each line shows the figure, its limit and whether it holds; exit code 1 if one does not.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from characterization.ramp_model import RampModel
from cosim.report import RunOptions, load_study

CHIPS = 100_000
INPUTS = (20_000, 32)
REPEATS = 15


def seconds(*calls: Callable[[], object]) -> list[float]:
    """Shortest time of each call; they take turns, so that other work on the machine meets all of them."""
    best = [np.inf] * len(calls)
    for _ in range(REPEATS):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def speed(model: RampModel) -> dict[str, float]:
    """Seconds of a bare look-up and of the model on the same inputs, and of sampling; one thread, NumPy."""
    rng = np.random.default_rng(0)
    draw = model.sample(1, INPUTS[1], rng)
    x = rng.normal(0, np.abs(model.x_ideal).max() / 2, INPUTS)
    levels, values = np.maximum.accumulate(draw.thresholds[0]), draw.values
    bare, apply = seconds(lambda: values.take(np.searchsorted(levels, x)), lambda: draw.apply(x))
    chips, columns = seconds(
        lambda: model.sample_levels(CHIPS, np.random.default_rng(1)), lambda: model.sample(CHIPS, 1, np.random.default_rng(1))
    )
    return {
        "bare_look_up_s": bare,
        "apply_s": apply,
        "apply_over_look_up": apply / bare,
        "sample_levels_s": chips,
        "sample_s": columns,
    }


def checks(summary: dict[str, Any], speeds: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """Each figure beside its limit."""
    rows: list[dict[str, Any]] = []

    def least(what: str, value: float, limit: float) -> None:
        rows.append({"what": what, "value": value, "limit": f">= {limit:g}", "holds": bool(value >= limit)})

    def most(what: str, value: float, limit: float) -> None:
        rows.append({"what": what, "value": value, "limit": f"<= {limit:g}", "holds": bool(value <= limit)})

    for name, v in summary["macro"].items():
        who = f"{name} {summary['bits']} bit, macro"
        least(f"{who}: fresh chips", v["fit"]["chips"], 1000)
        least(f"{who}: smallest adjusted p-value", min(t["adjusted"] for t in v["fit"]["tests"]), v["fit"]["level"])
        least(f"{who}: codes of two decks", v["decks"]["conversions"], 20_000)
        most(f"{who}: codes that differ between the decks", v["decks"]["differ"], 0)
    for bits, v in summary["sky130"].items():
        who = f"sigmoid {bits} bit, sky130"
        if v["chips"] + v["failed"] >= 200:
            least(f"{who}: chips", v["chips"], 200)
        least(f"{who}: share of {v['conversions']} codes equal ({v['chips']} chips)", v["codes_equal"], 0.98)
    for name, v in speeds.items():
        most(f"{name} {summary['bits']} bit: apply over bare look-up", v["apply_over_look_up"], 3.0)
        most(f"{name} {summary['bits']} bit: {CHIPS} chips sampled, s", v["sample_s"], 1.0)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/models"))
    parser.add_argument("--out", type=Path, default=Path("results/models"))
    arguments = parser.parse_args()
    study = load_study("models")
    options = RunOptions(arguments.jobs, progress=False, work=arguments.work)
    summary = study.run(study.settings(seed=arguments.seed), arguments.out, options)
    speeds = {name: speed(RampModel.load(arguments.out / f"{name}{summary['bits']}.json")) for name in summary["macro"]}
    rows = checks(summary, speeds)
    about = {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "scipy")}}
    if arguments.json:
        print(json.dumps({"checks": rows, "speed": speeds, "about": about}, indent=1))
    else:
        width = max(len(row["what"]) for row in rows)
        for row in rows:
            print(f"{row['what']:{width}}  {row['value']:<10.5g} {row['limit']:>10}  {'holds' if row['holds'] else 'FAILS'}")
    if not all(row["holds"] for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
