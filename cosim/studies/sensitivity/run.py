"""The study: trim order, linear yield, predicted loss and design search, each by gradients and beside what does without.

Extra ``search``: the search without gradients is Optuna's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from characterization.plan import Limits, RampPlan
from characterization.resume import Parts
from characterization.sensitivity import linear_yield, trimming_table
from cosim.network import Network
from cosim.optimize.gradient import Guide, run_gradient_search
from cosim.optimize.run import Job
from cosim.optimize.search import Row, optuna, run_search
from cosim.optimize.settings import OptimizeSettings
from cosim.report import Results, Study, Takes, Work
from cosim.sensitivity.network import RankCorrelation, drawn_hardware, network_sensitivities, prediction_table
from cosim.tasks import load_task
from netlists.files import sha256_of

from .pictures import draw_study
from .settings import SensitivityStudySettings

WRITES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 28)
METHODS = ("gradient", "tpe")
NEAR = 1.01
"""A design is the same optimum if it costs so many times the cheapest one that any search found, or less."""


def compute(settings: SensitivityStudySettings, work: Work) -> Results:
    """Computes the four parts.

    Raises
    ------
    InputError
        A network or task that does not fit, or an activation that no ramp makes.
    ToolkitError
        Optuna or ngspice is missing.
    """
    optuna()
    plan = RampPlan(settings.activation, settings.bits, seed=settings.seed)
    parts = work.parts(network_sha256=sha256_of(Path(settings.network)))
    trimming = pd.DataFrame(parts.rows("trimming", lambda: _trimming(plan, settings)))
    yields = pd.DataFrame(parts.rows("yields", lambda: _yields(plan, settings)))
    prediction = pd.DataFrame(parts.rows("prediction", lambda: _prediction(settings, work)))
    searches = _searches(settings, work, parts)
    within = searches[searches["loss"].notna() & (searches["loss"] <= settings.max_loss)]
    best = float(within["energy"].min()) if len(within) else None
    rank = {
        "loss": RankCorrelation.of(prediction["predicted"].to_numpy(), prediction["loss"].to_numpy()).as_dict(),
        "accuracy": RankCorrelation.of(-prediction["predicted"].to_numpy(), prediction["accuracy"].to_numpy()).as_dict(),
    }
    summary = {
        "seed": settings.seed,
        "trimming": _trimmed(trimming),
        "prediction": rank,
        "best_energy": best,
        "searches": [_search(searches, method, seed, best, settings) for seed in settings.search_seeds for method in METHODS],
        "optuna": optuna().__version__,
    }
    tables = {"trimming.csv": trimming, "yield.csv": yields, "prediction.csv": prediction, "searches.csv": searches}
    drawn = partial(draw_study, trimming, yields, prediction, searches, settings.trim_limit, settings.max_loss)
    return Results(summary, tables, {"sensitivity": drawn}, "%.8g")


def _trimming(plan: RampPlan, s: SensitivityStudySettings) -> list[dict[str, Any]]:
    cells = plan.program().n_cells
    writes = [n for n in WRITES if n < cells] + [cells]
    return trimming_table(plan, range(s.trim_chips), writes, limit=s.trim_limit).to_dict("records")


def _yields(plan: RampPlan, s: SensitivityStudySettings) -> list[dict[str, Any]]:
    rows = []
    for n, limit in enumerate(s.limits):
        spice = s.spice_chips if n == len(s.limits) // 2 else 0
        found = linear_yield(plan, Limits(max_inl=limit), chips=s.yield_chips, spice=spice)
        rows += [{"limit": limit} | share.as_dict() for share in found]
    return rows


def _prediction(s: SensitivityStudySettings, work: Work) -> list[dict[str, Any]]:
    network, task = Network.load(s.network), load_task(s.task)
    plan = RampPlan("sigmoid", s.bits, seed=s.seed)
    found = network_sensitivities(network, task.test, plan)
    hardware = drawn_hardware(network, plan)
    table = prediction_table(found.gradient, task.test, hardware, s.network_chips, s.seed, threads=work.options.jobs)
    return table.to_dict("records")


class _Named:
    """Parts of one search among those of the study."""

    def __init__(self, parts: Parts, name: str) -> None:
        self.parts, self.name = parts, name

    def rows(self, name: str, make: Callable[[], list[Row]]) -> list[Row]:
        return self.parts.rows(f"{self.name}-{name}", make)


def _searches(s: SensitivityStudySettings, work: Work, parts: Parts) -> pd.DataFrame:
    rows = []
    values = {"network": s.network, "task": s.task, "max_loss": s.max_loss, "chips": s.search_chips, "seed": s.seed}
    asked = OptimizeSettings.model_validate(values | {"r_wire": 0.0, "trials": s.trials})
    job = Job(asked, work)
    for seed in s.search_seeds:
        for method in METHODS:
            work.options.say(f"search, {method}, seed {seed}")
            how: dict[str, Any] = {
                "trials": s.trials, "seed": seed, "objective": "energy", "judged": "loss", "max_loss": s.max_loss,
            }  # fmt: skip
            own: Any = _Named(parts, f"{method}-{seed}")
            if method == "gradient":
                found = run_gradient_search(job.space, job.evaluate, own, guide=Guide.of(job), **how)
            else:
                found = run_search(job.space, job.evaluate, own, **how)
            shown = [v.name for v in job.space.variables] + ["energy", "loss"]
            rows += [{"method": method, "seed": seed, "evaluation": r["trial"] + 1} | {n: r[n] for n in shown} for r in found]
    return pd.DataFrame(rows).astype({"loss": float})


def _trimmed(table: pd.DataFrame) -> dict[str, Any]:
    """Yield before any write, after all, and after as many as leave most by the gradient."""
    ranked, random = (table[table["order"] == order].set_index("writes")["within"] for order in ("ranked", "random"))
    top = int(ranked.idxmax())
    return {
        "before": float(ranked.iloc[0]),
        "all": float(ranked.iloc[-1]),
        "most": {"writes": top, "ranked": float(ranked[top]), "random": float(random[top])},
    }


def _search(table: pd.DataFrame, method: str, seed: int, best: float | None, s: SensitivityStudySettings) -> dict[str, Any]:
    """How many evaluations a search took, and when it met the optimum."""
    own = table[(table["method"] == method) & (table["seed"] == seed)]
    within = own[own["loss"] <= s.max_loss]
    met = within[within["energy"] <= NEAR * best] if best is not None else within
    return {
        "method": method,
        "seed": seed,
        "evaluations": len(own),
        "energy": float(within["energy"].min()) if len(within) else None,
        "until_optimum": int(met["evaluation"].min()) if len(met) else None,
    }


def describe(s: dict[str, Any]) -> str:
    """Writes the answers in a few lines, for the terminal."""
    t, p = s["trimming"], s["prediction"]
    lines = [
        f"trimming: {100 * t['before']:.1f} % of chips pass, after {t['most']['writes']} writes {100 * t['most']['ranked']:.1f} % "
        f"in the order of the gradient, {100 * t['most']['random']:.1f} % in random orders",
        f"loss of chips: rank correlation {p['loss']['value']:.2f} ({p['loss']['low']:.2f}..{p['loss']['high']:.2f})",
    ]
    for r in s["searches"]:
        until = "not within 1 % of the optimum" if r["until_optimum"] is None else f"within 1 % after {r['until_optimum']}"
        energy = "none within the limit" if r["energy"] is None else f"{1e6 * r['energy']:.4g} uJ"
        lines.append(f"search, {r['method']}, seed {r['seed']}: {energy}, {r['evaluations']} evaluations, {until}")
    return "\n".join(lines)


def _work(s: SensitivityStudySettings) -> float:
    return 30 + 0.1 * s.network_chips + s.spice_chips / 10 + len(s.search_seeds) * s.trials * s.search_chips / 4


STUDY = Study("sensitivity", SensitivityStudySettings, compute, describe, Takes(170.0, _work))
