"""Measured figures of the transistor-level OTA and integrator (SKY130): gain, bandwidth, slew, swing, injected charge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from characterization.compact.benches import crossing
from netlists.errors import SimulationError
from netlists.technology import Conditions
from netlists.testbench import integrator_deck, ota_deck, run_bench

from .conditions import FiguresAt


@dataclass(frozen=True)
class OtaFigures(FiguresAt):
    """What one OTA bench gives; SI units unless said otherwise.

    Attributes
    ----------
    gain, gain_db : float
        Open-loop DC gain at v_cm, V/V and dB.
    gbw : float
        DC gain times -3 dB frequency, Hz.
    crossover, phase_margin : float
        Unity crossing of the integrator's loop gain (feedback through C_f), Hz, and its phase margin, degrees.
    slew_rise, slew_fall : float
        20-80 % slope of a 0.8 V step through equal capacitors, V/s.
    swing_low, swing_high : float
        Output range around v_cm over which the DC gain keeps at least half of its value at v_cm, V, no load.
    loaded_low, loaded_high : float
        The same with ``i_load`` drawn from and forced into the output: the narrower of the two.
    source_current, sink_current : float
        Output current at v_cm with the input overdriven by 0.2 V, A.
    offset : float
        Systematic input offset, V.
    gm : float
        Transconductance of one input transistor, from ``.op``, S.
    power : float
        Supply power without load, W.
    """

    gain: float
    gain_db: float
    gbw: float
    crossover: float
    phase_margin: float
    slew_rise: float
    slew_fall: float
    swing_low: float
    swing_high: float
    loaded_low: float
    loaded_high: float
    source_current: float
    sink_current: float
    offset: float
    gm: float
    power: float


def _slope(time: np.ndarray, v: np.ndarray) -> float:
    """20-80 % slope of a step, V/s, from the value before it to the last one."""
    low, high = v[0] + 0.2 * (v[-1] - v[0]), v[0] + 0.8 * (v[-1] - v[0])
    return abs(high - low) / (crossing(time, v, high, after=5e-9) - crossing(time, v, low, after=5e-9))


def _swing(target: np.ndarray, out: np.ndarray, inp: np.ndarray, v_cm: float) -> tuple[float, float]:
    """Range of output around ``v_cm`` where the gain d(out)/d(inp) is at least half of what it is there."""
    d_out, d_in = np.gradient(out, target), np.gradient(inp, target)
    middle = int(np.argmin(np.abs(out - v_cm)))
    # Without a division: beyond the rails neither moves. The servo follows its target where d_out is near 1.
    bad = np.flatnonzero((d_out * d_in[middle] < 0.5 * d_out[middle] * d_in) | (d_out < 0.5))
    low = out[bad[bad < middle].max() + 1] if np.any(bad < middle) else out[0]
    high = out[bad[bad > middle].min() - 1] if np.any(bad > middle) else out[-1]
    return float(low), float(high)


def measure_ota(
    conditions: Conditions | None = None,
    *,
    c_load: float = 1e-12,
    c_f: float = 7e-12,
    c_in: float = 300e-15,
    i_load: float = 150e-6,
) -> OtaFigures:
    """Measures the OTA in one ngspice run; loads as in `netlists.testbench.ota.ota_deck`.

    Raises
    ------
    SimulationError
        If ngspice fails or a figure cannot be read (the amplifier does not work under these conditions).
    """
    at = conditions or Conditions()
    run = run_bench(ota_deck(at, c_load=c_load, c_f=c_f, c_in=c_in, i_load=i_load), ["op", "limit", "ac", "dc", "slew"])
    f = run["ac"][:, 0]
    open_loop, loop = run["ac"][:, 1] + 1j * run["ac"][:, 2], run["ac"][:, 3] + 1j * run["ac"][:, 4]
    gain = float(abs(open_loop[0]))
    pole = crossing(f, np.abs(open_loop), gain / np.sqrt(2))
    unity = crossing(f, np.abs(loop), 1.0, after=pole, last=True)
    phase = np.unwrap(np.angle(loop))
    middle = int(np.argmin(np.abs(f - pole)))
    # At the pole the lag is near 45 degrees: that fixes the multiple of 360 degrees that unwrapping leaves open.
    phase += np.angle(loop[middle]) - phase[middle]
    time, up, down = run["slew"].T
    free, drawn, forced = (_swing(run["dc"][:, 0], run["dc"][:, 1 + 2 * k], run["dc"][:, 2 + 2 * k], at.v_cm) for k in range(3))
    result = OtaFigures.at(
        at,
        gain,
        float(20 * np.log10(gain)),
        gain * pole,
        unity,
        180 + float(np.degrees(np.interp(unity, f, phase))),
        _slope(time, up),
        _slope(time, down),
        *free,
        max(drawn[0], forced[0]),
        min(drawn[1], forced[1]),
        float(run["limit"][0, 1]),
        float(-run["limit"][0, 2]),
        float(run["op"][0, 2] - at.v_cm),
        float(run["op"][0, 3]),
        float(-run["op"][0, 1] * at.v_dd),
    )
    if bad := [name for name, value in vars(result).items() if isinstance(value, float) and not np.isfinite(value)]:
        raise SimulationError(f"the OTA bench at {at} gave no {bad[0]}: the amplifier does not work there")
    return result


@dataclass(frozen=True)
class IntegratorFigures(FiguresAt):
    """What one integrator bench gives; SI units.

    Attributes
    ----------
    r_reset : float
        Resistance of the reset switch at v_cm, ohm.
    reset_step : float
        Output step when the switch opens, V (charge injection and clock feedthrough).
    c_inject : float
        ``reset_step * c_f / v_dd``, F: the gate capacitance that would do the same.
    droop : float
        Drift of the idle output, V/s (leakage of the switch).
    charge_error : tuple of float
        Relative error of the output step for each current pulse against I t / C_f.
    currents : tuple of float
        Those currents, A.
    """

    r_reset: float
    reset_step: float
    c_inject: float
    droop: float
    charge_error: tuple[float, ...]
    currents: tuple[float, ...]


def measure_integrator(
    conditions: Conditions | None = None, *, c_f: float = 7e-12, currents: tuple[float, ...] = (20e-6, 80e-6, -80e-6)
) -> IntegratorFigures:
    """Measures the integrator in one ngspice run: see `netlists.testbench.ota.integrator_deck`."""
    at = conditions or Conditions()
    run = run_bench(integrator_deck(at, c_f=c_f, currents=currents), ["switch", "tran"])
    time, idle = run["tran"][:, 0], run["tran"][:, 1]

    def value(column: np.ndarray, t: float) -> float:
        return float(np.interp(t, time, column))

    step = value(idle, 38e-9) - value(idle, 19e-9)
    errors = []
    for k, current in enumerate(currents):
        # What the pulse alone did: the idle circuit has the same injection and droop.
        moved = value(run["tran"][:, 3 + k] - idle, 100e-9)
        errors.append(moved / (current * 16e-9 / c_f) - 1)
    return IntegratorFigures.at(
        at,
        float(run["switch"][0, 1] / 10e-6),
        step,
        step * c_f / at.v_dd,
        (value(idle, 200e-9) - value(idle, 100e-9)) / 100e-9,
        tuple(errors),
        tuple(currents),
    )
