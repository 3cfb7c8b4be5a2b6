"""`cosim evaluate` as a script meets it: keys, warnings, options that change the answer, one clear line for each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from characterization.ramp_model.condition_table import ConditionTable
from characterization.ramp_model.model import RampModel
from cosim.cli.app import run
from cosim.network import Layer, Network, NetworkMetadata
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from cosim.tasks import CharacterTask, Provenance, cache, load_task
from cosim.training import TrainingSettings, train_task

MODELS = Path(__file__).resolve().parents[4] / "results" / "demo" / "models"
SIGMOID, TANH = str(MODELS / "sigmoid4.json"), str(MODELS / "tanh4.json")
ALPHABET = "abcdefgh"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks on digits, on a small text of its own, and of a GRU; models with a table of the temperature."""
    out = tmp_path_factory.mktemp("evaluate")
    train_task(load_task("digits"), seed=1, settings=TrainingSettings(n_hidden=12, epochs=6)).save(out / "digits.npz")
    rng = np.random.default_rng(1)
    # A GRU whose candidate is not tanh: an activation without a model.
    gru = GRU(8, 4, candidate="softsign", reset="before")
    metadata = NetworkMetadata(cell="gru", task="digits")
    readout = rng.normal(size=(5, 10))
    Network((Layer(gru, gru.initial_parameters(rng)),), readout, None, metadata).save(out / "gru.npz")
    lstm = LSTM(3, 6)
    text = Network((Layer(lstm, lstm.initial_parameters(rng)),), rng.normal(size=(7, 8)), rng.normal(size=(8, 3)))
    text.save(out / "text.npz")
    for name in ("sigmoid", "tanh"):
        model = RampModel.load(MODELS / f"{name}4.json")
        n = len(model.x_ideal)
        ones, zeros = np.ones(3), np.zeros((3, n))
        shift = np.array([np.zeros(n), np.zeros(n), 2 * model.lsb])
        scales = dict.fromkeys(("scale", "scale_before", "offset", "noise", "read_noise"), ones)
        table = ConditionTable(
            quantity="temperature",
            unit="deg C",
            nominal=27.0,
            values=np.array([-40.0, 27.0, 85.0]),
            shift=shift,
            shift_before=zeros,
            **scales,
        )
        model.model_copy(update={"conditions": (table,)}).save(out / f"{name}-warm.json")
    return out


@pytest.fixture
def small_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CharacterTask:
    """A text of 2,000 characters in a cache of its own, under a real task's name."""
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    ids = np.random.default_rng(2).integers(0, 8, 2000)
    provenance = Provenance(source="made in a test", version="1", licence="none", sha256={}, items={"test": 2000})
    task = CharacterTask("sotu", ALPHABET, ids, ids, ids, provenance)
    cache.store(task)
    return task


def ask(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[dict, str]:
    """The JSON answer and what went to stderr."""
    assert run(["evaluate", *map(str, arguments), "--json"]) == code
    said = capsys.readouterr()
    return json.loads(said.out) if code == 0 else {}, said.err


def test_models_answer_with_the_promised_keys(folder, capsys):
    data, err = ask(
        capsys, "--task", "digits", "--network", folder / "digits.npz", "--sigmoid", SIGMOID, "--tanh", TANH, "--chips", 3
    )
    assert {"task", "metric", "float", "ideal", "chips", "mean", "ci95", "bits", "seed", "validation", "warnings"} <= set(data)
    assert data["bits"] == [4, 4]
    assert len(data["chips"]) == 3
    assert data["warnings"] == []
    assert "warning" not in err
    assert data["mean"] == pytest.approx(np.mean(data["chips"]))
    assert data["ci95"][0] <= data["mean"] <= data["ci95"][1]
    assert data["test_sequences"] == 450
    assert data["test_set_ci95"]["float"][0] < data["float"] < data["test_set_ci95"]["float"][1]
    paired = data["paired"]
    assert paired["mean_minus_float"]["difference"] == pytest.approx(data["mean"] - data["float"])
    assert paired["mean_minus_ideal"]["difference"] == pytest.approx(data["mean"] - data["ideal"])
    assert len(paired["mean_minus_ideal"]["p"]) == 3
    assert set(data["validation"]) == {"sigmoid", "tanh"}


def test_model_option_is_the_named_options(folder, capsys):
    common = ("--network", folder / "digits.npz", "--chips", 2)
    named, _ = ask(capsys, *common, "--sigmoid", SIGMOID, "--tanh", TANH)
    free, _ = ask(capsys, *common, "--model", TANH, "--model", SIGMOID, "--bits", 4)
    assert sorted(free) == sorted(named)
    assert free["chips"] == named["chips"]


def test_text_names_held_out_validation_and_both_intervals(folder, capsys):
    assert run(["evaluate", "--network", str(folder / "digits.npz"), "--sigmoid", SIGMOID, "--tanh", TANH, "--chips", "2"]) == 0
    out = capsys.readouterr().out
    for words in ("held out: 64 samples", "interval for 450 test sequences", "chip to chip sd", "minus float", "minus ideal"):
        assert words in out
    assert RampModel.load(SIGMOID).validated() in out


@pytest.mark.parametrize(
    "options",
    [
        ("--bits", 3),
        ("--bits", 3, "--state-unit", "ramp"),
        ("--adc-bits", 4, "--table-bits", 4),
        ("--weights", "taox-100-400", "--no-variation"),
        ("--pwm-bits", 4),
        (),
    ],
)
def test_what_is_not_random_is_one_chip(folder, capsys, options):
    data, _ = ask(capsys, "--network", folder / "digits.npz", *options)
    assert data["chips"] == [data["mean"]]
    assert data["ci95"] is None
    assert data["chip_deviation"] is None
    assert data["paired"]["mean_minus_ideal"]["chips_ci95"] is None


@pytest.mark.parametrize(
    "options",
    [
        ("--threshold-noise", 1),
        ("--weights", "taox-100-400"),
        ("--weights", "hfox-wan-1-40", "--drift", 3600),
        ("--weights", "taox-100-400", "--r-wire", 1, "--array-rows", 16, "--array-columns", 16),
    ],
)
def test_what_is_random_differs_from_chip_to_chip_and_not_from_run_to_run(folder, capsys, options):
    first, _ = ask(capsys, "--network", folder / "digits.npz", "--bits", 3, "--chips", 4, *options)
    assert len(set(first["chips"])) > 1
    again, _ = ask(
        capsys, "--network", folder / "digits.npz", "--bits", 3, "--chips", 4, *options, "--jobs", 1, "--engine", "numpy"
    )
    np.testing.assert_allclose(again["chips"], first["chips"], atol=1.1 / 450)
    other, _ = ask(capsys, "--network", folder / "digits.npz", "--bits", 3, "--chips", 4, *options, "--seed", 2)
    assert other["chips"] != first["chips"]


def test_zero_of_an_option_is_its_absence(folder, capsys):
    plain, _ = ask(capsys, "--network", folder / "digits.npz", "--bits", 3)
    zero, _ = ask(capsys, "--network", folder / "digits.npz", "--bits", 3, "--threshold-noise", 0, "--r-wire", 0, "--v-read", 0.2)
    assert zero == plain


def test_what_has_no_price_is_said_beside_the_accuracy(folder, capsys):
    line = ("--network", folder / "digits.npz", "--pwm-bits", 5, "--delta", 0.2, "--adc-bits")
    assert "delta_saving" in ask(capsys, *line, 8)[0]
    found, err = ask(capsys, *line, 12)
    assert "delta_saving" not in found
    assert found["warnings"][-1] in err
    assert "has no price here (bits=12" in err


def test_read_voltage_moves_the_conventional_scheme_alone(folder, capsys):
    low = ("--network", folder / "digits.npz", "--v-read", 0.1)
    linear, _ = ask(capsys, *low, "--adc-bits", 4)
    assert linear["mean"] != linear["ideal"]
    ramps, _ = ask(capsys, *low, "--bits", 4)
    assert ramps["mean"] == ramps["ideal"]


def test_conditions_within_the_table_move_the_model_without_a_word(folder, capsys):
    models = ("--sigmoid", folder / "sigmoid-warm.json", "--tanh", folder / "tanh-warm.json", "--chips", 2)
    cool, _ = ask(capsys, "--network", folder / "digits.npz", *models, "--temperature", 27)
    hot, err = ask(capsys, "--network", folder / "digits.npz", *models, "--temperature", 85)
    assert hot["warnings"] == []
    assert "warning" not in err
    assert hot["mean"] != cool["mean"]


def test_conditions_outside_the_table_warn_and_take_its_end(folder, capsys):
    models = ("--sigmoid", folder / "sigmoid-warm.json", "--tanh", folder / "tanh-warm.json", "--chips", 2)
    end, _ = ask(capsys, "--network", folder / "digits.npz", *models, "--temperature", 85)
    beyond, err = ask(capsys, "--network", folder / "digits.npz", *models, "--temperature", 125)
    assert beyond["chips"] == end["chips"]
    assert len(beyond["warnings"]) == 2
    assert "temperature=125.0: fitted from -40 to 85 deg C" in beyond["warnings"][0]
    assert err.count("warning: ") == 2
    assert "nearest fitted value" in err


def test_conditions_without_a_table_warn(folder, capsys):
    models = ("--sigmoid", SIGMOID, "--tanh", TANH, "--chips", 2)
    data, err = ask(capsys, "--network", folder / "digits.npz", *models, "--v-read", 0.15, "--weights", "rram-milo-50-225")
    assert len(data["warnings"]) == 4 == err.count("warning: ")
    assert any("v_read=0.15: fitted at 0.2 only" in w for w in data["warnings"])
    assert any("rram-milo-50-225" in w for w in data["warnings"])


def test_text_in_bits_per_character_with_block_bootstrap(folder, capsys, small_text):
    common = ("--task", "sotu", "--network", folder / "text.npz")
    data, _ = ask(capsys, *common, "--bits", 4, "--threshold-noise", 0.5, "--chips", 3, "--characters", 1200)
    assert data["metric"] == "bits per character"
    assert data["test_characters"] == 1199
    assert len(data["chips"]) == 3
    assert data["mean"] == pytest.approx(np.mean(data["chips"]))
    low, high = data["test_set_ci95"]["float"]
    assert low < data["float"] < high
    paired = data["paired"]["mean_minus_ideal"]
    assert paired["difference"] == pytest.approx(data["mean"] - data["ideal"], abs=1e-6)
    assert paired["test_set_ci95"][1] - paired["test_set_ci95"][0] < high - low
    whole, _ = ask(capsys, *common)
    assert whole["test_characters"] == 1999
    assert whole["chips"] == [pytest.approx(whole["float"])]


MISTAKES = [
    (["--network", "missing.npz"], "missing.npz"),
    (["--network", "digits.npz", "--task", "cats"], "task='cats'"),
    (["--network", "digits.npz", "--task", "vowels"], "was trained on task 'digits', not on 'vowels'"),
    (["--network", "text.npz"], "does not say what task it was trained on"),
    (["--network", "text.npz", "--task", "digits"], "features"),
    (["--network", "digits.npz", "--sigmoid", TANH], "tanh4.json: is a model of tanh; give a model of sigmoid"),
    (["--network", "digits.npz", "--sigmoid", SIGMOID, "--model", SIGMOID], "second model of sigmoid"),
    (["--network", "digits.npz", "--sigmoid", SIGMOID], "activation 'tanh': the network needs a ramp of it"),
    (["--network", "gru.npz", "--sigmoid", SIGMOID], "activation 'softsign': the network needs a ramp of it"),
    (["--network", "gru.npz", "--sigmoid", SIGMOID, "--tanh", TANH], "activation 'softsign'"),
    (["--network", "digits.npz", "--sigmoid", SIGMOID, "--tanh", TANH, "--bits", "5"], "has a ramp of 4 bits, 5 are asked for"),
    (["--network", "digits.npz", "--sigmoid", SIGMOID, "--tanh", TANH, "--adc-bits", "5"], "ramps and adc: are different"),
    (["--network", "digits.npz", "--sigmoid", "nothing.json"], "nothing.json"),
    (["--network", "digits.npz", "--bits", "0"], "bits=0"),
    (["--network", "digits.npz", "--bits", "4", "--adc-bits", "4"], "different converters"),
    (["--network", "digits.npz", "--table-bits", "4"], "--table-bits 4"),
    (["--network", "digits.npz", "--threshold-noise", "1"], "floating point has no thresholds"),
    (["--network", "digits.npz", "--bits", "3", "--threshold-noise", "-1"], "--threshold-noise=-1"),
    (["--network", "digits.npz", "--weights", "nothing"], "--weights='nothing'"),
    (["--network", "digits.npz", "--r-wire", "1"], "--r-wire"),
    (["--network", "digits.npz", "--drift", "10"], "--drift"),
    (["--network", "digits.npz", "--drift", "10", "--weights", "taox-100-400"], "no relaxation data"),
    (
        ["--network", "digits.npz", "--bits", "3", "--weights", "taox-100-400", "--partial-sums", "digital"],
        "--partial-sums='digital'",
    ),
    (["--network", "digits.npz", "--pwm-bits", "0"], "bits=0: must be a whole number 2..12"),
    (["--network", "digits.npz", "--temperature", "50", "--bits", "3"], "temperature=50"),
    (["--network", "digits.npz", "--v-read", "0.1"], "--v-read=0.1"),
    (["--network", "digits.npz", "--bits", "3", "--v-read", "nan"], "--v-read=nan"),
    (["--network", "digits.npz", "--bits", "3", "--chips", "0"], "chips=0"),
    (["--network", "digits.npz", "--bits", "3", "--seed", "-1"], "seed=-1"),
    (["--network", "digits.npz", "--bits", "3", "--jobs", "-1"], "jobs=-1"),
    (["--network", "digits.npz", "--bits", "3", "--engine", "cuda"], "engine='cuda'"),
    (["--network", "digits.npz", "--bits", "3", "--state-unit", "magic"], "--state-unit='magic'"),
    (["--network", "digits.npz", "--bits", "3", "--characters", "50"], "characters=50"),
]


@pytest.mark.parametrize(("arguments", "names"), MISTAKES, ids=lambda v: " ".join(v)[-60:] if isinstance(v, list) else None)
def test_bad_use_is_one_clear_line_and_code_2(folder, monkeypatch, capsys, arguments, names):
    monkeypatch.chdir(folder)
    assert run(["evaluate", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert names in said.err
    assert "Traceback" not in said.err
    assert len([line for line in said.err.splitlines() if line.startswith("error: ")]) == 1


def test_bad_characters(folder, capsys, small_text):
    for n in (3, 5000):
        _, err = ask(capsys, "--task", "sotu", "--network", folder / "text.npz", "--characters", n, code=2)
        assert f"characters={n}" in err
        assert "2000" in err
    _, err = ask(capsys, "--task", "sotu", "--network", folder / "digits.npz", code=2)
    assert "was trained on task 'digits'" in err


def test_missing_data_says_how_to_get_it(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "empty"))
    _, err = ask(capsys, "--task", "voices", "--network", folder / "text.npz", code=1)
    assert "cosim tasks get voices" in err


def test_out_keeps_the_answer_and_compare_reads_it(tmp_path, capsys):
    network = str(Path(__file__).parents[4] / "results" / "demo" / "network.npz")
    words = ["evaluate", "--network", network, "--bits", "4", "--quiet", "--json", "--out"]
    for name in ("a", "b"):
        assert run([*words, str(tmp_path / name)]) == 0
        answer = json.loads(capsys.readouterr().out)
        kept = json.loads((tmp_path / name / "evaluation.json").read_text())
        assert kept.pop("command").startswith("cosim")
        assert kept == answer
    assert run(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    assert "accuracy" in capsys.readouterr().out
    for more, said in (
        (["--sweep", "bits=3..4"], "--bits: is varied by --sweep"),
        (["--sweep", "thresholdnoise=0,1"], "did you mean 'threshold_noise'?"),
        (["--sweep", "v_read=150m,200mA"], "must be NAME=3..8 or NAME=0,0.5,1"),
    ):
        assert run([*words, str(tmp_path / "c"), *more]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
    # A folder with both would be read as one of them.
    assert run([*words, str(tmp_path / "a")]) == 0
    sweep = ["evaluate", "--network", network, "--chips", "1", "--quiet", "--sweep", "bits=3..4", "--out"]
    assert run([*sweep, str(tmp_path / "s")]) == 0
    for line, owner in (([*words, str(tmp_path / "s")], "sweep"), ([*sweep, str(tmp_path / "a")], "evaluate")):
        assert run(line) == 2
        assert f"holds results, those of {owner!r}; choose another folder" in capsys.readouterr().err
    assert not (tmp_path / "s" / "evaluation.json").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text("{}")
    assert run([*words, str(tmp_path / "run")]) == 2
    assert "holds results, those of 'characterize'" in capsys.readouterr().err
    assert not (tmp_path / "a" / "summary.json").exists()
