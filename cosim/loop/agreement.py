"""How well ngspice and the model agree, code by code and step by step, and how far a disagreement travels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .chip import LoopChip
from .datapath import StepConversion, Trajectory
from .simulators import FAILED

STEPS = ("array", "gate", "step", "conversions", "failed", "equal", "within_1")
DISAGREEMENTS = (
    "array",
    "gate",
    "column",
    "step",
    "sequence",
    "x",
    "code_spice",
    "code_model",
    "margin_lsb",
)
FAILURES = ("array", "gate", "column", "step", "sequence", "seed", "message")
TRAVEL = ("sequence", "step", "after", "distance", "codes_differ")
NEAR_LSB = 0.05


def steps_table(converted: Sequence[StepConversion]) -> pd.DataFrame:
    """Agreement of each array, gate and step: codes of ngspice and of the model for the same pre-activations."""
    rows = []
    for c in converted:
        if c.answer is None:
            continue
        done = c.answer.codes != FAILED
        apart = np.abs(c.answer.codes - c.model)
        gates = np.array([c.step.array.gate(j).name for j in c.step.array.chosen])
        for gate in dict.fromkeys(gates):
            own, ok = apart[gates == gate], done[gates == gate]
            counts = (own.size, int((~ok).sum()), int((own[ok] == 0).sum()), int((own[ok] <= 1).sum()))
            rows.append((c.step.array.key, gate, c.step.number, *counts))
    return pd.DataFrame(rows, columns=list(STEPS)).sort_values(["array", "step", "gate"], ignore_index=True)


def disagreements_table(chip: LoopChip, converted: Sequence[StepConversion]) -> pd.DataFrame:
    """Every code that differs. ``margin_lsb`` is how far x lies from the threshold that one of the two took the other way.

    It is that of x with what its integrator adds. Where codes differ by more than one it is the farthest of those thresholds. LSB
    is the local ideal step of the ramp.
    """
    rows = []
    for c in converted:
        if c.answer is None:
            continue
        array = c.step.array
        seen = c.step.x + chip.integrated(array, c.step.drive)
        for i, s in np.argwhere((c.answer.codes != c.model) & (c.answer.codes != FAILED)):
            j, identity, x = int(array.chosen[i]), int(c.step.identities[s]), float(c.step.x[i, s])
            program = chip.ramps[array.gate(j).activation].program
            levels = chip.thresholds(array, j, c.step.number, identity)
            mine = int(np.searchsorted(levels, seen[i, s], side="left"))
            same = np.flatnonzero(program.codes == c.answer.codes[i, s])
            theirs = int(same[np.argmin(np.abs(same - mine))])
            k = theirs - 1 if theirs > mine else theirs
            margin = abs(seen[i, s] - levels[k]) / (program.lsb[k] * array.gate(j).full_scale)
            codes = (int(c.answer.codes[i, s]), int(c.model[i, s]))
            rows.append((array.key, array.gate(j).name, j, c.step.number, identity, x, *codes, float(margin)))
    return pd.DataFrame(rows, columns=list(DISAGREEMENTS)).sort_values(["array", "step", "sequence", "column"], ignore_index=True)


def failures_table(chip: LoopChip, converted: Sequence[StepConversion]) -> pd.DataFrame:
    """Every conversion that ngspice could not do, with the seed and indices that make it again, and ngspice's message."""
    rows = []
    for c in converted:
        for f in c.answer.failures if c.answer is not None else ():
            j = int(c.step.array.chosen[f.row])
            where = (c.step.array.key, c.step.array.gate(j).name, j, c.step.number, int(c.step.identities[f.sequence]))
            rows.append((*where, chip.settings.seed, f.message))
    return pd.DataFrame(rows, columns=list(FAILURES))


def travel_table(
    spice: Sequence[StepConversion], model: Sequence[StepConversion], closed: Trajectory, alone: Trajectory, active: np.ndarray
) -> pd.DataFrame:
    """How far apart the two loops are, step by step, in the sequences in which a code ever differed.

    ``after`` counts steps from the first code that differed; ``distance`` is the rms difference of the top layer's outputs;
    ``codes_differ`` counts the simulated columns whose codes differ between the two loops.
    """
    identities = spice[0].step.identities
    at = {(c.step.array.key, c.step.number): c.model for c in model}
    differ = np.zeros((len(active), len(identities)), int)
    first = np.full(len(identities), len(active))
    for c in spice:
        assert c.answer is not None
        n = c.model.shape[1]
        taken = np.where(c.answer.codes == FAILED, c.model, c.answer.codes)
        differ[c.step.number, :n] += (taken != at[c.step.array.key, c.step.number]).sum(axis=0)
        own = np.flatnonzero((taken != c.model).any(axis=0))
        first[own] = np.minimum(first[own], c.step.number)
    distance = np.sqrt(np.mean((closed.hidden - alone.hidden) ** 2, axis=1))
    rows = [
        (int(identities[s]), t, t - int(first[s]), float(distance[t, s]), int(differ[t, s]))
        for s in range(len(identities))
        for t in range(int(first[s]), len(active))
        if s < active[t]
    ]
    return pd.DataFrame(rows, columns=list(TRAVEL))


def agreement(steps: pd.DataFrame, disagreements: pd.DataFrame) -> dict[str, Any]:
    """Figures over all conversions, and of each gate."""

    def shares(rows: pd.DataFrame) -> dict[str, Any]:
        total, failed = int(rows["conversions"].sum()), int(rows["failed"].sum())
        done = total - failed
        return {
            "conversions": total,
            "failed": failed,
            "codes_equal": float(rows["equal"].sum() / done) if done else None,
            "codes_within_1": float(rows["within_1"].sum() / done) if done else None,
        }

    margin = disagreements["margin_lsb"]
    return {
        **shares(steps),
        "disagreements": len(disagreements),
        "margin_lsb_largest": float(margin.max()) if len(margin) else None,
        "margin_lsb_median": float(margin.median()) if len(margin) else None,
        "near_lsb": NEAR_LSB,
        "disagreements_near": float((margin < NEAR_LSB).mean()) if len(margin) else None,
        "gates": {str(gate): shares(rows) for gate, rows in steps.groupby("gate", sort=False)},
    }
