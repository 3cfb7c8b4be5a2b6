"""Write-verify: program cells pulse by pulse in ngspice, until each read agrees with its target.

Each round is one SPICE run with all cells in parallel (`netlists.programming.write_verify_deck`): a SET or RESET pulse for every
cell that is not there yet, then a read. The scheme is ReADC's (doi 10.1038/s41467-025-65233-w, Methods): a
pulse aims to move the conductance by a part of what is missing, 0.5 in the first ten tries and 0.25 after them, with at most
20 tries. That "step 0.5 dG" means this is our reading of it; a pulse's length comes from the *nominal* device, so that
a cell's own rate and each pulse's spread make it land elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt

from netlists.check_rules import Number, Whole
from netlists.checks import Count, Seed, check, checked
from netlists.errors import InputError
from netlists.machine import require_memory
from netlists.programming import VECTORS_PER_CELL, Switching, Vteam, WritePulses
from netlists.programming.write_verify_deck import write_verify_deck
from netlists.spice import simulate
from netlists.technology import DeviceProfile

if TYPE_CHECKING:
    import pandas as pd

BYTES_A_CELL = 50_000
"""Of its cards in a deck, and of its waveforms."""
PLAN_POINTS = 4001
MARGIN = 1.25
"""How far beyond the targets a cell may overshoot and still get a pulse of the right length."""
END_STATE = 1e-3
"""Distance from the ends of the state, where the windows stop all motion, that counts as reachable."""


Part = Annotated[float, Number(above=0, high=1)]


@checked
@dataclass(frozen=True)
class WriteVerifyScheme:
    """How a cell is approached.

    Attributes
    ----------
    coarse, fine : float
        Part of the missing conductance that a pulse aims at: in the first ``coarse_tries``, and after them.
        0.5, 0.25 and 10: ReADC.
    max_tries : int
        Pulses a cell may take; 20: ReADC.
    rate_spread, pulse_spread : float
        Sigma of the logarithm of the switching rate, cell to cell and pulse to pulse: assumptions.
    pulses : WritePulses
    """

    coarse: Part = 0.5
    fine: Part = 0.25
    coarse_tries: Annotated[int, Whole(0)] = 10
    max_tries: Count = 20
    rate_spread: Annotated[float, Number(0, 10)] = 0.2
    pulse_spread: Annotated[float, Number(0, 10)] = 0.1
    pulses: WritePulses = field(default_factory=WritePulses)


@dataclass(frozen=True)
class WriteVerifyResult:
    """What write-verify did to each cell; conductances in siemens at the read voltage.

    Attributes
    ----------
    target, initial, final : ndarray (cells,)
        ``final`` is what the cell has, without read noise.
    read : ndarray (cells,)
        The reading that ended the programming of the cell, or its last one.
    state : ndarray (cells,)
        The model's state at the end.
    tries : ndarray of int (cells,)
        Pulses the cell took.
    verified : ndarray of bool (cells,)
        False: the cell was still outside the window after ``max_tries``.
    history : ndarray (rounds + 1, cells)
        Reading after each round, before the first one in row 0; NaN once a cell is verified.
    window : float
        Siemens.
    """

    target: np.ndarray
    initial: np.ndarray
    final: np.ndarray
    read: np.ndarray
    state: np.ndarray
    tries: np.ndarray
    verified: np.ndarray
    history: np.ndarray
    window: float

    @property
    def residual(self) -> np.ndarray:
        """``final - target`` of every cell, failed ones included, siemens (cells,)."""
        return self.final - self.target

    def to_frame(self) -> pd.DataFrame:
        """One row a cell, failed ones included."""
        import pandas as pd

        names = ("target", "initial", "final", "read", "residual", "state", "tries", "verified")
        return pd.DataFrame({n: getattr(self, n) for n in names}).rename_axis("cell")

    def summary(self) -> dict[str, Any]:
        """Figures over all cells, failed ones included (they took ``max_tries``); JSON-ready."""
        return {
            "cells": len(self.target),
            "failed": int(np.sum(~self.verified)),
            "tries_mean": float(self.tries.mean()),
            "tries_max": int(self.tries.max()),
            "residual_mean_s": float(self.residual.mean()),
            "residual_rms_s": float(np.sqrt(np.mean(self.residual**2))),
            "residual_max_s": float(np.abs(self.residual).max()),
            "window_s": self.window,
        }


class PulsePlan:
    """Pulse lengths of the nominal device: how long a SET or RESET pulse from one conductance to another must be.

    The state equation is separable at a constant voltage, so ``t = integral dx / (dx/dt)``; the integral is tabulated from
    `MARGIN` below the smallest to `MARGIN` above the largest conductance given, as far as the model goes.

    Parameters
    ----------
    model : Vteam or Yakopcic
    conductances : dict of str to ndarray (cells,)
        What must be within the model's reach, siemens; the names are for the error message.
    pulses : WritePulses

    Raises
    ------
    InputError
        A conductance that the model does not reach, with its name and cell; pulses that do not switch.
    """

    def __init__(self, model: Switching, conductances: dict[str, np.ndarray], pulses: WritePulses) -> None:
        from scipy.integrate import cumulative_trapezoid

        ends = np.sort(model.current(pulses.v_read, np.array([END_STATE, 1 - END_STATE])) / pulses.v_read)
        for name, g in conductances.items():
            bad = np.flatnonzero(~((g >= ends[0]) & (g <= ends[1])))
            if len(bad):
                raise InputError(
                    f"{name}[{bad[0]}]={g[bad[0]] * 1e6:.4g} uS: outside {ends[0] * 1e6:.4g}..{ends[1] * 1e6:.4g} uS, "
                    f"which this {type(model).__name__} model reaches"
                )
        every = np.concatenate(list(conductances.values()))
        self.g = np.linspace(max(every.min() / MARGIN, ends[0]), min(every.max() * MARGIN, ends[1]), PLAN_POINTS)
        self.pulses = pulses
        x = model.state(self.g, pulses.v_read)
        self.time: dict[int, np.ndarray] = {}
        kind = type(model).__name__
        if np.any(model.motion(pulses.v_read, x) != 0):
            raise InputError(f"write pulses: v_read={pulses.v_read:g} V moves this {kind} model: give less than its threshold")
        for sign, volts in ((1, pulses.v_set), (-1, pulses.v_reset)):
            speed = model.motion(sign * model.set_sign * volts, x)
            if np.any(speed * np.gradient(x) * sign <= 0):  # x may fall as the conductance rises
                name = "v_set" if sign > 0 else "v_reset"
                raise InputError(
                    f"write pulses: {name}={volts:g} V does not switch this {kind} model: give more than its threshold"
                )
            self.time[sign] = np.abs(cumulative_trapezoid(1 / speed, x, initial=0.0))

    def width(self, now: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Pulse lengths from ``now`` to ``goal`` (siemens, any shape), within ``t_min..t_max``, seconds."""
        out = np.empty(np.shape(now))
        for sign in (1, -1):
            use = (goal > now) if sign > 0 else (goal <= now)
            t = self.time[sign]
            out[use] = np.abs(np.interp(goal[use], self.g, t) - np.interp(now[use], self.g, t))
        return np.clip(out, self.pulses.t_min, self.pulses.t_max)


def write_verify(
    target: npt.ArrayLike,
    model: Switching,
    profile: DeviceProfile,
    rng: np.random.Generator,
    *,
    scheme: WriteVerifyScheme | None = None,
    initial: np.ndarray | None = None,
    stuck: np.ndarray | None = None,
) -> WriteVerifyResult:
    """Programs cells from ``initial`` to ``target``.

    Parameters
    ----------
    target : array_like (cells,)
        Conductances, siemens: of a ramp column, ``program.conductance``.
    model : Vteam or Yakopcic
        The nominal switching device.
    profile : DeviceProfile
        Its ``program_window`` is the verify window and its read noise spoils each reading.
    rng : numpy.random.Generator
        Spawned into three streams: rates of the cells, of the pulses, read noise.
    scheme : WriteVerifyScheme, optional
    initial : ndarray (cells,), optional
        Conductances before the first pulse, siemens; ``profile.g_hrs`` in every cell by default.
    stuck : ndarray of bool (cells,), optional
        Cells that do not move.

    Returns
    -------
    WriteVerifyResult

    Raises
    ------
    InputError
        A target or initial value the model cannot reach, shapes that differ, a window of 0, pulses below the threshold.
    SimulationError
        From ngspice.
    """
    scheme = scheme or WriteVerifyScheme()
    pulses, target = scheme.pulses, np.asarray(target, float)
    n, window = target.size, profile.program_window
    if window <= 0:
        raise InputError(f"device profile {profile.name}: program_window={window:g}: write-verify needs a window above 0")
    initial = np.full(n, profile.g_hrs) if initial is None else np.asarray(initial, float)
    stuck = np.zeros(n, bool) if stuck is None else np.asarray(stuck, bool)
    for label, a in (("target", target), ("initial", initial), ("stuck", stuck)):
        if a.shape != (n,):
            raise InputError(f"{label}: has shape {a.shape}, must be ({n},), one for each cell")
    plan = PulsePlan(model, {"initial": initial, "target": target}, pulses)

    cell_rng, pulse_rng, read_rng = rng.spawn(3)
    own_rate = np.exp(scheme.rate_spread * cell_rng.standard_normal(n)) * ~stuck
    state = model.state(initial, pulses.v_read)
    final = initial.copy()
    read = profile.read(final, read_rng)
    tries = np.zeros(n, int)
    verified = np.abs(read - target) <= window
    history = [read.copy()]
    for k in range(scheme.max_tries):
        todo = ~verified
        if not np.any(todo):
            break
        part = scheme.coarse if k < scheme.coarse_tries else scheme.fine
        width = plan.width(read, read + part * (target - read))
        direction = np.where(todo, np.sign(target - read), 0).astype(int)
        rate = own_rate * np.exp(scheme.pulse_spread * pulse_rng.standard_normal(n))
        state, final = _round(model, state, direction, width, pulses, rate)
        noisy = profile.read(final, read_rng)
        read = np.where(todo, noisy, read)
        tries += todo
        history.append(np.where(todo, noisy, np.nan))
        verified = verified | (np.abs(read - target) <= window)
    return WriteVerifyResult(
        target=target, initial=initial, final=final, read=read, state=state, tries=tries, verified=verified,
        history=np.array(history), window=window,
    )  # fmt: skip


def write_states(
    profile: DeviceProfile,
    targets: npt.ArrayLike | None = None,
    *,
    cells: int = 8,
    seed: int = 0,
    scheme: WriteVerifyScheme | None = None,
) -> WriteVerifyResult:
    """Programs several cells to each of some conductances, on a VTEAM device that reaches beyond the profile's range.

    Parameters
    ----------
    profile : DeviceProfile
    targets : array_like (states,), optional
        Siemens; 16 evenly over the profile's range by default.
    cells : int
        Cells for each target; those of one target follow each other in the result.
    seed : int
        0 or more.
    scheme : WriteVerifyScheme, optional

    Raises
    ------
    InputError, SimulationError
        As `write_verify`.

    Examples
    --------
    >>> from netlists import load_profile
    >>> write_states(load_profile("taox-100-400"), [200e-6], cells=3, seed=1).verified
    array([ True,  True,  True])
    """
    cells, seed = check(Count, cells, "cells"), check(Seed, seed, "seed")
    asked = 16 if targets is None else np.size(np.asarray(targets))
    require_memory(BYTES_A_CELL * float(asked) * cells, f"cells={cells}")
    states = np.linspace(profile.g_min, profile.g_max, 16) if targets is None else np.atleast_1d(np.asarray(targets, float))
    # Assumption: a quarter beyond both ends of the range, as the default device has it around 34..400 uS.
    model = Vteam(r_on=0.8 / profile.g_max, r_off=1.25 / profile.g_hrs)
    return write_verify(np.repeat(states, cells), model, profile, np.random.default_rng(seed), scheme=scheme)


def _round(
    model: Switching, state: np.ndarray, direction: np.ndarray, width: np.ndarray, pulses: WritePulses, rate: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """States and conductances after one round in ngspice."""
    deck = write_verify_deck(model, state, direction, width, pulses=pulses, rate=rate)
    waves = simulate(deck, [f"{v}{i}" for i in range(len(state)) for v in VECTORS_PER_CELL])
    current = np.array([waves[f"cur{i}"][-1] for i in range(len(state))])
    # The solver's tolerance may leave a state a little outside, where the next round could not start.
    after = np.clip([waves[f"x{i}"][-1] for i in range(len(state))], 0.0, 1.0)
    return after, current / pulses.v_read
