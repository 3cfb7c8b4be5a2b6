"""Measured figures of the auto-zeroed integrator in transistors (SKY130): what is left of its op-amp's offset, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from netlists.converter import AutoZero, released
from netlists.errors import SimulationError
from netlists.technology import Conditions, RampCircuit
from netlists.testbench import T_RESET, autozero_deck, run_bench

from .conditions import FiguresAt

SETTLED = 150e-9
"""When the summing nodes are read, seconds: the op-amps have settled, and their outputs have hardly moved."""
DECK = 16
"""Integrators in a deck."""


@dataclass(frozen=True)
class AutozeroFigures(FiguresAt):
    """What the auto-zero bench gives."""

    samples: Annotated[int, "integrators, each with its own mismatch"]
    offset_sigma: Annotated[float, "standard deviation of the op-amps' offsets, V"]
    residue: Annotated[float, "mean of what is left at the summing nodes, V"]
    residue_sigma: Annotated[float, "its standard deviation, V"]
    step: Annotated[float, "mean step of the outputs at the end of the reset, V"]
    step_sigma: Annotated[float, "its standard deviation, V"]
    r_az: Annotated[float, "on-resistance of the auto-zero switch at v_cm, ohm"]
    c_gate: Annotated[float, "input capacitance of the op-amp, F"]
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
    c_f: float = 80e-12,
) -> tuple[AutozeroFigures, list[dict[str, Any]]]:
    """Measures auto-zeroed integrators with foundry mismatch, 16 a deck.

    Parameters
    ----------
    n : int
        Integrators, 2 or more.
    rng : Generator or None
        Draws one ngspice seed a deck.

    Returns
    -------
    figures : AutozeroFigures
    samples : list of dict
        ``offset``, ``residue`` and ``step`` of each, volts.

    Raises
    ------
    SimulationError
        If ngspice fails.
    """
    at, az, rng = conditions or Conditions(), autozero or AutoZero(), rng or np.random.default_rng(1)
    samples: list[dict[str, Any]] = []
    while len(samples) < n:
        size, seed = min(DECK, n - len(samples)), int(rng.integers(1, 2**31 - 1))
        names = ["bare", "switch", "gate", "amp0", "sum0", "out0"]
        run = run_bench(autozero_deck(at, az, size, seed, c_f=c_f), names)
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
        len(samples),
        float(offset.std(ddof=1)),
        float(residue.mean()),
        float(residue.std(ddof=1)),
        float(step.mean()),
        float(step.std(ddof=1)),
        float(run["switch"][0, 1] / 1e-6),
        float(abs(run["gate"][0, 2]) / (2 * np.pi * 1e6)),
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

    found = root(error, [12.0, 17.0], options={"eps": 1e-3})
    if not found.success:
        raise SimulationError(f"no switches of level macro leave {charge:.3g} C and {area:.3g} V s: {found.message}")
    return float(abs(found.x[0]) * 1e-15), float(abs(found.x[1]) * 1e-15)


def _at(table: np.ndarray, time: float) -> np.ndarray:
    """Waveforms of a table at one time."""
    return np.array([np.interp(time, table[:, 0], column) for column in table[:, 1:].T])
