"""Switching memristors for programming studies: VTEAM and Yakopcic, as SPICE subcircuits and as the same ODE for SciPy.

Reads use plain conductances (`netlists.technology.memristor`): a switching model costs up to a hundred times as much. The equations
are in the headers of ``circuits/memristor_vteam.cir`` and ``circuits/memristor_yakopcic.cir``; the methods here
are the same equations in NumPy, for an independent solver and for planning pulses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from netlists.checks import Array, Choice, Count, Inside, NonNegative, Number, Positive, check, checked
from netlists.errors import InputError, SimulationError
from netlists.spice import Deck, subcircuit

if TYPE_CHECKING:
    from netlists.spice.shared_library import Circuit

# The state meets SciPy's to 1e-3 with these at every preset (tests/netlists/programming/test_switching.py).
OPTIONS = ".options reltol=1e-5 abstol=1e-15 vntol=1e-9 chgtol=1e-18 trtol=1"


Negative = Annotated[float, Number(below=0)]
Exponent = Annotated[float, Number(1)]


@checked
@dataclass(frozen=True)
class Vteam:
    """Voltage-threshold adaptive memristor (Kvatinsky et al. 2015, doi 10.1109/TCSII.2015.2433536).

    The state x runs from 0 (ON) to 1 (OFF); a voltage above ``v_off`` raises the resistance, one below ``v_on`` lowers it.

    Attributes
    ----------
    r_on, r_off : float
        Resistance at x = 0 and 1, ohm; linear in x between them.
    k_on, k_off : float
        Rates, 1/s, below and above 0: the paper's over ``w_off - w_on``.
    a_on, a_off : float
        Exponents, 1 or more.
    v_on, v_off : float
        Thresholds, volts, below and above 0.
    p : float
        Exponent of the window ``1 - x^(2p)`` towards OFF, ``1 - (1-x)^(2p)`` towards ON (Biolek), 1 or more.

    The default values are assumptions: a range that holds the 27-500 uS of TaOx cells, a threshold well above the read voltage, and
    about a microsecond from end to end at twice the threshold.
    """

    r_on: Positive = 2e3
    r_off: Positive = 37e3
    k_on: Negative = -1e6
    k_off: Positive = 1e6
    a_on: Exponent = 3.0
    a_off: Exponent = 3.0
    v_on: Negative = -0.6
    v_off: Positive = 0.6
    p: Exponent = 1.0

    subcircuit: ClassVar[str] = "memristor_vteam"
    set_sign: ClassVar[int] = -1
    """Sign of the voltage that raises the conductance."""

    def __post_init__(self) -> None:
        if self.r_off <= self.r_on:
            raise InputError(f"r_off={self.r_off:g}: must be above r_on={self.r_on:g} (ohm)")

    def motion(self, v: np.ndarray | float, x: np.ndarray | float) -> np.ndarray:
        """``dx/dt``, 1/s, at voltage v and state x (broadcast)."""
        v, x = np.asarray(v, float), np.asarray(x, float)
        off = self.k_off * np.maximum(v / self.v_off - 1, 0) ** self.a_off * (1 - np.abs(x) ** (2 * self.p))
        on = self.k_on * np.maximum(v / self.v_on - 1, 0) ** self.a_on * (1 - np.abs(1 - x) ** (2 * self.p))
        return off + on

    def current(self, v: np.ndarray | float, x: np.ndarray | float) -> np.ndarray:
        """Amperes at voltage v and state x (broadcast)."""
        return np.asarray(v, float) / (self.r_on + (self.r_off - self.r_on) * np.asarray(x, float))

    def state(self, conductance: np.ndarray | float, v_read: float) -> np.ndarray:
        """State whose conductance ``I/V`` at ``v_read`` is the given one (siemens); outside 0..1 where there is none."""
        return (1 / np.asarray(conductance, float) - self.r_on) / (self.r_off - self.r_on)


@checked
@dataclass(frozen=True)
class Yakopcic:
    """Generalized memristive device (Yakopcic et al. 2011, doi 10.1109/LED.2011.2163292, 2013, doi 10.1109/TCAD.2013.2252057).

    The state x runs from 0 (OFF) to 1 (ON); with ``eta`` = 1 a voltage above ``v_p`` raises the conductance, one
    below ``-v_n`` lowers it.

    Attributes
    ----------
    a1, a2 : float
        Current scale for positive and negative voltages, amperes: ``i = a x sinh(b v)``.
    b : float
        1/V; the I-V curvature of `netlists.technology.memristor.current` is ``b^2 / 6``.
    v_p, v_n : float
        Thresholds, volts, both above 0.
    a_p, a_n : float
        Rates, 1/s.
    x_p, x_n : float
        The motion slows down above ``x_p`` when x rises and below ``1 - x_n`` when it falls; between 0 and 1.
    alpha_p, alpha_n : float
        How fast it slows down; 0 or more.
    eta : int
        +1 or -1.

    The default values are those of the 2013 paper's example, as simulators that ship the model give them.
    """

    a1: Positive = 0.17
    a2: Positive = 0.17
    b: Positive = 0.05
    v_p: Positive = 0.16
    v_n: Positive = 0.15
    a_p: Positive = 4000.0
    a_n: Positive = 4000.0
    x_p: Inside = 0.3
    x_n: Inside = 0.5
    alpha_p: NonNegative = 1.0
    alpha_n: NonNegative = 5.0
    eta: Annotated[int, Choice((1, -1))] = 1

    subcircuit: ClassVar[str] = "memristor_yakopcic"

    @property
    def set_sign(self) -> int:
        """Sign of the voltage that raises the conductance."""
        return self.eta

    def motion(self, v: np.ndarray | float, x: np.ndarray | float) -> np.ndarray:
        """``dx/dt``, 1/s, at voltage v and state x (broadcast)."""
        v, x = np.asarray(v, float), np.asarray(x, float)
        drive = self.a_p * np.maximum(np.exp(v) - np.exp(self.v_p), 0) - self.a_n * np.maximum(np.exp(-v) - np.exp(self.v_n), 0)
        above, below = np.maximum(x - self.x_p, 0), np.maximum(1 - self.x_n - x, 0)
        rising = np.exp(-self.alpha_p * above) * (1 - above / (1 - self.x_p))
        falling = np.exp(-self.alpha_n * below) * (1 - below / (1 - self.x_n))
        return self.eta * drive * np.where(self.eta * v >= 0, rising, falling)

    def current(self, v: np.ndarray | float, x: np.ndarray | float) -> np.ndarray:
        """Amperes at voltage v and state x (broadcast)."""
        v = np.asarray(v, float)
        return np.where(v >= 0, self.a1, self.a2) * np.asarray(x, float) * np.sinh(self.b * v)

    def state(self, conductance: np.ndarray | float, v_read: float) -> np.ndarray:
        """State whose conductance ``I/V`` at ``v_read`` is the given one (siemens); outside 0..1 where there is none."""
        return np.asarray(conductance, float) * v_read / self.current(v_read, 1.0)


Switching = Vteam | Yakopcic

VTEAM_FAST = Vteam(r_on=50.0, r_off=1e3, k_on=-10.0 / 3e-9, k_off=5e-4 / 3e-9, a_on=3.0, a_off=1.0, v_on=-0.2, v_off=0.02, p=1.0)
"""The default parameters of MemTorch's VTEAM class, which names the model authors' page as their origin: 3 nm, k_on
-10 m/s, k_off 0.5 mm/s. Its 20 mV threshold is below any read voltage here: for hysteresis studies, not for programming."""

YAKOPCIC_TAOX = Yakopcic(
    a1=500e-6 / math.sqrt(3), a2=500e-6 / math.sqrt(3), b=math.sqrt(3), v_p=0.6, v_n=0.6, a_p=1e6, a_n=1e6,
    x_p=0.8, x_n=0.95, alpha_p=1.0, alpha_n=1.0,
)  # fmt: skip
"""Assumption: 500 uS at x = 1, curvature b^2/6 = 0.5 V^-2 as the profile taox-100-400, thresholds well above the read
voltage, about a microsecond from end to end at twice the threshold, slowing down near both ends."""


State = Array(low=0, high=1, why="the state of a memristor")


def add_cell(circuit: Circuit, name: str, model: Switching, te: str, be: str, x: str, *, x0: float, rate: float = 1.0) -> None:
    """Add one switching memristor to a circuit; the deck must hold ``subcircuit(model.subcircuit)``."""
    params = asdict(model) | {"rate": rate, "x0": x0}
    circuit.X(name, model.subcircuit, te, be, x, **{k: repr(float(v)) for k, v in params.items()})


def hysteresis_deck(model: Switching, *, amplitude: float, frequency: float, x0: float = 0.5, periods: int = 2) -> Deck:
    """A memristor on a sine source: nodes ``te`` (volts), ``cur`` (1 V = 1 A) and ``x`` (1 V = 1).

    A second source, connected to nothing, has a corner at every zero of the sine: ngspice puts a time point there, so that
    the current at exactly 0 V can be looked at.

    Raises
    ------
    InputError
        Amplitude or frequency that is not above 0, x0 outside 0..1, fewer than one period.
    """
    amplitude, frequency = check(Positive, amplitude, "amplitude"), check(Positive, frequency, "frequency")
    check(Count, periods, "periods")
    check(State, x0, "x0")
    from netlists.spice.shared_library import Circuit

    c = Circuit(f"hysteresis of {model.subcircuit}, {amplitude:g} V, {frequency:g} Hz")
    c.raw_spice = subcircuit(model.subcircuit).rstrip()
    c.V("drive", "te", c.gnd, f"DC 0 SIN(0 {amplitude!r} {frequency!r})")
    zeros = np.arange(1, 2 * periods + 1) / (2 * frequency)
    marks = " ".join(f"{t:.17g} {k % 2}" for k, t in enumerate(zeros, start=1))
    c.V("mark", "mark", c.gnd, f"PWL(0 0 {marks})")
    add_cell(c, "cell", model, "te", c.gnd, "x", x0=x0)
    c.raw_spice += "\nhcur 0 cur vdrive 1"
    stop, step = float(zeros[-1]), 1 / (400 * frequency)
    card = f".save v(te) v(cur) v(x)\n.tran {step!r} {stop!r} 0 {step!r}"
    measures = [f"meas tran x_end find v(x) at={stop * (1 - 1e-9):.12g}", "meas tran x_max max v(x)", "meas tran x_min min v(x)"]
    return Deck(f"{c}\n{OPTIONS}\n{card}\n", "\n".join(["set numdgt=14", "run", *measures, "quit"]))


def solve_state(
    model: Switching, drive: Callable[[float], float], times: np.ndarray, *, x0: float, corners: np.ndarray | None = None
) -> np.ndarray:
    """The state by SciPy's implicit Runge-Kutta solver (Radau), as an independent check of the SPICE subcircuits.

    Parameters
    ----------
    drive : callable
        Volts at a time in seconds.
    times : ndarray (n,)
        Increasing from 0, seconds.
    corners : ndarray, optional
        Times between which the drive is smooth: the solver restarts at each.

    Returns
    -------
    ndarray (n,)

    Raises
    ------
    SimulationError
        If SciPy's solver gives up.
    """
    check(State, x0, "x0")
    times = np.asarray(times, float)
    inner = () if corners is None else corners[(corners > times[0]) & (corners < times[-1])]
    edges = np.unique(np.concatenate([times[[0, -1]], inner]))
    out = np.full(len(times), float(x0))
    x = float(x0)
    from scipy.integrate import solve_ivp

    for start, stop in pairwise(edges):
        use = np.flatnonzero((times > start) & (times <= stop))
        done = solve_ivp(
            lambda t, y: model.motion(drive(t), y), (start, stop), [x], method="Radau", t_eval=np.union1d(times[use], stop),
            rtol=1e-8, atol=1e-11, max_step=(stop - start) / 50,
        )  # fmt: skip
        if not done.success:
            raise SimulationError(f"SciPy could not solve the state equation of {type(model).__name__}: {done.message}")
        out[use], x = done.y[0][: len(use)], float(done.y[0][-1])
    return out
