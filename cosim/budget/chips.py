"""Chips of a budget: the hardware with those error sources that are on, and its chips.

They are the evaluator's own (`cosim.chip.draw`): `ChipBuilder.hardware` says what a set of sources is in its terms, so that
`cosim.evaluation.evaluate` on that hardware with the same seed has the same chips and the same answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Annotated, Any

import numpy as np

from characterization.plan import CALIBRATIONS, TRIM_SIGMAS, RampPlan, Variation
from cosim.chip import (
    Arrays,
    Chip,
    CircuitRamp,
    DrawnParts,
    EffectiveWeights,
    Hardware,
    Integrators,
    MatrixPlace,
    PwmInputs,
    converted_columns,
    draw_chip,
    mapped_pairs,
    matrix_places,
)
from cosim.network import Network
from netlists.array import COMPENSATIONS, Pwm
from netlists.checks import Bits, Choice, Count, Seed, checked
from netlists.converter import AutoZero, charge_capacitance
from netlists.errors import InputError
from netlists.ramp import RampProgram, program_ramp
from netlists.technology import MEASURED_STATISTICS, DeviceProfile, RampCircuit

from .device_errors import budget_profile
from .sources import RELAXED, SOURCES, Amounts, check_amounts, default_amounts, source

ARRAY_SOURCES = {"programming", "relaxation", "read_noise", "iv_curvature", "access", "ir_drop", "stuck"}
"""Sources that need cells."""
LOAD_SOURCES = {"integrator_gain", "integrator_settling", "integrator_offset", "opamp_noise", "heat"}
"""Sources that need to know what loads an integrator."""
_HELD = 1024
"""Matrices of chips that are kept: most sets of sources differ in something else."""


@checked
@dataclass(frozen=True, eq=False)
class ChipBuilder:
    """Everything about chips that is not an error source.

    Attributes
    ----------
    network : Network
    profile : DeviceProfile
    bits : int
        Of the ramps that the columns' converters compare with; also where quantisation is off.
    seed : int
        Chip i depends on it and i alone; every source draws from streams of its own.
    circuit : RampCircuit
        Integrators and comparators.
    pwm : Pwm
        Times of the pulses; its longest pulse fixes C_f.
    array_rows, array_columns : int or None
        Size of an array in cells; None: as large as the matrix.
    compensate : {"none", "mean", "wires"}
        What makes good the loss in the wires (`cosim.chip.Arrays`).
    autozero : AutoZero or None
        Of the columns' integrators; it says what ``integrator_offset`` is made of.
    calibration : str
        Of the ramps, or of every column (`characterization.plan.CALIBRATIONS`).
    bias_rows : int or None
        Rows that share the bias of a matrix.
    """

    network: Network
    profile: DeviceProfile
    bits: Bits
    seed: Seed
    circuit: RampCircuit = field(default_factory=RampCircuit)
    pwm: Pwm = field(default_factory=Pwm)
    array_rows: Count | None = 64
    array_columns: Count | None = 64
    compensate: Annotated[str, Choice(COMPENSATIONS)] = "mean"
    autozero: AutoZero | None = field(default_factory=AutoZero)
    calibration: Annotated[str, Choice(CALIBRATIONS)] = "one-point"
    bias_rows: Count | None = None

    def __post_init__(self) -> None:
        if self.network.ramps:
            raise InputError(
                "network: has ramps of its own; a budget's columns are scaled for those of activations, and steps are "
                "switched off. Network.with_ramps({}) takes them away; `evaluate` judges them"
            )

    @cached_property
    def _programs(self) -> dict[tuple[str, int], RampProgram]:
        return {}

    def program(self, activation: str, bits: int | None = None) -> RampProgram:
        """The ramp of an activation."""
        key = (activation, bits or self.bits)
        if key not in self._programs:
            self._programs[key] = RampPlan(*key, profile=self.profile, circuit=self.circuit).program()
        return self._programs[key]

    def random(self, amounts: Amounts) -> bool:
        """Whether chips with these sources differ."""
        return any(s.random and amounts.get(s.name, 0) for s in SOURCES)

    def largest(self, name: str) -> float:
        """Largest amount of a source that makes sense, SI units.

        An op-amp that is too slow, or has too little gain, for the mean column of a group cannot be made good by C_f: `Tile`
        refuses a C_f below a tenth of the charge capacitance; a mean column that leaks e-fold is taken as the end of the other.
        """
        if name not in ("integrator_gain", "integrator_settling"):
            return source(name).largest
        ends = []
        for at in matrix_places(self.network, PwmInputs(None)):
            mapped = mapped_pairs(at, Arrays(self.profile, bias_rows=self.bias_rows))
            for (activation, full_scale), columns in at.ramp_groups.items():
                charge = charge_capacitance(self.program(activation), self.circuit, self.pwm, mapped.scale, full_scale=full_scale)
                ratio = charge / float(mapped.load[columns].mean())
                slow = 0.9 * ratio / (1 + 0.1 * charge * self._resistance(1.0))
                ends.append(slow if name == "integrator_settling" else ratio / self.pwm.duration)
        return min(ends, default=math.inf)

    def chips(self, amounts: Amounts, numbers: Sequence[int], dtype: type = np.float32) -> tuple[list[Chip], Hardware]:
        """Chips with the sources in ``amounts``, and the hardware that they are evaluated on."""
        hardware = self.hardware(amounts)
        parts = [_HeldParts(self, hardware, i, dtype) for i in numbers]
        return [draw_chip(self.network, hardware, p.index, self.seed, dtype, p) for p in parts], hardware

    def hardware(self, amounts: Amounts) -> Hardware:
        """The hardware with these sources; without any it is floating point."""
        on = {name: float(amount) for name, amount in amounts.items() if amount}
        bits, loaded = on.get("pwm_bits"), bool(on.keys() & LOAD_SOURCES)
        return Hardware(
            ramps={a: self._ramp(a, on) for a in converted_columns(self.network)},
            arrays=self._arrays(on) if loaded or on.keys() & ARRAY_SOURCES else None,
            integrators=self._integrators(on) if loaded else None,
            # Rows are driven by pulses of the same ranges whether their widths are rounded or not.
            pwm=PwmInputs(int(bits) if bits else None),
        )

    def _integrators(self, on: Amounts) -> Integrators:
        slow = {"settling": on.get("integrator_settling", 0.0), "inverse_gain": on.get("integrator_gain", 0.0)}
        slow |= {"resistance": self._resistance(slow["settling"])}
        slow |= {"opamp_noise": on.get("opamp_noise", 0.0), "heat": on.get("heat", 0.0)}
        op_amps = Integrators.measured(self.autozero, self.circuit, pwm=self.pwm, **slow)
        return op_amps.with_offset_rms(on.get("integrator_offset", 0.0))

    def _resistance(self, settling: float) -> float:
        """r_o / a0 of an op-amp that settles in this time, ohm: a slower one has as much less transconductance."""
        return self.circuit.opamp_resistance * settling / self.circuit.opamp_settling

    def _profile(self, on: Amounts) -> DeviceProfile:
        return budget_profile(self.profile, on)

    def _ramp(self, activation: str, on: Amounts) -> CircuitRamp:
        variation = replace(
            Variation.none(),
            opamp_offset=on.get("ramp_offset", 0.0),
            comparator_offset=on.get("comparator_offset", 0.0),
            comparator_noise=on.get("comparator_noise", 0.0),
            opamp_noise=on.get("opamp_noise", 0.0),
        )
        bits = int(on.get("ramp_bits", self.bits))
        plan = RampPlan(
            activation,
            bits,
            profile=self._profile(on),
            # The ramp that was designed, whatever errors its cells are tried with.
            scheme=self.program(activation, bits).scheme,
            circuit=self.circuit,
            variation=variation,
            seed=self.seed,
            calibration=self.calibration,
            # The same cells whichever sources are on.
            trim_reach=TRIM_SIGMAS * math.sqrt(2) * MEASURED_STATISTICS["comparator_offset_sigma"],
        )
        return CircuitRamp(
            plan,
            curvature=on.get("iv_curvature", 0.0),
            access=on.get("access", 0.0),
            drift_time=RELAXED if on.get("relaxation") else None,
            delay=on.get("comparator_delay", 0.0),
            leak=on.get("integrator_leak", 0.0),
            quantized="ramp_bits" in on,
        )

    def _arrays(self, on: Amounts) -> Arrays:
        wire = on.get("ir_drop", 0.0)
        return Arrays(
            self._profile(on),
            max_rows=self.array_rows,
            max_columns=self.array_columns,
            r_row=wire,
            r_col=wire,
            drift_time=RELAXED if on.get("relaxation") else None,
            compensate=self.compensate,
            bias_rows=self.bias_rows,
            curvature=on.get("iv_curvature", 0.0),
            access=on.get("access", 0.0),
            v_read=self.circuit.v_read,
        )

    @cached_property
    def cells(self) -> Callable[[str, int, Arrays], EffectiveWeights]:
        """What the cells of a matrix of a chip compute, remembering."""
        places = {at.key: at for at in matrix_places(self.network, PwmInputs(None))}

        def drawn(key: str, index: int, arrays: Arrays) -> EffectiveWeights:
            hardware = Hardware(arrays=arrays, pwm=PwmInputs(None))
            return DrawnParts(self.network, hardware, index, self.seed, np.float64).cells(places[key])

        return lru_cache(_HELD)(drawn)


class _HeldParts(DrawnParts):
    """Parts of a chip whose cells are drawn once for all sets of sources that have the same."""

    def __init__(self, builder: ChipBuilder, hardware: Hardware, index: int, dtype: type) -> None:
        super().__init__(builder.network, hardware, index, builder.seed, dtype)
        self._held = builder.cells

    def cells(self, at: MatrixPlace) -> EffectiveWeights:
        return super().cells(at) if self.hardware.arrays is None else self._held(at.key, self.index, self.hardware.arrays)


def fitting_circuit(network: Network, profile: DeviceProfile, bits: int) -> RampCircuit:
    """The simulated circuit has a span with which all ramps of a network stay between the rails.

    `Hardware.warnings` says where it is less than usual. A ramp on one side of x = 0, as that of a ReLU, has half the room.
    """
    circuit = RampCircuit()
    swings = [circuit.v_swing]
    for activation in converted_columns(network):
        program = program_ramp(activation, bits, profile)
        low, high = program.span(circuit)
        if low < 0 or high > circuit.v_dd:
            swings.append(program.fitting_swing(circuit, slew_share=1.0))
    return circuit.with_(v_swing=min(swings))


def whole_chip(
    network: Network, profile: DeviceProfile, bits: int = 5, amounts: Amounts | None = None, *, pwm_bits: int = 5, **arrays: Any
) -> Hardware:
    """Hardware with every error source of a budget at its default amount: chip i of a seed is that of the budget.

    Parameters
    ----------
    network : Network
        Whose activations have ramps.
    amounts : mapping or None
        Amounts in place of the defaults, SI units; 0 leaves a source out.
    **arrays
        ``array_rows``, ``array_columns``, ``compensate``, ``bias_rows``, ``autozero``, ``calibration`` of `ChipBuilder`.

    Raises
    ------
    InputError
        An unknown source, or an amount that cannot be.

    Examples
    --------
    >>> from netlists import load_profile
    >>> hardware = whole_chip(Network.load("nets/vowels.npz"), load_profile("taox-100-400"), 4, {"ir_drop": 0.5})
    >>> hardware.arrays.r_row, hardware.ramps["tanh"].bits
    (0.5, 4)
    """
    circuit = fitting_circuit(network, profile, bits)
    stored = {"autozero": arrays["autozero"]} if "autozero" in arrays else {}
    found = default_amounts(profile, circuit, bits, pwm_bits, **stored) | dict(amounts or {})
    check_amounts(found, profile)
    return ChipBuilder(network, profile, bits, 0, circuit, **arrays).hardware(found)
