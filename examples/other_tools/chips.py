"""What the scripts of this folder share: a trained LSTM, its test data, drawn chips of fitted ramps, and the LSTM's own step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from characterization.ramp_model import RampDraw, RampModel
from cosim.chip import Hardware
from cosim.evaluation import evaluate
from cosim.network import Network
from cosim.tasks import SequenceSet, load_task

DEMO = Path(__file__).resolve().parents[2] / "results" / "demo"
GATES = {"i": "sigmoid", "f": "sigmoid", "a": "tanh", "o": "sigmoid"}
INPUT_RANGE = 4.0
"""Input that takes the longest pulse; states have 1. Larger inputs are scaled, not clipped: pulses of any width."""


def network_and_data() -> tuple[Network, SequenceSet]:
    """The LSTM of ``results/demo`` and the test set of its task."""
    return Network.load(DEMO / "network.npz"), load_task("vowels").test


def draw(network: Network, folder: Path, bits: int, chips: int, seed: int) -> dict[str, RampDraw]:
    """Chips of the fitted ramps in a folder (``sigmoid5.json``, ``tanh5.json``), each column with its comparator's offset."""
    units, rng = network.layers[0].cell.n_hidden, np.random.default_rng(seed)
    columns = {name: units * sum(a == name for a in GATES.values()) for name in ("sigmoid", "tanh")}
    return {name: RampModel.load(folder / f"{name}{bits}.json").sample(chips, n, rng) for name, n in columns.items()}


def weights_and_columns(network: Network) -> tuple[np.ndarray, dict[str, slice]]:
    """Weights (rows: inputs, states, bias, times the input of the longest pulse; columns), and the columns of each gate."""
    layer = network.layers[0]
    (matrix,) = layer.cell.matrices
    weights = np.array(layer.forward[matrix.name])
    weights[: network.n_in] *= INPUT_RANGE
    return weights, {gate: matrix.columns(gate) for gate in GATES}


def own_columns(draws: dict[str, RampDraw], columns: dict[str, slice], chip: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels (columns, levels) and the rms noise of a conversion (columns, 1) of one chip, in the order of the array's columns."""
    width = max(c.stop for c in columns.values())
    levels = np.empty((width, draws["sigmoid"].thresholds.shape[1]))
    noise, used = np.empty((width, 1)), dict.fromkeys(draws, 0)
    for gate, place in columns.items():
        name, n = GATES[gate], place.stop - place.start
        ramp, start = draws[name], used[name]
        rising, _ = ramp.rising(chip)
        levels[place] = rising + ramp.column_offset[chip, start : start + n, None]
        noise[place] = np.sqrt(np.mean(ramp.noise_sigma**2))
        used[name] += n
    return levels, noise


def ours(network: Network, data: SequenceSet, draws: dict[str, RampDraw], seed: int) -> np.ndarray:
    """Whether each chip answers each sequence right in this toolkit, (chips, sequences)."""
    return evaluate(network, data, Hardware(ramps=dict(draws)), None, seed, dtype=np.float64).correct


def run_lstm(network: Network, data: SequenceSet, gates: Callable[[np.ndarray], dict[str, np.ndarray]]) -> np.ndarray:
    """Whether each sequence is answered right, where ``gates`` gives the gates' outputs of rows (sequences, rows)."""
    units = network.layers[0].cell.n_hidden
    h, c, last = (np.zeros((len(data), units)) for _ in range(3))
    for t in range(data.inputs.shape[1]):
        g = gates(np.concatenate([data.inputs[:, t] / INPUT_RANGE, h, np.ones((len(data), 1))], axis=1))
        c = g["f"] * c + g["i"] * g["a"]
        h = g["o"] * np.tanh(c)
        last[data.lengths == t + 1] = h[data.lengths == t + 1]
    return np.asarray((last @ network.readout[:-1] + network.readout[-1]).argmax(axis=1) == data.labels)


def activation(gate: str, x: np.ndarray) -> np.ndarray:
    """A gate's activation in floating point."""
    return np.tanh(x) if GATES[gate] == "tanh" else 1 / (1 + np.exp(-x))


def show(name: str, here: np.ndarray, there: np.ndarray, chips: int) -> None:
    """Prints the accuracies of both sides, chip by chip, and how many answers agree."""
    print(f"{name}: {chips} chips, {here.shape[1]} sequences")
    for i, (a, b) in enumerate(zip(here, there, strict=True)):
        print(
            f"  chip {i}: here {100 * a.mean():.2f} %, there {100 * b.mean():.2f} %, same verdict on {100 * np.mean(a == b):.2f} %"
        )
    print(f"  mean: here {100 * here.mean():.2f} %, there {100 * there.mean():.2f} %")
