"""The same network, data and noise here and in other simulators: ``python benchmarks/peers.py [--json] [--chips N] [--seed S]``.

The vowels LSTM of ``results/demo`` runs on arrays of differential cells whose programming error is one deviation for all states,
behind linear converters of equal steps, with inputs rounded to equal codes: what all of them can express. Each draws its own
chips; the accuracies stand side by side with the interval of the mean over chips, their difference with Welch's. In floating
point all must give the same answers. aihwkit is imported here alone, where it is installed: its wheels hold a compiled tile for
one version of PyTorch; the tile written in PyTorch (`TorchInferenceRPUConfig`), which needs none, is taken. ``--crosssim DIR``
names the folder of CrossSim's sources, which are on no package index.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cosim.chip import Arrays, Hardware, LinearAdc, PwmInputs
from cosim.evaluation import chip_interval, evaluate
from cosim.network import Network
from cosim.side_by_side import independent
from cosim.side_by_side.differences import KnownFigure
from cosim.tasks import SequenceSet, load_task
from netlists.technology import DeviceProfile

ROOT = Path(__file__).resolve().parent.parent
G_MIN, G_MAX = 10e-6, 50e-6
"""Siemens: far enough above 0 that no error is cut there."""
X_MAX, INPUT_RANGE = 8.0, 4.0
"""Range of the converters, units of a pre-activation, and of the inputs; states have 1."""


@dataclass(frozen=True)
class Condition:
    """What both simulators take.

    Attributes
    ----------
    sigma : float
        Programming error of a cell, in units of the conductance range.
    adc_bits, input_bits : int or None
        None: exact.
    """

    name: str
    sigma: float = 0.0
    adc_bits: int | None = None
    input_bits: int | None = None


CONDITIONS = (
    Condition("floating point"),
    Condition("cells 2 %", sigma=0.02),
    Condition("cells 5 %", sigma=0.05),
    Condition("cells 10 %", sigma=0.1),
    Condition("converters 6 bits", adc_bits=6),
    Condition("converters 5 bits", adc_bits=5),
    Condition("converters 4 bits", adc_bits=4),
    Condition("inputs 5 bits", input_bits=5),
    Condition("cells 5 %, converters 5, inputs 5 bits", sigma=0.05, adc_bits=5, input_bits=5),
)


def ours(network: Network, data: SequenceSet, at: Condition, chips: int, seed: int) -> np.ndarray:
    """Accuracy of each chip in this toolkit."""
    arrays = None
    if at.sigma:
        spread = at.sigma * (G_MAX - G_MIN)
        arrays = Arrays(
            DeviceProfile("equal", G_MIN, G_MAX, G_MIN, program_sigma=spread, program_window=8 * spread, read_sigma=0.0)
        )
    hardware = Hardware(
        arrays=arrays,
        adc=None if at.adc_bits is None else LinearAdc(at.adc_bits, X_MAX, table_bits=16),
        # Pulses of any width scale the cells of a row as codes do.
        pwm=PwmInputs(at.input_bits, INPUT_RANGE),
    )
    return np.asarray(evaluate(network, data, hardware, chips if at.sigma else 1, seed, dtype=np.float64).correct.mean(axis=1))


def gates_of(network: Network) -> tuple[np.ndarray, dict[str, slice]]:
    """The matrix (rows of inputs, states and bias, scaled to the longest pulse; columns), and the columns of each gate."""
    layer = network.layers[0]
    (matrix,) = layer.cell.matrices
    weights = np.array(layer.forward[matrix.name])
    weights[: network.n_in] *= INPUT_RANGE
    return weights, {gate: matrix.columns(gate) for gate in "ifao"}


def run_cell(network: Network, data: SequenceSet, product: Any) -> np.ndarray:
    """Whether each sequence is answered right, where ``product`` gives the pre-activations of rows (sequences, rows)."""
    _, columns = gates_of(network)
    units = network.layers[0].cell.n_hidden
    h, c = np.zeros((len(data), units)), np.zeros((len(data), units))
    last = np.zeros_like(h)

    def sigmoid(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-z))

    for t in range(data.inputs.shape[1]):
        rows = np.concatenate([data.inputs[:, t] / INPUT_RANGE, h, np.ones((len(data), 1))], axis=1)
        z = product(rows)
        i, f, a, o = (z[:, columns[g]] for g in "ifao")
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(a)
        h = sigmoid(o) * np.tanh(c)
        last[data.lengths == t + 1] = h[data.lengths == t + 1]
    return (last @ network.readout[:-1] + network.readout[-1]).argmax(axis=1) == data.labels


def aihwkit_chips(network: Network, data: SequenceSet, at: Condition, chips: int, seed: int) -> np.ndarray:
    """Accuracy of each chip in aihwkit."""
    import torch
    from aihwkit.inference.converter.conductance import SinglePairConductanceConverter
    from aihwkit.inference.noise.custom import StateIndependentNoiseModel
    from aihwkit.nn import AnalogLinear
    from aihwkit.simulator.configs import TorchInferenceRPUConfig
    from aihwkit.simulator.parameters.enums import BoundManagementType, NoiseManagementType

    weights, _ = gates_of(network)
    config = TorchInferenceRPUConfig()
    config.drift_compensation = None
    config.mapping.max_input_size = config.mapping.max_output_size = 0
    io = config.forward
    io.noise_management, io.bound_management = NoiseManagementType.NONE, BoundManagementType.NONE
    io.inp_noise = io.out_noise = io.w_noise = 0.0
    if at.input_bits is None:
        io.inp_bound, io.inp_res = -1.0, -1.0
    else:
        # Codes -m..m over -1..1, as the pulses have them.
        io.inp_bound, io.inp_res = 1.0, 1.0 / (2 * (2 ** (at.input_bits - 1) - 1))
    # The step of a converter of so many bits over -x_max..x_max.
    io.out_bound, io.out_res = (-1.0, -1.0) if at.adc_bits is None else (X_MAX, 2.0**-at.adc_bits)
    converter = SinglePairConductanceConverter(g_max=1e6 * G_MAX, g_min=1e6 * G_MIN)
    spread = 1e6 * at.sigma * (G_MAX - G_MIN)
    config.noise_model = StateIndependentNoiseModel(
        converter, prog_coeff=[spread, 0.0, 0.0], drift_nu_mean=0.0, drift_nu_std=0.0, drift_scale=0.0, read_noise_scale=0.0
    )
    torch.manual_seed(seed)
    out = []
    for _ in range(chips if at.sigma else 1):
        layer = AnalogLinear(weights.shape[0], weights.shape[1], bias=False, rpu_config=config)
        layer.set_weights(torch.tensor(weights.T.copy(), dtype=torch.float32))
        layer.eval()
        if at.sigma:
            layer.program_analog_weights()
        with torch.no_grad():
            right = run_cell(
                network, data, lambda rows, layer=layer: layer(torch.tensor(rows, dtype=torch.float32)).double().numpy()
            )
        out.append(right.mean())
    return np.array(out)


def crosssim_chips(network: Network, data: SequenceSet, at: Condition, chips: int, seed: int) -> np.ndarray:
    """Accuracy of each chip in CrossSim."""
    from simulator import AnalogCore, CrossSimParameters

    weights, _ = gates_of(network)
    p = CrossSimParameters()
    p.core.style = "BALANCED"
    p.core.rows_max, p.core.cols_max = weights.shape
    p.core.balanced.style = "ONE_SIDED"
    p.core.balanced.subtract_current_in_xbar = True
    p.xbar.device.Rmin, p.xbar.device.Rmax = 1 / G_MAX, 1 / G_MIN
    p.xbar.device.infinite_on_off_ratio = False
    if at.sigma:
        p.xbar.device.programming_error.enable = True
        p.xbar.device.programming_error.model = "NormalIndependentDevice"
        # In units of the largest conductance.
        p.xbar.device.programming_error.magnitude = at.sigma * (G_MAX - G_MIN) / G_MAX
    if at.input_bits is not None:
        p.xbar.dac.mvm.model, p.xbar.dac.mvm.bits = "SignMagnitudeDAC", at.input_bits
    p.core.mapping.inputs.mvm.min, p.core.mapping.inputs.mvm.max = -1.0, 1.0
    largest = float(np.abs(weights).max())
    p.core.mapping.weights.min, p.core.mapping.weights.max = -largest, largest
    if at.adc_bits is not None:
        p.xbar.adc.mvm.model, p.xbar.adc.mvm.bits = "QuantizerADC", at.adc_bits
        p.xbar.adc.mvm.adc_range_option = "CALIBRATED"
        p.xbar.adc.mvm.signed = True
        share = X_MAX / largest * (1 - G_MIN / G_MAX)
        p.xbar.adc.mvm.calibrated_range = np.array([-share, share])
    out = []
    for chip in range(chips if at.sigma else 1):
        # CrossSim draws from NumPy's global generator, and nothing else in this process does.
        np.random.seed(seed + chip)  # noqa: NPY002
        core = AnalogCore(weights.T.copy(), p)
        out.append(run_cell(network, data, lambda rows, core=core: np.asarray(core.matmul(rows.T.copy())).T).mean())
    return np.array(out)


def measure(chips: int, seed: int, crosssim: str | None) -> dict[str, Any]:
    """Accuracies of all conditions, on each simulator that is there."""
    network, task = Network.load(ROOT / "results" / "demo" / "network.npz"), load_task("vowels")
    peers = {"aihwkit": aihwkit_chips} if find_spec("aihwkit") else {}
    if crosssim is not None:
        sys.path.insert(0, crosssim)
        peers["crosssim"] = crosssim_chips
    rows = []
    for at in CONDITIONS:
        each = {"ours": ours(network, task.test, at, chips, seed)}
        each |= {name: run(network, task.test, at, chips, seed) for name, run in peers.items()}
        row: dict[str, Any] = {"condition": at.name, "chips": len(each["ours"])}
        for name, values in each.items():
            i = chip_interval(values)
            row[name] = {"accuracy": i.mean, "low": i.low, "high": i.high, "deviation": i.deviation}
            if name != "ours":
                row[name]["minus_ours"] = i.mean - float(each["ours"].mean())
                row[name]["minus_ours_ci95"] = independent(KnownFigure(0, each=each["ours"]), KnownFigure(0, each=values))
        rows.append(row)
    versions = {name: version(name) for name in ("numpy", "torch", "aihwkit") if find_spec(name)}
    return {
        "network": "results/demo/network.npz",
        "task": "vowels",
        "test": len(task.test),
        "seed": seed,
        "rows": rows,
        "versions": versions,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--chips", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crosssim", metavar="DIR", help="folder of CrossSim's sources, which are on no package index")
    args = parser.parse_args()
    found = measure(args.chips, args.seed, args.crosssim)
    if args.json:
        print(json.dumps(found, indent=1))
        return
    names = [n for n in ("ours", "aihwkit", "crosssim") if n in found["rows"][0]]
    print(f"{'condition':<40}" + "".join(f"{n:>28}" for n in names))
    for row in found["rows"]:
        print(f"{row['condition']:<40}" + "".join(f"{_shown(row[n]):>28}" for n in names))
        for n in names[1:]:
            ends = row[n]["minus_ours_ci95"]
            interval = "" if ends is None else f" ({100 * ends[0]:+.2f}..{100 * ends[1]:+.2f})"
            print(f"    {n} minus ours: {100 * row[n]['minus_ours']:+.2f} points{interval}")
    print(json.dumps(found["versions"]))


def _shown(one: dict[str, Any]) -> str:
    interval = "" if one["low"] is None else f" ({100 * one['low']:.2f}..{100 * one['high']:.2f})"
    return f"{100 * one['accuracy']:.2f} %{interval}"


if __name__ == "__main__":
    main()
