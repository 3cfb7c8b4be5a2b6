"""What a design search may choose, on which grid, and the hardware that a choice stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cosim.chip import PwmInputs, matrix_places
from cosim.network import Network
from netlists.check_rules import near
from netlists.errors import InputError
from netlists.technology import MEASURED_STATISTICS, DeviceProfile, RampCircuit

from ..cost import Design

Point = dict[str, float]
"""Value of each variable, SI units."""


@dataclass(frozen=True)
class Variable:
    """One thing to choose.

    Attributes
    ----------
    name : str
    grid : tuple of float
        Values that are tried, increasing, SI units.
    default : float
        Of the design that the winner is compared with.
    unit : str
        For tables; ``shown`` times the SI value is in it.
    shown : float
    what : str
    whole : bool
        Whether values are whole numbers.
    low, high : float
        Values that can be fixed.
    """

    name: str
    grid: tuple[float, ...]
    default: float
    unit: str
    shown: float
    what: str
    whole: bool
    low: float
    high: float

    def display(self, value: float) -> str:
        """A value with its unit."""
        return f"{value * self.shown:.4g} {self.unit}".rstrip()

    def place(self, value: float) -> int:
        """Its place on the grid, or the nearest one's, by ratio."""
        return self.grid.index(value) if value in self.grid else int(np.argmin(np.abs(np.log(np.array(self.grid) / value))))

    def check(self, value: float) -> float:
        """The value, whole where it has to be; `InputError` for one that cannot be."""
        if not math.isfinite(value) or not self.low <= value <= self.high or (self.whole and value != int(value)):
            kind = "a whole number" if self.whole else "a number"
            raise InputError(
                f"{self.name}={value:g}: must be {kind} from {self.low:g} to {self.high:g} (SI units; {self.what}); "
                f"the search tries {', '.join(f'{v:g}' for v in self.grid)}"
            )
        return int(value) if self.whole else float(value)


def variables(profile: DeviceProfile) -> tuple[Variable, ...]:
    """Everything that can be chosen on a device; the default is the simulated circuit on arrays of 64 x 64 cells."""
    nominal, offset = Design(), MEASURED_STATISTICS["comparator_offset_sigma"]
    conductances = (*(round(part * profile.g_max, 12) for part in (0.5, 0.625, 0.75, 0.875)), profile.g_max)
    return (
        Variable("bits", (2, 3, 4, 5, 6), nominal.bits, "", 1, "bits of the ramps", True, 2, 8),
        Variable("n_in", (3, 4, 5, 6), nominal.n_in, "", 1, "bits of the input pulses, sign included", True, 2, 8),
        Variable("v_read", (0.05, 0.1, 0.15, 0.2, 0.25), nominal.v_read, "V", 1, "read voltage", False, 0.02, 0.4),
        Variable("t_step", (4e-9, 6e-9, 8e-9, 12e-9, 16e-9, 24e-9, 32e-9), nominal.t_step, "ns", 1e9,
                 "clock of a ramp step", False, 2e-9, 1e-6),
        Variable("g_max", tuple(g for g in conductances if g >= 1.2 * profile.g_min), profile.g_max, "uS", 1e6,
                 "largest conductance that is used", False, 1.2 * profile.g_min, profile.g_max),
        Variable("calibration_cells", (1, 2, 3, 5, 8), nominal.calibration_cells, "", 1,
                 "calibration cells of a ramp column", True, 1, 32),
        Variable("comparator_offset", tuple(part * offset for part in (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)), nominal.comparator_offset,
                 "mV", 1e3, "sigma of the offset that comparators are sized for", False, 1e-4, 0.05),
        Variable("array_size", (16, 32, 64, 128), 64, "cells", 1, "rows and columns of an array", True, 4, 1024),
    )  # fmt: skip


@dataclass(frozen=True)
class Space:
    """Variables of a search, some of them fixed.

    Attributes
    ----------
    variables : tuple of Variable
    fixed : mapping
        Value of each variable that is not searched.

    Raises
    ------
    InputError
        Unknown variable, or a value that cannot be.
    """

    variables: tuple[Variable, ...]
    fixed: Mapping[str, float]

    def __post_init__(self) -> None:
        known = {v.name: v for v in self.variables}
        for name in self.fixed:
            if name not in known:
                raise InputError(f"fixed: {name} is unknown; the variables are {', '.join(known)}{near(name, known)}")
        object.__setattr__(self, "fixed", {name: known[name].check(value) for name, value in self.fixed.items()})

    @property
    def free(self) -> tuple[Variable, ...]:
        """Variables that are searched."""
        return tuple(v for v in self.variables if v.name not in self.fixed)

    @property
    def size(self) -> int:
        """Different designs on the grid."""
        return math.prod(len(v.grid) for v in self.free)

    def point(self, index: Mapping[str, int]) -> Point:
        """The values at places on the grids of the free variables."""
        chosen = {v.name: v.grid[index[v.name]] for v in self.free}
        return {v.name: chosen.get(v.name, self.fixed.get(v.name, v.default)) for v in self.variables}

    def index(self, point: Mapping[str, float]) -> dict[str, int]:
        """Places on the grids of the free variables, of a value between two the nearer one; the inverse of `point`."""
        return {v.name: v.place(point[v.name]) for v in self.free}

    @property
    def default(self) -> Point:
        """The design that the winner is compared with, fixed variables as they are fixed."""
        return {v.name: self.fixed.get(v.name, v.default) for v in self.variables}


def design_of(point: Mapping[str, float], profile: DeviceProfile, network: Network) -> Design:
    """The design that costs are asked for.

    C_f keeps its size when the read voltage moves, as in `RampProgram.feedback_capacitance`: V_mac and ramp swing less. The
    weight that takes the whole conductance range is the network's largest.
    """
    nominal = RampCircuit()
    size = int(point["array_size"])
    pwm = PwmInputs(int(point["n_in"]))
    largest = max(float(np.abs(at.weights * at.row_scale[:, None]).max()) for at in matrix_places(network, pwm))
    return Design(
        bits=int(point["bits"]),
        n_in=int(point["n_in"]),
        v_read=point["v_read"],
        v_swing=nominal.v_swing * point["v_read"] / nominal.v_read,
        t_step=point["t_step"],
        g_min=profile.g_min,
        g_max=point["g_max"],
        calibration_cells=int(point["calibration_cells"]),
        comparator_offset=point["comparator_offset"],
        # Two cells along a column are a weight.
        max_rows=max(size // 2, 1),
        max_columns=size,
        weight_range=largest,
    )


def device_of(design: Design, profile: DeviceProfile) -> DeviceProfile:
    """The device, used up to the design's largest conductance; its errors in siemens stay as they are."""
    if design.g_max == profile.g_max:
        return profile
    return replace(profile, g_max=design.g_max, name=f"{profile.name} up to {design.g_max * 1e6:g} uS")


def circuit_of(design: Design) -> RampCircuit:
    """The converter's circuit, with the design's read voltage and clock."""
    pulse = design.t_pulse_share * design.t_step
    return RampCircuit(v_read=design.v_read, t_pulse=pulse, t_settle=design.t_step - pulse)
