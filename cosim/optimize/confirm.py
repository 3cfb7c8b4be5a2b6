"""A design in SPICE: its ramps simulated chip by chip, a model fitted to them, and the network run on that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from characterization.chips import same_chips
from characterization.ramp_model import RampModel
from characterization.run import Run, characterize
from characterization.streams import ramp_seed
from cosim.chip import late_levels
from netlists.ramp import timing
from netlists.technology import DeviceProfile

from ..cost import Design
from .ramps import ramp_plan


@dataclass(frozen=True, eq=False)
class Simulated:
    """One ramp of a design.

    Attributes
    ----------
    model : RampModel
        Fitted to the chips.
    row : dict
        ``activation``, ``scheme``, ``samples``, ``failed``, ``conversion_time`` (seconds, by the deck's clock), and how far the
        closed form of the same chips is from ngspice: ``model_rms_lsb``, ``model_max_lsb``; beside it ``chips_rms_lsb``, what the
        chips are from the target.
    failures : list of dict
        ``activation``, ``sample``, ``seed``, ``status``, ``message`` of each sample that failed.
    """

    model: RampModel
    row: dict[str, Any]
    failures: list[dict[str, Any]]


def simulated_ramps(
    design: Design,
    activations: list[str],
    profile: DeviceProfile,
    *,
    samples: int,
    seed: int,
    folder: Path,
    comparator: Mapping[str, float] | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> dict[str, Simulated]:
    """The ramps of a design at level ``macro``, by activation; a simulation that was stopped goes on from ``folder``.

    Raises
    ------
    InputError
        Fewer than 8 samples that worked.
    """
    out = {}
    for position, activation in enumerate(sorted(activations)):
        plan = ramp_plan(activation, design, profile, ramp_seed(seed, position), comparator)
        run = characterize(plan, samples, folder / plan.sha256[:16], jobs=jobs, progress=progress)
        out[activation] = Simulated(RampModel.fit(run), _row(run), _failures(run))
    return out


def _row(run: Run) -> dict[str, Any]:
    plan = run.plan
    program = plan.program()
    levels = run.levels(calibrated=True)
    closed = same_chips(plan, np.arange(len(levels))).after - late_levels(program, plan.circuit, plan.circuit.comparator_tau)
    good = np.isfinite(levels).all(axis=1)
    off, spread = (levels - closed)[good] / program.lsb, (levels - program.x)[good] / program.lsb
    return {
        "activation": plan.name,
        "scheme": program.scheme,
        "samples": int(good.sum()),
        "failed": int((~good).sum()),
        "conversion_time": float(timing(program, plan.circuit).stop),
        "model_rms_lsb": float(np.sqrt(np.mean(off**2))),
        "model_max_lsb": float(np.abs(off).max()),
        "chips_rms_lsb": float(np.sqrt(np.mean(spread**2))),
    }


def _failures(run: Run) -> list[dict[str, Any]]:
    bad = run.samples[run.samples["status"] != "ok"]
    return [
        {"activation": run.plan.name, "sample": int(r.sample), "seed": run.plan.seed, "status": r.status, "message": r.message}
        for r in bad.itertuples()
    ]
