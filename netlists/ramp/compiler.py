"""Ramp programs: which conductance, pulse width and clock period makes each step of a ramp.

A ramp column adds one charge packet a step, so that its level after step k is the threshold x_k
(Yang et al. 2025): ``V_ramp[k] = V_init + v_read / C_f * sum_{m <= k} G_m * w_m``. How steps of very different sizes
fit one conductance range is the *scheme* (`netlists.ramp.cells`). ``auto`` takes the one whose programming error moves
the thresholds least, and ``pulse-split``, which costs time, only where no other fits.

The counter starts at the function's code at the lower end of its domain and adds the code step of each threshold that
the ramp passes below the input: +1, or -1 where the function falls.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netlists.checks import Choice, Whole, check
from netlists.errors import InputError
from netlists.function import Activation, ActivationTable, Quantizer, as_activation
from netlists.technology import DeviceProfile, RampCircuit

from .cells import CALIBRATION, SCHEMES as _SCHEMES, calibration_cells, with_headroom
from .program import RampProgram, step_error_lsb
from .report import report

__all__ = ["CALIBRATION", "SCHEMES", "RampProgram", "program_ramp", "step_error_lsb"]

SCHEMES = tuple(_SCHEMES)
_LAST_RESORT = "pulse-split"
_SLEW_LIMIT = 0.5
"""Steepest step that ``auto`` takes for a function without a closed-form inverse, as a part of the default op-amp's slew rate."""


def program_ramp(
    activation: str | ActivationTable | Activation,
    bits: int,
    profile: DeviceProfile,
    *,
    scheme: str = "auto",
    n_calibration: int = 5,
    quantizer: Quantizer | None = None,
) -> RampProgram:
    """Compiles an activation to the cells of a ramp column.

    Parameters
    ----------
    activation : str, ActivationTable or Activation
        Name of a built-in function, or one of your own (`netlists.function.table`).
    bits : int
        1..8: the output has at most ``2**bits`` levels.
    profile : DeviceProfile
        Conductance range and statistics; the statistics only rank the schemes.
    scheme : {"auto", "pulse", "hrs", "differential", "split", "pulse-split"}
    n_calibration : int
        Calibration cells, 1..32; 5 at 5 bits in Yang et al. 2025, Fig. 3.
    quantizer : Quantizer, optional
        Placement of the output levels and where to saturate; uniform mid-rise over the activation's own ranges by default.

    Returns
    -------
    RampProgram
        ``alternatives`` holds error, time and cells of each scheme that the device allows.

    Raises
    ------
    InputError
        Unknown activation or scheme, bits out of range, a function that cannot be followed, or a conductance range that
        cannot hold the steps.

    Examples
    --------
    >>> from netlists import load_profile
    >>> program = program_ramp("sigmoid", 4, load_profile("taox-100-400"))
    >>> program
    <RampProgram sigmoid, 4 bits, scheme pulse, profile taox-100-400: 15 thresholds, 21 cells in 21 clock periods>
    >>> program.x[:3].round(3).tolist()
    [-2.708, -1.946, -1.466]
    """
    quantizer = quantizer or Quantizer()
    act = as_activation(activation).over(quantizer.domain, quantizer.outputs)
    levels = quantizer.levels(act.value, act.y_min, act.y_max, bits)
    found = act.crossings(levels, merge_lsb=quantizer.merge_lsb)
    x = found.x
    check(Choice(("auto", *SCHEMES)), scheme, "scheme")
    check(Whole(1, 32), n_calibration, "n_calibration")

    # One step leads from the start to x_1, one follows x_last and ends the conversion: as large as their neighbours.
    inner = np.diff(x) if len(x) > 1 else np.array([_only_step(act, float(x[0]))])
    steps = np.concatenate([inner[:1], np.diff(x), inner[-1:]])
    start = float(x[0] - steps[0])
    searched = act.inverse is None

    programs: dict[str, RampProgram] = {}
    reasons: dict[str, str] = {}
    table: dict[str, dict[str, float]] = {}
    for name in SCHEMES if scheme == "auto" else (scheme,):
        if scheme == "auto" and name == _LAST_RESORT and programs:
            continue
        try:
            ramp = _SCHEMES[name](steps, with_headroom(profile) if searched or name == _LAST_RESORT else profile)
            cal = calibration_cells(start, ramp.unit_charge, n_calibration, profile)
        except InputError as e:
            reasons[name] = str(e)
            continue
        program = RampProgram(
            activation=act.name,
            bits=int(bits),
            scheme=name,
            profile=profile.name,
            x=x,
            code_step=found.code_step,
            conductance=np.concatenate([cal.conductance, ramp.conductance]),
            width=np.concatenate([cal.width, ramp.width]),
            polarity=np.concatenate([cal.polarity, ramp.polarity]),
            slot=np.concatenate([cal.slot, ramp.slot + cal.slot.max() + 1]),
            step=np.concatenate([cal.step, ramp.step]),
            unit_charge=ramp.unit_charge,
            start=start,
            g_min=profile.g_min,
            g_max=profile.g_max,
            codes=found.codes,
            values=levels.values[found.codes],
            slope=np.asarray(act.slope(x), float),
            report=report(act, found, levels, periods=int(ramp.slot.max()) + 1, saturation=quantizer.saturation),
        )
        table[name] = _scheme_figures(program, profile, mean_step=searched)
        # A scheme whose own programming error exceeds a step does not hold the steps in any useful sense.
        if scheme == "auto" and table[name]["error_rms_lsb"] > 1:
            reasons[name] = f"programming error of {table[name]['error_rms_lsb']:.3g} LSB rms"
            continue
        slope = program.steepest_slope(RampCircuit()) / RampCircuit().slew
        if scheme == "auto" and searched and slope > _SLEW_LIMIT:
            reasons[name] = f"its steepest step takes {slope:.2g} of the op-amp's slew rate (at most {_SLEW_LIMIT})"
            continue
        programs[name] = program
    if not programs:
        raise _does_not_fit(act.name, bits, steps, profile, reasons)
    # Ties (no programming error, say) go to the scheme named first.
    best = min(programs, key=lambda n: (round(table[n]["error_rms_lsb"], 9), SCHEMES.index(n)))
    return replace(programs[best], alternatives=table)


def _only_step(act: Activation, x: float) -> float:
    """Step of a ramp with a single threshold: half the output range over the slope, or a quarter of a domain that was searched."""
    if act.inverse is None:
        return (act.x_max - act.x_min) / 4
    return (act.y_max - act.y_min) / 2 / float(act.slope(np.array(x)))


def _does_not_fit(name: str, bits: int, steps: np.ndarray, profile: DeviceProfile, reasons: dict[str, str]) -> InputError:
    why = "; ".join(f"{k}: {v}" for k, v in reasons.items())
    return InputError(
        f"device profile {profile.name} ({profile.g_min * 1e6:g}-{profile.g_max * 1e6:g} uS) cannot hold the steps of a "
        f"{bits}-bit {name} ramp (largest to smallest {steps.max() / steps.min():.3g} to 1): {why}. "
        "Take fewer bits, another scheme or a wider profile"
    )


def _scheme_figures(program: RampProgram, profile: DeviceProfile, *, mean_step: bool) -> dict[str, float]:
    """Figures of what a scheme costs: error from programming after one-point calibration, read noise, cells, time.

    Errors are in local LSB, or in mean steps: a function that turns or jumps has thresholds much closer than its others,
    and an error of such a small step hardly moves the output.
    """
    circuit = RampCircuit()
    lsb = program.lsb / np.mean(program.lsb) if mean_step else 1.0
    error = lsb * step_error_lsb(program, profile.program_sigma_at(program.conductance))
    noise = lsb * step_error_lsb(program, profile.read_sigma_at(program.conductance), from_start=True)
    return {
        "error_rms_lsb": float(np.sqrt(np.mean(error**2))),
        "read_noise_rms_lsb": float(np.sqrt(np.mean(noise**2))),
        "cells": float(program.n_cells),
        "periods": float(program.n_slots),
        "conversion_time_s": program.conversion_time(circuit),
    }
