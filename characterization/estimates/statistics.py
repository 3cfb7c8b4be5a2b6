"""One number a chip from its transition levels: what means, quantiles and yields are taken of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from characterization.figures import inl_dnl as figures
from characterization.plan import Limits
from netlists.check_rules import Choice
from netlists.checks import check
from netlists.errors import InputError
from netlists.ramp import RampProgram

Statistic = Callable[[np.ndarray, RampProgram], np.ndarray]
"""Transition levels (n, levels), input units, and the program they belong to -> (n,)."""


def max_inl(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Largest input-referred |INL|, LSB; shapes (..., levels) -> (...)."""
    return np.abs(figures.inl_input(x, program)).max(axis=-1)


def max_inl_output(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Largest output-referred |INL|, LSB of the code; shapes (..., levels) -> (...)."""
    return np.abs(figures.inl_output(x, program)).max(axis=-1)


def max_dnl(x: np.ndarray, program: RampProgram) -> np.ndarray:
    """Largest |DNL|, LSB; shapes (..., levels) -> (...)."""
    return np.abs(figures.dnl(x, program)).max(axis=-1, initial=0.0)


def margin(limits: Limits) -> Statistic:
    """What a chip uses of its limits: it meets all of them where this is 1 or less.

    The largest of ``max|INL| / limit``, ``max|DNL| / limit`` and, for a chip that must be monotonic, ``-DNL``, which is 1
    where a step vanishes. One smooth number can be predicted and regressed; a verdict cannot.

    Raises
    ------
    InputError
        If there is no limit at all.
    """
    if np.isinf(limits.max_inl) and np.isinf(limits.max_dnl) and not limits.monotonic:
        raise InputError("limits: none is set; give max_inl, max_dnl or monotonic")

    def used(x: np.ndarray, program: RampProgram) -> np.ndarray:
        steps = figures.dnl(x, program)
        shares = [max_inl(x, program) / limits.max_inl, np.abs(steps).max(axis=-1, initial=0.0) / limits.max_dnl]
        if limits.monotonic:
            shares.append((-steps).max(axis=-1, initial=0.0))
        return np.max(shares, axis=0)

    return used


def of_columns(statistic: Statistic, columns: int) -> Statistic:
    """The statistic of the worst of some columns, from levels and, after them, the columns' shifts: (n, levels + columns).

    Columns that are to decide for all of a chip are the lowest and the highest (`characterization.chips.scope_shifts`).
    """

    def worst(x: np.ndarray, program: RampProgram) -> np.ndarray:
        levels, shifts = x[:, :-columns], x[:, -columns:]
        return np.max([statistic(levels + shift[:, None], program) for shift in shifts.T], axis=0)

    return worst


STATISTICS: dict[str, Statistic] = {"max_inl": max_inl, "max_inl_output": max_inl_output, "max_dnl": max_dnl}
"""The statistics that have a name."""


def get_statistic(statistic: str | Statistic) -> Statistic:
    """The statistic of a name, or the function itself.

    Raises
    ------
    InputError
        Unknown name.
    """
    if callable(statistic):
        return statistic
    return STATISTICS[check(Annotated[str, Choice(STATISTICS)], statistic, "statistic")]
