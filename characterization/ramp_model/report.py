"""A fitted ramp for reading: its figures with their standard errors as text and as HTML, and what validation found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from characterization.chips import borrowed_figures
from characterization.notebook import page

if TYPE_CHECKING:
    from .model import RampModel


def text(model: RampModel) -> str:
    """What was fitted, with standard errors, a figure a line."""
    plan = model.ramp_plan
    title = (
        f"ramp model: {model.activation}, {model.bits} bits, level {plan.level}, profile {plan.profile.name},"
        f" scheme {model.program.scheme}"
    )
    return "\n".join([title, *(f"  {name:<21} {value}" for name, value in _figures(model))])


def as_html(model: RampModel) -> str:
    """The same as a table, with a picture of every level's standard deviation before and after calibration."""

    def draw(axes: Any) -> None:
        k = np.arange(1, len(model.lsb) + 1)
        for distribution, label in ((model.before, "as programmed"), (model.after, "calibrated")):
            axes.plot(k, np.sqrt(np.diag(distribution.covariance)) / model.lsb, label=label)
        axes.set(xlabel="level", ylabel="sigma, LSB")
        axes.legend()

    return page(f"Ramp model: {model.title}", ("figure", "value +- standard error"), _figures(model), draw)


def validated(validation: Mapping[str, Any] | None) -> str:
    """What `characterization.ramp_model.validation` found, in one line; None: it has not run."""
    if not validation:
        return "not validated yet: run `cosim validate`"
    v = validation
    levels = f"{v['samples']} samples, seed {v['seed']}: rms dT {v['rms_dt_lsb']:.4f}, p99 {v['p99_dt_lsb']:.4f} LSB"
    if "fit" not in v:
        return f"{levels}; not tested by this version: run `cosim validate` again"
    fit = v["fit"]
    verdict = f"rejected ({'; '.join(fit['rejected'])})" if fit["rejected"] else "not rejected"
    return f"{levels}; {len(fit['tests'])} tests: {verdict} at {100 * fit['level']:g} %"


def _figures(model: RampModel) -> list[tuple[str, str]]:
    """Names and texts of what was fitted."""
    sigma = np.sqrt(np.diag(model.covariance)) / model.lsb
    sigma_before = np.sqrt(np.diag(model.before.covariance)) / model.lsb
    shift = (model.mean - model.x_ideal) / model.lsb
    worst = int(np.argmax(sigma))
    ours = {
        name: f" (drawn: that of our comparator_sky130, not of {own})" for name, own in borrowed_figures(model.ramp_plan).items()
    }
    structure = f"{model.after.evidence.get('structure', 'given')}; tail of the common shift: {model.after.shift.kind}"
    return [
        ("samples", f"{model.samples} ({model.failed} failed, not used)"),
        (
            "mean - ideal",
            f"max |{np.max(np.abs(shift)):.4f}| LSB (standard error up to {np.max(model.mean_stderr / model.lsb):.4f})",
        ),
        (
            "sigma of a level",
            f"max {sigma[worst]:.4f} +- {model.sigma_stderr[worst] / model.lsb[worst]:.4f} LSB at k = {worst + 1};"
            f" before calibration max {sigma_before.max():.4f} LSB",
        ),
        ("structure", structure),
        ("comparator offset", f"{model.comparator_offset}{ours.get('comparator_offset', '')}"),
        ("comparator noise", f"{model.comparator_noise} rms{ours.get('comparator_noise', '')}"),
        ("read noise", f"{model.read_noise} rms a cell, mean over states"),
        *((t.quantity, f"from {t.values[0]:g} to {t.values[-1]:g} {t.unit}") for t in model.conditions),
        ("held out", model.validated()),
    ]
