"""The ramps of a network, gate by gate: levels and outputs, their error, how far their codes are used, their levels in ngspice."""

from __future__ import annotations

from typing import Any

import numpy as np

from characterization.chips import measure
from characterization.plan import RampPlan
from cosim.network import Network, ramp_gates
from cosim.tasks import CharacterTask, Task
from cosim.training import gate_inputs
from netlists.converter import Converter
from netlists.function import Staircase, get_activation
from netlists.ramp import Chips, to_input_units
from netlists.technology import DeviceProfile

LIMIT_LSB = 0.05
"""Levels of a nominal chip in ngspice are to be this close to the thresholds."""


def gate_rows(network: Network, task: Task | CharacterTask, profile: DeviceProfile | None) -> list[dict[str, Any]]:
    """A row for each ramp of a network.

    Parameters
    ----------
    profile : DeviceProfile or None
        Of the cells that ngspice measures the ramp with; None: it is not measured.
    """
    seen = gate_inputs(network, task)
    activations = {n: g.activation for n, g in ramp_gates([(layer.cell, len(layer.directions)) for layer in network.layers])}
    return [
        {"gate": name.rsplit(".", 1)[1], "thresholds": list(ramp.thresholds), "values": list(ramp.values)}
        | use(ramp, activations[name], seen[name])
        | {"spice_lsb": None if profile is None else spice_deviation(ramp, profile)}
        for name, ramp in network.ramps.items()
    ]


def use(ramp: Staircase, activation: str, x: np.ndarray) -> dict[str, float]:
    """Of a ramp on pre-activations: rms difference of its outputs from the exact ones, entropy of its codes in bits."""
    difference = ramp.convert(x) - get_activation(activation).value(x)
    share = np.bincount(np.searchsorted(ramp.thresholds, x.ravel(), side="left"), minlength=len(ramp.values)) / x.size
    taken = share[share > 0]
    return {"rms_error": float(np.sqrt(np.mean(difference**2))), "code_entropy": float(-(taken * np.log2(taken)).sum())}


def spice_deviation(ramp: Staircase, profile: DeviceProfile) -> float | None:
    """Largest distance of a nominal chip's levels in ngspice from the thresholds, LSB; None if the simulation failed."""
    plan = RampPlan(ramp.table("own"), ramp.bits, profile=profile)
    program = plan.program()
    found = measure(Converter(program, plan.circuit), Chips.nominal(program))
    if found.status[0] != "ok":
        return None
    off = to_input_units(found.volts[0], program, plan.circuit) - ramp.thresholds
    return float(np.abs(off / program.lsb).max())


def spice_warnings(rows: list[dict[str, Any]]) -> list[str]:
    """What a reader must know of ramps that ngspice did not find where they should be."""
    named = [(f"{r['task']}, {r['training']}, {r['ramps']}, {r['bits']} bits, gate {r['gate']}", r["spice_lsb"]) for r in rows]
    return [f"{what}: ngspice found no levels" for what, off in named if off is None] + [
        f"{what}: levels of a nominal chip in ngspice are {off:.3f} LSB from the thresholds, more than {LIMIT_LSB:g}"
        for what, off in named
        if off is not None and off > LIMIT_LSB
    ]
