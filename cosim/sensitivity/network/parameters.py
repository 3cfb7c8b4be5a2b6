"""What moves a network's loss: derivatives in its thresholds times those of the levels in cells, op-amp and comparator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from characterization.chips import trimmed
from characterization.plan import RampPlan
from characterization.ramp_model import RampModel
from characterization.sensitivity import Sensitivities, sensitivities
from characterization.streams import ramp_seed
from cosim.chip import CircuitRamp, Hardware, Ramp, converted_columns, late_levels, own_circuit
from cosim.evaluation import ideal_hardware
from cosim.network import Network, ramp_gates
from cosim.tasks import SequenceSet
from netlists.errors import InputError

from .loss import WIDTH, LossGradient, SmoothedLoss

if TYPE_CHECKING:
    import pandas as pd

DELAY = "comparator_tau"
"""Time constant of the comparators: the closed form of the levels has none, the law of their delay does."""
_STEP = 1e-3
_TRIMS = 2000
"""Columns whose trimming is drawn to say what of an offset is left."""


@dataclass(frozen=True, eq=False)
class NetworkSensitivities:
    """Derivatives of a network's smoothed loss.

    Attributes
    ----------
    gradient : LossGradient
        In the thresholds.
    ramps : dict of str to Sensitivities
        Of the levels of each ramp, nominal chip, after its calibration; by activation, or by gate where it has a ramp of its own.
    """

    gradient: LossGradient
    ramps: dict[str, Sensitivities]

    def parameters(self) -> pd.DataFrame:
        """A row a parameter of each ramp, the one whose sigma moves the loss most first.

        Columns: ``ramp``, ``parameter``, ``value``, ``unit``, ``sigma``, ``gradient`` (nats per SI unit), ``sigma_loss`` (change of
        the loss by one sigma, nats), ``percent_loss`` (by 1 % of the value).
        """
        import pandas as pd

        rows = []
        for name, g in self.gradient.of_ramps().items():
            found = self.ramps[name]
            plan = found.plan
            units = found.table().set_index("parameter")["unit"]
            slopes = g @ found.jacobian
            parts = [
                (parameter, value, units[parameter], sigma, slope)
                for parameter, value, sigma, slope in zip(
                    found.names, found.values.tolist(), found.sigmas.tolist(), slopes.tolist(), strict=True
                )
            ]
            tau = plan.circuit.comparator_tau
            if tau > 0:
                late = [late_levels(plan.program(), plan.circuit, tau * f) for f in (1 + _STEP, 1 - _STEP)]
                parts.append((DELAY, tau, "s", 0.0, float(g @ (late[1] - late[0])) / (2 * _STEP * tau)))
            rows += [(name, *part) for part in parts]
        table = pd.DataFrame(rows, columns=["ramp", "parameter", "value", "unit", "sigma", "gradient"])
        table["sigma_loss"] = (table["gradient"] * table["sigma"]).abs()
        table["percent_loss"] = 0.01 * (table["gradient"] * table["value"]).abs()
        return table.sort_values(["sigma_loss", "percent_loss"], ascending=False, kind="stable", ignore_index=True)

    def columns(self) -> pd.DataFrame:
        """A row a column of the crossbars: what its comparator's offset does to the loss, the largest first.

        Columns: ``gate``, ``column`` (of the gate, from 0), ``ramp``, ``sigma`` (V, of what calibration leaves of the offset),
        ``gradient`` (nats per volt), ``sigma_loss`` (nats).
        """
        import pandas as pd

        scale = {name: (s.plan.program().volts_per_unit(s.plan.circuit), _offset_left(s.plan)) for name, s in self.ramps.items()}
        rows = [
            (gate, column, ramp, scale[ramp][1], slope / scale[ramp][0]) for gate, column, ramp, slope in self.gradient.of_columns()
        ]
        table = pd.DataFrame(rows, columns=["gate", "column", "ramp", "sigma", "gradient"])
        table["sigma_loss"] = (table["gradient"] * table["sigma"]).abs()
        return table.sort_values("sigma_loss", ascending=False, kind="stable", ignore_index=True)

    def levels(self) -> pd.DataFrame:
        """A row a level of each gate: ``gate``, ``ramp``, ``level`` (from 1), ``gradient`` (nats per input unit, all columns)."""
        import pandas as pd

        rows = [(gate, ramp, k + 1, d) for ramp, gate, g in self.gradient.gates() for k, d in enumerate(g.sum(axis=0).tolist())]
        return pd.DataFrame(rows, columns=["gate", "ramp", "level", "gradient"])

    @property
    def spread(self) -> float:
        """Standard deviation of the loss over chips, of cells, op-amps and comparators, by the linear model, nats."""
        parts = [self.parameters()["sigma_loss"].to_numpy(), self.columns()["sigma_loss"].to_numpy()]
        return float(np.sqrt(sum(np.sum(p**2) for p in parts)))


def _offset_left(plan: RampPlan) -> float:
    """Rms offset of a column's comparator, volts, after its trimming cells took their part, if it has them."""
    sigma = plan.variation.comparator_offset
    if not (reach := plan.column_trim_reach):
        return sigma
    rng = np.random.default_rng(0)
    left = trimmed(plan.profile, sigma * rng.standard_normal(_TRIMS), reach, rng.uniform(size=(_TRIMS, 5)))
    return float(np.sqrt(np.mean(left**2)))


def ramp_plans(network: Network, given: RampPlan | Mapping[str, RampModel]) -> dict[str, RampPlan]:
    """The plan of each ramp of a network: of its activations, then of its gates with a ramp of their own.

    Parameters
    ----------
    given : RampPlan, or mapping of str to RampModel
        A plan whose activation does not matter, or fitted models.

    Raises
    ------
    InputError
        An activation without a model, or whose ramp the plan cannot make.
    """
    plans = {}
    for number, activation in enumerate(sorted(converted_columns(network))):
        if isinstance(given, RampPlan):
            plans[activation] = replace(given, activation=activation, seed=ramp_seed(given.seed, number))
        elif activation in given:
            plans[activation] = given[activation].ramp_plan
        else:
            raise InputError(f"activation {activation!r}: the network needs a ramp of it; give a model of it")
    gates = dict(ramp_gates([(layer.cell, len(layer.directions)) for layer in network.layers]))
    for name, stairs in network.ramps.items():
        plans[name] = own_circuit(stairs, name, CircuitRamp(plans[gates[name].activation])).plan
    return plans


def drawn_hardware(network: Network, given: RampPlan | Mapping[str, RampModel]) -> Hardware:
    """The ramps of drawn chips: those of fitted models, or in closed form, read by comparators of the plan's time constant."""
    if not isinstance(given, RampPlan):
        return Hardware(ramps=dict(given))
    plans = ramp_plans(network.with_ramps({}), given)
    ramps: dict[str, Ramp] = {a: CircuitRamp(plan, delay=plan.circuit.comparator_tau) for a, plan in plans.items()}
    return Hardware(ramps=ramps)


def network_sensitivities(
    network: Network, sequences: SequenceSet, given: RampPlan | Mapping[str, RampModel], *, width: float = WIDTH
) -> NetworkSensitivities:
    """Differentiates a network's smoothed loss with respect to everything that makes its thresholds.

    Parameters
    ----------
    given : RampPlan, or mapping of str to RampModel
        How its ramps are made: a plan whose activation does not matter, or fitted models by activation.
    width : float
        Rms noise that smooths a step, local steps.

    Raises
    ------
    InputError
        Blocks without closed form, or a network that reads symbols or cannot be trained.
    """
    plans = ramp_plans(network, given)
    loss = SmoothedLoss(network, sequences, ideal_hardware(drawn_hardware(network, given)), width)
    gradient = loss.gradient()
    used = gradient.of_ramps()
    ramps = {name: sensitivities(plan, calibrated=plan.calibration != "none") for name, plan in plans.items() if name in used}
    return NetworkSensitivities(gradient, ramps)
