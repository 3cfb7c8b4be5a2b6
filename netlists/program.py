"""Ramp programs: which conductance, pulse width and clock period makes each step of a ramp.

A ramp column adds one charge packet a step, so that its level after step k is the threshold x_k
(Yang et al. 2025): ``V_ramp[k] = V_init + v_read / C_f * sum_{m <= k} G_m * w_m``. The steps between the
thresholds of a 5-bit sigmoid span 5.8 to 1, more than the 4 to 1 of a 100-400 uS device, so a program
needs one of four *schemes*:

``pulse``         select pulses of 1..n sub-clock periods, conductance for the fine part (no extra time)
``hrs``           cells below g_min, down to the high-resistance state (no extra time, larger error)
``differential``  G+ - G- with a second cell that lowers the ramp (twice the cells)
``split``         large steps over several clock periods (more cells, more time)

``auto`` takes the one whose programming error moves the thresholds least.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .activations import Activation, get_activation
from .devices import DeviceProfile
from .errors import InputError
from .parameters import RampCircuit

SCHEMES = ("pulse", "hrs", "differential", "split")
CALIBRATION = -1
"""Value of ``RampProgram.step`` for calibration cells."""

FINE_WIDTH = 0.75
"""Pulse width of the first calibration cell, which trims, in full pulses; the others share the rest."""
WIDTH_GRID = 8
"""Sub-clock periods in a full pulse (doubled up to 64 where the conductance range needs it)."""


@dataclass(frozen=True)
class RampProgram:
    """What to program into a ramp column, and when to select it.

    Attributes
    ----------
    activation, bits, scheme, profile : str, int, str, str
    x : ndarray (2**bits - 1,)
        Thresholds, activation input units.
    code_step : ndarray of int (2**bits - 1,)
        What passing each threshold adds to the code; +1 for every increasing function.
    conductance : ndarray (cells,)
        Target conductance of each cell, siemens.
    width : ndarray (cells,)
        Select pulse of each cell, in full pulses (``RampCircuit.t_pulse``).
    polarity : ndarray of int (cells,)
        +1 lifts the ramp, -1 lowers it.
    slot : ndarray of int (cells,)
        Clock period in which each cell is selected, from 0.
    step : ndarray of int (cells,)
        Ramp step 1..2**bits the cell belongs to, `CALIBRATION` for calibration cells.
    unit_charge : float
        Conductance-pulse product that moves the ramp by one input unit, siemens (times t_pulse).
    start : float
        Level before step 1, activation input units.
    """

    activation: str
    bits: int
    scheme: str
    profile: str
    x: np.ndarray
    code_step: np.ndarray
    conductance: np.ndarray
    width: np.ndarray
    polarity: np.ndarray
    slot: np.ndarray
    step: np.ndarray
    unit_charge: float
    start: float
    g_min: float
    g_max: float
    alternatives: dict[str, dict[str, float]] = field(default_factory=dict, compare=False)

    @property
    def n_steps(self) -> int:
        """Ramp steps of a conversion, ``2**bits``; the last one ends the conversion above x[-1]."""
        return 2**self.bits

    @property
    def n_cells(self) -> int:
        return len(self.conductance)

    @property
    def n_slots(self) -> int:
        return int(self.slot.max()) + 1

    @property
    def calibration_cells(self) -> np.ndarray:
        """Indices of the calibration cells, the trimming cell first."""
        return np.flatnonzero(self.step == CALIBRATION)

    @property
    def lsb(self) -> np.ndarray:
        """Local ideal step at each threshold, shape (2**bits - 1,), input units.

        ``x_{k+1} - x_k``; the last threshold, which has no successor, takes the step before it. At 1 bit the
        only threshold takes the half output range over the slope, i.e. the width of the code around it.
        """
        if len(self.x) == 1:
            a = get_activation(self.activation)
            return np.array([(a.y_max - a.y_min) / 2 / float(a.slope(self.x)[0])])
        d = np.diff(self.x)
        return np.append(d, d[-1])

    def slot_width(self) -> np.ndarray:
        """Length of the longest pulse in each slot, at least one full pulse, shape (n_slots,)."""
        out = np.ones(self.n_slots)
        np.maximum.at(out, self.slot, self.width)
        return out

    def conversion_time(self, circuit: RampCircuit) -> float:
        """Reset, calibration and ramp together, seconds."""
        return circuit.t_reset + float(np.sum(self.slot_width() * circuit.t_pulse + circuit.t_settle))

    def volts_per_unit(self, circuit: RampCircuit) -> float:
        """Scale of V_mac and V_ramp, volts per activation input unit."""
        return float(circuit.v_read * circuit.t_pulse * self.unit_charge / self.feedback_capacitance(circuit))

    def feedback_capacitance(self, circuit: RampCircuit) -> float:
        """C_f that makes the ramp span ``circuit.v_swing`` at the nominal read voltage of 0.2 V, farads.

        It depends on the nominal read voltage, not on ``circuit.v_read``: a capacitor does not follow a sweep.
        """
        ramp = self.step != CALIBRATION
        total = float(np.sum((self.conductance * self.width * self.polarity)[ramp]))
        return RampCircuit().v_read * circuit.t_pulse * total / circuit.v_swing

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary: arrays become lists."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class _Cells:
    conductance: np.ndarray
    width: np.ndarray
    polarity: np.ndarray
    slot: np.ndarray
    step: np.ndarray
    unit_charge: float


def program_ramp(
    activation: str | Activation,
    bits: int,
    profile: DeviceProfile,
    *,
    scheme: str = "auto",
    n_calibration: int = 5,
) -> RampProgram:
    """Compile an activation to the cells of a ramp column.

    Parameters
    ----------
    activation : str or Activation
    bits : int
        1..8.
    profile : DeviceProfile
        Conductance range and statistics; the statistics only rank the schemes.
    scheme : {"auto", "pulse", "hrs", "differential", "split"}
    n_calibration : int
        Calibration cells, 1..32; 5 at 5 bits in Yang et al. 2025, Fig. 3.

    Returns
    -------
    RampProgram
        ``alternatives`` holds error, time and cells of each scheme that the device allows.

    Raises
    ------
    InputError
        Unknown activation or scheme, bits out of range, or a conductance range that cannot hold the steps.
    """
    act = activation if isinstance(activation, Activation) else get_activation(activation)
    x = np.asarray(act.thresholds(bits), float)
    if not np.all(np.isfinite(x)) or np.any(np.diff(x) <= 0):
        raise InputError(f"activation {act.name}: its {bits}-bit thresholds are not finite and increasing")
    if scheme != "auto" and scheme not in SCHEMES:
        raise InputError(f"scheme={scheme!r}: unknown; allowed are auto, {', '.join(SCHEMES)}")
    if isinstance(n_calibration, bool) or not isinstance(n_calibration, (int, np.integer)) or not 1 <= n_calibration <= 32:
        raise InputError(f"n_calibration={n_calibration}: takes 1..32 calibration cells")

    # One step leads from the start to x_1, one follows x_last and ends the conversion: as large as their neighbours.
    inner = np.diff(x) if len(x) > 1 else np.array([(act.y_max - act.y_min) / 2 / float(act.slope(x)[0])])
    steps = np.concatenate([inner[:1], np.diff(x), inner[-1:]])
    start = float(x[0] - steps[0])

    programs: dict[str, RampProgram] = {}
    reasons: dict[str, str] = {}
    for name in SCHEMES if scheme == "auto" else (scheme,):
        try:
            ramp = _SCHEME_CELLS[name](steps, profile)
            cal = _calibration_cells(start, ramp.unit_charge, n_calibration, profile)
        except InputError as e:
            reasons[name] = str(e)
            continue
        programs[name] = RampProgram(
            activation=act.name,
            bits=int(bits),
            scheme=name,
            profile=profile.name,
            x=x,
            code_step=np.ones(len(x), int),
            conductance=np.concatenate([cal.conductance, ramp.conductance]),
            width=np.concatenate([cal.width, ramp.width]),
            polarity=np.concatenate([cal.polarity, ramp.polarity]),
            slot=np.concatenate([cal.slot, ramp.slot + cal.slot.max() + 1]),
            step=np.concatenate([cal.step, ramp.step]),
            unit_charge=ramp.unit_charge,
            start=start,
            g_min=profile.g_min,
            g_max=profile.g_max,
        )
    if not programs:
        raise _does_not_fit(act.name, bits, steps, profile, reasons)
    table = {name: _scheme_figures(p, profile) for name, p in programs.items()}
    if scheme == "auto":
        # A scheme whose own programming error exceeds a step does not hold the steps in any useful sense.
        for name in [n for n, row in table.items() if row["error_rms_lsb"] > 1]:
            reasons[name] = f"programming error of {table[name]['error_rms_lsb']:.3g} LSB rms"
            del programs[name]
        if not programs:
            raise _does_not_fit(act.name, bits, steps, profile, reasons)
    # Ties (no programming error, say) go to the scheme named first.
    best = min(programs, key=lambda n: (round(table[n]["error_rms_lsb"], 9), SCHEMES.index(n)))
    chosen = programs[best]
    return RampProgram(**{**chosen.__dict__, "alternatives": table})


def _does_not_fit(name: str, bits: int, steps: np.ndarray, profile: DeviceProfile, reasons: dict[str, str]) -> InputError:
    why = "; ".join(f"{k}: {v}" for k, v in reasons.items())
    return InputError(
        f"device profile {profile.name} ({profile.g_min * 1e6:g}-{profile.g_max * 1e6:g} uS) cannot hold the steps of a "
        f"{bits}-bit {name} ramp (largest to smallest {steps.max() / steps.min():.3g} to 1): {why}. "
        "Take fewer bits, another scheme or a wider profile"
    )


def _scheme_figures(program: RampProgram, profile: DeviceProfile) -> dict[str, float]:
    """What a scheme costs: error from programming after one-point calibration, read noise, cells, time."""
    circuit = RampCircuit()
    error = step_error_lsb(program, profile.program_sigma_at(program.conductance))
    noise = step_error_lsb(program, profile.read_sigma_at(program.conductance), from_start=True)
    return {
        "error_rms_lsb": float(np.sqrt(np.mean(error**2))),
        "read_noise_rms_lsb": float(np.sqrt(np.mean(noise**2))),
        "cells": float(program.n_cells),
        "periods": float(program.n_slots),
        "conversion_time_s": program.conversion_time(circuit),
    }


def step_error_lsb(program: RampProgram, sigma: float | np.ndarray, *, from_start: bool = False) -> np.ndarray:
    """Closed-form sigma of each threshold when every cell has an independent conductance error.

    Parameters
    ----------
    sigma : float or ndarray (cells,)
        Standard deviation of each cell, siemens.
    from_start : bool
        False: only cells between the calibration point x = 0 and the threshold count (an error that one-point
        calibration removes at x = 0). True: every cell passed counts, calibration cells included.

    Returns
    -------
    ndarray (2**bits - 1,), input-referred LSB
    """
    k_cal = int(np.argmin(np.abs(program.x))) + 1
    variance = np.zeros(len(program.x))
    for i in range(len(program.x)):
        k = i + 1
        passed = program.step <= k if from_start else (program.step > min(k, k_cal)) & (program.step <= max(k, k_cal))
        variance[i] = np.sum((np.broadcast_to(sigma, program.width.shape) * program.width)[passed] ** 2)
    return np.sqrt(variance) / program.unit_charge / program.lsb


def _calibration_cells(start: float, unit_charge: float, n: int, profile: DeviceProfile) -> _Cells:
    """Cells that bring the integrator from analog ground to the ramp's start.

    The first is short, mid-range and trims; the others are long and share the rest. All hang on the same line.
    """
    charge = abs(start) * unit_charge
    mid = 0.5 * (profile.g_min + profile.g_max)
    polarity = 1 if start > 0 else -1
    fine = FINE_WIDTH if n > 1 else 0.0
    coarse = n - 1 if n > 1 else 1
    rest = charge - fine * mid
    width = np.ceil(rest / (coarse * mid) * WIDTH_GRID) / WIDTH_GRID
    if width <= 0 or rest / (coarse * width) < profile.g_min:
        raise InputError(
            f"the start at x = {start:.4g} is too close to 0 for {n} calibration cells of at least {profile.g_min:g} S"
        )
    g = np.full(coarse, rest / (coarse * width))
    w = np.full(coarse, width)
    if fine:
        g, w = np.append(mid, g), np.append(fine, w)
    return _Cells(g, w, np.full(n, polarity), np.arange(n), np.full(n, CALIBRATION), unit_charge)


def _pulse_cells(steps: np.ndarray, profile: DeviceProfile) -> _Cells:
    relative = steps / steps.max()
    for grid in (WIDTH_GRID, 2 * WIDTH_GRID, 4 * WIDTH_GRID, 8 * WIDTH_GRID):
        # The narrowest pulse that carries the step keeps the conductance high and the relative error small.
        width = np.ceil(relative * grid * (1 - 1e-12)) / grid
        g = profile.g_max * relative / width
        if np.all(g >= profile.g_min):
            n = len(steps)
            return _Cells(g, width, np.ones(n, int), np.arange(n), np.arange(1, n + 1), profile.g_max / steps.max())
    raise InputError(f"no pulse grid of up to {8 * WIDTH_GRID} sub-clock periods keeps every cell above g_min")


def _hrs_cells(steps: np.ndarray, profile: DeviceProfile) -> _Cells:
    g = profile.g_max * steps / steps.max()
    if g.min() < profile.g_hrs:
        raise InputError(
            f"the smallest step needs {g.min() * 1e6:.3g} uS, below the high-resistance state of {profile.g_hrs * 1e6:g} uS"
        )
    n = len(steps)
    return _Cells(g, np.ones(n), np.ones(n, int), np.arange(n), np.arange(1, n + 1), profile.g_max / steps.max())


def _differential_cells(steps: np.ndarray, profile: DeviceProfile) -> _Cells:
    span = profile.g_max - profile.g_min
    g_plus = profile.g_min + span * steps / steps.max()
    n = len(steps)
    slots = np.arange(n)
    return _Cells(
        np.concatenate([g_plus, np.full(n, profile.g_min)]),
        np.ones(2 * n),
        np.repeat([1, -1], n),
        np.concatenate([slots, slots]),
        np.concatenate([slots + 1, slots + 1]),
        span / steps.max(),
    )


def _split_cells(steps: np.ndarray, profile: DeviceProfile) -> _Cells:
    unit = profile.g_min / steps.min()
    periods = np.ceil(unit * steps / profile.g_max * (1 - 1e-12)).astype(int)
    if periods.max() > 64:
        raise InputError(f"the largest step would take {periods.max()} clock periods (at most 64)")
    g = np.repeat(unit * steps / periods, periods)
    if g.min() < profile.g_min * (1 - 1e-12):
        raise InputError("a step just above g_max does not divide into cells above g_min")
    n = len(g)
    return _Cells(g, np.ones(n), np.ones(n, int), np.arange(n), np.repeat(np.arange(1, len(steps) + 1), periods), unit)


_SCHEME_CELLS = {"pulse": _pulse_cells, "hrs": _hrs_cells, "differential": _differential_cells, "split": _split_cells}
