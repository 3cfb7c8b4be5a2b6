import json
import os

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cosim.network import EpochRecord, Layer, LSTMNetwork, Network, NetworkMetadata
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from netlists.errors import InputError, ToolkitError


def make(n_in=3, n_hidden=2, n_classes=4, draw=1, **metadata):
    rng = np.random.default_rng(draw)
    weights = rng.standard_normal((n_in + n_hidden + 1, 4 * n_hidden))
    return LSTMNetwork(weights, rng.standard_normal((n_hidden + 1, n_classes)), NetworkMetadata(**metadata))


METADATA = {
    "task": "vowels",
    "seed": 3,
    "versions": {"numpy": "2.3.5", "aeon": None},
    "settings": {"n_hidden": 2, "learning_rate": 0.01},
    "epochs": (EpochRecord(epoch=1, loss=2.0, validation_loss=1.9, validation_accuracy=0.5), EpochRecord(epoch=2, loss=1.0)),
    "best_epoch": 1,
    "seconds": 0.5,
}


@settings(max_examples=20)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_a_saved_network_comes_back_to_the_bit(tmp_path_factory, n_in, n_hidden, n_classes, draw):
    network = make(n_in, n_hidden, n_classes, draw, **METADATA)
    path = tmp_path_factory.mktemp("net") / "net.npz"
    network.save(path)
    back = LSTMNetwork.load(path)
    np.testing.assert_array_equal(back.weights, network.weights)
    np.testing.assert_array_equal(back.readout, network.readout)
    assert back.metadata == network.metadata
    assert (back.n_in, back.n_hidden, back.n_classes) == (n_in, n_hidden, n_classes)
    assert os.listdir(path.parent) == ["net.npz"]


def test_the_file_opens_without_pickle_and_its_metadata_is_json(tmp_path):
    make(**METADATA).save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["metadata", "readout", "weights"]
        metadata = json.loads(str(archive["metadata"]))
    assert metadata["task"] == "vowels"
    assert metadata["schema_version"] == 1
    assert metadata["epochs"][0]["validation_accuracy"] == 0.5


def test_arrays_are_copies_and_read_only():
    weights = np.zeros((4, 4))
    network = LSTMNetwork(weights, np.zeros((2, 3)))
    weights[:] = 1.0
    assert not network.weights.any()
    with pytest.raises(ValueError, match="read-only"):
        network.weights[0, 0] = 1.0


@pytest.mark.parametrize(
    ("weights", "readout", "message"),
    [
        (np.zeros((4, 5)), np.zeros((2, 3)), r"weights: has shape \(4, 5\), must be \(n_in \+ n_hidden \+ 1, 4 \* n_hidden\)"),
        (np.zeros((2, 4)), np.zeros((2, 3)), "n_in of at least 1"),
        (np.zeros((4, 4)), np.zeros((3, 3)), r"readout: has 3 rows, must have n_out \+ 1 = 2"),
    ],
)
def test_bad_arrays_are_named(weights, readout, message):
    with pytest.raises(InputError, match=message):
        LSTMNetwork(weights, readout)


def fields(**change):
    network = make()
    out = {"weights": network.weights, "readout": network.readout, "metadata": np.array(network.metadata.model_dump_json())}
    return {k: v for k, v in (out | change).items() if v is not None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"readout": None}, "lacks the field 'readout'"),
        ({"extra": np.zeros(1)}, "unknown field 'extra'"),
        ({"weights": np.zeros((4, 5))}, "weights: has shape"),
        ({"weights": np.full((6, 8), np.nan)}, r"weights\[0, 0\]=nan"),
        ({"readout": np.array([{}], dtype=object)}, "damaged"),
        ({"metadata": np.zeros(3)}, "metadata has shape"),
        ({"metadata": np.array("{")}, "metadata: Invalid JSON"),
        ({"metadata": np.array('{"schema_version": 2}')}, "metadata.schema_version: .*got 2"),
        ({"metadata": np.array('{"cell": "gru"}')}, "metadata.cell: .*got 'gru'"),
        ({"metadata": np.array('{"colour": 1}')}, "metadata.colour"),
        ({"metadata": np.array('{"epochs": [{"epoch": 1, "loss": "x"}]}')}, r"metadata.epochs.0.loss"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(tmp_path, change, message):
    path = tmp_path / "wrong.npz"
    np.savez(path, **fields(**change))
    with pytest.raises(InputError, match=message) as caught:
        LSTMNetwork.load(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_network(tmp_path):
    path = tmp_path / "net.npz"
    with pytest.raises(InputError, match=r"net\.npz: there is no such network; make one"):
        LSTMNetwork.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        LSTMNetwork.load(tmp_path)
    for content in (b"", b"no network at all", b"PK\x03\x04 nor this"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"net\.npz: is not a network or is damaged"):
            LSTMNetwork.load(path)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match=r"net\.npz: is not a network or is damaged"):
        LSTMNetwork.load(path)


def test_a_cut_or_changed_file_is_damaged(tmp_path):
    path = tmp_path / "net.npz"
    make(20, 20, 20).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"net\.npz: .*damaged"):
        LSTMNetwork.load(path)
    changed = bytearray(whole)
    changed[3000] ^= 0xFF
    path.write_bytes(changed)
    with pytest.raises(InputError, match=r"net\.npz: .*damaged"):
        LSTMNetwork.load(path)


def test_any_changed_byte_either_does_not_matter_or_is_reported(tmp_path):
    network = make(1, 1, 1)
    path = tmp_path / "net.npz"
    network.save(path)
    whole = path.read_bytes()
    same, tried = 0, range(0, len(whole), 5)
    # Every fifth byte, which in files of this kind falls on every field of every header.
    for i in tried:
        changed = bytearray(whole)
        changed[i] ^= 0x11
        path.write_bytes(changed)
        try:
            back = LSTMNetwork.load(path)
        except InputError:
            continue
        np.testing.assert_array_equal(back.weights, network.weights)
        np.testing.assert_array_equal(back.readout, network.readout)
        same += 1
    # Dates and the like in the container's own records do not matter: a sixth of so small a file.
    assert 0.05 < same / len(tried) < 0.25


def test_a_name_without_npz_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"net\.pkl: a network is saved as \.npz"):
        make().save(tmp_path / "net.pkl")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    make(draw=1).save(path)
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(ToolkitError, match=r"net\.npz: cannot be written \(No space left"):
        make(draw=2).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["net.npz"]


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ToolkitError, match="taken"):
        make().save(tmp_path / "taken" / "net.npz")


def stack(embedding=True):
    """Two layers of different cells, the first in both directions."""
    rng = np.random.default_rng(4)
    first, second = LSTM(3, 4, gate="softsign", n_projection=2), GRU(4, 5, reset="before")
    layers = (
        Layer(first, first.initial_parameters(rng), first.initial_parameters(rng)),
        Layer(second, second.initial_parameters(rng)),
    )
    symbols = rng.normal(size=(7, 3)) if embedding else None
    return Network(layers, rng.normal(size=(6, 7)), symbols, NetworkMetadata(cell="lstm+gru", task="ptb"))


@pytest.mark.parametrize("embedding", [True, False])
def test_any_network_comes_back_to_the_bit(tmp_path, embedding):
    network = stack(embedding)
    back = Network.load(network.save(tmp_path / "net.npz"))
    assert [layer.cell for layer in back.layers] == [layer.cell for layer in network.layers]
    assert back.metadata == network.metadata
    assert sorted(back.arrays()) == sorted(network.arrays())
    for name, array in network.arrays().items():
        np.testing.assert_array_equal(back.arrays()[name], array)


def test_one_loader_reads_both_kinds_of_files(tmp_path):
    assert isinstance(Network.load(make().save(tmp_path / "lstm.npz")), LSTMNetwork)
    stack().save(tmp_path / "stack.npz")
    with pytest.raises(InputError, match=r"stack\.npz: is a network of lstm, gru; this takes one LSTM layer"):
        LSTMNetwork.load(tmp_path / "stack.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers.0.forward.weights": None}, "lacks the field 'layers.0.forward.weights'"),
        ({"layers.2.forward.weights": np.zeros((2, 2))}, "unknown field 'layers.2.forward.weights'"),
        ({"layers.0.backward.projection": None}, "backward.projection: missing"),
        ({"layers.1.forward.candidate": np.zeros((2, 2))}, r"forward.candidate: has shape \(2, 2\), must be \(10, 5\)"),
        ({"readout": np.zeros((3, 2))}, r"readout: has 3 rows, must have n_out \+ 1 = 6"),
        ({"embedding": np.zeros((7, 4))}, "embedding: has 4 columns, the first layer takes 3 inputs"),
        ({"embedding": np.full((7, 3), np.nan)}, r"embedding\[0, 0\]=nan"),
        ({"cells": np.array("[1]")}, "cells: "),
        ({"cells": np.array("{")}, "cells: "),
        ({"cells": np.array("[]")}, "unknown field"),
        ({"cells": np.array('[{"kind": "rnn"}]')}, "cell 'rnn': unknown; allowed are lstm, gru"),
        ({"metadata": np.array('{"schema_version": 3}')}, "metadata.schema_version"),
    ],
)
def test_a_wrong_field_of_any_network_is_named(tmp_path, change, message):
    path = tmp_path / "wrong.npz"
    np.savez(path, **{k: v for k, v in (stack().arrays() | change).items() if v is not None})
    with pytest.raises(InputError, match=message) as caught:
        Network.load(path)
    assert str(path) in str(caught.value)


def test_layers_that_do_not_fit_are_named():
    a, b = LSTM(3, 4), LSTM(5, 4)
    layers = tuple(Layer(c, c.initial_parameters(np.random.default_rng(1))) for c in (a, b))
    with pytest.raises(InputError, match=r"layers\[1\]: takes 5 inputs, the layer below has 4 outputs"):
        Network(layers, np.zeros((5, 2)))


def test_a_network_says_in_one_line_what_it_is():
    assert repr(make(3, 2, 4, task="voices")) == "Network(lstm 3 -> 2, 4 classes, task voices, 60 weights)"
    assert repr(stack()).startswith("Network(lstm 3 -> 4, gru 4 -> 5, 7 classes, task ptb, ")
    assert stack()._repr_html_().count("<tr>") == 4
