"""The search by gradients: each trial is where the cost is least of what the evaluated designs say is within the limit.

For each choice of the whole numbers the others are continuous. SLSQP (D. Kraft, DFVLR-FB 88-28, 1988) walks down the cost, a closed
form, within the limit of `LossModel`, which is fitted to the trials so far. A trial is an evaluation of the network as without
gradients, and only that says what a design loses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from typing import Any

import numpy as np

from characterization.resume import Parts
from characterization.streams import proposal_seed

from .continuous import Places
from .loss_model import NUGGET, LossModel
from .search import Row
from .space import Point, Space

BETTER = 0.005
"""Part of the cost by which a trial is expected to be cheaper than the best one within the limit, or takes a chance to be."""
CHANCE = 1e-3
"""Least expected saving, a part of the cost, for which a trial takes the chance that a design is within the limit."""
SPREAD = 6
"""Trials that lie far apart before steps are taken, the default design included."""
NEAR = 0.5
"""Within which of the limit they are expected, `LossModel.scaled` units."""
PATIENCE = 10
"""Trials in a row that need not be any better before the search ends."""
SCREENED = 64
"""Random designs for each choice of whole numbers that are looked at, in closed form, before steps are taken."""
WALKED = 4
"""Designs from which steps are taken: the most promising of every choice of whole numbers, and of the best trial's neighbours."""
PULLS = 6
"""Halvings of the way back from a design that cannot be built."""
CHOICES = 4000
COST_DESIGNS = 400
"""Designs whose cost says where it is worth to look."""
APART = 0.02
"""Places by which a trial differs from every one before."""
CLOSE = 1e-3
"""By which steps may end beyond the limit, `LossModel.scaled` units."""
SOFT = 0.005
"""Part of the cost over which a saving fades to none."""
_STEP = 1e-4


@dataclass(frozen=True)
class Guide:
    """What gradient steps know of designs without an evaluation.

    Attributes
    ----------
    cost : callable
        What is minimised, as a smooth function of a point.
    buildable : callable
        Whether a design can be built.
    g_min : float
        Smallest conductance, siemens.
    wired : bool
        Whether wires have resistance.
    """

    cost: Callable[[Point], float]
    buildable: Callable[[Point], bool]
    g_min: float
    wired: bool

    @classmethod
    def of(cls, job: Any) -> Guide:
        """That of a `cosim.optimize.run.Job`."""
        return cls(job.smooth_objective, job.buildable, job.profile.g_min, job.settings.r_wire > 0)


def run_gradient_search(
    space: Space,
    evaluate: Callable[[Point], Row],
    parts: Parts,
    *,
    guide: Guide,
    trials: int,
    seed: int,
    objective: str,
    judged: str,
    max_loss: float,
    known: Sequence[Row] = (),
    done: Callable[[Row], None] = lambda _: None,
) -> list[Row]:
    """Trials, the default design first, until none is expected to be better; parameters as of `search.run_search`."""
    steps = GradientSteps(space, guide, objective, judged, max_loss, seed)
    rows: list[Row] = []
    for n in range(trials):
        # A stored trial is not proposed again.
        found = [known[n]] if n < len(known) else parts.rows(f"trial-{n:04d}", partial(_trial, n, steps, rows, evaluate))
        row = found[0]
        if "ended" in row:
            break
        rows.append(row)
        done(row)
    return rows


def _trial(n: int, steps: GradientSteps, rows: Sequence[Row], evaluate: Callable[[Point], Row]) -> list[Row]:
    point = steps.space.default if n == 0 else steps.propose(rows)
    return [{"ended": True} if point is None else {"trial": n} | evaluate(point)]


def until_best(rows: Sequence[Row], objective: str) -> int | None:
    """Evaluations until the cheapest design within the limit was tried; None: there is none."""
    within = [r for r in rows if r["within"]]
    return min(within, key=lambda r: r[objective])["trial"] + 1 if within else None


class GradientSteps:
    """Proposes designs; which one depends on the seed and the trials so far alone."""

    def __init__(self, space: Space, guide: Guide, objective: str, judged: str, max_loss: float, seed: int) -> None:
        self.space, self.places, self.guide = space, Places(space), guide
        self.judged, self.objective, self.max_loss, self.seed = judged, objective, max_loss, seed
        self._known: dict[tuple[float, ...], float] = {}
        self._rough: np.ndarray | None = None

    def propose(self, rows: Sequence[Row]) -> Point | None:
        """The next design; None: none is expected to be better."""
        if not self.space.free:
            return None
        built = [r for r in rows if r[self.judged] is not None]
        if not built:
            return self._anything(rows)
        model = LossModel.fit(self.places, built, self.judged, self.max_loss, g_min=self.guide.g_min, wired=self.guide.wired)
        if self._idle(rows) >= PATIENCE:
            return None
        within = [r for r in built if r[self.judged] <= self.max_loss]
        best = min(within, key=lambda r: r[self.objective], default=None)
        walk = _Walk(self, model, float(np.arcsinh(self.max_loss / model.limit)), best)
        screened, tried = self._screen(len(rows)), np.array([self.places.of(r) for r in rows])
        if len(rows) < min(SPREAD, 1 + len(self.space.free)) and (point := self._apart(model, screened, tried)):
            return point
        # In turns: where the limit is expected, and where a larger saving has a chance.
        for chance in (False, True) if best is None or len(rows) % 2 else (True, False):
            steps = walk.chance if chance else walk.down
            ends = [walk.judged(walk.built(start, steps(start)), chance) for start in walk.starts(screened, chance)]
            good = [e for e in ends if np.abs(tried - e.at).max(axis=1).min() > APART]
            for end in sorted(good, key=lambda e: e.score):
                if end.worth and self.guide.buildable(point := self.places.point(end.at)):
                    return point
            if best is None:
                break
        return self._anything(rows) if best is None else None

    def _idle(self, rows: Sequence[Row]) -> int:
        """Trials since one was better than all before."""
        best, since = np.inf, 0
        for row in rows:
            good = row[self.judged] is not None and row[self.judged] <= self.max_loss
            if good and row[self.objective] < (1 - BETTER) * best:
                best, since = row[self.objective], 0
            elif np.isfinite(best):
                since += 1
        return since

    def _apart(self, model: LossModel, at: np.ndarray, tried: np.ndarray) -> Point | None:
        """A design that is expected near the limit, and far from those that were tried: one of each loses what no other does."""
        flat, ends = at.reshape(-1, at.shape[-1]), np.maximum(self.places.ends, 1.0)
        near = flat[np.abs(model.scaled(flat) - float(np.arcsinh(self.max_loss / model.limit))) < NEAR]
        apart = _distances(near / ends, tried / ends).min(axis=1)
        for i in np.argsort(-apart, kind="stable")[:50]:
            point = self.places.point(near[i])
            if apart[i] > APART and self.guide.buildable(point):
                return point
        return None

    def _anything(self, rows: Sequence[Row]) -> Point | None:
        """A random design that can be built."""
        rng = np.random.default_rng(proposal_seed(self.seed, len(rows), 0))
        for _ in range(1000):
            at = rng.uniform(0, 1, len(self.places.ends)) * self.places.ends
            point = self.places.point(np.where(self.places.whole, np.rint(at), at))
            if self.guide.buildable(point):
                return point
        return None

    def _screen(self, number: int) -> np.ndarray:
        """Coordinates (choices, designs, variables) of random designs for every choice of the whole numbers."""
        rng = np.random.default_rng(proposal_seed(self.seed, number, 0))
        whole, ends = self.places.whole, self.places.ends
        choices = list(product(*(range(int(e) + 1) for e in ends[whole])))
        if len(choices) > CHOICES:
            choices = [choices[i] for i in np.sort(rng.choice(len(choices), CHOICES, replace=False))]
        at = rng.uniform(0, 1, (len(choices), SCREENED, len(ends))) * ends
        at[..., whole] = np.array(choices, float)[:, None, :]
        return at

    def log_cost(self, at: np.ndarray) -> float:
        key = tuple(at.tolist())
        if key not in self._known:
            values = {name: float(v) for name, v in self.places.values(at).items()}
            whole = {v.name: round(values[v.name]) for v in self.space.variables if v.whole}
            self._known[key] = float(np.log(self.guide.cost(values | whole)))
        return self._known[key]

    def d_log_cost(self, at: np.ndarray) -> np.ndarray:
        """Derivatives of the logarithm of the cost in the coordinates that are no whole numbers."""
        out = np.zeros(len(at))
        for i in np.flatnonzero(~self.places.whole):
            low, high = (np.clip(at[i] + s * _STEP, 0, self.places.ends[i]) for s in (-1, 1))
            sides = [self.log_cost(_moved(at, i, u)) for u in (low, high)]
            out[i] = (sides[1] - sides[0]) / (high - low)
        return out

    def rough_cost(self, at: np.ndarray) -> np.ndarray:
        """Logarithm of the cost at coordinates (..., variables), a quadratic function fitted to random designs."""
        if self._rough is None:
            rng = np.random.default_rng(proposal_seed(self.seed, 0, 0))
            u = rng.uniform(0, 1, (COST_DESIGNS, at.shape[-1])) * self.places.ends
            u = np.where(self.places.whole, np.rint(u), u)
            y = np.array([self.log_cost(one) for one in u])
            self._rough = np.linalg.lstsq(_quadratic(u), y, rcond=None)[0]
        return _quadratic(at) @ self._rough


@dataclass(frozen=True, eq=False)
class _End:
    """Where steps ended; the least ``score`` is the best, and ``worth`` says whether it is worth a trial."""

    at: np.ndarray
    score: float
    worth: bool


class _Walk:
    """Steps of one proposal.

    Parameters
    ----------
    allowed : float
        The limit, `LossModel.scaled` units.
    best : Row or None
        The cheapest trial within the limit.
    """

    def __init__(self, of: GradientSteps, model: LossModel, allowed: float, best: Row | None) -> None:
        self.of, self.model, self.allowed, self.best = of, model, allowed, best
        self.cost = np.inf if best is None else float(np.log(best[of.objective]))
        self.free = np.flatnonzero(~of.places.whole)

    def starts(self, at: np.ndarray, chance: bool) -> list[np.ndarray]:
        """The best screened design of each of the most promising choices, and the best trial with its neighbours."""
        flat = at.reshape(-1, at.shape[-1])
        score = self._score(flat, self.of.rough_cost(flat), chance).reshape(at.shape[:2])
        first = np.argmin(score, axis=1)
        order = np.argsort(score[np.arange(len(at)), first], kind="stable")[: 2 * WALKED]
        out = [at[i, first[i]] for i in order]
        if self.best is not None:
            here = self.of.places.of(self.best)
            out.append(here)
            for i in np.flatnonzero(self.of.places.whole):
                sides = (_moved(here, i, here[i] + side) for side in (-1.0, 1.0))
                out += [u for u in sides if 0 <= u[i] <= self.of.places.ends[i]]
        costs = np.array([self.of.log_cost(u) for u in out])
        order = np.argsort(self._score(np.array(out), costs, chance), kind="stable")
        return list(islice((out[i] for i in order if self.can_build(out[i])), WALKED))

    def can_build(self, at: np.ndarray) -> bool:
        return self.of.guide.buildable(self.of.places.point(at))

    def built(self, start: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Where steps ended if that can be built, which they know nothing of; else the last design on the way that can."""
        if self.can_build(at):
            return at
        near, far = 0.0, 1.0
        for _ in range(PULLS):
            middle = (near + far) / 2
            near, far = (middle, far) if self.can_build(start + middle * (at - start)) else (near, middle)
        return start + near * (at - start)

    def judged(self, at: np.ndarray, chance: bool) -> _End:
        """Whether a design is worth a trial."""
        cost = self.of.log_cost(at)
        if chance:
            score = float(self._score(at[None], np.array([cost]), chance=True)[0])
            return _End(at, score, score < -np.log(CHANCE))
        beyond = float(self.model.scaled(at)) - self.allowed
        if beyond > CLOSE:
            # Nothing is known to be within: as near as can be.
            return _End(at, 1e3 + beyond, self.best is None)
        return _End(at, cost, cost < self.cost + np.log(1 - BETTER))

    def _score(self, at: np.ndarray, cost: np.ndarray, chance: bool) -> np.ndarray:
        """How promising designs are, the best least."""
        scaled = self.model.scaled(at)
        if chance:
            score: np.ndarray = -(self._log_saving(cost) + self._log_chance(scaled, self.model.doubt(at)))
            return score
        # What is beyond the limit has a way back, the longer the farther.
        return cost + np.maximum(scaled - self.allowed, 0.0) + np.where(scaled <= self.allowed, 0.0, 0.05)

    def down(self, start: np.ndarray) -> np.ndarray:
        """Down the cost, within the limit that is expected."""
        room = {
            "type": "ineq",
            "fun": lambda x: self.allowed - float(self.model.scaled(self._full(start, x))),
            "jac": lambda x: -self.model.gradient(self._full(start, x))[self.free],
        }
        return self._minimised(start, self.of.log_cost, self.of.d_log_cost, [room])

    def chance(self, start: np.ndarray) -> np.ndarray:
        """Up the expected saving: how much cheaper than the best trial, times the chance to be within the limit."""
        from scipy.special import expit

        def lost(at: np.ndarray) -> float:
            return float(self._score(at[None], np.array([self.of.log_cost(at)]), chance=True)[0])

        def d_lost(at: np.ndarray) -> np.ndarray:
            gain = max((self.cost - self.of.log_cost(at)) / SOFT, -500.0)
            # Of the logarithm of log(1 + exp(gain)).
            slope = expit(gain) / np.logaddexp(0.0, gain) / SOFT
            steps = _STEP * np.eye(len(at))[self.free]
            sides = [np.clip(at + s * steps, 0, self.of.places.ends) for s in (-1, 1)]
            low, high = (self._log_chance(self.model.scaled(u), self.model.doubt(u)) for u in sides)
            out = slope * self.of.d_log_cost(at)
            out[self.free] -= (high - low) / np.sum(sides[1] - sides[0], axis=1)
            return out

        return self._minimised(start, lost, d_lost, [])

    def _log_saving(self, log_cost: Any) -> Any:
        """Logarithm of how much cheaper than the best trial; smooth, and small where it is no saving."""
        return np.log(SOFT * np.logaddexp(0.0, np.maximum((self.cost - log_cost) / SOFT, -500.0)))

    def _log_chance(self, scaled: np.ndarray, doubt: np.ndarray) -> np.ndarray:
        from scipy.special import log_ndtr

        found: np.ndarray = log_ndtr((self.allowed - scaled) / np.hypot(doubt, NUGGET))
        return found

    def _full(self, start: np.ndarray, x: np.ndarray) -> np.ndarray:
        at = start.copy()
        at[self.free] = np.clip(x, 0, self.of.places.ends[self.free])
        return at

    def _minimised(
        self,
        start: np.ndarray,
        value: Callable[[np.ndarray], float],
        slope: Callable[[np.ndarray], np.ndarray],
        constraints: list[dict[str, Any]],
    ) -> np.ndarray:
        from scipy.optimize import minimize

        if not len(self.free):
            return start
        found = minimize(
            lambda x: value(self._full(start, x)),
            start[self.free],
            jac=lambda x: slope(self._full(start, x))[self.free],
            bounds=[(0.0, e) for e in self.of.places.ends[self.free]],
            constraints=constraints,
            method="SLSQP",
            options={"maxiter": 20, "ftol": 1e-5},
        )
        return self._full(start, found.x)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(np.sum((a[:, None, :] - b) ** 2, axis=2))


def _moved(at: np.ndarray, i: np.integer, value: float) -> np.ndarray:
    out = at.copy()
    out[i] = value
    return out


def _quadratic(u: np.ndarray) -> np.ndarray:
    n = u.shape[-1]
    pairs = [u[..., i] * u[..., j] for i in range(n) for j in range(i, n)]
    return np.stack([np.ones(u.shape[:-1]), *(u[..., i] for i in range(n)), *pairs], axis=-1)
