"""Networks of other frameworks against the outputs that those frameworks gave (frameworks/make.py, provenance.json)."""

import itertools
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cosim.chip import Hardware
from cosim.cli.app import run
from cosim.evaluation import compare
from cosim.network import CheckFailed, Convention, Network, OwnOutputs, import_network
from cosim.tasks import SequenceSet, Task
from netlists.errors import InputError

HERE = Path(__file__).parent / "frameworks"
OUTPUTS = dict(np.load(HERE / "outputs.npz"))
X = OUTPUTS["inputs"].astype(float)

SAID = {
    "lstm_last.pt": {},
    "bilstm_h_n.pt": {"pooling": "h_n"},
    "bilstm_last.pt": {"pooling": "last"},
    "bilstm_mean_projection.pt": {"pooling": "mean"},
    "bigru_max.pt": {"pooling": "max"},
    "checkpoint.ckpt": {"pooling": "max"},
    "rnn_relu_hidden.pt": {"activation": "relu", "hidden_activation": "relu"},
    "rnn_tanh_no_bias_one_score.pt": {"activation": "tanh"},
    "bfloat16.safetensors": {},
    "keras_bilstm_gru.keras": {},
    "keras_gru_before_mean.keras": {},
    "keras_bigru_max.keras": {},
    "keras_bigru_max.h5": {},
    "keras_bigru_max.weights.h5": {"pooling": "max"},
    "keras_rnn_relu.keras": {},
    "onnx_bilstm.onnx": {},
    "onnx_bigru.onnx": {},
    "flax_lstm.msgpack": {},
    "flax_gru.msgpack": {},
    "flax_rnn.msgpack": {},
    "flax_nnx_gru.npz": {},
}
NEEDS = {".keras": "h5py", ".h5": "h5py", ".onnx": "onnx", ".msgpack": "msgpack"}


def own(name):
    return OwnOutputs(X, np.full(len(X), X.shape[1]), OUTPUTS[name.split(".")[0]].astype(float))


def skip_without(name):
    if package := NEEDS.get(Path(name).suffix):
        pytest.importorskip(package)


@pytest.mark.parametrize(("name", "said"), SAID.items())
def test_scores_are_the_frameworks_own(name, said):
    skip_without(name)
    made = import_network(HERE / name, Convention(**said))
    assert own(name).distance(made.network) < 2e-6
    checked = made.stored.says_all or name.endswith(".onnx")
    assert bool(made.warnings) is not checked


@pytest.mark.parametrize("name", [n for n in SAID if NEEDS.get(Path(n).suffix) is None])
def test_the_check_finds_the_convention_and_a_planted_error_is_found(name):
    made = import_network(HERE / name, check=own(name))
    assert made.difference < 2e-6
    assert not made.warnings
    wrong = OwnOutputs(X, own(name).lengths, own(name).scores + np.eye(5)[:, : own(name).scores.shape[1]] * 0.01)
    with pytest.raises(CheckFailed, match="does not give the model's own outputs"):
        import_network(HERE / name, check=wrong)


def test_each_other_reading_of_a_bidirectional_layer_is_another_network():
    for pooling in ("h_n", "mean", "max"):
        with pytest.raises(CheckFailed, match=r"(?s)reading.*But this gives them: reading out\[:, -1\]"):
            import_network(HERE / "bilstm_last.pt", Convention(pooling), check=own("bilstm_last"))
    with pytest.raises(InputError, match="what does forward read of the bidirectional layer"):
        import_network(HERE / "bilstm_last.pt")
    with pytest.raises(InputError, match=r"what follows the dense layer head\.0"):
        import_network(HERE / "rnn_relu_hidden.pt")


def test_what_was_taken_goes_along_and_is_said_at_every_use(tmp_path):
    made = import_network(HERE / "bigru_max.pt", Convention("max"))
    again = Network.load(made.network.save(tmp_path / "n.npz"))
    assert again.sha256 == made.network.sha256
    assert own("bigru_max").distance(again) < 2e-6
    assert "UNCHECKED; taken as reading out.max(1)" in again.warnings[0]
    relu = import_network(HERE / "rnn_relu_hidden.pt", check=own("rnn_relu_hidden")).network
    again = Network.load(relu.save(tmp_path / "r.npz"))
    assert own("rnn_relu_hidden").distance(again) < 2e-6
    # Its ramp reaches as far as the states that the check saw.
    assert 0.1 < 3 * again.layers[0].cell.full_scale < 10


def test_steps_after_a_sequences_end_are_not_read():
    made = import_network(HERE / "bilstm_mean_projection.pt", Convention("mean")).network
    longer = OwnOutputs(np.pad(X, ((0, 0), (0, 3), (0, 0)), constant_values=9.0), own("bilstm_mean_projection").lengths, X[:, 0])
    short = OwnOutputs(X, own("bilstm_mean_projection").lengths, longer.scores)
    assert longer.distance(made) == pytest.approx(short.distance(made), abs=1e-12)


def test_scaled_inputs_are_found_wanting_and_given():
    shifted = OwnOutputs(X * 4 + 1, own("lstm_last").lengths, own("lstm_last").scores)
    with pytest.raises(CheckFailed, match="scaling of inputs"):
        import_network(HERE / "lstm_last.pt", check=shifted)
    from cosim.network.importers import read_scaling

    made = import_network(HERE / "lstm_last.pt", Convention(scaling=read_scaling("1,4")), check=shifted)
    assert made.difference < 2e-6


OWN_NUMBERS = {
    "(x - mu) / sd": ({"mu": 1.0, "sd": 4.0}, lambda x: (x - 1) / 4),
    "x / full": ({"full": 255.0}, lambda x: x / 255),
    "x * gain + shift": ({"gain": 0.5, "shift": -2.0}, lambda x: x * 0.5 - 2),
    "(x - mean) / sqrt(var)": ({"mean": -3.0, "var": 9.0}, lambda x: (x + 3) / 3),
}


@pytest.mark.parametrize("text", OWN_NUMBERS)
def test_a_models_own_scaling_is_asked_for_or_found_by_the_check(text, tmp_path, capsys):
    """Buffers of a module that scales its inputs itself; which way is in no file."""
    from cosim.network import read_tensors

    numbers, scaled = OWN_NUMBERS[text]
    wide = {n: np.full((1, 1, X.shape[2]), v) for n, v in numbers.items()}
    path = tmp_path / "m.npz"
    np.savez(path, **read_tensors(HERE / "lstm_last.pt"), **wide)
    own_scores = own("lstm_last").scores
    # Inputs that become X behind the scaling.
    slope = float(scaled(1.0) - scaled(0.0))
    raw = (X - float(scaled(0.0))) / slope
    check = OwnOutputs(raw, own("lstm_last").lengths, own_scores)
    made = import_network(path, check=check)
    assert text in made.convention
    assert made.difference < 2e-6
    with pytest.raises(CheckFailed, match="does not give"):
        import_network(path, check=OwnOutputs(raw + 0.1 / slope, check.lengths, own_scores))
    assert run(["import", str(path), "--out", str(tmp_path / "n.npz")]) == 2
    assert f"--scaling: what does forward do with {', '.join(sorted(numbers))}?" in capsys.readouterr().err
    assert import_network(path, ignore=list(numbers)).convention.endswith("inputs as they are")


@pytest.mark.parametrize("kind", ["softmax", "log-softmax", "sigmoid"])
def test_scores_behind_a_softmax_are_recognised(kind):
    from scipy.special import expit, log_softmax, softmax

    name = "rnn_tanh_no_bias_one_score" if kind == "sigmoid" else "lstm_last"
    form = {"softmax": lambda z: softmax(z, 1), "log-softmax": lambda z: log_softmax(z, 1), "sigmoid": expit}[kind]
    held = OwnOutputs(X, own(name).lengths, form(own(name).scores))
    assert held.kind == kind
    assert import_network(HERE / f"{name}.pt", Convention(activation="tanh"), check=held).difference < 1e-6


def test_a_check_that_can_tell_nothing_is_no_check():
    """Scores that are the same for all sequences, small scores, one step: each let any convention pass."""
    plain = own("lstm_last")
    for scores in (np.zeros_like(plain.scores), np.full_like(plain.scores, 1 / plain.scores.shape[1])):
        with pytest.raises(InputError, match="all 5 sequences have the same scores"):
            import_network(HERE / "lstm_last.pt", check=OwnOutputs(X, plain.lengths, scores))
    with pytest.raises(CheckFailed, match="does not give"):
        import_network(HERE / "lstm_last.pt", check=OwnOutputs(X, plain.lengths, 1e-5 * plain.scores))
    network = import_network(HERE / "lstm_last.pt").network
    step = SequenceSet(X[:, :1], np.ones(len(X), int), np.zeros(len(X), int))
    one = OwnOutputs(step.inputs, step.lengths, network.scores(step))
    with pytest.raises(InputError, match=r"(?s)pooling=None: the check cannot tell.*mean.*say which"):
        import_network(HERE / "lstm_last.pt", check=one)
    assert import_network(HERE / "lstm_last.pt", Convention("mean"), check=one).network.pooling == "mean"


def test_buffers_that_change_nothing_leave_no_choice(tmp_path):
    from cosim.network import read_tensors

    tensors = read_tensors(HERE / "lstm_last.pt") | {"mu": np.zeros(X.shape[2]), "sd": np.ones(X.shape[2])}
    np.savez(tmp_path / "m.npz", **tensors)
    assert import_network(tmp_path / "m.npz", check=own("lstm_last")).difference < 2e-6


def test_one_score_between_0_and_1_need_not_be_a_sigmoid():
    made = import_network(HERE / "rnn_tanh_no_bias_one_score.pt", Convention(activation="tanh")).network
    scores = own("rnn_tanh_no_bias_one_score").scores
    readout = made.readout * 0.2 / np.abs(scores).max()
    readout[-1, 1] += 0.5
    made = Network.of(made.layers, readout, pooling=made.pooling)
    held = OwnOutputs(X, own("rnn_tanh_no_bias_one_score").lengths, scores * 0.2 / np.abs(scores).max() + 0.5)
    assert held.kind == "sigmoid"
    assert held.distance(made) < 2e-6


def test_pruned_tensors_are_multiplied_and_other_parametrisations_named(tmp_path):
    from cosim.network import from_torch, read_tensors

    plain = read_tensors(HERE / "lstm_last.pt")
    head = next(n for n, a in plain.items() if n.endswith("weight") and a.ndim == 2)
    mask = np.random.default_rng(1).integers(0, 2, plain["rnn.weight_hh_l0"].shape).astype(np.float32)
    pruned = {n: a for n, a in plain.items() if n != "rnn.weight_hh_l0"}
    pruned |= {"rnn.weight_hh_l0_orig": plain["rnn.weight_hh_l0"], "rnn.weight_hh_l0_mask": mask}
    wanted = from_torch(plain | {"rnn.weight_hh_l0": plain["rnn.weight_hh_l0"] * mask})
    assert from_torch(pruned).sha256 == wanted.sha256 != from_torch(plain).sha256
    rest = {n: a for n, a in plain.items() if n != head}
    module = head.removesuffix("weight")
    for names, way in (
        ([f"{module}parametrizations.weight.original0"], "remove_parametrizations"),
        ([f"{head}_g", f"{head}_v"], "remove_weight_norm"),
    ):
        with pytest.raises(InputError, match=rf"is what its module computes {re.escape(head)} from.*{way}"):
            from_torch(rest | dict.fromkeys(names, plain[head]))
    with zipfile.ZipFile(HERE / "lstm_last.pt") as old, zipfile.ZipFile(tmp_path / "a.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        top = old.namelist()[0].split("/")[0]
        new.writestr(f"{top}/code/__torch__.py", "")
    with pytest.raises(InputError, match="is a TorchScript archive"):
        import_network(tmp_path / "a.pt")


def test_classes_by_name_are_said_in_the_order_taken_or_refused():
    """Names sort by the alphabet; an imported network's scores need not."""
    network = import_network(HERE / "lstm_last.pt", check=own("lstm_last")).network
    n = network.n_classes
    x, y = np.repeat(X, n, axis=0), np.tile(np.arange(n), len(X))
    names = np.array([f"{chr(122 - i)}oo" for i in range(n)])
    assert network.check_data(Task.from_arrays("t", x, y)) == ()
    (note,) = network.check_data(Task.from_arrays("t", x, names[y]))
    assert f"in the order of the data's: {', '.join(sorted(names))}" in note
    (note,) = network.check_data(Task.from_arrays("t", x, names[y], classes=list(names)))
    assert f"in the order of the data's: {', '.join(names)}" in note
    few = y < n - 1
    with pytest.raises(InputError, match=rf"names {n - 1} classes.*the network scores {n}; give the names"):
        network.check_data(Task.from_arrays("t", x[few], names[y[few]]))
    (note,) = network.check_data(Task.from_arrays("t", x[few], y[few]))
    assert f"scores {n} classes, the labels of 't' end at {n - 2}" in note


def test_a_dense_layer_in_front_is_named_and_may_be_folded_as_the_message_says():
    from cosim.network import from_torch, read_tensors

    plain, rng = read_tensors(HERE / "lstm_last.pt"), np.random.default_rng(2)
    w = plain["rnn.weight_ih_l0"].astype(float)
    front = {"front.weight": rng.normal(0, 1, (w.shape[1], 2)), "front.bias": rng.normal(0, 1, w.shape[1])}
    with pytest.raises(
        InputError, match=r"save rnn.weight_ih_l0 @ front.weight in its place, and add .* @ front.bias to its bias_ih"
    ):
        from_torch({**front, **plain})
    bias = plain["rnn.bias_ih_l0"] + w @ front["front.bias"]
    folded = from_torch(plain | {"rnn.weight_ih_l0": w @ front["front.weight"], "rnn.bias_ih_l0": bias})
    x = rng.normal(0, 1, (3, 4, 2))
    n, zero = np.full(3, 4), np.zeros(3, int)
    there = x @ front["front.weight"].T + front["front.bias"]
    wanted = from_torch(plain).scores(SequenceSet(there, n, zero))
    assert folded.scores(SequenceSet(x, n, zero)) == pytest.approx(wanted, abs=1e-12)


def test_a_training_that_starts_from_an_imported_network_says_what_was_taken(tmp_path, capsys):
    n = import_network(HERE / "lstm_last.pt").network
    n.save(tmp_path / "n.npz")
    x = np.random.default_rng(1).normal(0, 1, (60, *X.shape[1:]))
    y = np.array([f"{chr(122 - i % n.n_classes)}oo" for i in range(60)])
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    line = ["train", "--data", str(tmp_path / "d.npz"), "--start", str(tmp_path / "n.npz"), "--epochs", "1", "--quiet"]
    assert run([*line, "--out", str(tmp_path / "o.npz")]) == 0
    said = capsys.readouterr().err
    assert "imported, UNCHECKED" in said
    assert "in the order of the data's" in said


def test_states_beyond_the_end_of_a_relus_ramp_are_counted():
    check = own("rnn_relu_hidden")
    network = import_network(HERE / "rnn_relu_hidden.pt", check=check).network
    labels = np.arange(len(X)) % network.n_classes
    assert network.check_data(Task.from_arrays("t", X, labels)) == ()
    (note,) = network.check_data(Task.from_arrays("t", 20 * X, labels))
    assert re.search(r"layer 0: [\d.]+ % of its ReLU states are beyond [\d.]+, up to [\d.]+; there its ramp ends", note)
    result = compare(network, Task.from_arrays("t", 20 * X, labels), Hardware(bits=4))
    assert note in result.warnings
    assert note in result.as_dict()["warnings"]


def test_nothing_in_a_file_is_run(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (print, ("run!",))

    path = tmp_path / "evil.pt"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("archive/data.pkl", pickle.dumps({"state_dict": {}, "evil": Evil()}))
    with pytest.raises(InputError, match=r"(?s)no dictionary with tensors.*evil: an object of builtins.print, not read"):
        import_network(path)


def test_files_that_are_something_else_are_named(tmp_path):
    for name, content in (("a.pt", b"x" * 99), ("a.safetensors", b"x" * 99), ("a.npz", b"x" * 99)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}: is not a"):
            import_network(tmp_path / name)
    whole = (HERE / "lstm_last.pt").read_bytes()
    for cut in (200, 2000, len(whole) - 30):
        (tmp_path / "a.pt").write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"a\.pt: is"):
            import_network(tmp_path / "a.pt")


def test_networks_of_frameworks_are_sent_to_the_command(capsys):
    assert run(["evaluate", "--network", str(HERE / "lstm_last.pt"), "--bits", "4"]) == 2
    assert "cosim import" in capsys.readouterr().err
    assert run(["evaluate", "--network", str(HERE / "flax_nnx_gru.npz"), "--bits", "4"]) == 2
    assert "cosim import" in capsys.readouterr().err


def test_the_command_checks_and_fails(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", inputs=X)
    np.savez(tmp_path / "y.npz", scores=OUTPUTS["bilstm_last"])
    np.save(tmp_path / "z.npy", OUTPUTS["bilstm_h_n"])
    out = tmp_path / "n.npz"
    line = ["import", str(HERE / "bilstm_last.pt"), "--out", str(out), "--check", str(tmp_path / "x.npz")]
    assert run([*line, str(tmp_path / "y.npz")]) == 0
    assert "held against the model's own outputs, 5 sequences" in capsys.readouterr().out
    assert own("bilstm_last").distance(Network.load(out)) < 2e-6
    out.unlink()
    assert run([*line, str(tmp_path / "z.npy")]) == 1
    assert "does not give" in capsys.readouterr().err
    assert not out.exists()
    assert run(["import", str(HERE / "lstm_last.pt"), "--out", str(out)]) == 0
    assert "warning: network lstm_last.pt: imported, UNCHECKED" in capsys.readouterr().err
    assert run(["import", str(HERE / "checkpoint.ckpt"), "--list"]) == 0
    assert "state_dict.model.rnn.weight_ih_l0" in capsys.readouterr().out


def test_every_kind_against_pytorch():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, (3, 5, 2))
    kinds = {"lstm": nn.LSTM, "gru": nn.GRU, "tanh": nn.RNN, "relu": nn.RNN}
    reads = {
        "last": lambda o, h: o[:, -1],
        "h_n": lambda o, h: torch.cat(list(h[-(o.shape[2] // h.shape[2]) :]), 1),
        "mean": lambda o, h: o.mean(1),
        "max": lambda o, h: o.max(1).values,
    }
    from cosim.network import from_torch

    for kind, layers, both, projection, bias, pooling, hidden in itertools.product(
        kinds, (1, 2), (False, True), (0, 2), (True, False), reads, (None, "gelu")
    ):
        if projection and kind != "lstm":
            continue
        extra = {"nonlinearity": kind} if kind in ("tanh", "relu") else {"proj_size": projection} if projection else {}
        cell = kinds[kind](2, 3, layers, bidirectional=both, bias=bias, batch_first=True, **extra).double()
        width = (projection or 3) * (1 + both)
        head = nn.Sequential(nn.Linear(width, 4), nn.GELU(), nn.Linear(4, 2)) if hidden else nn.Linear(width, 2)
        module = nn.ModuleDict({"rnn": cell, "head": head.double()})
        with torch.no_grad():
            out, state = cell(torch.tensor(x))
            scores = head(reads[pooling](out, state[0] if kind == "lstm" else state)).numpy()
        tensors = {k: v.numpy() for k, v in module.state_dict().items()}
        said = {"pooling": pooling, "hidden_activation": hidden, "activation": kind if kind in ("tanh", "relu") else None}
        assert OwnOutputs(x, np.full(3, 5), scores).distance(from_torch(tensors, **said)) < 1e-6
