"""A design whose cost is asked for: resolution, voltages, clocks, cells, arrays, node, converter."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

from netlists.array import Pwm
from netlists.checks import Bits, Choice, Number, PwmBits, Whole, checked
from netlists.converter import AutoZero
from netlists.errors import InputError
from netlists.technology import MEASURED_STATISTICS, RampCircuit

from .scaling import Node

CONVERTERS = ("ramp", "conventional")
_CIRCUIT, _PWM = RampCircuit(), Pwm()

Volts = Annotated[float, Number(above=0, high=2, unit="V")]
Seconds = Annotated[float, Number(above=0, high=1, unit="s")]
Siemens = Annotated[float, Number(above=0, high=1, unit="S")]
Part = Annotated[float, Number(above=0, high=1)]
Many = Annotated[int, Whole(1, 10**6)]


@checked
@dataclass(frozen=True)
class Design:
    """Everything about the hardware that its cost depends on; SI units.

    The defaults are those of the simulated circuit at level ``sky130``: 130 nm, 1.8 V, its clocks.

    Attributes
    ----------
    bits : int
        Of the converters, 1..8.
    n_in : int
        Of the pulse-width modulated inputs, sign included, 2..12.
    v_read : float
        Read voltage, volts.
    v_swing : float
        Span of the ramp, volts. Assumption of `RampCircuit`.
    t_step : float
        Clock period of a ramp step, seconds.
    t_pulse_share : float
        Longest select pulse of a ramp cell as a part of ``t_step``.
    t_unit, t_gap, t_reset : float
        Pulse length of one input code, rest after the longest pulse, reset of the integrators, seconds.
    g_min, g_max : float
        Conductance range, siemens.
    mean_input : float
        Mean magnitude of an input as a part of the largest. Assumption: 0.25.
    weight_range : float
        Weight that takes the whole conductance range; sets C_f and its area. Assumption: 2.
    max_rows, max_columns : int or None
        Largest array, in weights; None: one array for each matrix.
    calibration_cells : int
        Of each ramp column.
    column_trim : bool
        A pair of trimming cells a column, in a row of its own that is driven like an input (calibration ``per-column``).
    c_az : float
        Auto-zero capacitor of a column, farads; 0: its integrator has no auto-zero.
    comparator_offset : float
        Offset (sigma) that the comparators are sized for, volts. Gate area, and with it area and power, go as its inverse square.
        Source of the area: Pelgrom et al., IEEE JSSC 24, 1433 (1989); that power follows is an assumption.
    charge_loss : float
        Largest part of a column's charge that its op-amp's bandwidth may take before C_f makes it good; wide columns get larger
        op-amps for it. Assumption: 0.25, as the simulated tile of 72 inputs (`netlists.array.pwm.Pwm`).
    node : float
        Nanometres, 7..130.
    v_dd : float or None
        Supply of the node's circuits, volts; None: 1.8 V at 130 nm, as simulated, and the nominal supply elsewhere.
    converter : {"ramp", "conventional"}
        Bent ramps made in memory, or a linear ramp and digital activation units.
    activation_units : int
        Parallel activation units of the conventional converter.
    activation_cycles : int
        Clock cycles of an activation in such a unit. Derived from Yang et al. 2025, Fig. 1: 2 to 4 (see docs/cost.md).
    lanes : int
        Hidden units whose digital products are computed at the same time.
    t_clock : float
        Digital clock, seconds.
    state_bits : int
        Of states and digital products.

    Raises
    ------
    InputError
        A value that cannot be; the message names it.
    """

    bits: Bits = 5
    n_in: PwmBits = 5
    v_read: Volts = 0.2
    v_swing: Volts = 1.0
    t_step: Seconds = _CIRCUIT.t_step
    t_pulse_share: Part = 0.5
    t_unit: Seconds = _PWM.t_unit
    t_gap: Seconds = _PWM.t_gap
    t_reset: Seconds = _CIRCUIT.t_reset
    g_min: Siemens = 100e-6
    g_max: Siemens = 400e-6
    mean_input: Part = 0.25
    weight_range: Annotated[float, Number(above=0, high=1e6)] = 2.0
    max_rows: Many | None = None
    max_columns: Many | None = None
    calibration_cells: Annotated[int, Whole(1, 32)] = 5
    column_trim: bool = False
    c_az: Annotated[float, Number(low=0, high=1e-9, unit="F")] = AutoZero().c_az
    comparator_offset: Annotated[float, Number(above=0, high=1, unit="V")] = MEASURED_STATISTICS["comparator_offset_sigma"]
    charge_loss: Part = 0.25
    node: Node = 130.0
    v_dd: Annotated[float, Number(above=0, high=5, unit="V")] | None = None
    converter: Annotated[str, Choice(CONVERTERS)] = "ramp"
    activation_units: Many = 32
    activation_cycles: Annotated[int, Whole(1, 1000)] = 3
    lanes: Many = 32
    t_clock: Seconds = 1e-9
    state_bits: Annotated[int, Whole(1, 32)] = 8

    def __post_init__(self) -> None:
        if not self.g_min < self.g_max:
            raise InputError(f"g_min={self.g_min:g}: must be below g_max={self.g_max:g} (siemens)")

    def __repr__(self) -> str:
        changed = (f"{f.name}={value!r}" for f in fields(self) if (value := getattr(self, f.name)) != f.default)
        return f"Design({', '.join(changed)})"

    def with_(self, **changes: Any) -> Design:
        """A copy with some fields changed; unknown names raise `InputError`.

        Examples
        --------
        >>> Design(bits=4).with_(node=45)
        Design(bits=4, node=45.0)
        """
        known = [f.name for f in fields(self)]
        if unknown := sorted(set(changes) - set(known)):
            raise InputError(f"design parameter {unknown[0]!r}: unknown; allowed are {', '.join(known)}")
        return replace(self, **changes)

    @property
    def max_code(self) -> int:
        """Largest magnitude of an input code."""
        return 2 ** (self.n_in - 1) - 1

    @property
    def t_mac(self) -> float:
        """Longest input pulse and the rest after it, seconds."""
        return self.max_code * self.t_unit + self.t_gap

    @property
    def t_ramp(self) -> float:
        """Calibration and all steps of a ramp of a monotonic function, seconds; `ramp_steps` has those of any."""
        return (2**self.bits + self.calibration_cells) * self.t_step

    def pair_conductance(self, mean_weight: float, filled: float = 1.0) -> float:
        """Mean conductance of the two cells of a weight together, siemens, over crossings of which a part ``filled`` has cells.

        The cell of the weight's sign gets ``g_min + (g_max - g_min) |w| / w_max``, the other ``g_min``
        (`netlists.array.pairs`).
        """
        return 2 * self.g_min * filled + (self.g_max - self.g_min) * mean_weight
