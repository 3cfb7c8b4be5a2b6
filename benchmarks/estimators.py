"""Simulated chips that the closed form saves, and the coverage of the intervals: ``python benchmarks/estimators.py [--json]``.

A pool of chips is simulated once and kept in ``--cache`` (minutes; an interrupted run goes on). It is then taken as the population:
a repeat draws its chips from the pool with replacement, simulated levels and closed form together, so that the pool's own
mean, quantile and yield are the exact truth that the intervals must hold. The further chips in closed form of a repeat are drawn
from the pool as well. ``--sky130`` adds the transistor-level ramp, whose few chips allow the means only.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_THREAD_LIMIT", "1")

import argparse
import json
import math
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from characterization.chips import ControlLevels, measure_batch, population, same_chips
from characterization.estimates import (
    CONFIDENCE,
    Estimate,
    fit_levels,
    margin,
    max_inl,
    mean_of,
    mean_with,
    quantile_of,
    quantile_with,
    yield_of,
    yield_with,
)
from characterization.plan import Limits, RampPlan
from netlists.ramp import to_input_units

SEED = 11
CHIPS = {"macro": 6400, "sky130": 64}
BATCH = {"macro": 64, "sky130": 8}
UNSEEN = 0.1
"""The pool has no defect that the closed form does not know; so 32 chips do (`characterization.estimates.doubts`)."""
N_CONTROL = 20_000
"""Further chips in closed form of one repeat."""


def pool(plan: RampPlan, folder: Path) -> ControlLevels:
    """Simulated levels of the pool's chips, from the folder as far as they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    program, size, parts = plan.program(), BATCH[plan.level], []
    for first in range(0, CHIPS[plan.level], size):
        path = folder / f"{plan.sha256[:16]}-{first:06d}.npz"
        if not path.exists():
            batch = measure_batch(plan, np.arange(first, first + size), conversions=False)
            before, after = (to_input_units(m.volts, program, plan.circuit) for m in (batch.before, batch.after))
            temporary = folder / f".{os.getpid()}.npz"
            np.savez(temporary, before=before, after=after)
            temporary.replace(path)
        with np.load(path, allow_pickle=False) as data:
            parts.append((data["before"], data["after"]))
    before, after = (np.concatenate(p) for p in zip(*parts, strict=True))
    return ControlLevels(before, after, np.zeros((len(before), 1)))


class Study:
    """Repeats on one pool, in one calibration state."""

    def __init__(self, plan: RampPlan, spice: ControlLevels, calibrated: bool, repeats: int, seed: int) -> None:
        closed = same_chips(plan, np.arange(len(spice.before)))
        self.program, self.repeats, self.rng = plan.program(), repeats, np.random.default_rng(seed)
        self.spice, self.closed = spice.levels(calibrated=calibrated), closed.levels(calibrated=calibrated)
        good = np.isfinite(self.spice).all(axis=1)
        self.spice, self.closed = self.spice[good], self.closed[good]

    def draw(self, n: int) -> np.ndarray:
        return self.rng.integers(len(self.spice), size=n)

    def with_control(self, n: int, statistic: Callable, estimate: Callable) -> Callable[[], Estimate]:
        def one() -> Estimate:
            chips, others = self.draw(n), self.draw(N_CONTROL)
            return estimate(fit_levels(self.spice[chips], self.closed[chips], self.closed[others], statistic, self.program))

        return one

    def plain(self, n: int, statistic: Callable, estimate: Callable) -> Callable[[], Estimate]:
        values = statistic(self.spice, self.program)
        return lambda: estimate(values[self.draw(n)])

    def compare(self, truth: float, plain: Callable[[], Estimate], better: Callable[[], Estimate]) -> dict[str, float]:
        """Coverage and width of both; the samples that each would need for the same width."""
        found = {name: [one() for _ in range(self.repeats)] for name, one in (("plain", plain), ("control", better))}
        width = {name: float(np.mean([e.half_width for e in all_])) for name, all_ in found.items()}
        n = {name: float(np.mean([e.n_spice for e in all_])) for name, all_ in found.items()}
        out = {f"coverage_{name}": float(np.mean([e.low <= truth <= e.high for e in all_])) for name, all_ in found.items()}
        out |= {f"half_width_{name}": w for name, w in width.items()} | {f"n_{name}": count for name, count in n.items()}
        # A plain interval narrows with the square root of its samples.
        out["fewer_samples"] = (width["plain"] / width["control"]) ** 2 * n["plain"] / n["control"]
        bias = np.mean([e.value for e in found["control"]]) - truth
        return out | {"truth": truth, "bias_in_half_widths": float(bias / width["control"])}


def study(
    plan: RampPlan, spice: ControlLevels, calibrated: bool, repeats: int, sizes: dict[str, int]
) -> dict[str, dict[str, float]]:
    """Every estimator that the pool allows, with ``sizes`` simulated chips."""
    s = Study(plan, spice, calibrated, repeats, SEED)
    values = max_inl(s.spice, s.program)
    out = {
        "mean": s.compare(
            values.mean(),
            s.plain(sizes["plain"], max_inl, mean_of),
            s.with_control(sizes["mean"], max_inl, lambda c: mean_with(c, unseen=UNSEEN)),
        )
    }
    if plan.level == "sky130":
        return out

    def quantile(p: float) -> dict[str, float]:
        at = float(np.quantile(values, p, method="inverted_cdf"))
        plain = s.plain(sizes["plain"], max_inl, lambda y: quantile_of(y, p))
        return s.compare(at, plain, s.with_control(sizes["quantile"], max_inl, lambda c: quantile_with(c, p, unseen=UNSEEN)))

    out |= {"median": quantile(0.5), "quantile_95": quantile(0.95)}
    # A limit that 99 % of the pool's chips meet, in the middle between two of them.
    ordered = np.sort(values)
    at = len(ordered) - round(0.01 * len(ordered))
    used = margin(Limits(max_inl=float(0.5 * (ordered[at - 1] + ordered[at])), monotonic=True))
    truth = float(np.mean(used(s.spice, s.program) <= 1))
    plain = s.plain(sizes["plain"], used, lambda y: yield_of(y, 1.0))
    out["yield_99"] = s.compare(truth, plain, s.with_control(sizes["yield"], used, lambda c: yield_with(c, 1.0, unseen=UNSEEN)))
    return out


def closed_form_cost(plan: RampPlan, n: int = 20_000) -> float:
    """Microseconds of a chip in closed form, median of five."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        population(plan, n)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)) / n * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--bits", type=int, nargs="+", default=[3])
    parser.add_argument("--sky130", action="store_true", help="also the 3-bit transistor-level ramp (64 chips, minutes)")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "nladc-statistics")
    arguments = parser.parse_args()
    sizes = {"plain": 1000, "mean": 32, "quantile": 64, "yield": 64}
    plans = [RampPlan("sigmoid", bits, seed=SEED) for bits in arguments.bits]
    plans += [RampPlan("sigmoid", 3, level="sky130", seed=SEED)] if arguments.sky130 else []
    found: dict[str, object] = {}
    for plan in plans:
        spice = pool(plan, arguments.cache)
        for state, calibrated in (("before", False), ("after", True)):
            found[f"{plan.level}_{plan.bits}bit_{state}"] = study(plan, spice, calibrated, arguments.repeats, sizes)
    about = {
        "repeats": arguments.repeats,
        "coverage_error": math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / arguments.repeats),
        "pool": CHIPS,
        "n_control": N_CONTROL,
        "closed_form_us": closed_form_cost(plans[0]),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy")},
    }
    if arguments.json:
        print(json.dumps({**found, "about": about}, indent=1))
        return
    print(f"{'':20} {'':16} {'plain: n':>9} {'+-':>9} {'cover':>6}   {'control: n':>10} {'+-':>9} {'cover':>6} {'fewer':>8}")
    for where, estimates in found.items():
        for name, e in estimates.items():  # type: ignore[attr-defined]
            print(
                f"{where:20} {name:16} {e['n_plain']:9.0f} {e['half_width_plain']:9.5f} {100 * e['coverage_plain']:5.1f}%   "
                f"{e['n_control']:10.0f} {e['half_width_control']:9.6f} {100 * e['coverage_control']:5.1f}% "
                f"{e['fewer_samples']:7.0f}x"
            )
    print("\n" + "\n".join(f"{name:16} {value}" for name, value in about.items()))


if __name__ == "__main__":
    main()
