"""The studies of resolution on small sizes: their rows against direct evaluation, interruption, bad settings, the page."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from characterization.ramp_model.model import RampModel
from characterization.resume import Parts
from cosim.chip.hardware import Arrays, Hardware
from cosim.cli.app import run
from cosim.evaluation.evaluator import evaluate
from cosim.network import Network
from cosim.report import registry as report
from cosim.report.settings import RunOptions, load_settings
from cosim.studies.bits import conditions as c, models as bits_models, networks as bits_networks
from cosim.studies.bits.networks import AWARE, PLAIN, BitsCourse, course_for, courses
from cosim.studies.bits.tables import gain_rows, model_rows, result_rows
from cosim.studies.kws_bits import run as kws_bits
from cosim.studies.kws_bits.settings import KwsSettings
from cosim.studies.lm_bits import run as lm_bits
from cosim.studies.lm_bits.settings import LmSettings
from cosim.tasks import load_task
from netlists.errors import InputError, ToolkitError
from netlists.technology.profile import load_profile

MODELS = Path(__file__).parents[3] / "results" / "demo" / "models"
QUIET = RunOptions(progress=False)


@pytest.fixture(autouse=True)
def no_data_of_the_user(tmp_path_factory, monkeypatch):
    for name in ("NLADC_COSIM_KEYWORDS", "NLADC_COSIM_PTB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path_factory.mktemp("cache")))


def kws(**changes):
    small = {"tasks": ("digits",), "bits": (3, 5), "seeds": (1,), "models": str(MODELS), "chips": 3, "epochs": 1}
    return KwsSettings(**small | {"threshold_noise": (1.0,)} | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLADC_COSIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        out = tmp_path_factory.mktemp("kws")
        return out, kws_bits.STUDY.run(kws(seeds=(1, 2)), out, QUIET)


def row_of(summary, training, condition, bits):
    (row,) = (r for r in summary["results"] if (r["training"], r["condition"], r["bits"]) == (training, condition, bits))
    return row


@pytest.mark.parametrize(
    ("condition", "bits", "hardware"),
    [
        (c.FLOAT, None, Hardware()),
        (c.IDEAL, 3, Hardware(bits=3)),
        (c.FLOAT_WEIGHTS, None, Hardware(arrays=Arrays(load_profile("taox-100-400")))),
        (c.threshold(1.0), 3, Hardware(bits=3, threshold_noise=1.0)),
    ],
)
def test_a_row_is_what_the_stored_networks_do(finished, condition, bits, hardware):
    out, summary = finished
    task = load_task("digits")
    each, floats = [], []
    for seed in (1, 2):
        network = Network.load(out / "networks" / f"digits-plain-seed-{seed}.npz")
        chips = 3 if hardware.random else 1
        each.append(evaluate(network, task.test, hardware, chips, np.random.default_rng([1, seed]), dtype=np.float64).correct)
        floats.append(evaluate(network, task.test, dtype=np.float64).correct)
    row = row_of(summary, PLAIN, condition, bits)
    assert row["value"] == pytest.approx(np.mean(each))
    assert (row["seed_low"], row["seed_high"]) == pytest.approx(sorted(e.mean() for e in each))
    assert row["change"] == pytest.approx(np.mean(each) - np.mean(floats))
    assert (row["networks"], row["chips"]) == (2, len(each[0]))
    wilson = binomtest(round(np.mean(each) * 450), 450).proportion_ci(method="wilson")
    assert (row["low"], row["high"]) == pytest.approx((wilson.low, wilson.high))
    if len(each[0]) > 1:
        assert row["chip_deviation"] == pytest.approx(np.sqrt(np.mean([e.mean(axis=1).var(ddof=1) for e in each])))
    else:
        assert row["chip_deviation"] is None


def test_the_study_writes_its_files_and_says_what_was_not_there(finished):
    out, summary = finished
    assert json.loads((out / "summary.json").read_text()) == summary
    assert not (out / ".parts").exists()
    assert "not here" in summary["absent"]["keywords"]
    # Two trainings; exact activations with and without weight noise, six conditions at each of two resolutions.
    assert len(summary["results"]) == 2 * (2 + 2 * 6)
    assert len(summary["gains"]) == 2 + 2 * 6
    assert len(summary["networks"]) == 4
    for gain in summary["gains"]:
        aware, plain = (row_of(summary, t, gain["condition"], gain["bits"]) for t in (AWARE, PLAIN))
        assert gain["change"] == pytest.approx(aware["value"] - plain["value"])
    table = pd.read_csv(out / "results.csv")
    assert np.allclose(table["value"], [r["value"] for r in summary["results"]])
    assert {m["bits"] for m in summary["models"]} == {3, 5}
    assert RampModel.load(out / "models" / "tanh5.json").bits == 5
    for suffix in ("png", "svg"):
        assert (out / "pictures" / f"digits.{suffix}").stat().st_size > 10_000


def test_the_report_is_made_of_the_folder_alone(finished, monkeypatch):
    out, _ = finished
    before = (out / "report.html").read_bytes()
    for name in ("evaluate", "load_task"):
        monkeypatch.setattr(kws_bits, name, None)
    report.write_report(out)
    text = (out / "report.html").read_text()
    assert text.encode() == before
    assert "88.5" in text or "0.885" in text
    assert "not here, not run" in text
    assert "nan" not in text.split("</style>")[1].split("data:image")[0]
    (out / "gains.csv").rename(out / "gains.txt")
    with pytest.raises(InputError, match=r"gains\.csv"):
        report.write_report(out)
    (out / "gains.txt").rename(out / "gains.csv")


@pytest.mark.slow
def test_a_study_stopped_anywhere_goes_on_to_the_same_numbers(tmp_path, monkeypatch, no_pictures):
    settings = kws(bits=(3,), aware_bits=3)
    whole = kws_bits.STUDY.run(settings, tmp_path / "whole", QUIET)
    real, done = kws_bits.evaluate, []

    def interrupted(*arguments, **options):
        if len(done) == 7:
            raise KeyboardInterrupt
        done.append(None)
        return real(*arguments, **options)

    monkeypatch.setattr(kws_bits, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kws_bits.STUDY.run(settings, tmp_path / "out", RunOptions(jobs=2, progress=False))
    assert not (tmp_path / "out" / "summary.json").exists()
    with pytest.raises(InputError, match="chips: 3 there, 4 now"):
        kws_bits.STUDY.run(settings.model_copy(update={"chips": 4}), tmp_path / "out", QUIET)

    calls = []
    monkeypatch.setattr(kws_bits, "evaluate", lambda *a, **o: calls.append(None) or real(*a, **o))
    monkeypatch.setattr(bits_networks, "train_task", None)
    kws_bits.STUDY.run(settings, tmp_path / "out", QUIET)
    assert len(calls) == 2 * (2 + 6) - 7
    for name in ("results.csv", "gains.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    table = pd.read_csv(tmp_path / "out" / "results.csv", float_precision="round_trip")
    assert [r["value"] for r in whole["results"]] == list(table["value"])


@pytest.mark.slow
def test_a_stopped_training_goes_on_from_its_last_epoch(tmp_path, monkeypatch):
    settings = kws(bits=(3,), aware_bits=3, epochs=3)
    work = [(BitsCourse("digits", AWARE, 1, 3), load_task("digits"), kws_bits.training_settings(settings, "digits", AWARE))]

    def train(folder):
        parts = Parts(folder, {})
        models = bits_models.ramp_models(settings, parts, QUIET)
        return next(iter(bits_networks.trained(settings, work, models, parts, QUIET, side_by_side=True).values()))

    whole = train(tmp_path / "whole")
    real, saved = bits_networks.train_task, []

    class Stop(Exception):
        pass

    def stopped(*arguments, **options):
        from cosim.training import epochs

        save = epochs.save_checkpoint

        def save_twice(*a, **o):
            save(*a, **o)
            saved.append(None)
            if len(saved) == 2:
                raise Stop

        with monkeypatch.context() as patch:
            patch.setattr(epochs, "save_checkpoint", save_twice)
            return real(*arguments, **options)

    monkeypatch.setattr(bits_networks, "train_task", stopped)
    with pytest.raises(Stop):
        train(tmp_path / "out")
    assert list((tmp_path / "out" / ".parts").glob("*.checkpoint.npz"))
    resumed = train(tmp_path / "out")
    assert len(saved) == 3
    for name, weights in whole.layers[0].forward.items():
        assert np.array_equal(weights, resumed.layers[0].forward[name])
    assert not list((tmp_path / "out" / ".parts").glob("*.checkpoint.npz"))


def test_models_that_are_not_given_are_simulated_and_kept(tmp_path):
    settings = kws(bits=(3,), aware_bits=3, models="", samples=16)
    parts = Parts(tmp_path, {})
    first = bits_models.ramp_models(settings, parts, QUIET)
    assert set(first) == {("sigmoid", 3), ("tanh", 3)}
    assert [m.provenance["seed"] for m in first.values()] == [1, 2]
    rows = model_rows(first)
    assert [(r["samples"], r["failed"]) for r in rows] == [(16, 0)] * 2
    assert all(0.005 < r["sigma_lsb"] < 0.1 for r in rows)
    again = bits_models.ramp_models(settings, parts, QUIET)
    assert np.array_equal(again["tanh", 3].mean, first["tanh", 3].mean)


def test_rows_of_answers_made_by_hand():
    task, judge = load_task("digits"), kws_bits.accuracy_judge(load_task("digits"), 1)
    assert len(task.test) == 450
    exact = [np.array([[True, True, False, False]]), np.array([[True, False, False, False]])]
    chips = [np.array([[True, True, False, False], [False, False, False, False]]), np.zeros((2, 4), bool)]
    aware = [np.ones((1, 4), bool), np.ones((1, 4), bool)]
    answers = {
        (PLAIN, c.FLOAT, None): exact,
        (PLAIN, c.FITTED, 3): chips,
        (AWARE, c.FLOAT, None): aware,
        (AWARE, c.FITTED, 3): [np.ones((2, 4), bool)] * 2,
    }
    rows = {(r["training"], r["condition"]): r for r in result_rows("hand", answers, judge)}
    assert rows[PLAIN, c.FLOAT]["value"] == 3 / 8
    assert rows[PLAIN, c.FLOAT]["change"] == 0
    fitted = rows[PLAIN, c.FITTED]
    assert fitted["value"] == 2 / 16
    assert fitted["change"] == pytest.approx(2 / 16 - 3 / 8)
    assert fitted["change_low"] < fitted["change"] < fitted["change_high"]
    assert fitted["chip_deviation"] == pytest.approx((((0.25**2) * 2 + 0) / 2) ** 0.5)
    gains = {(g["condition"], g["bits"]): g for g in gain_rows("hand", answers, judge)}
    assert gains[c.FLOAT, None]["change"] == 5 / 8
    assert gains[c.FITTED, 3]["change"] == 14 / 16


def test_each_resolution_may_have_its_own_training():
    one, each = kws(aware_bits=5), kws(aware_bits="each")
    assert [k.bits for k in courses(one, "digits")] == [5, None]
    assert [k.bits for k in courses(each, "digits")] == [3, 5, None]
    assert course_for(one, "digits", AWARE, 1, 3) == BitsCourse("digits", AWARE, 1, 5)
    assert course_for(each, "digits", AWARE, 1, 3) == BitsCourse("digits", AWARE, 1, 3)
    assert course_for(each, "digits", PLAIN, 1, 3) == BitsCourse("digits", PLAIN, 1)
    assert kws(bits=(3,), aware_bits=5).model_bits == (3, 5)
    assert len({k.name for k in courses(kws(aware_bits="each", seeds=(1, 2)), "digits")}) == 6


def test_the_preset_of_the_large_network_fits_the_settings():
    full = load_settings(LmSettings, lm_bits.STUDY.preset.with_name("full.toml"))
    assert (full.n_hidden, full.n_projection, full.n_embedding) == (2016, 504, 128)
    assert lm_bits.training_settings(full, PLAIN).n_projection == 504


@pytest.mark.parametrize(
    ("module", "change", "message"),
    [
        (kws_bits, "bits=[3, 3]", "bits=.*once"),
        (kws_bits, "bits=[9]", "bits"),
        (kws_bits, "bits=[]", "bits"),
        (kws_bits, "seeds=[-1]", "seeds"),
        (kws_bits, "aware_bits=every", "aware_bits"),
        (kws_bits, "chips=1", "chips"),
        (kws_bits, "threshold_noise=[0.0]", "threshold_noise"),
        (kws_bits, "pwm_bits=1", "pwm_bits"),
        (kws_bits, "layers=2", "layers: unknown"),
        (lm_bits, "n_hidden=0", "n_hidden"),
        (lm_bits, "learning_rate=0.0", "learning_rate"),
    ],
)
def test_bad_settings_are_named(module, change, message):
    with pytest.raises(InputError, match=message):
        load_settings(module.STUDY.settings, None, [change])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tasks": ("digits", "digits")}, InputError, "once"),
        ({"tasks": ("sotu",)}, InputError, "'sotu' is no task of this study"),
        ({"tasks": ("nothing",)}, InputError, "'nothing' is no task of this study"),
        ({"tasks": ("voices",)}, ToolkitError, "voices"),
        ({"models": "nowhere"}, InputError, "nowhere"),
        ({"bits": (6,)}, InputError, "sigmoid6.json"),
        ({"profile": "nothing"}, InputError, "nothing"),
        ({"keywords_folder": "nowhere"}, ToolkitError, "nowhere"),
    ],
)
def test_what_a_study_cannot_do_is_said_before_anything_is_trained(tmp_path, monkeypatch, changes, error, message):
    monkeypatch.setattr(bits_networks, "train_task", None)
    with pytest.raises(error, match=message):
        kws_bits.STUDY.run(kws(**changes), tmp_path, QUIET)


def test_a_model_under_a_wrong_name_is_refused(tmp_path):
    for activation in ("sigmoid", "tanh"):
        (tmp_path / f"{activation}5.json").write_bytes((MODELS / f"{activation}4.json").read_bytes())
    with pytest.raises(InputError, match=r"sigmoid5\.json: is a model of sigmoid at 4 bits"):
        bits_models.ramp_models(kws(bits=(5,), models=str(tmp_path)), Parts(tmp_path, {}), QUIET)


def test_the_command_runs_a_study(tmp_path, capsys):
    settings = ("tasks=['digits']", "bits=[3]", "seeds=[1]", "aware_bits=3", f"models='{MODELS}'", "chips=2", "epochs=1")
    options = [x for s in settings for x in ("--set", s)]
    assert run(["study", "kws-bits", *options, "--out", str(tmp_path / "out"), "--jobs", "1", "--quiet"]) == 0
    text = capsys.readouterr().out
    assert "digits, plain: float: 0." in text
    assert "report:" in text
