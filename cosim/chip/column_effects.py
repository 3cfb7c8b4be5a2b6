"""What integrators and comparators do to a column, as changes of its pre-activation and of the ramp's levels.

All voltages are turned into units of the pre-activation by `RampProgram.volts_per_unit`; a column's charge capacitance is the one
of `netlists.converter.charge_capacitance`. Integrators are compared with the mean column of their ramp's group: C_f makes
good what that one loses, as in `Tile.feedback_capacitance`.
"""

from __future__ import annotations

import numpy as np

from characterization.compact import ComparatorModel, DelayLaw, decision_times
from characterization.ramp_model import Fitted
from netlists.converter import feedback_capacitance
from netlists.ramp import RampProgram, timing
from netlists.technology import RampCircuit

DELAY_SPREAD = 0.1
"""Spread of the comparators' time constants from column to column, relative rms. Assumption."""
FAR = 1e3
"""A level that a comparator is too slow for lies this far down, units of a pre-activation: every input passes it."""


def column_gains(
    load: np.ndarray,
    charge_capacitance: float,
    window: float,
    *,
    settling: float = 0.0,
    resistance: float = 0.0,
    inverse_gain: float = 0.0,
) -> np.ndarray:
    """Gain of each column of one group relative to the mean column's, shape (columns,).

        settling:  1 / (1 + (S - S_mean) t / C), t = 1 / (2 pi gbw) + C_f r_o / a0    finite gain:  exp(-(S - S_mean) T / (a0 C))

    While its output moves at a rate s, an op-amp's summing node is s t off, and at an output v it is v / a0 off; both
    drive charge into the column's conductance S (`netlists.converter.tile`, `characterization.compact.mac`). The second equation
    takes pulses as short against the window T, so that all charge has the whole window to leak: the worst case.

    Parameters
    ----------
    load : ndarray (columns,)
        Sum of the conductances of each column, siemens.
    charge_capacitance : float
        Farads.
    window : float
        Seconds that the hold switch is closed.
    settling : float
        1 / (2 pi gbw) of the op-amp, seconds; 0: at once.
    resistance : float
        r_o / a0 of the op-amp and what is in series with it, ohm.
    inverse_gain : float
        1 / a0 of the op-amp; 0: infinite gain.
    """
    excess = (load - load.mean()) / charge_capacitance
    gain = np.ones(len(load))
    if settling or resistance:
        c_f = feedback_capacitance(charge_capacitance, float(load.mean()), settling, resistance)
        gain = gain / (1 + (settling + resistance * c_f) * excess)
    if inverse_gain:
        gain = gain * np.exp(-inverse_gain * window * excess)
    return gain


def offset_rise(load: np.ndarray, charge_capacitance: float, window: float) -> np.ndarray:
    """What an offset at the summing node is at the output, times itself: ``1 + S T / C``, shape (columns,).

    Parameters as for `column_gains`. The op-amp drives ``v_os S`` into the column while the hold switch is closed.
    """
    return 1 + load * window / charge_capacitance


def leaked_levels(levels: np.ndarray, program: RampProgram, circuit: RampCircuit, rate: float) -> np.ndarray:
    """Levels (thresholds,) as the pre-activation sees them that a column held at the conversion's start.

    V_mac decays as exp(-rate t) until step k latches at t_k: it is above level T_k if it started above T_k exp(rate t_k).
    """
    latched = timing(program, circuit).latch[: len(levels)]
    return levels * np.exp(np.minimum(rate * latched, 20.0))


def late_levels(program: RampProgram, circuit: RampCircuit, tau: float) -> np.ndarray:
    """How far a comparator's delay lowers each level after one-point calibration, shape (thresholds,), units.

    The law of `comparator_macro` (one pole behind a soft limiter), as `ColumnModel` uses it. What the delay takes at x = 0 is
    calibrated out; what is left is its dependence on the overdrive, which the size of a step gives.
    """
    late = _late(program, circuit, tau, np.ones(1))[0]
    common = float(np.interp(0.0, program.x, late))
    # No calibration cell reaches as far as a comparator that does not decide at all.
    return late - (common if common < FAR / 2 else 0.0)


def late_columns(program: RampProgram, circuit: RampCircuit, tau: float, columns: int, rng: np.random.Generator) -> np.ndarray:
    """How much lower than the nominal comparator's each column's levels are at x = 0, shape (columns,), units."""
    slower = np.maximum(1 + DELAY_SPREAD * rng.standard_normal(columns), 0.1)
    late = _late(program, circuit, tau, np.append(1.0, slower))
    at_zero = np.array([np.interp(0.0, program.x, row) for row in late])
    return at_zero[1:] - at_zero[0]


def _late(program: RampProgram, circuit: RampCircuit, tau: float, slower: np.ndarray) -> np.ndarray:
    """Reach of comparators ``slower`` (n,) times as slow as ``tau``, shape (n, thresholds), units."""
    v0 = circuit.comparator_limit / circuit.comparator_gain
    law = DelayLaw(law="limited", tau=Fitted.given(tau, "s"), third=Fitted.given(v0, "V"))
    comparator = ComparatorModel.given().model_copy(update={"delay": law})
    volts = program.volts_per_unit(circuit)
    step = np.diff(program.x, prepend=2 * program.x[0] - program.x[1] if len(program.x) > 1 else -np.inf)
    # The law depends on time over time constant alone.
    time = decision_times(comparator, program, circuit) / slower[:, None]
    return np.minimum(comparator.late(time, step * volts) / volts, FAR)
