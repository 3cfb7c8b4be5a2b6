"""Models of the sigmoid and tanh ramps at each resolution: simulated and fitted as parts of a study, or read from a folder."""

from __future__ import annotations

from pathlib import Path

from characterization.plan import RampPlan
from characterization.ramp_model import RampModel
from characterization.resume import Parts
from cosim.report import RunOptions
from netlists.errors import InputError
from netlists.technology import load_profile

from ..ramp_models import ramp_model
from .settings import BitsSettings

ACTIVATIONS = ("sigmoid", "tanh")
Models = dict[tuple[str, int], RampModel]


def ramp_models(settings: BitsSettings, parts: Parts, options: RunOptions) -> Models:
    """Makes a model of each activation at each resolution.

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
    options.say(f"models of {len(keys)} ramps, {settings.samples} chips of each in ngspice")
    profile = load_profile(settings.profile)
    # Different seeds, or the two ramps of a chip would share their errors.
    plans = {(a, b): RampPlan(a, b, seed=settings.seed + ACTIVATIONS.index(a), profile=profile) for a, b in keys}
    return {key: ramp_model(plan, settings.samples, parts, options) for key, plan in plans.items()}


def _read(folder: Path, activation: str, bits: int) -> RampModel:
    path = folder / f"{activation}{bits}.json"
    model = RampModel.load(path)
    if (model.activation, model.bits) != (activation, bits):
        raise InputError(f"{path}: is a model of {model.activation} at {model.bits} bits; its name says {activation} at {bits}")
    return model


def ramps(models: Models, bits: int) -> dict[str, RampModel]:
    """Picks the models of one resolution, as `cosim.chip.hardware.Hardware` takes them."""
    return {a: models[a, bits] for a in ACTIVATIONS}
