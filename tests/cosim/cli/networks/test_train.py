import json

import pytest

from cosim.cli.app import run
from cosim.network import Network


def train(tmp_path, capsys, *options, out="net.npz"):
    task = [] if "--task" in options else ["--task", "vowels"]
    shape = [] if "--start" in options else ["--hidden", "6"]
    code = run(["train", *task, *shape, "--epochs", "2", "--quiet", "--out", str(tmp_path / out), *options])
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--cell", "gru", "--layers", "2", "--bidirectional"),
        ("--projection", "3", "--schedule", "constant", "--warm-up", "0.5", "--optimizer", "adam"),
        ("--bits", "5", "--weight-noise", "0.02", "--threshold-noise", "0.5", "--pwm-bits", "5"),
    ],
)
def test_a_network_is_trained_written_and_judged(tmp_path, capsys, options):
    code, out, err = train(tmp_path, capsys, "--json", *options)
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["test_set_ci95"][0] <= answer["float"] <= answer["test_set_ci95"][1]
    metadata = Network.load(tmp_path / "net.npz").metadata
    assert (metadata.task, len(metadata.epochs)) == ("vowels", answer["epochs"])


def test_it_goes_on_from_its_checkpoint_and_from_a_network(tmp_path, capsys):
    assert train(tmp_path, capsys)[0] == 0
    assert train(tmp_path, capsys, "--resume")[0] == 0
    assert train(tmp_path, capsys, "--start", str(tmp_path / "net.npz"), out="other.npz")[0] == 0
    code, _, err = train(tmp_path, capsys, "--resume", "--lr", "0.5")
    assert code == 2
    assert "was trained with learning_rate=0.01, now learning_rate=0.5" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cell", "peephole"), "cell='peephole': unknown"),
        (("--threshold-noise", "0.5"), "floating point has no thresholds"),
        (("--weight-noise", "2"), "--weight-noise=2.0: must be a finite number 0..1"),
        (("--hardware-aware", "a.json", "b.json"), "a.json"),
        (("--task", "nonsense"), "task='nonsense': unknown"),
        (("--resume",), "there is no checkpoint to go on from"),
        (("--steps", "5", "--embedding", "7"), "--embedding, --steps: is of a text"),
        (("--step-factor", "0.1"), "--step-factor: is of --schedule step"),
        (("--masks", "2"), "--masks: is of --time-mask"),
        (("--no-fixed-point-learned",), "is of --fixed-point-bits"),
        (("--weights", "taox-100-400"), "--weights taox-100-400: is of a whole chip"),
    ],
)
def test_bad_use_is_one_line(tmp_path, capsys, options, message):
    code, out, err = train(tmp_path, capsys, *options)
    assert (code, out) == (2, "")
    assert message in err


def test_a_name_that_is_no_npz_is_refused_before_the_training(tmp_path, capsys):
    code, _, err = train(tmp_path, capsys, out="net.json")
    assert code == 2
    assert "a network is saved as .npz" in err
