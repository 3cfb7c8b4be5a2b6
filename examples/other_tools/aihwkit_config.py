"""A fitted chip as a configuration of aihwkit.

``python examples/other_tools/aihwkit_config.py [--chips N] [--seed S] [--more BITS]``

Offsets of the comparators go into the bias row of the array (they are there before the conversion, as in the circuit), the
noise of a conversion into ``out_noise``. aihwkit's converter is linear: equal steps over ``-out_bound..out_bound``. The bent
ramp is lost: its levels become equal steps over the same range, and the activation is computed after it. ``--more`` says how
many bits more the linear converter gets. An S-shaped output nonlinearity exists (``out_nonlinearity``), but the tile in
PyTorch, which runs with any PyTorch, refuses it; it bends all columns alike and could not stand for two functions on one
array.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from chips import DEMO, GATES, activation, draw, network_and_data, ours, run_lstm, show, weights_and_columns


def main() -> None:
    """Run both sides on the same chips and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--chips", type=int, default=4)
    parser.add_argument("--bits", type=int, default=5)
    parser.add_argument("--more", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=Path, default=DEMO / "models")
    args = parser.parse_args()
    import torch
    from aihwkit.nn import AnalogLinear
    from aihwkit.simulator.configs import TorchInferenceRPUConfig
    from aihwkit.simulator.parameters.enums import BoundManagementType, NoiseManagementType

    network, data = network_and_data()
    draws = draw(network, args.models, args.bits, args.chips, args.seed)
    weights, columns = weights_and_columns(network)
    here = ours(network, data, draws, args.seed)
    torch.manual_seed(args.seed)
    for more in args.more:
        there = []
        for chip in range(args.chips):
            tiles, used = {}, dict.fromkeys(draws, 0)
            for gate, place in columns.items():
                ramp = draws[GATES[gate]]
                config = TorchInferenceRPUConfig()
                config.drift_compensation = None
                config.mapping.max_input_size = config.mapping.max_output_size = 0
                io = config.forward
                io.noise_management, io.bound_management = NoiseManagementType.NONE, BoundManagementType.NONE
                io.inp_noise = io.w_noise = 0.0
                io.inp_bound = io.inp_res = -1.0
                levels = ramp.thresholds[chip]
                # A step beyond the outermost levels, which are as far from 0 as each other but for the chip's errors.
                io.out_bound = float(np.abs(levels).max() + np.diff(levels).mean())
                io.out_res = 2.0 ** -(args.bits + more)
                io.out_noise = float(np.sqrt(np.mean(ramp.noise_sigma**2)))
                own, n = weights[:, place].copy(), place.stop - place.start
                own[-1] -= ramp.column_offset[chip, used[GATES[gate]] : used[GATES[gate]] + n]
                used[GATES[gate]] += n
                tile = AnalogLinear(len(weights), n, bias=False, rpu_config=config)
                tile.set_weights(torch.tensor(own.T.copy(), dtype=torch.float32))
                tiles[gate] = tile.eval()

            def gates(rows: np.ndarray, tiles: dict[str, AnalogLinear] = tiles) -> dict[str, np.ndarray]:
                with torch.no_grad():
                    x = torch.tensor(rows, dtype=torch.float32)
                    return {g: activation(g, tile(x).double().numpy()) for g, tile in tiles.items()}

            there.append(run_lstm(network, data, gates))
        show(f"aihwkit, linear converter of {args.bits + more} bits", here, np.array(there), args.chips)


if __name__ == "__main__":
    main()
