"""How often a validation rejects wrong models and true ones: ``python benchmarks/validation.py [--bits 3 5] [--json]``.

A model is fitted to chips in closed form, and errors are planted in it. Each is held against sets of as many fresh chips as
`cosim validate` takes by default: the draws are SPICE's, the levels the closed form's, for hundreds of sets.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from characterization.chips.calibration import one_point_targets
from characterization.chips.sampling import draw_population, reprogram
from characterization.plan import RampPlan
from characterization.ramp_model import Fresh, GoodnessOfFit, RampModel
from characterization.ramp_model.levels import LevelDistribution
from characterization.ramp_model.noise import fit_noise
from characterization.ramp_model.validation import SAMPLES
from netlists.ramp import to_input_units, transition_levels
from netlists.technology import load_profile

FITTED = 3000
AS_PROGRAMMED = "as programmed: "


def default_plan(bits: int) -> RampPlan:
    """The default sigmoid ramp."""
    return RampPlan("sigmoid", bits, profile=load_profile("taox-100-400"), seed=1)


def fresh_chips(plan: RampPlan, n: int, seed: int) -> Fresh:
    """Levels of n chips."""
    rng, program = np.random.default_rng(seed), plan.program()

    def levels(chips: object) -> np.ndarray:
        return to_input_units(transition_levels(program, plan.circuit, chips), program, plan.circuit)

    drawn = draw_population(plan, n, rng)
    before = levels(drawn.chips())
    targets = one_point_targets(plan, drawn.conductance, before, stuck=drawn.stuck)
    written = reprogram(plan, drawn, targets, rng=rng)
    noisy = levels(drawn.conversions(written, plan.profile))
    return Fresh(before, levels(drawn.chips(written)), noisy, drawn.decision_shifts / program.volts_per_unit(plan.circuit))


@lru_cache
def fitted(bits: int, chips: int = FITTED) -> RampModel:
    """The model of so many chips."""
    plan = default_plan(bits)
    program = plan.program()
    fresh = fresh_chips(plan, chips, 2)
    return RampModel(
        units={},
        activation=program.activation,
        bits=bits,
        samples=chips,
        failed=0,
        x_ideal=program.x,
        lsb=program.lsb,
        after=LevelDistribution.fit(fresh.after),
        before=LevelDistribution.fit(fresh.before),
        **vars(fit_noise(fresh.noisy - fresh.after, program, plan.profile, injected=fresh.injected)),
        plan=plan.as_dict(),
        provenance={},
    )


def planted(model: RampModel, error: str) -> RampModel:
    """The model with an error."""
    if error in ("comparator_offset", "comparator_noise", "read_noise"):
        return model.model_copy(update={error: getattr(model, error).times(1.3)})
    if error == "offset x1.5":
        return model.model_copy(update={"comparator_offset": model.comparator_offset.times(1.5)})
    state = "before" if error.startswith(AS_PROGRAMMED) else "after"
    changed = _planted(getattr(model, state), error.removeprefix(AS_PROGRAMMED), model.lsb)
    return model.model_copy(update={state: changed})


def _planted(a: LevelDistribution, error: str, lsb: np.ndarray) -> LevelDistribution:
    steps, one = np.arange(len(a.mean)) != a.anchor, np.arange(len(a.mean)) == 1
    changes: dict[str, Callable[[], LevelDistribution]] = {
        "all levels": lambda: a.moved(np.zeros(len(a.mean)), 1.3),
        "all levels, too narrow": lambda: a.moved(np.zeros(len(a.mean)), 1 / 1.3),
        "steps": lambda: replace(a, diagonal=np.where(steps, 1.69, 1.0) * a.diagonal),
        "one step": lambda: replace(a, diagonal=np.where(one, 1.69, 1.0) * a.diagonal),
        "gain": lambda: replace(a, loadings=1.3 * a.loadings),
        # A normal shift is the anchor's part of the covariance.
        "shift": lambda: (
            replace(a, diagonal=np.where(steps, 1.0, 1.69) * a.diagonal, loadings=np.where(steps, 1.0, 1.3)[:, None] * a.loadings)
            if a.shift.kind == "normal"
            else replace(a, shift=a.shift.scaled(1.3))
        ),
        "mean": lambda: replace(a, mean=a.mean + 0.05 * lsb),
        "mean of one level": lambda: replace(a, mean=a.mean + 0.05 * lsb * one),
        "tail of the steps": lambda: replace(a, law=a.law[:0]),
    }
    return changes[error]()


SEEN_BY = {
    "comparator_offset": "offset of a column: spread",
    "comparator_noise": "comparator noise: spread",
    "read_noise": "read noise: spread",
    "offset x1.5": "offset of a column: spread",
    "all levels": "max |INL|: place",
    "all levels, too narrow": "max |INL|: place",
    "steps": "max |DNL|: place",
    "one step": "steps given the others: spread",
    "gain": "gain: spread",
    "shift": "error at input 0: spread",
    "mean": "error at input 0: place",
    "mean of one level": "levels: place",
    "tail of the steps": None,
    "as programmed: all levels": "as programmed: max |INL|: place",
    "as programmed: steps": "as programmed: max |DNL|: place",
    "as programmed: one step": "as programmed: steps given the others: spread",
    "as programmed: gain": None,
    "as programmed: shift": "as programmed: error at input 0: spread",
    "as programmed: mean": None,
}


def rejections(model: RampModel, plan: RampPlan, sets: int, first: int) -> list[list[str]]:
    """What each set of fresh chips rejects the model for."""
    tests = GoodnessOfFit(model, np.random.default_rng(0), chips=20_000)
    return [tests.test(fresh_chips(plan, SAMPLES, first + i))["rejected"] for i in range(sets)]


def power(bits: int, chips: int, sets: int, true_sets: int) -> list[dict[str, object]]:
    """A row an error: how many sets reject the model, and what rejects it most often; ``none`` is the true model."""
    plan, model = default_plan(bits), fitted(bits, chips)
    rows = []
    for error in ("none", *SEEN_BY):
        wrong, n = (model, true_sets) if error == "none" else (planted(model, error), sets)
        found = rejections(wrong, plan, n, 1000)
        by = ", ".join(name for name, _ in Counter(name for names in found for name in names).most_common(2))
        rows.append({"bits": bits, "error": error, "sets": n, "rejected": sum(map(bool, found)), "by": by})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bits", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--chips", type=int, default=8192, help="that the model is fitted to")
    parser.add_argument("--sets", type=int, default=10)
    parser.add_argument("--true-sets", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [row for bits in arguments.bits for row in power(bits, arguments.chips, arguments.sets, arguments.true_sets)]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{SAMPLES} fresh chips a set")
    for row in rows:
        print(f"{row['bits']} bits  {row['error']:24} rejected by {row['rejected']:3} of {row['sets']:3} sets  {row['by']}")


if __name__ == "__main__":
    main()
