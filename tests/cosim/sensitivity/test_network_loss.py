"""The gradient of a network's smoothed loss: against central differences, against codes, and through cells and parameters."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from characterization.plan import RampPlan
from characterization.ramp_model import RampDraw
from characterization.sensitivity.gradient import chip_of
from cosim.chip import Hardware, late_levels
from cosim.cli.app import run
from cosim.evaluation import draw_chips, evaluate
from cosim.network import Layer, LSTMNetwork, Network
from cosim.network.cells import make_cell
from cosim.network.head import DenseLayer, Scaling
from cosim.sensitivity.network import (
    RankCorrelation,
    SmoothedLoss,
    chip_thresholds,
    drawn_hardware,
    network_sensitivities,
    prediction_table,
    ramp_plans,
)
from cosim.tasks import SequenceSet
from netlists.errors import InputError
from netlists.ramp import to_input_units, transition_levels

CELLS = {
    "lstm": ({"kind": "lstm"}, 3, "h_n"),
    "projection": ({"kind": "lstm", "n_projection": 3, "projection_full_scale": 2.0}, 2, "last"),
    "gru": ({"kind": "gru"}, 3, "mean"),
    "gru before": ({"kind": "gru", "reset": "before"}, 2, "max"),
    "vanilla": ({"kind": "vanilla", "activation": "softsign"}, 4, "h_n"),
    "diagonal": ({"kind": "diagonal-lstm"}, 3, "mean"),
}

MOVED = ["cell 1", "cell 5", "opamp_offset", "comparator_offset", "gbw", "c_f", "wire_resistance", "v_read", "comparator_tau"]


def random_network(rng, kind, pooling, *, layers=1, bidirectional=False):
    made, n_in = [], 3
    for _ in range(layers):
        cell = make_cell(kind | {"n_in": n_in, "n_hidden": 4})
        weights = [{m.name: rng.normal(0, 0.7, m.shape) * m.connected() for m in cell.matrices} for _ in range(2)]
        made.append(Layer(cell, weights[0], weights[1] if bidirectional else None))
        n_in = made[-1].n_out
    hidden = (DenseLayer(rng.normal(0, 0.7, (n_in + 1, 3)), "tanh"),)
    scaling = Scaling(rng.normal(0, 0.2, 3), rng.uniform(0.5, 1.5, 3))
    return Network(tuple(made), rng.normal(0, 1, (4, 3)), pooling=pooling, hidden=hidden, scaling=scaling)


def random_set(rng, n=6, longest=5):
    lengths = rng.integers(1, longest + 1, n)
    return SequenceSet.from_list([rng.normal(0, 1, (k, 3)) for k in lengths], rng.integers(0, 3, n))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_every_kind_of_threshold_against_central_differences(name, bidirectional):
    """Random networks, thresholds moved away from their targets, one threshold at a time: within 1 %, and far closer."""
    rng = np.random.default_rng(len(name))
    kind, bits, pooling = CELLS[name]
    network = random_network(rng, kind, pooling, layers=2, bidirectional=bidirectional)
    loss = SmoothedLoss(network, random_set(rng), Hardware(bits=bits))
    at = {key: t + 0.05 * rng.standard_normal(t.shape) for key, t in loss.thresholds.items()}
    found = loss.gradient(at)
    assert found.loss == loss.value(at)
    largest = max(np.abs(g).max() for g in found.gradient.values())
    assert largest > 1e-3
    for key, g in found.gradient.items():
        places = np.argwhere(np.isfinite(at[key]))
        for j, k in rng.permutation(places)[:4]:
            sides = []
            for step in (1e-4, -1e-4):
                moved = {n: t.copy() for n, t in at.items()}
                moved[key][j, k] += step
                sides.append(loss.value(moved))
            expected = (sides[0] - sides[1]) / 2e-4
            assert g[j, k] == pytest.approx(expected, rel=0.01, abs=1e-6 * largest), (key, j, k)


def test_narrow_steps_are_the_codes(network, sequences):
    """The surrogate tends to the network of codes: its loss at steps of a hundredth is that of the evaluator."""
    on = Hardware(bits=3)
    scores = evaluate(network, sequences, on, dtype=np.float64, threads=1).scores[0]
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    codes = -log_p[np.arange(len(sequences)), sequences.labels].mean()
    wide, narrow = (SmoothedLoss(network, sequences, on, width).value() for width in (0.5, 0.002))
    assert narrow == pytest.approx(codes, abs=5e-3)
    assert abs(narrow - codes) < abs(wide - codes)


@pytest.fixture(scope="module")
def moved(network, sequences):
    plan = RampPlan("sigmoid", 3, calibration="none")
    return plan, network_sensitivities(network, sequences, plan)


@pytest.mark.parametrize("parameter", MOVED)
def test_parameters_against_central_differences_of_the_same_loss(moved, network, sequences, parameter):
    """A cell, an op-amp figure, the comparator and the wire of a ramp moved either way, levels in closed form: within 1 %."""
    _, found = moved
    ramp, s = "tanh", found.ramps["tanh"]
    program, circuit = s.plan.program(), s.plan.circuit
    i = s.names.index(parameter) if parameter in s.names else -1
    step = {
        "comparator_tau": 1e-3 * circuit.comparator_tau,
        "opamp_offset": 1e-5,
        "comparator_offset": 1e-5,
        "wire_resistance": 1e-2,
    }.get(parameter, 1e-4 * s.values[i])
    loss = SmoothedLoss(network, sequences, Hardware(bits=3))
    sides = []
    for side in (1, -1):
        if parameter == "comparator_tau":
            x = s.levels - late_levels(program, circuit, circuit.comparator_tau + side * step)
        elif parameter in ("gbw", "v_read", "c_f"):
            factor = 1 + side * step / s.values[i]
            other = (
                circuit.with_(v_swing=circuit.v_swing / factor)
                if parameter == "c_f"
                else circuit.with_(**{parameter: s.values[i] * factor})
            )
            x = to_input_units(transition_levels(program, other, chip_of(s, np.zeros(len(s.names)))), program, other)[0]
            x = x / factor if parameter == "c_f" else x
        else:
            change = np.zeros(len(s.names))
            change[i] = side * step
            x = to_input_units(transition_levels(program, circuit, chip_of(s, change)), program, circuit)[0]
        at = {}
        for key, t in loss.thresholds.items():
            at[key] = t.copy()
            for gate in network.layers[0].cell.matrices[0].gates:
                if gate.activation == ramp:
                    at[key][network.layers[0].cell.matrices[0].columns(gate.name), : len(x)] = x
        sides.append(loss.value(at))
    row = found.parameters().set_index(["ramp", "parameter"]).loc[(ramp, parameter)]
    assert row["gradient"] == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=0.01)


def test_change_of_a_chip_is_that_of_its_thresholds(moved, network, sequences):
    """Small errors: the linear change is the surrogate's own, to second order; one column's offset is its row of the table."""
    plan, found = moved
    loss = SmoothedLoss(network, sequences, Hardware(bits=3))
    rng = np.random.default_rng(2)
    at = {key: t + 1e-4 * rng.standard_normal(t.shape) for key, t in loss.thresholds.items()}
    assert found.gradient.change(at) == pytest.approx(loss.value(at) - loss.value(), rel=0.01)
    top = found.columns().iloc[0]
    key, _, gate = top["gate"].rpartition(".")
    cell = network.layers[0].cell.matrices[0]
    shifted = {k: t.copy() for k, t in loss.thresholds.items()}
    row = cell.columns(gate).start + top["column"]
    program = found.ramps[top["ramp"]].plan.program()
    shifted[key][row] += 1e-5 / program.volts_per_unit(plan.circuit)
    assert found.gradient.change(shifted) == pytest.approx(1e-5 * top["gradient"])


def test_gradient_foretells_drawn_chips_and_a_wrong_one_does_not(network, make_sequences):
    """Rank correlation with the loss of evaluated chips; with the derivatives of another place it is gone."""
    plan, sequences = RampPlan("sigmoid", 3), make_sequences(5, 300)
    found = network_sensitivities(network, sequences, plan)
    table = prediction_table(found.gradient, sequences, drawn_hardware(network, plan), 24, 3)
    rank = RankCorrelation.of(table["predicted"].to_numpy(), table["loss"].to_numpy())
    assert rank.low > 0.5
    wrong = replace(found.gradient, gradient={k: g[::-1] for k, g in found.gradient.gradient.items()})
    chips = draw_chips(network, drawn_hardware(network, plan), 24, 3, dtype=np.float64)
    other = RankCorrelation.of(np.array([wrong.change(chip_thresholds(c)) for c in chips]), table["loss"].to_numpy())
    assert other.high < rank.low


def test_rank_correlation_of_known_ranks():
    a = np.arange(10.0)
    assert RankCorrelation.of(a, a**3).value == pytest.approx(1)
    assert RankCorrelation.of(a, -a).value == pytest.approx(-1)
    assert RankCorrelation.of(a, np.zeros(10)).value == 0
    mixed = RankCorrelation.of(a, np.array([3, 0, 1, 7, 2, 5, 4, 9, 8, 6.0]))
    assert mixed.low < mixed.value < mixed.high


def test_ramps_of_a_network_of_its_own_have_rows_of_their_own(network, sequences):
    from netlists.function import Staircase

    ramp = RampDraw.ideal("sigmoid", 3)
    own = Staircase(tuple(1.05 * ramp.thresholds[0]), tuple(ramp.values))
    with_own = Network.of(network.layers, network.readout, ramps={"0.0.weights.f": own})
    found = network_sensitivities(with_own, sequences, RampPlan("sigmoid", 3))
    assert set(found.ramps) == {"0.0.weights.f", "sigmoid", "tanh"}
    assert set(found.levels()["ramp"]) == set(found.ramps)
    expected = SmoothedLoss(with_own, sequences, Hardware(bits=3)).gradient().gradient["0.0.weights"]
    columns = network.layers[0].cell.matrices[0].columns("f")
    np.testing.assert_allclose(found.gradient.of_ramps()["0.0.weights.f"], expected[columns, :7].sum(axis=0))


@pytest.fixture(scope="module")
def files(network, tmp_path_factory, make_sequences):
    folder = tmp_path_factory.mktemp("mine")
    one, two = make_sequences(8), make_sequences(9)
    parts = {"x_train": one.inputs, "y_train": one.labels, "x_test": two.inputs, "y_test": two.labels}
    np.savez(folder / "mine.npz", **parts)
    network.save(folder / "net.npz")
    return folder


def test_command_on_data_and_network_of_ones_own(files, tmp_path, capsys):
    base = ["sensitivity", "--network", str(files / "net.npz"), "--data", str(files / "mine.npz"), "--bits", "2"]
    assert run([*base, "--network-chips", "8", "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    written = pd.read_csv(tmp_path / "out" / "parameters.csv")
    assert [r["parameter"] for r in said["parameters"]] == written["parameter"].tolist()
    assert {"opamp_offset", "comparator_tau", "cell 0", "wire_resistance"} <= set(written["parameter"])
    assert said["prediction"]["loss"]["chips"] == 8
    assert "0.0.weights." in (tmp_path / "out" / "report.html").read_text()
    assert run([*base, "--network-chips", "0", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["prediction"] is None
    assert again["parameters"] == said["parameters"]


def test_command_with_fitted_models(files, capsys):
    """The plan of each model gives the derivatives, the models the chips."""
    models = Path(__file__).resolve().parents[3] / "results" / "demo" / "models"
    line = [
        "sensitivity",
        "--network",
        str(files / "net.npz"),
        "--data",
        str(files / "mine.npz"),
        "--network-chips",
        "8",
        "--seed",
        "2",
    ]
    assert run([*line, "--model", str(models / "sigmoid3.json"), "--model", str(models / "tanh3.json"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ramps"] == {a: {"bits": 3, "calibration": "one-point"} for a in ("sigmoid", "tanh")}
    assert said["settings"]["plan"] is None
    assert len(said["settings"]["models"]) == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--spice"], "--spice: asks about one ramp"),
        (["--activation", "tanh"], "--activation: asks about one ramp"),
        (["--split", "validation"], "does not say what its training held out"),
        (["--split", "train"], "--split='train'"),
        (["--network-chips", "3"], "8 chips"),
        (["--level", "sky130"], "closed form"),
        (["--model", "m.json", "--bits", "3"], "--bits: cannot be given with --model"),
    ],
)
def test_what_cannot_be_is_said(files, capsys, more, said):
    assert run(["sensitivity", "--network", str(files / "net.npz"), "--data", str(files / "mine.npz"), *more]) == 2
    assert said in capsys.readouterr().err


def test_options_of_a_network_need_one(capsys):
    assert run(["sensitivity", "--width", "1"]) == 2
    assert "--width: is of a network" in capsys.readouterr().err


def test_what_has_no_thresholds_or_labels_is_refused(network, sequences):
    with pytest.raises(InputError, match="no thresholds"):
        SmoothedLoss(network, sequences, Hardware())
    reads = Network(network.layers, network.readout, np.zeros((4, 3)))
    with pytest.raises(InputError, match="reads symbols"):
        SmoothedLoss(reads, sequences, Hardware(bits=2))
    with pytest.raises(InputError, match="needs a ramp of it"):
        ramp_plans(LSTMNetwork(network.layers[0].forward["weights"], network.readout), {})
