"""What a design costs a network in accuracy: drawn chips against floating point, on the same sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from characterization.streams import ramp_seed
from cosim.chip import Arrays, CircuitRamp, Hardware, Integrators, PwmInputs, Ramp, converted_columns
from cosim.evaluation import accuracy_change, evaluate
from cosim.network import Network
from netlists.array import Pwm
from netlists.converter import AutoZero
from netlists.technology import DeviceProfile

from ..cost import Design, NetworkShape
from ..cost.electrical import opamp_size
from ..tasks import SequenceSet
from .ramps import ramp_plan
from .space import circuit_of, device_of


@dataclass(frozen=True)
class AccuracyLoss:
    """Accuracy lost against floating point, mean over chips.

    Attributes
    ----------
    accuracy, exact : float
        Mean over the chips, and of floating point.
    loss, low, high : float
        Their difference and its 95 % interval over sequences; the chips are these.
    chips_low, chips_high : float
        95 % interval over chips; the sequences are these.
    """

    accuracy: float
    exact: float
    loss: float
    low: float
    high: float
    chips_low: float
    chips_high: float

    def as_dict(self) -> dict[str, float]:
        """For tables and JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class DesignBench:
    """A network on sequences.

    Attributes
    ----------
    network : Network
    data : SequenceSet
    profile : DeviceProfile
        Cells of the weights and of the ramps.
    r_wire : float
        Ohm a cell along rows and columns.
    compensate : {"none", "mean", "wires"}
        What makes good their loss (`cosim.chip.Arrays`).
    bias_rows : int or None
        Rows that share the bias of a matrix.
    comparator : mapping or None
        Noise and time constant of a measured one (`ramp_plan`).
    threads : int
    """

    network: Network
    data: SequenceSet
    profile: DeviceProfile
    r_wire: float
    threads: int = 1
    compensate: str = "mean"
    bias_rows: int | None = None
    comparator: Mapping[str, float] | None = None

    @cached_property
    def exact(self) -> np.ndarray:
        """Which sequences floating point gets right, ndarray of bool (sequences,)."""
        return evaluate(self.network, self.data, dtype=np.float64, threads=self.threads).correct[0]

    @cached_property
    def _shapes(self) -> dict[Arrays, NetworkShape]:
        return {}

    def shape(self, design: Design) -> NetworkShape:
        """The arrays that a design's cost is asked for, those of its `hardware`; an inference is as long as the mean sequence."""
        arrays = self.arrays(design)
        if arrays not in self._shapes:
            steps = 1 if self.data is None else round(float(np.mean(self.data.lengths)))
            self._shapes[arrays] = NetworkShape.of(self.network, steps, arrays, PwmInputs(design.n_in))
        return self._shapes[arrays]

    def arrays(self, design: Design) -> Arrays:
        """The arrays of a design."""
        assert design.max_rows is not None
        return Arrays(
            device_of(design, self.profile),
            max_rows=2 * design.max_rows,
            max_columns=design.max_columns,
            r_row=self.r_wire,
            r_col=self.r_wire,
            compensate=self.compensate,
            bias_rows=self.bias_rows,
            v_read=design.v_read,
        )

    def hardware(self, design: Design, ramps: Mapping[str, Ramp]) -> Hardware:
        """Ramps, arrays, integrators and inputs of a design; tanh(c) and its like come from digital tables.

        Op-amps are as many times as fast as the measured one as `opamp_size` says.
        """
        integrators = Integrators.measured(
            AutoZero(c_az=design.c_az) if design.c_az else None,
            circuit_of(design),
            pwm=Pwm(design.n_in, design.t_unit, design.t_gap),
            faster=tuple(opamp_size(shape, design) for shape in self.shape(design).arrays),
        )
        return Hardware(
            # They are those of this read voltage already.
            ramps=ramps,
            state_unit="table",
            state_bits=design.state_bits,
            arrays=self.arrays(design),
            integrators=integrators,
            pwm=PwmInputs(design.n_in),
        )

    def loss(self, design: Design, ramps: Mapping[str, Ramp], chips: int, seed: int) -> AccuracyLoss:
        """Loss on chips with given ramps, drawn ones or fitted models; chips 0.. of a seed, the same for every design."""
        hardware = self.hardware(design, ramps)
        # Double precision: a code that a rounding error moves would be an answer that another machine does not give.
        correct = evaluate(self.network, self.data, hardware, chips, seed, dtype=np.float64, threads=self.threads).correct
        losses: dict[str, Any] = accuracy_change(correct, self.exact).loss_columns()
        return AccuracyLoss(float(correct.mean()), float(self.exact.mean()), **losses)

    def predicted(self, design: Design, chips: int, seed: int) -> AccuracyLoss:
        """Loss with ramps in closed form.

        Raises
        ------
        InputError
            A design that cannot be built.
        """
        ramps = self.closed_form(design, seed)
        return self.loss(design, ramps, chips, seed)

    def closed_form(self, design: Design, seed: int) -> dict[str, Ramp]:
        """The ramps of a design as circuits; chip i has those that ngspice simulates as sample i."""
        out: dict[str, Ramp] = {}
        for position, activation in enumerate(sorted(converted_columns(self.network))):
            plan = ramp_plan(activation, design, self.profile, ramp_seed(seed, position), self.comparator)
            out[activation] = CircuitRamp(plan, delay=plan.circuit.comparator_tau)
        return out
