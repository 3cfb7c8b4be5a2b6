"""A fitted chip as tables of NeuroSim V1.5.

``python examples/other_tools/neurosim_table.py FOLDER [--chips N] [--seed S]``

Written are ``output_noise_sigmoid.csv`` and ``output_noise_tanh.csv`` (columns ``output``, ``mean``, ``std``: what a
converter answers, in codes, where an ideal one answers the code ``output``; for ``--output_noise -1 --output_noise_file``)
and ``mem_states.csv`` (``states``, ``mean``, ``std``, siemens; for ``--mem_states_file --bitcell``). NeuroSim needs CUDA and
runs feed-forward networks, so the other side here is its rule: at each conversion a new normal number with the mean and
deviation of the ideal code. What that loses: a column's offset and a chip's levels last, a table's numbers are new at every
conversion and average out; and a table belongs to one converter, while an LSTM has two functions.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from chips import DEMO, GATES, draw, network_and_data, ours, run_lstm, show, weights_and_columns

from characterization.ramp_model import RampDraw, RampModel


def noise_table(ramp: RampDraw, ideal: np.ndarray, seed: int, per_code: int = 4000) -> np.ndarray:
    """Mean and deviation of the code, over chips, columns and conversions, at inputs of each ideal code, (codes, 3)."""
    rng, rows = np.random.default_rng(seed), []
    step = np.diff(ideal)
    edges = np.concatenate([[ideal[0] - step[0]], ideal, [ideal[-1] + step[-1]]])
    for code, (low, high) in enumerate(pairwise(edges)):
        x, chip = rng.uniform(low, high, per_code), rng.integers(ramp.n_chips, size=per_code)
        column = rng.integers(ramp.column_offset.shape[1], size=per_code)
        seen = x - ramp.column_offset[chip, column]
        levels = np.maximum.accumulate(ramp.thresholds, axis=1)[chip]
        noise = rng.standard_normal((per_code, 1)) * ramp.noise_sigma
        found = np.sum(seen[:, None] > levels + noise, axis=1)
        rows.append((code, found.mean(), found.std()))
    return np.array(rows)


def main() -> None:
    """Write the tables, run both sides and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="FOLDER")
    parser.add_argument("--chips", type=int, default=4)
    parser.add_argument("--bits", type=int, default=5)
    parser.add_argument("--states", type=int, default=4, help="bits of a cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=Path, default=DEMO / "models")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    network, data = network_and_data()
    draws = draw(network, args.models, args.bits, args.chips, args.seed)
    many = draw(network, args.models, args.bits, 64, args.seed + 1)
    tables = {}
    for name, ramp in many.items():
        model = RampModel.load(args.models / f"{name}{args.bits}.json")
        tables[name] = noise_table(ramp, model.x_ideal, args.seed)
        path = args.out / f"output_noise_{name}.csv"
        np.savetxt(path, tables[name], fmt=["%d", "%.6g", "%.6g"], delimiter=",", header="output,mean,std", comments="")
        print(f"written: {path}")
    profile = model.ramp_plan.profile
    means = np.linspace(profile.g_min, profile.g_max, 2**args.states)
    cells = np.column_stack([np.arange(len(means)), means, np.full(len(means), profile.program_sigma)])
    path = args.out / "mem_states.csv"
    np.savetxt(path, cells, fmt=["%d", "%.6g", "%.6g"], delimiter=",", header="states,mean,std", comments="")
    print(f"written: {path}")
    weights, columns = weights_and_columns(network)
    ideal = {name: RampDraw.ideal(name, args.bits).thresholds[0] for name in tables}
    there = []
    for chip in range(args.chips):
        rng = np.random.default_rng([args.seed, chip])

        def gates(rows: np.ndarray, rng: np.random.Generator = rng) -> dict[str, np.ndarray]:
            z, out = rows @ weights, {}
            for gate, place in columns.items():
                name = GATES[gate]
                code = np.searchsorted(ideal[name], z[:, place], side="left")
                drawn = np.rint(rng.normal(tables[name][code, 1], tables[name][code, 2]))
                values = draws[name].values
                out[gate] = values[np.clip(drawn, 0, len(values) - 1).astype(int)]
            return out

        there.append(run_lstm(network, data, gates))
    show("NeuroSim's rule, a table a function", ours(network, data, draws, args.seed), np.array(there), args.chips)


if __name__ == "__main__":
    main()
