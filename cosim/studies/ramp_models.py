"""Fitted ramp models of a study: simulated, fitted and validated as parts that a stopped study goes on from."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from characterization.plan import RampPlan
from characterization.ramp_model import RampModel, validate
from characterization.resume import Parts
from characterization.run import Run, characterize
from cosim.report import RunOptions

HELD_OUT_SEED_OFFSET = 1000
"""Held-out chips are drawn with the plan's seed plus this."""


def simulated_chips(plan: RampPlan, samples: int, parts: Parts, options: RunOptions) -> Run:
    """Simulates chips of a plan in ngspice, or goes on with those that are there."""
    folder = parts.file(f"chips-{plan.name}{plan.bits}")
    return characterize(plan, samples, folder, jobs=options.jobs, progress=options.progress)


def ramp_model(
    plan: RampPlan, samples: int, parts: Parts, options: RunOptions, *, held_out: int = 0, conversions: int = 0
) -> RampModel:
    """Fits the model of a plan, and validates it on so many fresh chips; a model that is there is read."""
    path = parts.file(f"{plan.name}{plan.bits}.json")
    if not path.exists():
        chips = simulated_chips(plan, samples, parts, options)
        # Many small decompositions at 8 bits, of which threads that wait for each other make more work than they share.
        with threadpool_limits(limits=1, user_api="blas"):
            model = RampModel.fit(chips)
        model.save(path)
    model = RampModel.load(path)
    # A validation of an earlier version is made again without fitting again.
    if held_out and (model.validation is None or "fit" not in model.validation):
        seed = plan.seed + HELD_OUT_SEED_OFFSET
        found = validate(model, held_out, seed, jobs=options.jobs, conversions=conversions, progress=options.progress)
        model.model_copy(update={"validation": found}).save(path)
    return RampModel.load(path)
