"""What a Monte Carlo run varies and measures, as data: typed, hashable, the same for everyone who runs it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property, lru_cache
from typing import Annotated, Any

import numpy as np

from netlists.check_rules import Choice, Number, Whole
from netlists.checks import Bits, Ohms, Seed, check, checked, made_of
from netlists.converter import Blocks, Converter
from netlists.errors import InputError
from netlists.function import Activation, ActivationTable, Quantizer, as_activation
from netlists.outside import UserSubcircuit
from netlists.ramp import RampProgram, Targets, compensate, program_ramp
from netlists.technology import NOMINAL, DeviceProfile, Pvt, RampCircuit, as_designed, check_circuit, circuit_at, load_profile

from .points import Sampling
from .variation import Variation

DEFAULT_PROFILE = "taox-100-400"

CALIBRATIONS = ("none", "one-point", "binary-search", "two-point", "trim", "per-column")
"""How a converter is calibrated before it is measured a second time; see `characterization.chips.recalibrate`."""

TRIM_SIGMAS = 4.0
"""Reach of a column's trimming cells by default, standard deviations of the difference of two comparators' offsets."""

BUFFERS = ("macro", "none")
"""Whether a buffer stands between a ramp and its comparators."""

PROGRAM_SOURCES = ("auto", "closed-form", "spice")
"""What a program allows for: the equations of our op-amp, nominal transients, or these for an op-amp of the user's."""

__all__ = ["BUFFERS", "CALIBRATIONS", "DEFAULT_PROFILE", "Pvt", "RampPlan", "Sampling", "Variation"]


@checked
@dataclass(frozen=True)
class RampPlan:
    """One ramp converter to characterize: everything that decides a sample but its number.

    Attributes
    ----------
    activation : str or ActivationTable
        Function that the ramp follows.
    bits : int
        Resolution, 1..8.
    scheme : str
        How step sizes beyond the conductance range are made, as for `netlists.ramp.compiler.program_ramp`.
    n_calibration : int
        Calibration cells of the ramp column.
    profile : DeviceProfile
    circuit : RampCircuit
        By default the one of the conditions, `netlists.technology.conditions.circuit_at`.
    variation : Variation
        By default the one of the conditions, `Variation.measured`, with the sigmas of own blocks that have theirs.
    level, cells, comparator, opamp
        Level of circuit detail, how the memristor column is written, and a comparator and op-amp of one's own, as in
        `netlists.converter.blocks.Blocks`.
    seed : int
        Sample i is a function of (seed, i) and of this plan.
    calibration : str
        One of `CALIBRATIONS`.
    conditions : Pvt
        Process corner, temperature (C) and supply (V) of the macro-models at level ``macro``. The cells keep the program
        for nominal conditions: what the conditions move is seen. To change them take
        ``replace(plan, conditions=..., circuit=None, variation=None)``.
    wire_resistance : float
        Resistance of the column's wire per cell, ohms: cell m, counted from 0 in the order of the program, has m + 1 of
        them in series. The program does not allow for it. Cells that are selected together count as if each stood
        alone (an assumption that only scheme ``differential`` needs).
    columns : int
        Columns whose comparators share the ramp, besides the one that calibrates it. Default: the sigmoid gates of an LSTM of 32
        hidden units.
    buffer : {"macro", "none"}
        What drives the comparators: a buffer that settles within a clock period, its gain and offset calibrated with the ramp; or
        the ramp's op-amp itself (`RampCircuit.ramp_load`), which the program then allows for.
    trim_reach : float or None
        Largest change of V_mac, either way, that a column's trimming cells can make, volts (calibration ``per-column``); None:
        `TRIM_SIGMAS` of what they are there for. A larger reach is a coarser trim: the cells' programming error scales with it.
    sampling : Sampling
        At random, on a Sobol sequence or in a Latin hypercube.
    conversions : bool
        Whether each chip is measured a third time, in a noisy conversion by another column's comparator.
    quantizer : Quantizer
        Placement of the output levels and where to saturate.
    program_from : {"auto", "closed-form", "spice"}
        What the targets of the cells allow for: the op-amp of level macro, in closed form; or what nominal transients with the
        plan's op-amp and level show (`characterization.chips.program_from_spice`). ``auto`` is ``spice`` for an op-amp of your own.
    targets : Targets or None
        What these transients led to.
    held : bool
        Whether each level is measured with a constant V_mac, by a comparator of its own, as a conversion sees it: for a comparator
        that remembers more than a clock period. `characterization.chips.examine` tells which does.

    Examples
    --------
    >>> plan = RampPlan("tanh", 4, seed=1)
    >>> plan
    RampPlan(tanh, 4 bits, level macro, seed 1, profile taox-100-400, calibration one-point)
    >>> plan.program().x.shape
    (15,)
    """

    activation: str | ActivationTable
    bits: Bits
    profile: DeviceProfile = field(default_factory=lambda: load_profile(DEFAULT_PROFILE))
    circuit: RampCircuit = None  # type: ignore[assignment]
    variation: Variation = None  # type: ignore[assignment]
    scheme: str = "auto"
    n_calibration: Annotated[int, Whole(1, 32)] = 5
    level: str = "macro"
    cells: str = "selected"
    comparator: UserSubcircuit | None = None
    opamp: UserSubcircuit | None = None
    seed: Seed = 0
    calibration: Annotated[str, Choice(CALIBRATIONS)] = "one-point"
    conditions: Pvt = NOMINAL
    wire_resistance: Ohms = 0.0
    columns: Annotated[int, Whole(1, 4096)] = 96
    buffer: Annotated[str, Choice(BUFFERS)] = "macro"
    trim_reach: Annotated[float, Number(above=0, unit="V")] | None = None
    sampling: Sampling = field(default_factory=Sampling)
    conversions: bool = True
    quantizer: Quantizer = field(default_factory=Quantizer)
    held: bool = False
    program_from: Annotated[str, Choice(PROGRAM_SOURCES)] = "auto"
    targets: Targets | None = None

    def __post_init__(self) -> None:
        # Making the blocks checks that they fit together.
        _ = self.blocks
        self._check_conditions()
        if self.circuit is None:
            object.__setattr__(self, "circuit", circuit_at(self.conditions))
        loaded = {"comparators": self.columns + 1.0 if self.buffer == "none" else 0.0}
        if self.comparator is not None:
            # Its own offset over the common mode is not ours.
            loaded |= {"comparator_slope": 0.0, "comparator_bend": 0.0}
        object.__setattr__(self, "circuit", self.circuit.with_(**loaded))
        if self.variation is None:
            own = [block.statistics for block in (self.comparator, self.opamp) if block is not None]
            sigmas = dict(pair for statistics in own for pair in statistics)
            object.__setattr__(self, "variation", replace(Variation.measured(self.conditions), **sigmas))
        check_circuit(self.circuit, self.conditions)
        if self.targets is not None and self.program_from == "closed-form":
            raise InputError(f"targets={self.targets!r}: come from a transient; leave program_from at auto or spice")
        program = self._program(self.targets)
        low, high = program.span(self.circuit)
        if low < 0 or high > self.circuit.v_dd:
            raise InputError(
                f"v_swing={self.circuit.v_swing:g}: the {self.name} ramp would run from {low:.3g} to {high:.3g} V, supply "
                f"{self.circuit.v_dd:g} V; take v_swing={program.fitting_swing(self.circuit):.3g} or less"
            )

    def _check_conditions(self) -> None:
        """Raises `InputError` where other than nominal conditions would change nothing, or only a part of the converter."""
        if self.conditions == NOMINAL:
            return
        if self.level == "ideal":
            raise InputError(f"conditions ({self.conditions}): have no effect at level ideal; take level macro or {NOMINAL}")
        if self.level == "sky130":
            raise InputError(
                f"conditions ({self.conditions}): level sky130 simulates a ramp column at {NOMINAL} only; take level macro"
            )
        if self.comparator is not None or self.opamp is not None:
            raise InputError(
                f"conditions ({self.conditions}): only macro-models were measured there, not a block of your own; take {NOMINAL}"
            )

    def __repr__(self) -> str:
        return f"RampPlan({self.title}, profile {self.profile.name}, calibration {self.calibration})"

    @property
    def title(self) -> str:
        """The plan in one line, without its values."""
        return f"{self.name}, {self.bits} bits, level {self.level}, seed {self.seed}"

    @property
    def name(self) -> str:
        """Name of the activation."""
        return self.function.name

    @property
    def function(self) -> Activation:
        """The activation on the domain and outputs that the converter covers."""
        return as_activation(self.activation).over(self.quantizer.domain, self.quantizer.outputs)

    @property
    def blocks(self) -> Blocks:
        """Which block stands in each place of the converter."""
        return Blocks(self.level, self.cells, self.comparator, self.opamp)

    @cached_property
    def converter(self) -> Converter:
        """The converter: its program, circuit and blocks.

        The program allows for the integrator as designed, at nominal conditions; at level ``ideal`` there is nothing to allow for.
        It is compiled once a process for all plans that share it, and its arrays cannot be written.
        """
        if self.program_from == "spice" and self.targets is None:
            raise InputError(
                "program_from='spice': nothing is simulated yet; take the plan that characterization.chips.program_from_spice gives"
            )
        return Converter(self._program(self.targets), self.circuit, self.blocks)

    def _program(self, targets: Targets | None) -> RampProgram:
        designed = None if self.level == "ideal" else as_designed(self.circuit, self.conditions)
        return _compiled(
            self.activation, self.bits, self.profile, designed, self.scheme, self.n_calibration, self.quantizer, targets
        )

    @property
    def column_trim_reach(self) -> float:
        """Reach of a column's trimming cells, volts; 0 where columns do not differ, or have no such cells."""
        if self.calibration != "per-column":
            return 0.0
        return TRIM_SIGMAS * math.sqrt(2) * self.variation.comparator_offset if self.trim_reach is None else self.trim_reach

    def program(self) -> RampProgram:
        """The ramp program of the plan's `converter`, the same object at every call."""
        return self.converter.program

    def __getstate__(self) -> dict[str, Any]:
        # Without what was computed: another process compiles the program itself, once.
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary of every value; fields that came later only where they say something."""
        data = asdict(self)
        for name in ("held", "program_from", "targets", "buffer"):
            if getattr(self, name) == getattr(type(self), name):
                del data[name]
        return data | {n: own.as_dict() for n, own in (("comparator", self.comparator), ("opamp", self.opamp)) if own is not None}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RampPlan:
        """The plan that `as_dict` wrote.

        Raises
        ------
        InputError
            Missing or unknown field, or a value that is not allowed.
        """
        plan = check(Mapping[str, Any], data, "plan")
        if missing := [name for name in ("profile", "circuit", "variation") if plan.get(name) is None]:
            raise InputError(f"plan: field {missing[0]!r} is missing")
        return made_of(cls, plan, "plan")

    @property
    def sha256(self) -> str:
        """Hash of every value, for provenance and for refusing to mix runs."""
        return plan_digest(self.as_dict())

    def differences(self, other: RampPlan) -> list[str]:
        """Fields in which two plans differ, as ``name: mine != theirs``."""
        mine, theirs = _flat(self.as_dict()), _flat(other.as_dict())
        return [
            f"{k}: {mine.get(k)!r} != {theirs.get(k)!r}" for k in sorted(set(mine) | set(theirs)) if mine.get(k) != theirs.get(k)
        ]


def plan_digest(fields: Mapping[str, Any]) -> str:
    """SHA-256 of a plan's fields as JSON has them."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=64)
def _compiled(
    activation: str | ActivationTable,
    bits: int,
    profile: DeviceProfile,
    designed: RampCircuit | None,
    scheme: str,
    n_calibration: int,
    quantizer: Quantizer,
    targets: Targets | None,
) -> RampProgram:
    """The program, compensated for a circuit unless that is None, or with given targets; shared, hence read-only."""
    program = program_ramp(activation, bits, profile, scheme=scheme, n_calibration=n_calibration, quantizer=quantizer)
    if targets is not None:
        program = targets.on(program)
    elif designed is not None:
        program = compensate(program, designed, profile)
    for value in vars(program).values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return program


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = value
    return out
