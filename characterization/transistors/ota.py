"""Measured figures of the transistor-level OTA and integrator (SKY130): gain, bandwidth, slew, swing, injected charge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from characterization.compact.benches import crossing
from netlists.errors import SimulationError
from netlists.technology import Conditions
from netlists.testbench import OTA, At, BlockOnBench, integrator_deck, ota_deck, run_bench

from .conditions import FiguresAt


@dataclass(frozen=True)
class OtaFigures(FiguresAt):
    """What one OTA bench gives."""

    gain: Annotated[float, "open-loop DC gain at v_cm, V/V"]
    gain_db: Annotated[float, "the same, dB"]
    gbw: Annotated[float, "DC gain times -3 dB frequency, Hz"]
    crossover: Annotated[float, "unity crossing of the integrator's loop gain (feedback through C_f), Hz"]
    phase_margin: Annotated[float, "there, degrees"]
    slew_rise: Annotated[float, "20-80 % slope of a 0.8 V step through equal capacitors, V/s"]
    slew_fall: Annotated[float, "the same downwards, V/s"]
    swing_low: Annotated[float, "least output whose DC gain is half of that at v_cm or more, V, no load"]
    swing_high: Annotated[float, "largest such output, V"]
    loaded_low: Annotated[float, "the same with i_load drawn from and forced into the output: the narrower of the two, V"]
    loaded_high: Annotated[float, "the same, V"]
    source_current: Annotated[float, "output current at v_cm with the input overdriven by 0.2 V, A"]
    sink_current: Annotated[float, "the same the other way, A"]
    offset: Annotated[float, "systematic input offset, V"]
    gm: Annotated[float, "transconductance of one input transistor, from .op, S"]
    power: Annotated[float, "supply power without load, W"]


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
    conditions: At | None = None,
    *,
    c_load: float = 1e-12,
    c_f: float = 7e-12,
    c_in: float = 300e-15,
    i_load: float = 150e-6,
    block: BlockOnBench = OTA,
    tables: dict[str, np.ndarray] | None = None,
) -> OtaFigures:
    """Measures the OTA, or another op-amp, in one ngspice run; loads as in `netlists.testbench.ota.ota_deck`.

    ``tables`` takes the tables that the bench wrote.

    Raises
    ------
    SimulationError
        If ngspice fails or a figure cannot be read (the amplifier does not work under these conditions).
    """
    at = conditions or Conditions()
    deck = ota_deck(at, c_load=c_load, c_f=c_f, c_in=c_in, i_load=i_load, block=block)
    names = ["op", "limit", "ac", "dc", "slew", *([] if block == OTA else ["z"])]
    run = run_bench(deck, names, settings=block.settings)
    if tables is not None:
        tables |= run
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
    """What one integrator bench gives."""

    r_reset: Annotated[float, "resistance of the reset switch at v_cm, ohm"]
    reset_step: Annotated[float, "output step when the switch opens, V (charge injection and clock feedthrough)"]
    c_inject: Annotated[float, "reset_step c_f / v_dd, F: the gate capacitance that would do the same"]
    droop: Annotated[float, "drift of the idle output, V/s (leakage of the switch)"]
    charge_error: Annotated[tuple[float, ...], "relative error of the output step of each current pulse against I t / C_f"]
    currents: Annotated[tuple[float, ...], "those currents, A"]


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
