"""Simulate until an interval is narrow enough, and no longer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from characterization.chips import ControlLevels, population, same_chips
from characterization.plan import Limits, RampPlan
from characterization.run import characterize, load_run, run_status
from netlists.check_rules import Choice, Whole
from netlists.checks import Inside, Positive, check
from netlists.errors import InputError
from netlists.machine import require_memory

from .control_variate import UNSEEN, TooFewChips, fit_levels, mean_with, quantile_with, yield_with
from .plain import CONFIDENCE, Estimate
from .statistics import Statistic, get_statistic, margin, of_columns

FIRST = 128
"""Chips before the first look: the control is trusted (`doubts`), and chance makes no spread too small."""
MOST = 65_536
"""Samples after which a run stops in any case."""
MOST_CONTROL = 10**9
"""Chips in closed form beside them."""
QUANTITIES = ("mean", "quantile", "yield")


@dataclass(frozen=True)
class Stopped:
    """Where a run stopped.

    Attributes
    ----------
    estimate : Estimate
    target : float
        Half width that was asked for.
    reached : bool
        Whether the interval is that narrow; if not, the run stopped at the largest number of samples.
    looks : tuple of int
        Numbers of samples at which the interval was looked at.
    """

    estimate: Estimate
    target: float
    reached: bool
    looks: tuple[int, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the closed form was no control, and that the interval is wider than asked for, if so."""
        if self.reached:
            return self.estimate.warnings
        width, most = self.estimate.half_width, self.looks[-1]
        return (
            *self.estimate.warnings,
            f"half_width={self.target:g}: not reached; the interval is +- {width:.2g} after {most} chips, the most allowed",
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary of the estimate and of where it stopped."""
        where = {"target": self.target, "reached": self.reached, "looks": list(self.looks), "warnings": list(self.warnings)}
        return self.estimate.as_dict() | where


def double_until(
    estimate: Callable[[int], Estimate], half_width: float, *, first: int, most: int, progress: Callable[[Estimate], None] | None
) -> Stopped:
    """Looks at ``estimate(n)`` for n = first, 2 first, 4 first... until its interval's half width is at most ``half_width``.

    Looking often stops where chance made the spread small, and the interval then misses too often (Y. S. Chow and H. Robbins,
    Ann. Math. Stat. 36, 1965, 457-462, for many samples; P. W. Glynn and W. Whitt, Ann. Appl. Probab. 2, 1992, 180-198). Doubling
    leaves few looks, and a first look that is late enough keeps the coverage.
    """
    n, looks = first, []
    while True:
        looks.append(n)
        try:
            found = estimate(n)
        except TooFewChips:
            if n >= most:
                raise
        else:
            if progress is not None:
                progress(found)
            if found.half_width <= half_width or n >= most:
                return Stopped(found, half_width, found.half_width <= half_width, tuple(looks))
        n = min(2 * n, most)


def until_ci(
    plan: RampPlan,
    statistic: str | Statistic,
    half_width: float,
    out: str | Path,
    *,
    quantity: str = "mean",
    probability: float | None = None,
    limits: Limits | None = None,
    calibrated: bool = True,
    columns: str = "all",
    confidence: float = CONFIDENCE,
    n_control: int = 100_000,
    first: int | None = None,
    most: int = MOST,
    unseen: float = UNSEEN,
    jobs: int = 1,
    progress: Callable[[Estimate], None] | None = None,
) -> Stopped:
    """Simulates samples of a plan into a run's folder until an interval is narrow enough, with the closed form as control.

    Samples are added with `characterization.run.montecarlo.characterize`: the folder is an ordinary run, is resumed like one, and
    keeps every sample. Samples that it already holds count from the first look.

    Parameters
    ----------
    statistic : str or callable
        One of `characterization.estimates.statistics.STATISTICS`, or a function of levels and program. Of no use for a yield, which
        has ``limits``.
    half_width : float
        Unit of the statistic; a share of chips (0 to 1) for a yield.
    quantity : {"mean", "quantile", "yield"}
    probability : float
        Of the quantile.
    calibrated : bool
        Chips after calibration, or as programmed.
    columns : {"calibrating", "any", "all"}
        Whose figures: the column that calibrated the ramp, another one, or the worst of all columns of a chip. For all columns a
        statistic of one's own must grow with the distance from the ideal levels, on either side.
    n_control : int
        Further chips in closed form.
    first, most : int
        Samples at the first look, by default `FIRST` or ``most``, and the largest number of them.
    unseen : float
        Share of chips with a defect unknown to the closed form, which the simulated chips must be able to show. With fewer, or
        where they show one, the estimate is without a control, and warns. 32 chips do for 0.1.
    progress : callable, optional
        Called with each look's estimate.

    Raises
    ------
    InputError
        A value that is not allowed, or a half width that so many chips in closed form cannot give; the message says how many can.
    """
    measure = _estimator(quantity, probability, limits, confidence, check(Inside, unseen, "unseen"))
    one = margin(limits) if quantity == "yield" and limits is not None else get_statistic(statistic)
    half_width = check(Positive, half_width, "half_width")
    first = min(FIRST, most) if first is None else first
    first = check(Annotated[int, Whole(32, why="with fewer, the first look stops too often")], first, "first")
    most = check(Annotated[int, Whole(first, why="no less than the first look takes")], most, "most")
    n_control = check(Annotated[int, Whole(1, MOST_CONTROL)], n_control, "n_control")
    # Of a chip in closed form: its cells, levels and figures.
    require_memory(1000.0 * n_control, f"n_control={n_control}")
    if plan.sampling.method != "random":
        raise InputError(f"sampling method={plan.sampling.method!r}: the interval needs independent samples; take method random")
    program = plan.program()
    everyone = _with_shifts(population(plan, n_control, columns, calibrated=calibrated), calibrated)
    deciding = everyone.shape[1] - len(program.x)
    used, closed = of_columns(one, deciding), np.empty((0, everyone.shape[1]))

    def estimate(n: int) -> Estimate:
        nonlocal closed
        spice = characterize(plan, n, out, jobs=jobs, progress=False).levels(calibrated=calibrated)
        more = np.arange(len(closed), n)
        closed = np.concatenate([closed, _with_shifts(same_chips(plan, more, columns, calibrated=calibrated), calibrated)])
        # The columns' shifts are drawn, hence known of simulated chips too.
        spice = np.concatenate([spice, closed[:, -deciding:]], axis=1)
        good = np.isfinite(spice).all(axis=1)
        found = measure(fit_levels(spice[good], closed[good], everyone, used, program), n_failed=int((~good).sum()))
        floor = found.half_width * np.sqrt(found.n_spice * found.variance_reduction / (found.n_spice + n_control))
        if found.n_control and floor > half_width:
            need = 2 * int(np.ceil(n_control * (floor / half_width) ** 2))
            enough = f"take n_control={need} or more" if need <= MOST_CONTROL else f"take half_width={1.05 * floor:.2g} or more"
            raise InputError(f"half_width={half_width:g}: {n_control} chips in closed form give no less than {floor:.2g}; {enough}")
        return found

    # A run that was stopped on the way to a look goes on from its chunks, with the looks of one that was not.
    there = (Path(out) / "manifest.json").exists() and run_status(out).state == "complete"
    stored = len(load_run(out).samples) if there else 0
    return double_until(estimate, half_width, first=max(first, stored), most=max(most, stored), progress=progress)


def _with_shifts(chips: ControlLevels, calibrated: bool) -> np.ndarray:
    """Levels and, after them, the shifts of the columns that decide."""
    return np.concatenate([chips.levels(calibrated=calibrated), chips.shifts], axis=1)


def _estimator(
    quantity: str, probability: float | None, limits: Limits | None, confidence: float, unseen: float
) -> Callable[..., Estimate]:
    """The estimate of a control; it takes ``n_failed`` too."""
    check(Annotated[str, Choice(QUANTITIES)], quantity, "quantity")
    confidence = check(Inside, confidence, "confidence")
    if quantity == "mean":
        return partial(mean_with, confidence=confidence, unseen=unseen)
    if quantity == "quantile":
        return partial(quantile_with, probability=check(Inside, probability, "probability"), confidence=confidence, unseen=unseen)
    check(Limits, limits, "limits")
    return partial(yield_with, limit=1.0, confidence=confidence, unseen=unseen)
