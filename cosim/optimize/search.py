"""The search: an optimizer proposes a design, the bench says what it loses, the cost model what it costs.

Trial n depends on the seed and on the trials before it alone, and each is stored when it is done: a search that was stopped
goes on as if it had not been.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from characterization.resume import Parts
from characterization.streams import proposal_seed
from cosim.report import Work, changed_files
from netlists.errors import ToolkitError
from netlists.files import read_json

from .space import Point, Space

Row = dict[str, Any]
"""A trial: ``trial``, the variables, what the design costs, ``loss`` and its intervals (None if it cannot be built), ``reason``."""

STARTUP = 16
"""Trials drawn at random before the estimator has something to learn from, the default design included."""
IMPOSSIBLE = 1.0
"""Loss that the optimizer is told of a design that cannot be built: every sequence."""
_ATTEMPTS = 20


def optuna() -> ModuleType:
    """The optimizer, which does not talk.

    Raises
    ------
    ToolkitError
        It is not installed; names the extra.
    """
    try:
        import optuna
    except ImportError:
        raise ToolkitError("the design search needs Optuna; install the extra: pip install 'nladc-cosim[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def run_search(
    space: Space,
    evaluate: Callable[[Point], Row],
    parts: Parts,
    *,
    trials: int,
    seed: int,
    objective: str,
    judged: str,
    max_loss: float,
    known: Sequence[Row] = (),
    done: Callable[[Row], None] = lambda _: None,
) -> list[Row]:
    """Trials, the default design first, by a tree-structured Parzen estimator with a constraint.

    J. Bergstra et al., NeurIPS 24 (2011); the constraint as in Optuna's `TPESampler`: designs within the limit are better than
    those beyond it, and of the latter the less far ones.

    Parameters
    ----------
    evaluate : callable
        From a point to a row without ``trial``.
    trials : int
        No more than there are designs on the grid.
    objective, judged : str
        Columns of a row: what is minimised, and what must not be above ``max_loss``.
    known : sequence of Row
        The first trials, of a search that asked for fewer.
    done : callable
        Is told of each row.
    """
    study = optuna().create_study(direction="minimize")
    rows: list[Row] = []
    for n in range(min(trials, space.size)):
        if n < len(known):
            row = known[n]
        else:
            row = parts.rows(f"trial-{n:04d}", lambda n=n: [{"trial": n} | evaluate(_propose(study, space, rows, n, seed))])[0]  # type: ignore[misc]
        rows.append(row)
        loss = IMPOSSIBLE if row[judged] is None else row[judged]
        study.add_trial(_told(space, row, row[objective], {"loss": loss - max_loss}))
        done(row)
    return rows


def finished_trials(work: Work, made_by: Mapping[str, Any]) -> list[Row]:
    """Trials of the search that ended in this folder, if it asked for the same but for their number, of the same versions."""
    if not (work.place / "summary.json").exists():
        return []
    if changed := changed_files(work.place):
        work.options.say(f"warning: {work.place}: {changed[0]}: the search begins anew")
        return []
    stored = read_json(work.place / "summary.json", "summary of a search")
    settings = [json.loads(json.dumps(s)) | {"trials": None} for s in (stored["settings"], work.settings.as_dict())]
    if settings[0] != settings[1] or any(stored.get(name) != value for name, value in made_by.items()):
        work.options.say(f"{work.place}: the search that ended there had other settings, inputs or versions: this one begins anew")
        return []
    # As text: the reader of numbers is not exact.
    table = pd.read_csv(work.place / "trials.csv", dtype=str, keep_default_na=False).drop(columns="within")
    work.options.say(f"{len(table)} trials of the search that ended in {work.place} are taken over")
    numbers = table.drop(columns="reason").map(lambda text: json.loads(text) if text else None)
    return [row | {"reason": reason} for row, reason in zip(numbers.to_dict("records"), table["reason"], strict=True)]


def _propose(study: Any, space: Space, rows: Sequence[Row], number: int, seed: int) -> Point:
    """A design that was not tried before."""
    if number == 0:
        return space.default
    tried = [space.index(r) for r in rows]
    library = optuna()
    for attempt in range(_ATTEMPTS):
        # A new sampler each time: nothing but the stored trials says what comes next.
        own = proposal_seed(seed, number, attempt)
        study.sampler = library.samplers.TPESampler(seed=own, n_startup_trials=STARTUP, multivariate=True)
        asked = study.ask(_distributions(space))
        # Evaluated trials are added when they are complete; failed ones the sampler does not see.
        study.tell(asked, state=library.trial.TrialState.FAIL)
        if asked.params not in tried:
            return space.point(asked.params)
    rng = np.random.default_rng(proposal_seed(seed, number, _ATTEMPTS))
    while True:
        index = {v.name: int(rng.integers(len(v.grid))) for v in space.free}
        if index not in tried:
            return space.point(index)


def front(rows: Sequence[Row], objective: str, judged: str) -> list[Row]:
    """Designs that no other beats in both, cheapest first; of equal ones the first tried."""
    out: list[Row] = []
    for row in sorted((r for r in rows if r[judged] is not None), key=lambda r: (r[objective], r[judged], r["trial"])):
        if not out or row[judged] < out[-1][judged]:
            out.append(row)
    return out


def importances(space: Space, rows: Sequence[Row], target: str, seed: int) -> dict[str, float]:
    """Share of each variable by itself in the variance of a column over the grid, as far as the designs tried tell.

    Functional ANOVA of a random forest (F. Hutter et al., ICML 2014), over the designs that could be built; the shares add up
    to 1. Empty where those designs do not differ.
    """
    library = optuna()
    built = [r for r in rows if r[target] is not None]
    values = np.array([r[target] for r in built])
    if len(values) < 2 or np.ptp(values) == 0:
        return {}
    # Trees take a variance below the rounding of 1 for none.
    values = (values - values.mean()) / values.std()
    study = library.create_study()
    study.add_trials([_told(space, r, float(v), {}) for r, v in zip(built, values, strict=True)])
    forest = library.importance.FanovaImportanceEvaluator(seed=seed)
    found = library.importance.get_param_importances(study, evaluator=forest)
    return {v.name: float(found.get(v.name, 0.0)) for v in space.free}


def main_effects(space: Space, value: Callable[[Point], float], samples: int, rng: np.random.Generator) -> dict[str, float]:
    """Share of each variable by itself in the variance of a function of the design, from designs drawn evenly over the grid.

    ``Var(E[y | x]) / Var(y)``, the first-order index of I. M. Sobol, Math. Comput. Simul. 55, 271 (2001).
    """
    index = np.stack([rng.integers(len(v.grid), size=samples) for v in space.free], axis=1)
    names = [v.name for v in space.free]
    y = np.array([value(space.point(dict(zip(names, row.tolist(), strict=True)))) for row in index])
    if np.ptp(y) == 0:
        return {}
    out = {}
    for column, name in zip(index.T, names, strict=True):
        means = {place: y[column == place].mean() for place in np.unique(column).tolist()}
        out[name] = float(np.var([means[place] for place in column.tolist()]) / y.var())
    return out


def _told(space: Space, row: Row, value: float, constraints: Mapping[str, float]) -> Any:
    return optuna().trial.create_trial(
        params=space.index(row), distributions=_distributions(space), value=value, constraints=dict(constraints)
    )


def _distributions(space: Space) -> dict[str, Any]:
    """Places on each grid: in order, so that neighbours are alike."""
    return {v.name: optuna().distributions.IntDistribution(0, len(v.grid) - 1) for v in space.free}
