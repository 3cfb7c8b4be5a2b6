"""The attractor of Lorenz (J. Atmos. Sci. 20, 1963, 130-141): trajectories by SciPy's integrator, and its largest exponent."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from netlists.checks import Count, Number, Seed, check

SIGMA, RHO, BETA = 10.0, 28.0, 8.0 / 3.0
TRANSIENT = 20.0
"""Time units until a trajectory is on the attractor."""
TOLERANCE = 1e-9
Step = Annotated[float, Number(above=0, high=0.2)]


def lorenz_trajectory(steps: int, dt: float, seed: int) -> np.ndarray:
    """A trajectory on the attractor, (steps, 3), by an explicit Runge-Kutta method of order 8 (``DOP853``).

    Parameters
    ----------
    dt : float
        Time units between two points.
    seed : int
        Of the starting point, normal about (0, 0, 25); the first 20 time units are left out.
    """
    from scipy.integrate import solve_ivp

    steps, dt, seed = check(Count, steps, "steps"), check(Step, dt, "dt"), check(Seed, seed, "seed")
    start = np.random.default_rng(seed).normal((0.0, 0.0, 25.0), 1.0)
    times = TRANSIENT + dt * np.arange(steps)
    found = solve_ivp(_flow, (0.0, times[-1]), start, method="DOP853", t_eval=times, rtol=TOLERANCE, atol=TOLERANCE)
    return found.y.T


def lorenz_exponent(time: float, seed: int, *, dt: float = 0.05) -> float:
    """Largest Lyapunov exponent of the system, per time unit, by the growth of one tangent vector (Benettin et al., 1980)."""
    from scipy.integrate import solve_ivp

    state = np.concatenate([lorenz_trajectory(1, dt, seed)[0], np.full(3, 3**-0.5)])
    grown = 0.0
    for _ in range(round(time / dt)):
        state = solve_ivp(_with_tangent, (0.0, dt), state, method="DOP853", rtol=1e-8, atol=1e-8).y[:, -1]
        length = np.linalg.norm(state[3:])
        grown += float(np.log(length))
        state[3:] /= length
    return grown / time


def _flow(_: float, s: np.ndarray) -> list[float]:
    x, y, z = s
    return [SIGMA * (y - x), x * (RHO - z) - y, x * y - BETA * z]


def _with_tangent(t: float, s: np.ndarray) -> list[float]:
    x, y, z, dx, dy, dz = s
    tangent = [SIGMA * (dy - dx), dx * (RHO - z) - x * dz - dy, dx * y + x * dy - BETA * dz]
    return [*_flow(t, s[:3]), *tangent]
