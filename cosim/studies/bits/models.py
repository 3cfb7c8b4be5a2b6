"""Models of the sigmoid and tanh ramps at each resolution: simulated and fitted as parts of a study, or read from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from characterization.plan import RampPlan
from characterization.ramp_model import RampModel
from characterization.resume import Parts
from characterization.run import characterize
from cosim.report import RunOptions
from netlists.errors import InputError
from netlists.technology import load_profile

from .settings import BitsSettings

ACTIVATIONS = ("sigmoid", "tanh")
Models = dict[tuple[str, int], RampModel]


def ramp_models(settings: BitsSettings, parts: Parts, run: RunOptions) -> Models:
    """A model of each activation at each resolution.

    Raises
    ------
    InputError
        A file of ``settings.models`` is missing, or is a model of something else.
    ToolkitError
        ngspice is missing.
    """
    keys = [(a, b) for b in settings.model_bits for a in ACTIVATIONS]
    if settings.models:
        return {key: _read(Path(settings.models).expanduser(), *key) for key in keys}
    run.say(f"models of {len(keys)} ramps, {settings.samples} chips of each in ngspice")
    return {key: _fitted(settings, parts, run, *key) for key in keys}


def _read(folder: Path, activation: str, bits: int) -> RampModel:
    path = folder / f"{activation}{bits}.json"
    model = RampModel.load(path)
    if (model.activation, model.bits) != (activation, bits):
        raise InputError(f"{path}: is a model of {model.activation} at {model.bits} bits; its name says {activation} at {bits}")
    return model


def _fitted(settings: BitsSettings, parts: Parts, run: RunOptions, activation: str, bits: int) -> RampModel:
    path = parts.file(f"{activation}{bits}.json")
    if not path.exists():
        # Different seeds, or the two ramps of a chip would share their errors.
        plan = RampPlan(
            activation, bits, seed=settings.seed + ACTIVATIONS.index(activation), profile=load_profile(settings.profile)
        )
        folder = parts.file(f"chips-{activation}{bits}")
        chips = characterize(plan, settings.samples, folder, jobs=run.jobs, progress=run.progress)
        # Many small decompositions at 8 bits, of which threads that wait for each other make more work than they share.
        with threadpool_limits(limits=1, user_api="blas"):
            RampModel.fit(chips).save(path)
    return RampModel.load(path)


def ramps(models: Models, bits: int) -> dict[str, RampModel]:
    """The models of one resolution, as `cosim.chip.hardware.Hardware` takes them."""
    return {a: models[a, bits] for a in ACTIVATIONS}


def model_rows(models: Models) -> list[dict[str, Any]]:
    """What was fitted, a row each."""
    rows = []
    for (activation, bits), m in models.items():
        sigma = np.sqrt(np.diag(m.covariance)) / m.lsb
        row: dict[str, Any] = {"activation": activation, "bits": bits, "samples": m.samples, "failed": m.failed}
        row |= {"sigma_lsb": float(sigma.max()), "mean_error_lsb": float(np.abs((m.mean - m.x_ideal) / m.lsb).max())}
        row |= {"offset": m.comparator_offset.value, "offset_stderr": m.comparator_offset.stderr}
        rows.append(row | {"offset_lsb": m.comparator_offset.value / float(m.lsb.min()), "seed": m.provenance["seed"]})
    return rows
