"""A fitted chip as an ADC of CrossSim.

``python examples/other_tools/crosssim_adc.py DIR [--chips N] [--seed S] [--models FOLDER]``

DIR holds CrossSim's sources (folder ``simulator``). CrossSim takes any class that inherits from its ``IADC``, and looks
levels up if the class does: `RampLookup` has the levels of every column of one drawn chip, its comparator's noise drawn at
each conversion, and answers the pre-activation at which the exact function gives the ramp's output value. The activation
itself is not in CrossSim; what it answers is the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from chips import DEMO, GATES, activation, draw, network_and_data, ours, own_columns, run_lstm, show, weights_and_columns

G_MIN, G_MAX = 100e-6, 400e-6
INVERSE = {"sigmoid": lambda y: np.log(y / (1 - y)), "tanh": np.arctanh}


def main() -> None:
    """Run both sides on the same chips and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("crosssim", metavar="DIR")
    parser.add_argument("--chips", type=int, default=4)
    parser.add_argument("--bits", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=Path, default=DEMO / "models")
    args = parser.parse_args()
    sys.path.insert(0, args.crosssim)
    from simulator import AnalogCore, CrossSimParameters
    from simulator.circuits.adc.iadc import IADC

    network, data = network_and_data()
    draws = draw(network, args.models, args.bits, args.chips, args.seed)
    weights, columns = weights_and_columns(network)
    largest = float(np.abs(weights).max())
    # CrossSim hands its ADC sums in units of the largest conductance.
    share = (1 - G_MIN / G_MAX) / largest
    table: dict[str, np.ndarray] = {}

    class RampLookup(IADC):
        """The ramps of the chip in ``table``."""

        def set_limits(self, matrix: np.ndarray) -> None:
            super().set_limits(matrix)

        def convert(self, vector: np.ndarray) -> np.ndarray:
            x = np.reshape(vector, (len(table["levels"]), -1)) / share
            x = x - table["noise"] * table["rng"].standard_normal(x.shape)  # type: ignore[attr-defined]
            codes = np.stack([np.searchsorted(row, seen, side="left") for row, seen in zip(table["levels"], x, strict=True)])
            return np.reshape(np.take_along_axis(table["outputs"], codes, axis=1) * share, vector.shape)

    p = CrossSimParameters()
    p.core.style = "BALANCED"
    p.core.rows_max, p.core.cols_max = weights.shape
    p.core.balanced.style = "ONE_SIDED"
    p.core.balanced.subtract_current_in_xbar = True
    p.xbar.device.Rmin, p.xbar.device.Rmax, p.xbar.device.infinite_on_off_ratio = 1 / G_MAX, 1 / G_MIN, False
    p.core.mapping.inputs.mvm.min, p.core.mapping.inputs.mvm.max = -1.0, 1.0
    p.core.mapping.weights.min, p.core.mapping.weights.max = -largest, largest
    p.xbar.adc.mvm.model, p.xbar.adc.mvm.bits, p.xbar.adc.mvm.signed = "RampLookup", args.bits, True
    p.xbar.adc.mvm.calibrated_range = np.array([-1.0, 1.0])
    there = []
    for chip in range(args.chips):
        table["levels"], table["noise"] = own_columns(draws, columns, chip)
        table["rng"] = np.random.default_rng([args.seed, chip])  # type: ignore[assignment]
        outputs = [np.tile(INVERSE[GATES[g]](draws[GATES[g]].values), (c.stop - c.start, 1)) for g, c in columns.items()]
        table["outputs"] = np.concatenate(outputs)
        core = AnalogCore(weights.T.copy(), p)

        def gates(rows: np.ndarray, core: AnalogCore = core) -> dict[str, np.ndarray]:
            z = np.asarray(core.matmul(rows.T.copy())).T
            return {g: activation(g, z[:, c]) for g, c in columns.items()}

        there.append(run_lstm(network, data, gates))
    show("CrossSim, look-up ADC", ours(network, data, draws, args.seed), np.array(there), args.chips)


if __name__ == "__main__":
    main()
