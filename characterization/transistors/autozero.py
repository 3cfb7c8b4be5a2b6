"""Measured figures of the auto-zeroed integrator: what is left of its op-amp's offset at levels sky130 and macro, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from netlists.check_rules import Choice
from netlists.checks import check
from netlists.converter import AutoZero, autozero_values, integrator_values, released
from netlists.errors import SimulationError
from netlists.technology import MEASURED_STATISTICS, Conditions, RampCircuit
from netlists.testbench import T_RESET, autozero_deck, autozero_macro_deck, run_bench

from .conditions import FiguresAt

SETTLED = 150e-9
"""When the summing nodes are read, seconds: the op-amps have settled, and their outputs have hardly moved."""
DECK = 16
"""Integrators in a deck."""
LEVELS = ("sky130", "macro")
REQUIRED = 0.09e-3
"""Rms at a column's summing node that takes 0.6 points from `voices`; 0.04 mV takes 0.03 (docs/budget.md), volts."""


@dataclass(frozen=True)
class AutozeroFigures(FiguresAt):
    """What the auto-zero bench gives."""

    level: Annotated[str, "sky130: foundry mismatch; macro: offsets drawn with its sigma"]
    samples: Annotated[int, "integrators, each with its own mismatch"]
    offset_rms: Annotated[float, "rms of the op-amps' offsets, V"]
    offset_sigma: Annotated[float, "their standard deviation, V"]
    residue: Annotated[float, "mean of what is left at the summing nodes: the charge of the auto-zero switch, V"]
    residue_sigma: Annotated[float, "its standard deviation, V"]
    noise: Annotated[float, "sqrt(k T / c_az), another one in each conversion: closed form, V"]
    left_rms: Annotated[float, "rms of residue and noise together, V"]
    required: Annotated[float, "rms that may be left, V"]
    step: Annotated[float, "mean step of the outputs at the end of the reset, V"]
    step_sigma: Annotated[float, "its standard deviation, V"]
    r_az: Annotated[float, "on-resistance of the auto-zero switch at v_cm, ohm; at level macro a parameter"]
    c_gate: Annotated[float, "input capacitance of the op-amp, F; at level macro a parameter"]
    c_inject: Annotated[float, "residue c_az / v_dd, F: the gate capacitance of the auto-zero switch that would leave as much"]
    bare_step: Annotated[float, "step of the output of an integrator without a column, V"]
    bare_area: Annotated[float, "volt-seconds that its summing node is off after the reset, V s"]
    c_reset: Annotated[float, "gate capacitance of the reset switch at the summing node with which level macro leaves both, F"]
    c_far: Annotated[float, "the same at the far plate of C_f, F"]


def measure_autozero(
    autozero: AutoZero | None = None,
    n: int = 64,
    rng: np.random.Generator | None = None,
    conditions: Conditions | None = None,
    *,
    level: str = "sky130",
    c_f: float = 80e-12,
) -> tuple[AutozeroFigures, list[dict[str, Any]]]:
    """Measures auto-zeroed integrators, 16 a deck: with foundry mismatch, or at level macro with offsets of its sigma.

    Parameters
    ----------
    n : int
        Integrators, 2 or more.
    rng : Generator or None
        Draws one ngspice seed a deck, or the offsets of level macro.

    Returns
    -------
    figures : AutozeroFigures
    samples : list of dict
        ``offset``, ``residue`` and ``step`` of each, volts.

    Raises
    ------
    InputError
        Another level.
    SimulationError
        If ngspice fails.
    """
    level = check(Annotated[str, Choice(LEVELS)], level, "level")
    at, az, rng = conditions or Conditions(), autozero or AutoZero(), rng or np.random.default_rng(1)
    samples: list[dict[str, Any]] = []
    r_az, c_gate, tables = az.r_az, az.c_gate, ["bare", "amp0", "sum0", "out0"]
    while len(samples) < n:
        size = min(DECK, n - len(samples))
        if level == "sky130":
            seed = int(rng.integers(1, 2**31 - 1))
            run = run_bench(autozero_deck(at, az, size, seed, c_f=c_f), ["switch", "gate", *tables])
            r_az, c_gate = float(run["switch"][0, 1] / 1e-6), float(abs(run["gate"][0, 2]) / (2 * np.pi * 1e6))
        else:
            offsets = MEASURED_STATISTICS["opamp_offset_sigma"] * rng.standard_normal(size)
            run = run_bench(autozero_macro_deck(at, _macro_values(az), az, offsets.tolist(), c_f=c_f), tables)
        found = {name: _at(run[name], t) for name, t in (("amp0", T_RESET / 2), ("sum0", SETTLED), ("out0", SETTLED))}
        # What the residue has integrated by then is no part of the step.
        drift = found["sum0"] * (SETTLED - T_RESET) * 10e-3 / c_f
        rows = zip(found["amp0"], found["sum0"], found["out0"] - drift, strict=True)
        samples += [{"offset": float(o), "residue": float(r), "step": float(s)} for o, r, s in rows]
    offset, residue, step = (np.array([s[name] for s in samples]) for name in ("offset", "residue", "step"))
    time, node, output = run["bare"].T
    after, left = time >= T_RESET, float(np.interp(SETTLED, time, node))
    area = float(np.trapezoid((node - left)[after], time[after]))
    # What the residue adds to the output is no charge of the reset.
    charge = (float(np.interp(SETTLED, time, output)) - left) * c_f
    figures = AutozeroFigures.at(
        at,
        level,
        len(samples),
        float(np.sqrt(np.mean(offset**2))),
        float(offset.std(ddof=1)),
        float(residue.mean()),
        float(residue.std(ddof=1)),
        az.noise,
        float(np.sqrt(np.mean(residue**2) + az.noise**2)),
        REQUIRED,
        float(step.mean()),
        float(step.std(ddof=1)),
        r_az,
        c_gate,
        float(residue.mean() * az.c_az / at.v_dd),
        charge / c_f,
        area,
        *reset_capacitances(az, charge, area, c_f=c_f),
    )
    return figures, samples


def reset_capacitances(autozero: AutoZero, charge: float, area: float, *, c_f: float = 80e-12) -> tuple[float, float]:
    """``c_reset`` and ``c_far`` with which the end of a reset leaves a charge (C) and volt-seconds (V s) at level macro, farads.

    Raises
    ------
    SimulationError
        No such capacitances.
    """
    from scipy.optimize import root

    def error(c: np.ndarray) -> list[float]:
        left = released(RampCircuit(), replace(autozero, c_reset=abs(c[0]) * 1e-15, c_far=abs(c[1]) * 1e-15), c_f)
        return [(left.charge - charge) * 1e15, (left.area - area) * 1e12]

    # Differential equations are solved to 1e-6: a finer end would be sought in their noise.
    found = root(error, [12.0, 17.0], tol=1e-4, options={"eps": 1e-3})
    if not found.success:
        raise SimulationError(f"no switches of level macro leave {charge:.3g} C and {area:.3g} V s: {found.message}")
    return float(abs(found.x[0]) * 1e-15), float(abs(found.x[1]) * 1e-15)


def _macro_values(autozero: AutoZero) -> dict[str, float]:
    """Parameters of the auto-zeroed integrator of level macro, C_f, offset and clock swing apart."""
    values = integrator_values("macro", RampCircuit(), c_f=1.0, offset=0.0) | autozero_values("macro", autozero)
    return {name: value for name, value in values.items() if name not in ("c_f", "v_os", "v_dd")}


def _at(table: np.ndarray, time: float) -> np.ndarray:
    """Waveforms of a table at one time."""
    return np.array([np.interp(time, table[:, 0], column) for column in table[:, 1:].T])
