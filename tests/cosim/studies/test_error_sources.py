"""Error sources on real data: each alone makes answers worse, at zero it is as if it were not there."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cosim.chip.hardware import Arrays, Hardware, LinearAdc
from cosim.chip.pulses import PwmInputs
from cosim.evaluation import accuracy_change, ideal_hardware
from cosim.evaluation.evaluator import evaluate
from cosim.evaluation.statistics import paired_difference
from cosim.report import RunOptions
from cosim.studies.error_sources.run import (
    BITS,
    COMMON,
    STUDY,
    ErrorSourcesSettings,
    HardwareBench,
    error_sources,
    only_programming,
    only_reading,
    ramps_with,
)
from cosim.tasks import is_here, load_task
from cosim.training import TrainingSettings, train_task
from netlists.errors import InputError
from netlists.technology.profile import load_profile

PROFILE = load_profile("taox-100-400")


@pytest.fixture(scope="module")
def bench():
    task = load_task("digits")
    network = train_task(task, seed=1, settings=TrainingSettings(n_hidden=16, epochs=20, learning_rate=5e-3, weight_decay=0.3))
    return HardwareBench(network, task.test, chips=8, seed=1)


def scores(bench, hardware, seed=1):
    return evaluate(bench.network, bench.data, hardware, 2, np.random.default_rng(seed), dtype=np.float64).scores


def test_threshold_noise_separates_the_resolutions_and_quantisation_hardly_does(bench):
    rows = pd.DataFrame(bench.separation())
    for noise, group in rows.groupby("threshold_noise_lsb"):
        accuracy = [*group["accuracy"], group["against_accuracy"].iloc[-1]]
        if noise == 0:
            assert accuracy[0] - accuracy[-1] < 0.08
        else:
            assert accuracy[0] > accuracy[1] > accuracy[2]
            assert (group["chips_low"] > 0).all()
            assert group["low"].iloc[-1] > 0
    loss = rows[rows["against_bits"] == 3].set_index("threshold_noise_lsb")["change"]
    assert loss[1.0] > loss[0.5] > loss[0.0]


def test_each_source_alone_makes_answers_worse(bench):
    """At 3 bits, the last amount of each source. What a read voltage does depends on its direction: tested by itself."""
    largest = {s.name: s for s in error_sources() if not s.name.startswith("V_read")}
    for name, source in largest.items():
        reference = bench.built(source.reference, 3)
        change = accuracy_change(bench.built(source.hardware, 3), reference)
        assert change.value < 0.005, name
    assert {"comparator offset", "conversion noise", "threshold noise", "IR drop", "drift"} <= set(largest)


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (Hardware(bits=4, threshold_noise=0.5), Hardware(bits=4, threshold_noise=2.0)),
        (ramps_with(4, 16, 8, np.random.default_rng(1), offset=0.1), ramps_with(4, 16, 8, np.random.default_rng(1), offset=1.0)),
        (ramps_with(4, 16, 8, np.random.default_rng(1), noise=0.1), ramps_with(4, 16, 8, np.random.default_rng(1), noise=2.0)),
        (
            Hardware(bits=4, arrays=Arrays(only_programming(PROFILE))),
            Hardware(bits=4, arrays=Arrays(only_programming(PROFILE, 16))),
        ),
        (Hardware(bits=4, arrays=Arrays(only_reading(PROFILE))), Hardware(bits=4, arrays=Arrays(only_reading(PROFILE, 200)))),
        (
            Hardware(bits=4, arrays=Arrays(PROFILE.without_variation(), r_row=0.1, r_col=0.1)),
            Hardware(bits=4, arrays=Arrays(PROFILE.without_variation(), r_row=8, r_col=8)),
        ),
        (Hardware(bits=4, pwm=PwmInputs(5)), Hardware(bits=4, pwm=PwmInputs(2))),
        (Hardware(adc=LinearAdc(4, table_bits=4), v_read=0.19), Hardware(adc=LinearAdc(4, table_bits=4), v_read=0.08)),
    ],
    ids=["threshold noise", "offset", "conversion noise", "programming", "reading", "IR drop", "pulse widths", "V_read"],
)
def test_much_of_a_source_is_clearly_worse_than_little(bench, small, large):
    change = accuracy_change(bench.correct(large), bench.correct(small))
    assert change.high < 0


def test_drift_is_worse_with_time(bench):
    profile = replace(load_profile("hfox-wan-1-40"), program_sigma=0.0, read_sigma=0.0)
    none, day = (
        Hardware(bits=4, arrays=Arrays(p, drift_time=t)) for p, t in ((profile.without_variation(), None), (profile, 86400.0))
    )
    assert accuracy_change(bench.correct(day), np.repeat(bench.correct(none), 8, axis=0)).over_chips.high < 0


@pytest.mark.parametrize("bits", BITS)
def test_each_source_at_zero_is_as_if_it_were_not_there(bench, bits):
    ideal = scores(bench, Hardware(bits=bits))
    rng = np.random.default_rng(3)
    exactly = {
        "no offset, no noise": ramps_with(bits, 16, 2, rng),
        "threshold noise": Hardware(bits=bits, threshold_noise=0.0),
        "V_read at its nominal": Hardware(bits=bits, v_read=0.2),
    }
    for name, hardware in exactly.items():
        np.testing.assert_array_equal(scores(bench, hardware), np.broadcast_to(ideal, (2, *ideal.shape[1:])), err_msg=name)
    adc = LinearAdc(bits)
    np.testing.assert_array_equal(
        scores(bench, Hardware(adc=replace(adc, offset_sigma=0.0, noise_sigma=0.0))), scores(bench, Hardware(adc=adc))
    )
    # Weights as conductances and back are the weights but for rounding, which a conversion may turn into another code.
    exact = scores(bench, Hardware())
    for arrays in (
        Arrays(only_programming(PROFILE, 0.0)),
        Arrays(only_reading(PROFILE, 0.0)),
        Arrays(PROFILE.without_variation(), r_row=0.0, r_col=0.0),
    ):
        np.testing.assert_allclose(scores(bench, Hardware(arrays=arrays)), exact, atol=1e-9)


def test_sources_at_nearly_zero_come_to_their_absence(bench):
    exact = scores(bench, Hardware())
    perfect = PROFILE.without_variation()
    for arrays in (
        Arrays(only_programming(PROFILE, 1e-9)),
        Arrays(only_reading(PROFILE, 1e-9)),
        Arrays(perfect, r_row=1e-7, r_col=1e-7),
    ):
        np.testing.assert_allclose(scores(bench, Hardware(arrays=arrays)), exact, atol=1e-5)


def test_a_ramp_in_memory_follows_its_read_voltage_and_a_fixed_reference_does_not(bench):
    low = Hardware(bits=4, v_read=0.08)
    np.testing.assert_array_equal(scores(bench, low), scores(bench, ideal_hardware(low)))
    adc = Hardware(adc=LinearAdc(4), v_read=0.08)
    assert np.abs(scores(bench, adc) - scores(bench, ideal_hardware(adc))).max() > 0.1


def test_change_over_one_chip_is_the_paired_difference(bench):
    rng = np.random.default_rng(5)
    a, b = rng.random(200) < 0.9, rng.random(200) < 0.8
    change, pair = accuracy_change(a[None], b), paired_difference(a, b)
    np.testing.assert_allclose([change.value, change.low, change.high, *change.p], [pair.value, pair.low, pair.high, pair.p])
    assert change.over_chips.low is None


def test_interval_of_a_change_covers_the_truth():
    """Items whose chance of being right is 0.03 higher on the chips: 95 % intervals hold 0.03 about 95 % of the time."""
    rng = np.random.default_rng(6)
    inside = 0
    for _ in range(200):
        easy = np.clip(rng.normal(0.8, 0.2, 300), 0, 0.97)
        reference, chips = rng.random(300) < easy, rng.random((4, 300)) < easy + 0.03
        change = accuracy_change(chips, reference)
        inside += change.low <= 0.03 <= change.high
    assert 0.9 <= inside / 200 <= 0.99


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"chips": 1}, "chips=1"),
        ({"seed": -1}, "seed=-1"),
        ({"tasks": ()}, "tasks="),
        ({"tasks": ("cats",)}, "task='cats'"),
        ({"tasks": ("digits",), "networks": "nowhere"}, r"networks='nowhere': holds no digits-\*.npz"),
    ],
)
def test_bad_use_is_named(tmp_path, options, names):
    with pytest.raises(InputError, match=names):
        STUDY.run(ErrorSourcesSettings(**options), tmp_path / "out", RunOptions())
    assert not (tmp_path / "out").exists()


def test_a_language_model_is_refused(tmp_path):
    if not is_here("sotu"):
        pytest.skip("the text is not cached")
    with pytest.raises(InputError, match="language modelling"):
        STUDY.run(ErrorSourcesSettings(tasks=("sotu",)), tmp_path / "out", RunOptions())


def test_whole_study_writes_tables_pictures_and_where_they_come_from(tmp_path, monkeypatch):
    task = load_task("digits")
    few = replace(task, test=task.test.select(np.arange(0, len(task.test.labels), 16)))
    monkeypatch.setattr("cosim.studies.error_sources.run.load_task", lambda name: few)
    monkeypatch.setitem(COMMON, "epochs", 2)
    summary = STUDY.run(ErrorSourcesSettings(tasks=("digits",), chips=2, seed=3), tmp_path, RunOptions(progress=False))
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert summary["seed"] == 3
    assert summary["versions"]["numpy"] == np.__version__
    table = pd.read_csv(tmp_path / "sources.csv")
    assert len(table) == 2 * len(BITS) * (1 + len(error_sources()))
    assert set(table["bits"]) == set(BITS)
    np.testing.assert_allclose(table["accuracy"] - table["reference"], table["change"], atol=1e-12)
    assert (tmp_path / "pictures" / "digits.png").stat().st_size > 10_000
    assert len(list((tmp_path / "networks").glob("*.npz"))) == 2


@pytest.mark.slow
@pytest.mark.skipif(not is_here("voices"), reason="voices are not cached: cosim tasks get voices")
def test_voices_separate_by_threshold_noise(tmp_path):
    summary = STUDY.run(ErrorSourcesSettings(), tmp_path, RunOptions(progress=False))
    rows = pd.DataFrame(summary["separation"])
    rows = rows[rows["training"] == "plain"].set_index(["threshold_noise_lsb", "against_bits"])
    assert abs(rows.loc[(0.0, 4), "change"]) < 0.02
    assert abs(rows.loc[(0.0, 3), "change"]) < 0.02
    assert rows.loc[(1.0, 4), "low"] > 0
    assert rows.loc[(0.5, 3), "low"] > 0
    assert rows.loc[(1.0, 3), "low"] > 0.1
    sources = pd.DataFrame(summary["sources"])
    worst = sources[(sources["training"] == "plain") & (sources["bits"] == 3)].groupby("source")["change"].min()
    for name in ("comparator offset", "threshold noise", "programming error", "IR drop", "drift", "pulse widths"):
        assert worst[name] < 0, name


def test_networks_of_ones_own_take_the_place_of_trained_ones(tmp_path, bench, monkeypatch):
    task = load_task("digits")
    few = replace(task, test=task.test.select(np.arange(0, len(task.test.labels), 16)))
    monkeypatch.setattr("cosim.studies.error_sources.run.load_task", lambda name: few)
    bench.network.save(tmp_path / "mine" / "digits-my-way.npz")
    settings = ErrorSourcesSettings(tasks=("digits",), chips=2, networks=str(tmp_path / "mine"))
    summary = STUDY.run(settings, tmp_path / "out", RunOptions(progress=False))
    (row,) = summary["networks"]
    assert (row["training"], row["network_sha256"]) == ("my way", bench.network.sha256)
    assert row["settings"]["weight_decay"] == 0.3
    assert not (tmp_path / "out" / "networks").exists()
    assert "trained my way" in (tmp_path / "out" / "report.html").read_text()
    np.savez(tmp_path / "mine" / "digits-other.npz", weights=np.ones(3))
    with pytest.raises(InputError, match="digits-other"):
        STUDY.run(settings, tmp_path / "again", RunOptions(progress=False))
