"""The study of calibration on small sizes: its bound by brute force, its ramps in closed form, its counts by hand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from characterization.chips.sampling import draw
from characterization.estimates.statistics import max_inl
from cosim.report.settings import RunOptions, load_settings
from cosim.studies.calibration import run as study
from cosim.studies.calibration.page import page
from cosim.studies.calibration.settings import AS_PROGRAMMED, BEST_SHIFT, CalibrationSettings
from cosim.studies.calibration.tables import least_max_inl
from netlists.errors import InputError
from netlists.ramp.closed_form import transition_levels
from netlists.ramp.compiler import CALIBRATION

QUIET = RunOptions(progress=False)
SETTINGS = CalibrationSettings(
    activations=("sigmoid",), bits=3, samples=8, calibrations=("one-point", "trim"), error_factors=(3.0,), stuck_rate=0.1
)
TABLES = ("calibration.csv", "yield.csv", "inl.csv", "ramps.csv", "chips.parquet")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("calibration")
    return out, study.STUDY.run(SETTINGS, out, QUIET)


def rows_of(out, name, **labels):
    table = pd.read_csv(out / name)
    for column, value in labels.items():
        table = table[table[column] == value]
    return table


def test_the_bound_of_a_shift_is_that_of_a_search():
    program = study.plan_of(SETTINGS, 0, "none").program()
    rng = np.random.default_rng(0)
    x = program.x + program.lsb * rng.standard_normal((20, len(program.x)))
    found = [minimize_scalar(lambda s, row=row: max_inl(row + s, program), bounds=(-20, 20), method="bounded").fun for row in x]
    np.testing.assert_allclose(least_max_inl(x, program), found, rtol=1e-4)
    assert np.isnan(least_max_inl(np.full((1, len(program.x)), np.nan), program)).all()


def test_chips_of_one_stuck_cell_are_those_of_which_one_ramp_cell_is_stuck():
    first = study.plan_of(SETTINGS, 0, "none").program()
    group = study.groups(SETTINGS, first.n_cells)[1]
    plan = study.plan_of(SETTINGS, 0, "one-point", group)
    program = plan.program()
    numbers = group.samples(plan, program, 40)
    stuck = draw(plan, np.arange(numbers[-1] + 1)).stuck
    one = (stuck.sum(axis=1) == 1) & ~stuck[:, program.step == CALIBRATION].any(axis=1)
    np.testing.assert_array_equal(numbers, np.flatnonzero(one))
    cells = np.argmax(stuck[numbers], axis=1)
    assert len(set(cells)) > 4
    assert program.scheme == first.scheme


def test_only_the_programming_error_of_its_group_is_larger():
    plain, *_, large = study.groups(SETTINGS, 13)
    assert large.name == "3 x programming error"
    assert replace(large.profile, program_sigma=plain.profile.program_sigma, program_window=plain.profile.program_window) == (
        plain.profile
    )
    assert large.profile.program_sigma == 3 * plain.profile.program_sigma
    assert large.profile.program_window == 3 * plain.profile.program_window


def test_one_point_calibration_moves_the_whole_ramp_onto_its_point(done):
    out, summary = done
    assert summary["failed"] == []
    program = study.plan_of(SETTINGS, 0, "none").program()
    ramps = pd.read_csv(out / "ramps.csv")
    plan = study.plan_of(SETTINGS, 0, "one-point", study.groups(SETTINGS, program.n_cells)[0])
    volts = program.volts_per_unit(plan.circuit)
    for _, chip in ramps.groupby(["group", "sample"]):
        shift = (chip["after_v"] - chip["before_v"]).to_numpy()
        # A shift in charge is one in volts but for the op-amp's gain: far below the smallest step.
        assert np.ptp(shift) < 0.02 * program.lsb.min() * volts
    # The lost step is not given back: the DNL stays.
    for group in ("full variation", "one cell stuck"):
        before, after = (
            rows_of(out, "calibration.csv", group=group, calibration=c)["max_dnl_median"].item()
            for c in (AS_PROGRAMMED, "one-point")
        )
        assert after == pytest.approx(before, abs=0.01)
    for row in rows_of(out, "calibration.csv", calibration="one-point").itertuples():
        if row.group != "10 % of cells stuck":
            assert row.point_error_worst < 0.15


def test_ramps_as_programmed_are_those_of_the_closed_form(done):
    out, _ = done
    n_cells = study.plan_of(SETTINGS, 0, "none").program().n_cells
    for group in study.groups(SETTINGS, n_cells):
        plan = study.plan_of(SETTINGS, 0, "one-point", group)
        program = plan.program()
        rows = rows_of(out, "ramps.csv", group=group.name)
        numbers = rows["sample"].unique()
        expected = transition_levels(program, plan.circuit, draw(plan, numbers).chips())
        np.testing.assert_allclose(rows["before_v"].to_numpy().reshape(expected.shape), expected, atol=1e-3)


def test_yields_are_counted_from_the_chips(done):
    out, summary = done
    chips = pd.read_parquet(out / "chips.parquet")
    assert len(chips) == 4 * 2 * 8
    yields = pd.read_csv(out / "yield.csv")
    assert len(yields) == 4 * 4 * 2
    for row in yields.itertuples():
        own = row.calibration if row.calibration in SETTINGS.calibrations else "one-point"
        here = chips[(chips["group"] == row.group) & (chips["calibration"] == own)]
        column = {AS_PROGRAMMED: "max_inl_before", BEST_SHIFT: "least_max_inl"}.get(row.calibration, "max_inl_after")
        passed = here[column] <= row.limit_lsb
        outside = here["max_inl_before"] > row.limit_lsb
        assert (row.passed, row.chips) == (passed.sum(), 8)
        exact = binomtest(int(passed.sum()), 8).proportion_ci(method="exact")
        assert (row.low, row.high) == pytest.approx((exact.low, exact.high), abs=1e-6)
        assert (row.rescued, row.outside_before) == ((passed & outside).sum(), outside.sum())
    assert json.loads((out / "summary.json").read_text()) == summary
    assert [r["passed"] for r in summary["yield"]] == yields["passed"].tolist()
    figures = rows_of(out, "calibration.csv", group="full variation", calibration="trim")
    here = chips[(chips["group"] == "full variation") & (chips["calibration"] == "trim")]
    assert figures["max_inl_worst"].item() == pytest.approx(here["max_inl_after"].max(), rel=1e-6)
    assert (chips[chips["group"] == "one cell stuck"]["stuck_ramp_cells"] == 1).all()


def test_a_stopped_study_goes_on(done, no_pictures, tmp_path, monkeypatch):
    out, summary = done
    measure_batch, calls = study.measure_batch, []

    def once(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return measure_batch(*arguments)

    monkeypatch.setattr(study, "measure_batch", once)
    with pytest.raises(KeyboardInterrupt):
        study.STUDY.run(SETTINGS, tmp_path, QUIET)
    with pytest.raises(InputError, match=r"stuck_rate: 0.1 there, 0.2 now"):
        study.STUDY.run(SETTINGS.model_copy(update={"stuck_rate": 0.2}), tmp_path, QUIET)
    again = study.STUDY.run(SETTINGS, tmp_path, QUIET)
    assert len(calls) == 9
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name
    assert again | {"wall_seconds": 0} == summary | {"wall_seconds": 0}
    assert not (tmp_path / ".parts").exists()
    for name in ("ramps-sigmoid.png", "inl-sigmoid.svg", "yield.png"):
        assert (out / "pictures" / name).stat().st_size > 10_000


def test_a_chip_that_fails_is_listed_and_does_not_pass(no_pictures, tmp_path, monkeypatch):
    measure_batch = study.measure_batch

    def failing(*arguments):
        batch = measure_batch(*arguments)
        for measured in (batch.before, batch.after):
            measured.volts[0] = np.nan
            measured.status[0], measured.message[0] = "not converged", "timestep too small"
        return batch

    monkeypatch.setattr(study, "measure_batch", failing)
    settings = SETTINGS.model_copy(update={"calibrations": ("one-point",), "error_factors": ()})
    summary = study.STUDY.run(settings, tmp_path, QUIET)
    assert len(summary["failed"]) == 3
    first = summary["failed"][0]
    assert (first["group"], first["seed"], first["sample"], first["status"]) == ("full variation", 1, 0, "not converged")
    assert "timestep too small" in first["message"]
    assert (rows_of(tmp_path, "calibration.csv")["failed"] == 1).all()
    assert (rows_of(tmp_path, "yield.csv")["chips"] == 8).all()
    assert rows_of(tmp_path, "yield.csv")["passed"].max() == 7
    assert "Failed to simulate: 3" in str([section.notes for section in page(tmp_path).sections])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("bits=9", "bits=9"),
        ("stuck_rate=1.5", "stuck_rate=1.5"),
        ("limits=[]", "limits"),
        ("error_factors=[0.0, 0.0]", "0.0 is there twice"),
        ("chips=3", "chips: unknown"),
    ],
)
def test_settings_that_do_not_fit(change, message):
    with pytest.raises(InputError, match=message):
        load_settings(CalibrationSettings, None, [change])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"calibrations": ("three-point",)}, "calibration='three-point': unknown"),
        ({"activations": ("gelu",)}, "take v_swing=0.8"),
        ({"profile": "tantalum"}, "profile='tantalum': unknown"),
    ],
)
def test_what_cannot_be_simulated_is_said_before_anything_is_written(change, message, tmp_path):
    with pytest.raises(InputError, match=message):
        study.STUDY.run(SETTINGS.model_copy(update=change), tmp_path / "x", QUIET)
    assert not (tmp_path / "x").exists()
