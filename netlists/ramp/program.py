"""A ramp program as data: what to program into a ramp column, when to select it, and what follows from that."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

import numpy as np

from netlists.technology import RampCircuit

from .cells import CALIBRATION
from .report import CompileReport


@dataclass(frozen=True)
class RampProgram:
    """Conductances to program into a ramp column, and when each is selected.

    Attributes
    ----------
    activation, bits, scheme, profile : str, int, str, str
    x : ndarray (n,)
        Thresholds, activation input units, increasing; ``2**bits - 1`` for an increasing function and mid-rise levels.
    code_step : ndarray of int (n,)
        What passing each threshold adds to the code: +1, or -1 where the function falls.
    conductance : ndarray (cells,)
        Target conductance of each cell, siemens.
    width : ndarray (cells,)
        Select pulse of each cell, in full pulses (``RampCircuit.t_pulse``).
    polarity : ndarray of int (cells,)
        +1 lifts the ramp, -1 lowers it.
    slot : ndarray of int (cells,)
        Clock period in which each cell is selected, from 0.
    step : ndarray of int (cells,)
        Ramp step 1..n + 1 the cell belongs to, `CALIBRATION` for calibration cells.
    unit_charge : float
        Conductance-pulse product that moves the ramp by one input unit, siemens (times t_pulse).
    start : float
        Level before step 1, activation input units.
    g_min, g_max : float
        Programmable range, siemens.
    codes : ndarray of int (n + 1,)
        Code after 0, 1, ... n thresholds were passed; codes[0] is what the counter is set to before a conversion.
    values : ndarray (n + 1,)
        Output those codes stand for.
    slope : ndarray (n,)
        Derivative of the function at each threshold.
    report : CompileReport
        Error of the program itself, before any device error, and what was given up.
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
    codes: np.ndarray
    values: np.ndarray
    slope: np.ndarray
    report: CompileReport
    alternatives: dict[str, dict[str, float]] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        what = f"{self.activation}, {self.bits} bits, scheme {self.scheme}, profile {self.profile}"
        return f"<RampProgram {what}: {len(self.x)} thresholds, {self.n_cells} cells in {self.n_slots} clock periods>"

    def _repr_html_(self) -> str:
        """A table of the thresholds and of the cells of the step that leads to each, for notebooks."""
        rows = ["<tr><th>step</th><th>threshold</th><th>code</th><th>conductance, µS</th></tr>"]
        for k, (x, code) in enumerate(zip(self.x, self.codes[1:], strict=True), start=1):
            cells = ", ".join(f"{1e6 * g:.4g}" for g in self.conductance[self.step == k])
            rows.append(f"<tr><td>{k}</td><td>{x:.4g}</td><td>{code}</td><td>{cells}</td></tr>")
        return f"<p>{escape(repr(self))}</p><table>{''.join(rows)}</table>"

    @property
    def n_steps(self) -> int:
        """Ramp steps of a conversion, one more than thresholds; the last one ends the conversion above x[-1]."""
        return len(self.x) + 1

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
        """Local ideal step at each threshold, shape (n,), input units.

        ``x_{k+1} - x_k``; the last threshold, which has no successor, takes the step before it. An only threshold takes
        the step that leads to it.
        """
        if len(self.x) == 1:
            return np.array([self.x[0] - self.start])
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
        return RampCircuit.v_read * circuit.t_pulse * total / circuit.v_swing

    def span(self, circuit: RampCircuit) -> tuple[float, float]:
        """Lowest and highest voltage of the ramp from reset to its end, without op-amp errors, volts.

        It has to stay where the op-amp's output and V_mac can be; `RampCircuit.v_swing` scales it.
        """
        charge = self.conductance * self.width * self.polarity / self.unit_charge
        per_slot = np.zeros(self.n_slots)
        np.add.at(per_slot, self.slot, charge)
        level = np.append(0.0, np.cumsum(per_slot)) * self.volts_per_unit(circuit)
        return float(circuit.v_cm + level.min()), float(circuit.v_cm + level.max())

    def steepest_slope(self, circuit: RampCircuit) -> float:
        """Slope of the ramp while the largest of its cells is selected, V/s."""
        return float(circuit.v_read * self.conductance.max() / self.feedback_capacitance(circuit))

    def fitting_swing(self, circuit: RampCircuit, *, margin: float = 0.1, slew_share: float = 0.1) -> float:
        """Largest ``v_swing``, at most the circuit's, with which the circuit can follow this ramp, volts.

        Parameters
        ----------
        margin : float
            Distance of the ramp from both rails, volts. A ramp whose thresholds lie on one side of x = 0 starts at analog
            ground and has half the room.
        slew_share : float
            Slope of the steepest step as a part of the op-amp's slew rate: near the limit a step falls short by more than
            `netlists.ramp.compensation` allows for.
        """
        low, high = self.span(circuit)
        factors = [1.0, slew_share * circuit.slew / self.steepest_slope(circuit)]
        if high > circuit.v_cm:
            factors.append((circuit.v_dd - margin - circuit.v_cm) / (high - circuit.v_cm))
        if low < circuit.v_cm:
            factors.append((circuit.v_cm - margin) / (circuit.v_cm - low))
        return float(min(factors) * circuit.v_swing)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary: arrays become lists."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(self).items()}


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
    ndarray (n,), input-referred local LSB
    """
    k_cal = int(np.argmin(np.abs(program.x))) + 1
    packet = (np.broadcast_to(sigma, program.width.shape) * program.width) ** 2
    variance = np.zeros(len(program.x))
    for i in range(len(program.x)):
        k = i + 1
        passed = program.step <= k if from_start else (program.step > min(k, k_cal)) & (program.step <= max(k, k_cal))
        variance[i] = np.sum(packet[passed])
    return np.sqrt(variance) / program.unit_charge / program.lsb
