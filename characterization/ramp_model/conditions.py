"""Fit how a ramp model moves with read voltage, temperature and supply, from runs of the same chips at other values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from characterization.plan import RampPlan
from characterization.run import Run
from netlists.errors import InputError
from netlists.technology import Pvt

from .condition_table import QUANTITIES, ConditionTable
from .model import MINIMUM_SAMPLES, RampModel, measured
from .noise import fit_noise, injected


def plan_at(plan: RampPlan, quantity: str, value: float) -> RampPlan:
    """The plan with one condition changed; the chips and the calibration are those of that condition."""
    if quantity == "v_read":
        return replace(plan, circuit=plan.circuit.with_(v_read=value))
    if quantity in ("temperature", "supply"):
        conditions = Pvt(**{**asdict(plan.conditions), quantity: value})
        # No circuit and no variation: those that were measured at the conditions.
        return replace(plan, conditions=conditions, circuit=None, variation=None)  # type: ignore[arg-type]
    raise InputError(f"quantity={quantity!r}: unknown; allowed are {', '.join(QUANTITIES)}")


def value_of(plan: RampPlan, quantity: str) -> float:
    """The plan's value of a quantity."""
    return plan.circuit.v_read if quantity == "v_read" else float(getattr(plan.conditions, quantity))


def fit_conditions(model: RampModel, runs: list[Run]) -> RampModel:
    """The model with a table for each quantity that the runs vary.

    Parameters
    ----------
    runs : list of Run
        Plans equal to the model's but for one of ``v_read``, temperature and supply, of the same seed, hence the same
        chips: what differs is the condition's. A run at the model's own condition must be among them.

    Raises
    ------
    InputError
        A run that differs in something else or in more than one quantity, too few samples, or none at the model's own
        condition.
    """
    own = model.ramp_plan
    home = next((run for run in runs if run.plan.sha256 == own.sha256), None)
    if home is None:
        raise InputError("runs: none has the plan that the model was fitted to; its own run must be among them")
    groups: dict[str, dict[float, Run]] = {}
    for run in runs:
        if run.plan.sha256 == own.sha256:
            continue
        quantity = _varied(own, run.plan)
        groups.setdefault(quantity, {value_of(own, quantity): home})[value_of(run.plan, quantity)] = run
    return model.model_copy(update={"conditions": tuple(_table(q, own, rows) for q, rows in groups.items())})


def _varied(own: RampPlan, other: RampPlan) -> str:
    """The one quantity in which two plans differ."""
    for quantity in QUANTITIES:
        if plan_at(own, quantity, value_of(other, quantity)).sha256 == other.sha256:
            return quantity
    raise InputError(
        f"runs: one differs from the model's plan in {'; '.join(own.differences(other)[:4])}; "
        f"a run may differ in one of {', '.join(QUANTITIES)}"
    )


@dataclass(frozen=True)
class _Statistics:
    before: np.ndarray
    after: np.ndarray
    noise: np.ndarray
    good: np.ndarray


def _statistics(run: Run) -> _Statistics:
    before, after, noisy, good = measured(run)
    if good.sum() < MINIMUM_SAMPLES:
        raise InputError(f"samples={int(good.sum())} that worked, of {len(good)}: a table needs {MINIMUM_SAMPLES} or more")
    difference = (noisy - after)[good]
    known = injected(run.plan, run.samples["sample"].to_numpy()[good], difference)
    fit = fit_noise(difference, run.plan.program(), run.plan.profile, injected=known)
    noise = np.array([fit.comparator_offset.value, fit.comparator_noise.value, fit.read_noise.value])
    return _Statistics(before, after, noise, good)


def _table(quantity: str, own: RampPlan, runs: dict[float, Run]) -> ConditionTable:
    values = sorted(runs)
    nominal = value_of(own, quantity)
    found = {value: _statistics(runs[value]) for value in values}
    base = found[nominal]

    def pairs(name: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """Levels of the samples that worked at both conditions, there and at the nominal one."""
        out = []
        for value in values:
            n = min(len(found[value].good), len(base.good))
            both = found[value].good[:n] & base.good[:n]
            if both.sum() < MINIMUM_SAMPLES:
                raise InputError(
                    f"{quantity}={value:g}: {int(both.sum())} samples worked there and at {nominal:g}; a table needs"
                    f" {MINIMUM_SAMPLES} or more"
                )
            out.append((getattr(found[value], name)[:n][both], getattr(base, name)[:n][both]))
        return out

    def shift(name: str) -> np.ndarray:
        return np.array([there.mean(axis=0) - here.mean(axis=0) for there, here in pairs(name)])

    def scale(name: str) -> np.ndarray:
        return np.array([_ratio(there.std(axis=0, ddof=1), here.std(axis=0, ddof=1)) for there, here in pairs(name)])

    noise = np.array([[_ratio(a, b) for a, b in zip(found[v].noise, base.noise, strict=True)] for v in values])
    return ConditionTable(
        quantity=quantity,  # type: ignore[arg-type]
        unit=QUANTITIES[quantity],
        nominal=nominal,
        values=np.array(values),
        shift=shift("after"),
        shift_before=shift("before"),
        scale=scale("after"),
        scale_before=scale("before"),
        offset=noise[:, 0],
        noise=noise[:, 1],
        read_noise=noise[:, 2],
    )


def _ratio(there: np.ndarray, here: np.ndarray) -> float:
    """Median ratio; 1 where nothing varies at the nominal condition."""
    there, here = np.atleast_1d(there), np.atleast_1d(here)
    use = here > 0
    return float(np.median(there[use] / here[use])) if use.any() else 1.0
