"""Runs: the same numbers whatever the jobs and the number of samples; the tables, the manifest, and what is refused.

What happens to runs that are killed, cut off or damaged is in test_run_faults.py.
"""

import base64
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import characterization.chips.batch
import characterization.run.montecarlo as montecarlo
from characterization.chips.batch import measure_batch, nominal_deck
from characterization.plan.plan import RampPlan
from characterization.plan.points import Sampling
from characterization.ramp_model.model import RampModel
from characterization.run.montecarlo import BATCH, TABLES, characterize, load_run, simulate_run
from characterization.run.rows import measured_rows
from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of
from netlists.spice.program import read_transitions, run_batch

SAMPLES = 40


def same(a, b):
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), check_exact=True)


@pytest.fixture(scope="module")
def program3(plan3):
    """The plan's own program, which allows for the op-amp."""
    return plan3.program()


@pytest.fixture(scope="module")
def whole(plan3):
    """The uninterrupted run, in memory, with one job."""
    return simulate_run(plan3, SAMPLES, progress=False)


@pytest.fixture(scope="module")
def stored(plan3, tmp_path_factory):
    """A finished run on disk, made by two workers."""
    folder = tmp_path_factory.mktemp("runs") / "sigmoid3"
    characterize(plan3, SAMPLES, folder, jobs=2, progress=False)
    return folder


@pytest.fixture
def copied(stored, tmp_path):
    return Path(shutil.copytree(stored, tmp_path / "run"))


def test_numbers_do_not_depend_on_the_jobs(whole, stored):
    same(load_run(stored), whole)


def test_tables(whole, stored, plan3, program3):
    table = pd.read_parquet(stored / "transitions.parquet")
    assert list(table.columns) == ["sample", "k", "x_ideal", "x", "calibrated", "status"]
    assert len(table) == 2 * SAMPLES * 7
    assert set(table["status"]) == {"ok"}
    np.testing.assert_allclose(table.groupby("k")["x_ideal"].first(), program3.x)
    assert whole.failed == 0
    before, after = (whole.levels(calibrated=c) for c in (False, True))
    assert before.shape == after.shape == whole.conversion_levels().shape == (SAMPLES, 7)
    # Calibration takes the error at x = 0, which is level 4, away.
    assert after[:, 3].std() < 0.3 * before[:, 3].std()
    assert set(whole.samples["seed"]) == {7}


def test_manifest(stored, plan3):
    manifest = json.loads((stored / "manifest.json").read_text())
    assert manifest["state"] == "complete"
    assert (manifest["samples"], manifest["failed"], manifest["jobs"]) == (SAMPLES, 0, 2)
    assert RampPlan.from_dict(manifest["plan"]) == plan3
    assert manifest["plan_sha256"] == plan3.sha256
    assert manifest["deck_sha256"] == nominal_deck(plan3).sha256
    assert manifest["versions"]["libngspice"]


@pytest.mark.usefixtures("batches_here")
def test_fewer_and_more_samples_are_the_same_rows(whole, copied, plan3):
    few = characterize(plan3, 10, copied, progress=False)
    assert len(few.samples) == 10
    for name in TABLES:
        rows = getattr(whole, name)
        pd.testing.assert_frame_equal(getattr(few, name), rows[rows["sample"] < 10].reset_index(drop=True), check_exact=True)
    more = characterize(plan3, 50, copied, progress=False)
    assert len(more.samples) == 50
    rows = more.transitions[more.transitions["sample"] < SAMPLES].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, whole.transitions, check_exact=True)


def test_a_finished_run_is_not_simulated_again(copied, whole, plan3, monkeypatch):
    monkeypatch.setattr(montecarlo, "parallel", None)
    before = {name: sha256_of(copied / f"{name}.parquet") for name in TABLES}
    (copied / "transitions.parquet").unlink()
    same(characterize(plan3, SAMPLES, copied, progress=False), whole)
    assert {name: sha256_of(copied / f"{name}.parquet") for name in TABLES} == before
    assert json.loads((copied / "manifest.json").read_text())["simulated_now"] == 0


def test_levels_of_a_stored_run_are_those_of_its_tables(stored, whole):
    run = load_run(stored)
    for calibrated in (False, True):
        np.testing.assert_array_equal(run.levels(calibrated=calibrated), whole.levels(calibrated=calibrated))
    np.testing.assert_array_equal(run.conversion_levels(), whole.conversion_levels())
    assert run.failed == 0


def test_batch_size_moves_the_levels_by_the_time_steps_of_ngspice_only(whole, plan3, program3):
    """Decks of other sizes have other time steps; the levels must agree to 5e-3 LSB."""
    small = simulate_run(plan3, 8, batch=3, progress=False)
    for calibrated in (False, True):
        difference = small.levels(calibrated=calibrated) - whole.levels(calibrated=calibrated)[:8]
        assert np.abs(difference / program3.lsb.min()).max() < 5e-3


@pytest.mark.usefixtures("batches_here")
def test_the_numbers_do_not_depend_on_the_runner(whole, plan3, program3, tmp_path):
    run = characterize(plan3, BATCH, tmp_path / "run", runner="batch", progress=False)
    for calibrated in (False, True):
        difference = run.levels(calibrated=calibrated) - whole.levels(calibrated=calibrated)[:BATCH]
        assert np.abs(difference / program3.lsb.min()).max() < 5e-3
    with pytest.raises(InputError, match="runner='other': unknown; allowed are shared, batch"):
        characterize(plan3, BATCH, tmp_path / "other", runner="other", progress=False)


def test_a_measurement_that_the_plan_leaves_out_is_no_failure(plan3):
    run = simulate_run(replace(plan3, conversions=False), 2, batch=2, progress=False)
    assert run.failed == 0
    assert np.isnan(run.conversion_levels()).all()


@pytest.mark.usefixtures("batches_here")
def test_a_latin_hypercube_has_its_own_number_of_samples(plan3, tmp_path):
    plan = replace(plan3, sampling=Sampling("latin-hypercube", 5))
    run = characterize(plan, 5, tmp_path / "run", batch=4, progress=False)
    assert run.levels(calibrated=True).shape == (5, 7)
    with pytest.raises(InputError, match="samples=6: the plan's latin-hypercube has 5"):
        characterize(plan, 6, tmp_path / "run", batch=4, progress=False)


def test_another_batch_size_in_the_folder_is_refused(copied, plan3):
    with pytest.raises(InputError, match="its run has batch=16, not 8"):
        characterize(plan3, SAMPLES, copied, batch=8, progress=False)


def test_another_plan_in_the_folder_is_refused(copied, plan3):
    other = replace(plan3, circuit=plan3.circuit.with_(gbw=2e9), seed=8)
    with pytest.raises(InputError, match=r"holds a run of another plan \(circuit.gbw: 136320000.0 != 2000000000.0; seed: 7 != 8\)"):
        characterize(other, SAMPLES, copied, progress=False)
    assert load_run(copied).plan == plan3


def test_a_foreign_folder_is_left_alone(tmp_path, plan3):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no run; choose another folder"):
        characterize(plan3, 16, tmp_path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.usefixtures("batches_here")
def test_a_run_killed_while_it_wrote_its_first_manifest(tmp_path, plan3, whole):
    (tmp_path / ".manifest.json.99.tmp").write_text("{")
    assert len(characterize(plan3, 2, tmp_path, progress=False).samples) == 2


@pytest.mark.parametrize("content", ["[]", "{}", '{"plan": 3, "schema": 1}', "{", '{"schema": 2, "state": "complete"}'])
def test_a_foreign_manifest(content, tmp_path, plan3):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError):
        characterize(plan3, 16, tmp_path, progress=False)
    with pytest.raises(InputError):
        load_run(tmp_path)


def test_folders_that_cannot_be_written(tmp_path, plan3):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "run", Path("/proc/nothing/run")):
        with pytest.raises(ToolkitError, match="the folder cannot be created"):
            characterize(plan3, 16, folder, progress=False)


def test_no_run_in_the_folder(tmp_path):
    with pytest.raises(InputError, match="there is no such run manifest"):
        load_run(tmp_path)


def numbers(data, at=()):
    """Places of all numbers in JSON data."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from numbers(value, (*at, key))
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield at


def test_no_changed_number_of_a_stored_plan_is_accepted(copied):
    path = copied / "manifest.json"
    manifest = json.loads(path.read_text())
    places = list(numbers(manifest["plan"]))
    assert len(places) > 30
    for *above, last in places:
        changed = json.loads(json.dumps(manifest))
        inner = changed["plan"]
        for key in above:
            inner = inner[key]
        inner[last] = inner[last] * 1.01 + 1
        path.write_text(json.dumps(changed))
        with pytest.raises(InputError, match="its plan does not match its checksum"):
            load_run(copied)


def test_a_damaged_table(copied):
    (copied / "samples.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match=r"samples\.parquet: a table of the run is damaged"):
        load_run(copied)
    (copied / "samples.parquet").unlink()
    with pytest.raises(InputError, match=r"samples\.parquet: a table of the run cannot be read"):
        load_run(copied)


@pytest.mark.parametrize(("samples", "jobs"), [(0, 1), (-3, 1), (2.5, 1), (True, 1), (16, 0), (16, -1), (16, 1.5)])
def test_bad_counts(samples, jobs, tmp_path, plan3):
    for run in (lambda: characterize(plan3, samples, tmp_path / "x", jobs=jobs), lambda: simulate_run(plan3, samples, jobs=jobs)):
        with pytest.raises(InputError, match=r"must be a whole number,? 1"):
            run()
    assert not (tmp_path / "x").exists()


def test_what_was_not_measured_does_not_count_as_calibrated(plan3, program3, monkeypatch):
    real, calls = characterization.chips.batch.measure, []

    def first_call_loses_chip_2(*args, **options):
        found = real(*args, **options)
        calls.append(found)
        if len(calls) == 1:
            found.volts[2], found.status[2], found.message[2] = np.nan, "not bracketed", "somewhere"
        return found

    monkeypatch.setattr(characterization.chips.batch, "measure", first_call_loses_chip_2)
    batch = measure_batch(plan3, np.arange(4))
    assert batch.before.status == ["ok", "ok", "not bracketed", "ok"]
    assert batch.after.status == batch.conversion.status == ["ok", "ok", "not calibrated", "ok"]
    assert np.isnan(batch.after.volts[2]).all()
    assert np.isnan(batch.conversion.volts[2]).all()
    np.testing.assert_array_equal(batch.conductance[2], batch.drawn.conductance[2])


@pytest.mark.parametrize("calibration", ["two-point", "binary-search"])
def test_a_measurement_lost_during_the_calibration_is_told(calibration, plan3, program3, monkeypatch):
    real, calls = characterization.chips.batch.measure, []

    def second_call_loses_chip_2(*args, **options):
        found = real(*args, **options)
        calls.append(found)
        if len(calls) == 2:
            found.volts[2], found.status[2], found.message[2] = np.nan, "not bracketed", "somewhere"
        return found

    monkeypatch.setattr(characterization.chips.batch, "measure", second_call_loses_chip_2)
    plan = replace(plan3, calibration=calibration)
    batch = measure_batch(plan, np.arange(4))
    assert batch.before.status == ["ok"] * 4
    assert batch.after.status == batch.conversion.status == ["ok", "ok", "not calibrated", "ok"]
    assert np.isnan(batch.after.volts[2]).all()
    row = measured_rows(plan, batch).to_pylist()[2]
    assert (row["status"], row["message"]) == ("not calibrated", "a measurement during the calibration failed")


def test_nominal_deck_in_plain_ngspice(tmp_path, quiet3):
    """What a manifest hashes gives the levels of a run without variation."""
    path = nominal_deck(quiet3).write(tmp_path / "deck.cir")
    _, x, bracketed = read_transitions(run_batch(path))
    assert bracketed.all()
    run = simulate_run(quiet3, 2, progress=False)
    np.testing.assert_allclose(run.levels(calibrated=False), np.vstack([x, x]), atol=1e-3)


@pytest.mark.parametrize("timeout", [0, math.inf])
def test_bad_time_limits(timeout, tmp_path, plan3):
    with pytest.raises(InputError, match=r"timeout=.*: must be a finite number above 0 \(s\)"):
        characterize(plan3, 16, tmp_path / "x", timeout=timeout, progress=False)


def test_a_batch_is_as_many_as_a_deck_holds(plan3, tmp_path):
    for out in (None, tmp_path / "run"):
        for batch in (0, 4097):
            with pytest.raises(InputError, match=rf"batch={batch}: must be a whole number"):
                characterize(plan3, 1, out, batch=batch, progress=False)


def test_nan_parameters_are_refused_by_name(plan3):
    with pytest.raises(InputError, match="gbw=nan"):
        replace(plan3, circuit=plan3.circuit.with_(gbw=math.nan))
    with pytest.raises(InputError, match="comparator_offset=nan"):
        replace(plan3, variation=replace(plan3.variation, comparator_offset=math.nan))


def test_progress_goes_to_stderr(capsys, plan3, monkeypatch):
    monkeypatch.setattr("characterization.progress_bar.LINE_SECONDS", 0.0)
    simulate_run(plan3, 16)
    out, err = capsys.readouterr()
    assert out == ""
    assert "sigmoid 3 bit: 16 of 16 samples" in err


def test_without_a_folder_the_run_is_kept_in_memory(whole, plan3):
    run = characterize(plan3, 16, progress=False)
    np.testing.assert_array_equal(run.levels(calibrated=True), whole.levels(calibrated=True)[:16])
    with pytest.raises(InputError, match="out=None: a run on a cluster"):
        characterize(plan3, 16, cluster="tcp://nowhere:1")


def test_runs_and_models_say_what_they_are(whole, plan3):
    assert repr(plan3) == "RampPlan(sigmoid, 3 bits, level macro, seed 7, profile taox-100-400, calibration one-point)"
    assert repr(whole).endswith(f"(sigmoid, 3 bits, level macro, seed 7, {SAMPLES} samples (0 failed))")
    model = RampModel.fit(whole)
    assert repr(model) == str(model)
    assert repr(model).startswith(f"RampModel(sigmoid, 3 bits, level macro, seed 7, {SAMPLES} samples; held out: not validated yet")
    for shown, figure in ((whole._repr_html_(), "max_inl_in"), (model._repr_html_(), "sigma of a level")):
        assert figure in shown
        root = ElementTree.fromstring(f"<body>{shown}</body>")
        picture = base64.b64decode(root.find("img").get("src").partition("base64,")[2])
        assert picture.startswith(b"\x89PNG")
    assert f"{whole.figures().query('calibrated')['max_inl_in'].mean():.4g}" in whole._repr_html_()
