"""Energy and time of an inference by its data: what each sequence drives, converts and waits for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cosim.chip import RowPulses
from cosim.network import Network
from netlists.errors import InputError

from .design import Design
from .electrical import ramp_charge, ramp_steps
from .network import network_cost
from .saving import design_of
from .sequences import MatrixUse, SequenceUse
from .shape import ArrayShape, NetworkShape, RampUse


@dataclass(frozen=True)
class Measures:
    """What a circuit does to spend no more than its data asks for. Delta inputs are the hardware's.

    Attributes
    ----------
    gated_clocks : bool
        The clock of a column's counter stops when its comparator has tripped.
    early_stop : bool
        A ramp stops when every comparator of its tile has tripped.
    pulses_end : bool
        A ramp starts when the longest pulse of the step has ended, not when the longest that there could be has.
    """

    gated_clocks: bool = False
    early_stop: bool = False
    pulses_end: bool = False


ALL_MEASURES = Measures(True, True, True)
MEASURES: dict[str, Measures] = {
    "none": Measures(),
    "gated clocks": Measures(gated_clocks=True),
    "early stop": Measures(early_stop=True),
    "pulses end": Measures(pulses_end=True),
    "all": ALL_MEASURES,
}
"""Each measure alone, and all of them."""


@dataclass(frozen=True, eq=False)
class DataEnergy:
    """Energy and time of every sequence.

    Attributes
    ----------
    energy, time : ndarray (sequences,)
        Of the whole inference, joules and seconds.
    blocks : dict of str to ndarray (sequences,)
        Energy of each block, joules.
    """

    energy: np.ndarray
    time: np.ndarray
    blocks: dict[str, np.ndarray]

    def as_dict(self) -> dict[str, Any]:
        """Mean and spread over the sequences, JSON-ready."""
        out: dict[str, Any] = {"sequences": len(self.energy)}
        for name, values in (("energy", self.energy), ("time", self.time)):
            low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
            out |= {name: float(values.mean()), f"{name}_sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0}
            out |= {f"{name}_p05": float(low), f"{name}_median": float(middle), f"{name}_p95": float(high)}
        return out

    def report(self) -> list[str]:
        """Lines for reading."""
        s = self.as_dict()
        return [
            f"energy of an inference: mean {1e9 * s['energy']:.4g} nJ, 5-95 % of {s['sequences']} sequences "
            f"{1e9 * s['energy_p05']:.4g}..{1e9 * s['energy_p95']:.4g} nJ",
            f"time of an inference: mean {1e6 * s['time']:.4g} us, {1e6 * s['time_p05']:.4g}..{1e6 * s['time_p95']:.4g} us",
        ]


def data_energy(network: Network, used: SequenceUse, measures: Measures = ALL_MEASURES, design: Design | None = None) -> DataEnergy:
    """Prices what `count_sequences` counted, sequence by sequence, with the terms of `network_cost`.

    Parameters
    ----------
    design : Design, optional
        None: the simulated circuit with the hardware's resolution, pulse widths and arrays.

    Raises
    ------
    InputError
        A design whose resolution is not the one that was counted, or with other converters than ramps.
    """
    design = design or design_of(used.hardware)
    pwm, arrays = used.hardware.pwm, used.hardware.arrays
    whole = NetworkShape.of(network, 1, arrays, pwm)
    levels = [m.stops.shape[1] - 1 for m in used.matrices.values()]
    if design.converter != "ramp" or levels != [max(ramp_steps(a, design.bits) for a in s.activations) for s in whole.arrays]:
        raise InputError(
            f"design: has {design.bits} bits and converter {design.converter!r}; ramps of {max(levels)} steps were counted"
        )
    delta = used.hardware.delta is not None
    spent = {a: ramp_charge(a, design.bits) for s in whole.arrays for a in s.activations}
    energy, time = np.zeros(len(used.lengths)), np.zeros(len(used.lengths))
    blocks: dict[str, np.ndarray] = {}
    for i, length in enumerate(used.lengths.tolist()):
        shapes = tuple(
            _used(shape, use, i, measures, spent, delta) for shape, use in zip(whole.arrays, used.matrices.values(), strict=True)
        )
        cost = network_cost(replace(whole, arrays=shapes, steps=length), design)
        energy[i], time[i] = cost.energy, cost.latency
        for t in cost.terms:
            times = length if t.per == "time step" else 1
            blocks.setdefault(t.block, np.zeros(len(energy)))[i] += times * t.energy
    return DataEnergy(energy, time, blocks)


def _used(shape: ArrayShape, use: MatrixUse, i: int, measures: Measures, spent: dict[str, np.ndarray], delta: bool) -> ArrayShape:
    """The shape of an array with the pulses and ramps of one sequence."""
    steps, rows, levels = use.steps[i], use.multiplicity.sum(), use.stops.shape[1] - 1
    width = use.multiplicity * use.width[:, i]
    pulses = RowPulses(
        driven=float(use.multiplicity @ use.driven[:, i] / rows / steps),
        width=float(width.sum() / rows / steps),
        delta=delta,
        weight=float(width @ use.weight / (width.sum() or 1.0)),
        filled=min(float(width @ use.filled / (width.sum() or 1.0)), 1.0),
        longest=float(use.longest[i] / steps) if measures.pulses_end else None,
    )
    stops = use.stops[i] / steps if measures.early_stop else np.eye(levels + 1)[levels]
    held, last = (float(n[i] / steps) if measures.early_stop else float(levels) for n in (use.held, use.last))
    clocked = float(use.clocked[i] / steps) if measures.gated_clocks else held
    # A ramp of fewer steps than its neighbours has spent all when it ends.
    charge = tuple(min(float(stops @ np.append(spent[a], np.ones(levels + 1 - len(spent[a])))), 1.0) for a in shape.activations)
    return replace(shape, pulses=pulses, use=RampUse(held, last, clocked, charge))
