"""Ramps of drawn chips without SPICE: the closed form of the chips that ngspice would simulate, aged, read late or without steps.

The cells of chip i are those of sample i of the plan whose seed is `characterization.streams.ramp_seed`, so that evaluation,
budget, search and the loop with ngspice have the same ramp. They are written and calibrated as in a Monte Carlo run; then they
relax, and a comparator's delay and the leak of a held input move the levels as their laws say. For steps of 12 ns or more this is
within 0.04 LSB rms of ngspice, and within 0.12 LSB at 4 ns (held by a test).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import numpy as np

from characterization.chips import draw
from characterization.chips.recalibrate import recalibrate
from characterization.plan import RampPlan
from characterization.ramp_model import RampDraw, read_noise_shape
from characterization.streams import SampleSource, ramp_seed, sample_stream
from cosim.network import ramp_gates
from netlists.check_rules import Number
from netlists.checks import NonNegative, Ohms, Seconds, checked
from netlists.errors import InputError
from netlists.function import Staircase
from netlists.ramp import program_ramp, to_input_units, transition_levels

from .arrays import drawn_curvature, read_through
from .column_effects import late_levels, leaked_levels

if TYPE_CHECKING:
    from cosim.network import Network
    from cosim.network.cells import Gate
    from netlists.technology import DeviceProfile

    from .hardware import Hardware, Ramp

Time = Annotated[float, Number(0, unit="s")]


@checked
@dataclass(frozen=True)
class CircuitRamp:
    """A ramp of one activation, and its columns' comparators, as a circuit with errors.

    Attributes
    ----------
    plan : RampPlan
        Program, cells, offsets and noise, and calibration; its seed is that of the chip.
    curvature : float
        Mean b of the cells' ``I = G (V + b V^3)``, V^-2, which verification has not seen.
    access : float
        On-resistance of the cells' transistors that verification has not seen, ohm.
    drift_time : float or None
        Seconds from calibration to use; None: no relaxation.
    delay : float
        Time constant of the comparators, seconds; what it takes at x = 0 is calibrated out.
    leak : float
        Decay of a held V_mac, 1/s.
    quantized : bool
        False: what a ramp with the same errors but without steps would make of a pre-activation.
    """

    plan: RampPlan
    curvature: NonNegative = 0.0
    access: Ohms = 0.0
    drift_time: Seconds | None = None
    delay: Time = 0.0
    leak: NonNegative = 0.0
    quantized: bool = True

    def __post_init__(self) -> None:
        if self.drift_time is not None and not self.plan.profile.relaxation_times:
            raise InputError(f"drift_time={self.drift_time:g}: device profile {self.plan.profile.name} has no relaxation data")

    @property
    def activation(self) -> str:
        return self.plan.name

    @property
    def bits(self) -> int:
        return self.plan.bits

    @property
    def volts_per_unit(self) -> float:
        return self.plan.program().volts_per_unit(self.plan.circuit)

    @property
    def noise_sigma(self) -> np.ndarray:
        """Rms noise of a decision at each level, comparator, op-amps and ramp cells, input units, shape (thresholds,)."""
        v = self.plan.variation
        own = np.sqrt(v.comparator_noise**2 + v.opamp_noise**2) / self.volts_per_unit
        return np.sqrt(own**2 + self.shared_sigma**2)

    @property
    def shared_sigma(self) -> np.ndarray:
        """The ramp's part of it, which all columns see alike: its op-amp, and what its cells draw anew; shape (thresholds,)."""
        program, profile = self.plan.program(), self.plan.profile
        opamp = np.full(len(program.x), (self.plan.variation.opamp_noise / self.volts_per_unit) ** 2)
        if profile.read_sigma == 0:
            return np.sqrt(opamp)
        return np.sqrt(opamp + profile.read_sigma**2 * np.diag(read_noise_shape(program, profile, fresh=True)))

    @property
    def random(self) -> bool:
        """Whether chips differ, or conversions are noisy."""
        v = self.plan.variation
        spread = any((v.opamp_offset, v.comparator_offset, v.comparator_noise, v.opamp_noise, v.conductance_gain))
        return spread or self._aged or self.delay > 0 or self.plan.profile.read_sigma > 0

    @property
    def _aged(self) -> bool:
        """Whether cells differ from their targets."""
        return _varies(self.plan.profile) or self.curvature > 0 or self.drift_time is not None

    def levels(self, seed: int, number: int, chip: int) -> np.ndarray:
        """Levels of a chip's ramp for a comparator without offset, shape (thresholds,), input units.

        Parameters
        ----------
        seed : int
            Of the chips.
        number : int
            Of the ramp: that of its activation in alphabetical order.
        chip : int
        """
        return _levels(_seeded(self, ramp_seed(seed, number)), chip)


@lru_cache(maxsize=256)
def _seeded(ramp: CircuitRamp, seed: int) -> CircuitRamp:
    return replace(ramp, plan=replace(ramp.plan, seed=seed))


@lru_cache(maxsize=256)
def _varies(p: DeviceProfile) -> bool:
    """Whether cells of a device are written, or keep what they were read with, otherwise than as their targets say."""
    lasting = bool(p.read_lasting) and p.read_sigma > 0
    return lasting or replace(p.without_variation(), read_sigma=p.read_sigma) != p


@lru_cache(maxsize=4096)
def _levels(ramp: CircuitRamp, chip: int) -> np.ndarray:
    plan, program, circuit = ramp.plan, ramp.plan.program(), ramp.plan.circuit
    levels = program.x
    v = plan.variation
    if ramp._aged or ramp.access or any((v.opamp_offset, v.comparator_offset, v.conductance_gain)):
        levels = _of_cells(ramp, chip)
    if ramp.delay:
        levels = levels - late_levels(program, circuit, ramp.delay)
    if ramp.leak:
        levels = leaked_levels(levels, program, circuit, ramp.leak)
    return levels


def _of_cells(ramp: CircuitRamp, chip: int) -> np.ndarray:
    plan, program, circuit = ramp.plan, ramp.plan.program(), ramp.plan.circuit
    drawn = draw(plan, np.array([chip]))
    b = drawn_curvature(ramp.curvature, drawn.conductance.shape, sample_stream(plan.seed, chip, SampleSource.CURVATURE))

    def levels(g: np.ndarray) -> np.ndarray:
        chips = drawn.chips(g)
        chips = replace(chips, conductance=read_through(chips.conductance, b, ramp.access, circuit.v_read))
        return to_input_units(transition_levels(program, circuit, chips, first_order=plan.level != "ideal"), program, circuit)

    g = recalibrate(plan, drawn, levels(drawn.conductance), levels).conductance
    if ramp.drift_time is not None:
        rng = sample_stream(plan.seed, chip, SampleSource.RELAXATION)
        g = np.where(drawn.stuck, g, plan.profile.relaxed(g, program.conductance[None], ramp.drift_time, rng))
    g = g + plan.profile.lasting_noise(g, sample_stream(plan.seed, chip, SampleSource.LASTING))
    # Levels are as the comparator sees them that calibrated the ramp; columns have their own.
    return levels(g)[0] - (circuit.comparator_offset + drawn.comparator_offset[0]) / ramp.volts_per_unit


def own_circuit(stairs: Staircase, name: str, like: CircuitRamp) -> CircuitRamp:
    """The ramp of a network's own for one gate, with the device, errors and calibration of the activation's.

    Its swing is smaller where the ramp would leave the supply: one whose thresholds lie on one side of 0 has half the room.
    """
    plan = like.plan
    table = stairs.table(f"ramp-{name}".replace(".", "-"))
    program = program_ramp(table, plan.bits, plan.profile, scheme=plan.scheme, n_calibration=plan.n_calibration)
    swing = min(plan.circuit.v_swing, program.fitting_swing(plan.circuit, slew_share=1.0))
    return replace(like, plan=replace(plan, activation=table, circuit=plan.circuit.with_(v_swing=swing)))


def check_own_ramps(network: Network, hardware: Hardware) -> None:
    """Raises `InputError` where hardware cannot take the ramps that a network brings along.

    It can where its ramps are ideal or circuits, or have none at all: floating point has exact activations.
    """
    if not network.ramps or (hardware.bits is None and hardware.ramps is None and hardware.adc is None):
        return
    reason, name = "", next(iter(network.ramps))
    if hardware.adc is not None:
        reason = "a linear converter has none"
    elif hardware.integrators is not None or hardware.columns is not None:
        reason = "integrators and fitted columns are scaled for the ramps of activations, so leave them out"
    for name, stairs in network.ramps.items():
        gate = next(g.activation for n, g in _gates(network) if n == name)
        ramp = None if hardware.ramps is None else hardware.ramps.get(gate)
        bits = hardware.bits if ramp is None else ramp.bits
        if not reason and bits not in (None, stairs.bits):
            reason = f"the hardware's have {bits} bits"
        if not reason and ramp is not None and not _takes_own(ramp):
            reason = f"{type(ramp).__name__} of {gate} is of a chip with another ramp; give bits, or a CircuitRamp"
        if reason:
            raise InputError(
                f"network: has a ramp of {stairs.bits} bits of its own for {name}; {reason}. Network.with_ramps({{}}) takes it away"
            )


def _gates(network: Network) -> list[tuple[str, Gate]]:
    return list(ramp_gates([(layer.cell, len(layer.directions)) for layer in network.layers]))


def _takes_own(ramp: Ramp) -> bool:
    """Whether a ramp says only what errors a ramp has: a circuit with steps, or one exactly as designed."""
    if isinstance(ramp, CircuitRamp):
        return ramp.quantized
    if not isinstance(ramp, RampDraw):
        return False
    ideal = RampDraw.ideal(ramp.activation, ramp.bits)
    same = ramp.thresholds.shape == ideal.thresholds.shape and np.allclose(ramp.thresholds, ideal.thresholds)
    return same and not ramp.noisy and not np.any(ramp.column_offset)
