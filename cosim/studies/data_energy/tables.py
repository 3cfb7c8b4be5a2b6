"""Tables of the study of the data's energy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cosim.chip import DeltaInputs, Hardware, PwmInputs
from cosim.cost import MEASURES, count_sequences, data_energy, design_of
from cosim.evaluation import accuracy_interval
from cosim.network import Network
from cosim.tasks import SequenceSet


def energy_rows(
    network: Network, data: SequenceSet, hardware: Hardware, bits: int, tiles: tuple[int, ...]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Counts a test set once and prices every measure: a row each, and a row for each block of the first tile size."""
    used = count_sequences(network, data, hardware, bits, tile=tiles[0])
    interval = accuracy_interval(int(used.correct.sum()), len(data))
    first = {"accuracy": interval.value, "low": interval.low, "high": interval.high}
    uses = list(used.matrices.values())
    counted = {
        "rows_driven": float(np.mean([(m.driven / m.steps).mean() for m in uses])),
        "longest_pulse": float(np.mean([(m.longest / m.steps).mean() for m in uses])),
        "steps_to_latch": float(np.mean([(m.clocked / m.steps).mean() for m in uses])),
    }
    rows, blocks = [], []
    design = design_of(hardware)
    delta = 0.0 if hardware.delta is None else hardware.delta.threshold
    labels = {"bits": bits, "delta": delta, "driven": "changed rows" if hardware.delta else "every row"}
    for tile in tiles:
        # Codes are the same on every tile: only the columns that wait for each other differ.
        again = used if tile == tiles[0] else count_sequences(network, data, hardware, bits, tile=tile)
        stop = float(np.mean([(m.held / m.steps).mean() for m in again.matrices.values()]))
        for name, measures in MEASURES.items():
            found = data_energy(network, again, measures, design.with_(max_columns=tile))
            row = labels | {"tile": tile, "measures": name} | first | counted | {"steps_to_stop": stop} | found.as_dict()
            rows.append(row)
            if tile == tiles[0] and name in ("none", "all"):
                blocks += [labels | {"measures": name, "block": b, "energy": float(v.mean())} for b, v in found.blocks.items()]
    return rows, blocks


def with_savings(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Adds the change of energy and time against rows that are driven at every step without any measure, same tile and bits."""
    table = pd.DataFrame(rows)
    plain = table[(table["driven"] == "every row") & (table["measures"] == "none")].set_index(["bits", "tile"])
    keys = pd.MultiIndex.from_frame(table[["bits", "tile"]])
    for name in ("energy", "time"):
        table[f"{name}_change"] = table[name].to_numpy() / plain[name].loc[keys].to_numpy() - 1
    return table


def hardware_of(bits: int, pwm_bits: int, delta: float | None) -> Hardware:
    """Ideal ramps and pulses of so many bits; a threshold makes rows wait until they have changed."""
    return Hardware(bits=bits, pwm=PwmInputs(pwm_bits), delta=None if delta is None else DeltaInputs(delta))
