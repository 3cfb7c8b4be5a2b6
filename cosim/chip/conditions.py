"""Fitted ramps at conditions of use: how far their tables follow, what of the read voltage is left, what lies outside the fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from characterization.ramp_model import RampModel
from netlists.errors import InputError

NOMINAL_V_READ = 0.2
"""Read voltage of ramps that do not say theirs, and at which a linear converter's range was set, volts."""


def models_of(ramps: Mapping[str, Any] | None) -> dict[str, RampModel]:
    """The fitted ones among the ramps, by activation."""
    return {a: r for a, r in (ramps or {}).items() if isinstance(r, RampModel)}


def moved_model(model: RampModel, conditions: Mapping[str, float]) -> RampModel:
    """The model at those of the conditions that it has a table of; beyond a table its end is taken."""
    tables = {t.quantity: t for t in model.conditions}
    within = {q: float(np.clip(v, tables[q].values[0], tables[q].values[-1])) for q, v in conditions.items() if q in tables}
    return model.at(**within) if within else model


def read_gain(ramps: Mapping[str, Any] | None, v_read: float | None, nominal: float | None) -> float:
    """By how much an offset or noise of a fixed voltage weighs more than at the nominal read voltage.

    It is 1 where no other read voltage is asked for, and where the models' tables say what another one changes.

    Raises
    ------
    InputError
        Models of which some have a table of the read voltage and some have not, or that were fitted at different ones.
    """
    if v_read is None:
        return 1.0
    models = models_of(ramps)
    followed = {a: any(t.quantity == "v_read" for t in m.conditions) for a, m in models.items()}
    followed |= {a: False for a, r in (ramps or {}).items() if r is not None and a not in models}
    if followed and all(followed.values()):
        return 1.0
    fitted = {float(m.fitted_conditions()["v_read"]) for m in models.values()}
    if any(followed.values()) or (nominal is None and len(fitted) > 1):
        without = ", ".join(a for a, has in followed.items() if not has)
        raise InputError(
            f"v_read={v_read:g}: the models differ in what they know of it (no table: {without}); "
            "fit all of them to runs at the same read voltages"
        )
    if nominal is None:
        nominal = fitted.pop() if fitted else NOMINAL_V_READ
    return nominal / v_read


def outside_fit(ramps: Mapping[str, Any] | None, conditions: Mapping[str, float], profile: str | None) -> tuple[str, ...]:
    """A line for each condition of use that lies outside those a model was fitted at, and what is done about it.

    Parameters
    ----------
    conditions : mapping
        ``v_read``, ``temperature``, ``supply``, as far as they were given.
    profile : str or None
        Device profile of the weights; None: weights that have none.
    """
    out: list[str] = []
    for activation, model in models_of(ramps).items():
        tables = {t.quantity for t in model.conditions}
        for quantity, value in conditions.items():
            if quantity in tables:
                done = "the nearest fitted value is taken"
            elif quantity == "v_read":
                done = "offset and noise are taken as the same voltage, levels as following the read voltage"
            else:
                done = "the model is used as fitted"
            out += [f"model of {activation}: {line}; {done}" for line in model.outside(**{quantity: value})]
        if profile is not None:
            out += [f"model of {activation}: {line}; the weights are of {profile}" for line in model.outside(profile=profile)]
    return tuple(out)
