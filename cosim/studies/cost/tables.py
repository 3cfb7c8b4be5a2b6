"""Tables of the cost study: energies against the model, terms, sweeps, accuracy against energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from characterization.transistors import energy
from cosim.cost import CHIPS, T_CLOCK, Design, NetworkShape, all_figures, lstm_shape, network_cost

from .table1 import in_table_units, projection, table1_shape

PROJECTION = "16 nm, 1 GHz"
SIMULATED = "130 nm, as simulated"


def term_rows(bits: int = 5) -> list[dict[str, Any]]:
    """Lists terms of the keyword network at both nodes, with ramps in memory and with linear ramps and activation units."""
    out = []
    for where, design in ((SIMULATED, Design(bits=bits)), (PROJECTION, projection(bits))):
        for converter in ("ramp", "conventional"):
            cost = network_cost(lstm_shape(40, 32, bias=False), design.with_(converter=converter))
            for t in cost.terms:
                out.append(
                    {
                        "where": where,
                        "converter": converter,
                        "block": t.block,
                        "count": t.count,
                        "energy": t.energy,
                        "share": t.energy / cost.step_energy,
                        "time": t.time,
                        "area": t.area,
                        "kind": t.kind,
                        "source": t.source,
                    }
                )
    return out


def sweep_rows(bits: Sequence[int], hidden: Sequence[int], arrays: Sequence[int]) -> list[dict[str, Any]]:
    """Computes the cost of an LSTM on 40 inputs over resolution, hidden units and largest array, at 16 nm, both converters."""
    out = []
    for n in hidden:
        shape = lstm_shape(40, n)
        for b in bits:
            for size in arrays:
                for converter in ("ramp", "conventional"):
                    design = projection(b).with_(max_rows=size, max_columns=size, converter=converter)
                    cost = network_cost(shape, design)
                    out.append(
                        {
                            "hidden": n,
                            "bits": b,
                            "array": size,
                            "converter": converter,
                            "step_energy": cost.step_energy,
                            "step_time": cost.step_time,
                            **in_table_units(cost),
                        }
                    )
    return out


def bottleneck_rows() -> list[dict[str, Any]]:
    """Compares the time of activations and products, 512 hidden and 32 activation units (Fig. 1c of the paper: 2 to 5)."""
    out = []
    for cycles in (1, 2, 3, 4, 5):
        # 4 x 512 columns and 512 tanh(c), each some cycles in one of 32 units; products: input pulses and ramp, 32 ns each.
        time = (4 * 512 + 512) // 32 * cycles * T_CLOCK
        out.append({"cycles": cycles, "activation_time": time, "product_time": 2 * 32 * T_CLOCK, "ratio": time / (64 * T_CLOCK)})
    return out


def halving_rows(energies: pd.DataFrame, v_reads: Sequence[float]) -> list[dict[str, Any]]:
    """Compares energy at each other read voltage with that at the first, in SPICE and in the model: V^2."""
    base, out = v_reads[0], []
    cells = energies[energies["block"].isin(("cells", "ramp cells")) & np.isclose(energies["bound"], energies["bound"])]
    for (block, level, window), rows in cells.groupby(["block", "level", "window"], sort=False):
        mean = rows.groupby("v_read")["energy"].mean()
        for v in v_reads[1:]:
            row = {"block": f"{block}, {window}", "level": level, "v_read": v, "against": base}
            out.append(row | {"ratio": float(mean[v] / mean[base]), "model": network_ratio(v / base)})
    return out


def network_ratio(factor: float) -> float:
    """Computes how the energy of the array's cells grows in the cost model when V_read is multiplied by a factor."""
    design, shape = Design(), table1_shape(CHIPS[0])

    def cells(v_read: float) -> float:
        return sum(
            t.energy for t in network_cost(shape, design.with_(v_read=v_read)).terms if t.block in ("weight cells", "ramp cells")
        )

    return cells(design.v_read * factor) / cells(design.v_read)


def pareto_rows(shape: NetworkShape, accuracy: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Puts the accuracy at each resolution beside what an inference costs, with both converters and at 16 nm."""
    out = []
    for bits, row in accuracy.items():
        for converter in ("ramp", "conventional"):
            cost = network_cost(shape, Design(bits=bits, converter=converter))
            projected = network_cost(shape, projection(bits).with_(converter=converter))
            out.append(
                {
                    "converter": converter,
                    **row,
                    "energy": cost.energy,
                    "latency": cost.latency,
                    "area": cost.area,
                    "projected_energy": projected.energy,
                    "projected_latency": projected.latency,
                    "projected_area": projected.area,
                    "projected_tops_per_watt": projected.tops_per_watt,
                }
            )
    return out


def package_rows(energies: pd.DataFrame) -> list[dict[str, Any]]:
    """Puts figures measured now beside those in the package; empty without level sky130."""
    if "sky130" not in set(energies["level"]):
        return []
    now = energy.measured_figures([energy.BlockEnergy.from_row(r) for r in energies.to_dict("records")])
    stored = {name: all_figures()[name].value for name in now}
    return [
        {"figure": name, "unit": unit, "measured": value, "in_package": stored[name], "ratio": value / stored[name]}
        for name, (value, unit) in now.items()
    ]


def network_summary(shape: NetworkShape) -> dict[str, Any]:
    """Sums up what the network of the accuracies costs."""
    cost = network_cost(shape, Design())
    figures = {name: getattr(cost, name) for name in ("conversion_energy", "step_energy", "energy", "latency", "area")}
    return {"weights": shape.weights, "steps": shape.steps, "mean_weight": [a.mean_weight for a in shape.arrays], **figures}
