"""What a ramp program gives up before any device error: its own error against the function, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.function import Activation, OutputLevels, Thresholds

_POINTS = 4097


@dataclass(frozen=True)
class CompileReport:
    """Error of a program with perfect devices.

    Attributes
    ----------
    x_min, x_max : float
        Domain over which the errors are taken, input units.
    output_lsb : float
        Output step, output units.
    max_error_lsb, at_x : float
        Largest distance between decoded code and function, output LSB, and where.
    rms_error_lsb : float
        Root mean square over the domain, output LSB.
    smallest_step : float
        Smallest distance of neighbouring thresholds, input units.
    step_ratio : float
        Largest to smallest distance.
    extra_periods : int
        Clock periods beyond one for each ramp step.
    given_up : tuple of str
        What was left out, moved or not used, in words.
    """

    x_min: float
    x_max: float
    output_lsb: float
    max_error_lsb: float
    at_x: float
    rms_error_lsb: float
    smallest_step: float
    step_ratio: float
    extra_periods: int
    given_up: tuple[str, ...]

    def text(self) -> str:
        """The report for reading."""
        lines = [
            f"own error      max {self.max_error_lsb:.3f} LSB at x = {self.at_x:.4g}, rms {self.rms_error_lsb:.3f} LSB"
            f" for x = {self.x_min:g}..{self.x_max:g}; 1 LSB = {self.output_lsb:.4g}",
            f"steps          smallest {self.smallest_step:.4g}, largest to smallest {self.step_ratio:.3g} to 1",
        ]
        return "\n".join([*lines, *(f"given up       {what}" for what in self.given_up)])


def transfer_error(act: Activation, x: np.ndarray, thresholds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Decoded output minus function at inputs ``x``, output units, shape of ``x``.

    Parameters
    ----------
    thresholds : ndarray (n,)
        Increasing transition levels, ideal or measured, input units.
    values : ndarray (n + 1,)
        Output after 0, 1, ... n of them were passed.
    """
    return values[np.searchsorted(thresholds, x, side="left")] - act.value(x)


def dense_inputs(act: Activation, thresholds: np.ndarray, *, points: int = _POINTS) -> np.ndarray:
    """Inputs over the domain at which a staircase can be worst: a grid of ``points``, and both sides of each threshold."""
    edges = np.concatenate([thresholds, np.nextafter(thresholds, np.inf)])
    inside = edges[(edges >= act.x_min) & (edges <= act.x_max)]
    return np.sort(np.append(np.linspace(act.x_min, act.x_max, points), inside))


def report(
    act: Activation, found: Thresholds, levels: OutputLevels, *, periods: int, saturation: tuple[str, ...] = ()
) -> CompileReport:
    """Error of a program's own staircase, and what was given up.

    Parameters
    ----------
    periods : int
        Clock periods of the ramp without calibration.
    saturation : tuple of str
        Where the user cut the function, in words.
    """
    values = levels.values[found.codes]
    at = dense_inputs(act, found.x)
    error = transfer_error(act, at, found.x, values) / levels.lsb
    grid = np.linspace(act.x_min, act.x_max, _POINTS)
    even = transfer_error(act, grid, found.x, values) / levels.lsb
    worst = int(np.argmax(np.abs(error)))
    gaps = np.diff(found.x) if len(found.x) > 1 else np.array([act.x_max - act.x_min])
    extra = periods - len(found.x) - 1
    notes = [*saturation, *levels.given_up, *found.given_up]
    if np.any((found.x < act.x_min) | (found.x > act.x_max)):
        outside = int(np.sum((found.x < act.x_min) | (found.x > act.x_max)))
        notes.append(f"{outside} thresholds lie outside the domain the error is taken over")
    if extra:
        notes.append(f"{extra} extra clock periods for steps larger than one cell's")
    return CompileReport(
        x_min=float(act.x_min),
        x_max=float(act.x_max),
        output_lsb=float(levels.lsb),
        max_error_lsb=float(np.abs(error[worst])),
        at_x=float(at[worst]),
        rms_error_lsb=float(np.sqrt(np.mean(even**2))),
        smallest_step=float(gaps.min()),
        step_ratio=float(gaps.max() / gaps.min()),
        extra_periods=extra,
        given_up=tuple(notes),
    )
