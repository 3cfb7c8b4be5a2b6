"""Cells in tables of laboratories: which rows are one cell, and that each counts once."""

import numpy as np
import pandas as pd
import pytest

from characterization.devices import fit_profile, read_tables, sort_cells
from netlists.errors import InputError

TARGETS = (100.0, 200.0)


@pytest.fixture
def made(tmp_path):
    """Writes a table and returns its path."""

    def write(frame, name="t.csv"):
        frame.to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return write


def cells_of(*paths, **options):
    return sort_cells(read_tables(list(paths)), **options)


def cells(n=40, seed=0, **more):
    """One row a cell, two targets."""
    rng = np.random.default_rng(seed)
    target = np.array([TARGETS[k % 2] for k in range(n)])
    frame = pd.DataFrame({"cell": [f"c{k}" for k in range(n)], "target_uS": target, "measured_uS": target + rng.normal(0, 1, n)})
    return frame.assign(**more)


def over_times(frame, times=(1.0, 10.0, 100.0)):
    return pd.concat([frame.assign(time_s=t) for t in times], ignore_index=True)


def stuck(frame, n, conductance=5.0):
    out = frame.assign(note="")
    out.loc[out.index[:n], ["note", "measured_uS"]] = "stuck", conductance
    return out


def test_a_cell_that_was_written_to_several_targets_is_one_cell(made):
    again = pd.concat([stuck(cells(), 4).assign(target_uS=t) for t in TARGETS], ignore_index=True)
    found = cells_of(made(again))
    assert (len(found.stuck), found.cells, len(found.written)) == (4, 40, 72)


def test_stuck_cells_without_names_count_once_and_not_at_each_time(made):
    found = cells_of(made(over_times(stuck(cells(), 4)).drop(columns="cell")))
    assert (len(found.stuck), found.cells, len(found.written)) == (4, 40, 36)
    assert any("at the time with most of them" in line for line in found.said)


def test_cells_of_one_name_on_two_chips_are_two(made):
    table = pd.concat([stuck(cells(), 1 if chip == "A" else 0).assign(chip=chip, wafer="W1") for chip in "ABC"])
    found = cells_of(made(table))
    assert (len(found.stuck), found.cells, len(found.written)) == (1, 120, 119)
    assert found.stuck["cell"].tolist() == ["A, W1, c0"]
    assert not any("stand above them" in w for w in found.warnings)


def test_row_and_column_say_which_cell_it_is(made):
    table = over_times(stuck(cells(), 0).assign(row=np.arange(40) // 8, col=np.arange(40) % 8).drop(columns="cell"))
    table.loc[(table["time_s"] == 100) & (table["row"] == 0), "note"] = "stuck"
    found = cells_of(made(table))
    assert (len(found.stuck), found.cells, len(found.written)) == (8, 40, 32)


def test_a_cell_without_its_first_value_tells_no_written_error(made):
    table = over_times(cells(80), (1.0, 1e4))
    table.loc[table["time_s"] > 1, "measured_uS"] -= 20
    table.loc[:9, "measured_uS"] = np.nan
    found = cells_of(made(table))
    assert len(found.written) == 70
    assert found.written["error"].abs().max() < 5e-6
    assert "t.csv: 10 cells have no value at the earliest time of their target" in " ".join(found.warnings)
    assert (found.drift["time"] == 1e4).sum() == 80


def test_two_tables_of_the_same_cells(made):
    """A cell that is noted as stuck in one is stuck in the other; its later values are no written error."""
    first = stuck(cells(), 4)
    later = over_times(first.drop(columns="note"), (3600.0, 36000.0))
    later["measured_uS"] -= 20
    for order in (1, -1):
        found = cells_of(*(made(first, "written.csv"), made(later, "later.csv"))[::order])
        assert (len(found.stuck), found.cells, len(found.written), len(found.drift)) == (4, 40, 36, 72)
        assert found.written["error"].abs().max() < 5e-6
        assert any("40 cells have names of" in w for w in found.warnings)
        assert any("drift counts from 3600 s" in w for w in found.warnings)


def test_a_file_under_another_name_is_not_counted_twice(made):
    with pytest.raises(InputError, match=r"b\.csv is .*a\.csv once more"):
        cells_of(made(cells(), "a.csv"), made(cells(), "b.csv"))


def test_a_path_that_is_given_twice_is_not_counted_twice(made):
    path = made(cells(), "a.csv")
    with pytest.raises(InputError, match="once more"):
        cells_of(path, path)


def test_two_tables_of_one_time_each_tell_the_drift_of_their_cells(made):
    later = cells(time_s=3600.0)
    later["measured_uS"] -= 20
    found = cells_of(made(cells(time_s=1.0), "first.csv"), made(later, "later.csv"))
    assert (len(found.written), len(found.drift)) == (40, 80)
    assert found.drift.loc[found.drift["time"] == 3600, "deviation"].mean() == pytest.approx(-20e-6, abs=1e-6)
    assert found.written["error"].abs().max() < 5e-6


def test_a_later_value_of_a_written_cell_is_no_second_one(made):
    """Ten of the twenty cells that were read after a second stand in a table without times too."""
    found = cells_of(made(cells(10), "written.csv"), made(over_times(cells(20)), "later.csv"))
    assert (len(found.written), found.cells, len(found.drift)) == (20, 20, 60)


def test_errors_of_different_ages_are_said(made):
    first, later = (cells(time_s=t).drop(columns="cell") for t in (1.0, 3600.0))
    found = cells_of(made(first, "first.csv"), made(later, "later.csv"))
    assert any("2 targets have their first value at different times, 1 to 3600 s" in w for w in found.warnings)
    assert not cells_of(made(over_times(first))).warnings


def test_tables_of_one_name_in_two_folders_are_two(made, tmp_path):
    (tmp_path / "A").mkdir()
    (tmp_path / "B").mkdir()
    first = over_times(cells(), (1.0, 10.0)).drop(columns="cell")
    second = over_times(cells(seed=3), (1.5, 15.0)).drop(columns="cell")
    assert len(cells_of(made(first, "A/t.csv"), made(second, "B/t.csv")).written) == 80


@pytest.mark.parametrize("name", ["temp_C", "Temperature [°C]", "T (K)"])
def test_temperatures_are_not_mixed(made, name):
    two = pd.concat([cells(), cells(seed=1)]).assign(**{name: np.repeat([25.0, 85.0], 40)}).drop(columns="cell")
    with pytest.raises(InputError, match=r"has 2 values, 25, 85: a profile is of one temperature"):
        cells_of(made(two))
    with pytest.raises(InputError, match=r"a\.csv has 25, b\.csv has 85"):
        cells_of(made(cells().assign(**{name: 25}), "a.csv"), made(cells(seed=1).assign(**{name: 85}), "b.csv"))
    assert cells_of(made(cells().assign(**{name: 25}))).cells == 40
    same = made(cells().assign(**{name: "25"}), "a.csv"), made(cells(seed=1).assign(**{name: "25.0"}), "b.csv")
    assert len(cells_of(*same).written) == 80


def test_a_temperature_that_was_logged_is_one(made):
    (table,) = read_tables([made(cells().assign(temp_C=[f"{9.3 + 0.05 * (k % 20):.2f}" for k in range(40)]))])
    assert "9.3 to 10.25 of temp_C taken for one temperature" in table.describe()
    with pytest.raises(InputError, match=r"has 2 values, 9\.5, 12:"):
        cells_of(made(cells().assign(temp_C=["12", "9.5"] * 20)))


def test_notes_that_say_no(made):
    table = cells().assign(note=["not stuck", "shorted", "open-circuit", "cracked open"] + [""] * 36)
    found = cells_of(made(table))
    assert found.stuck["note"].tolist() == ["shorted", "open-circuit", "cracked open"]
    assert any("'not stuck'" in w for w in found.warnings)


@pytest.mark.parametrize(("word", "no"), [(True, False), (1, 0), ("on", ""), ("SA0", "no"), ("T", "F")])
def test_a_column_that_says_whether_a_cell_is_stuck(made, word, no):
    assert len(cells_of(made(cells().assign(stuck=[word] * 3 + [no] * 37))).stuck) == 3


def trace(apart=0.01, jitter=0.0):
    rng = np.random.default_rng(2)
    rows = []
    for cell, target in (("a", 100.0), ("b", 200.0)):
        time = np.cumsum(apart * (1 + jitter * rng.uniform(-1, 1, 200)))
        rows.append(pd.DataFrame({"cell": cell, "target_uS": target, "read": range(200), "time_s": time}))
    table = pd.concat(rows)
    return table.assign(measured_uS=table["target_uS"] + rng.normal(0, 0.1, 400))


@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_times_of_reads_are_not_times_of_drift(made, jitter):
    found = cells_of(made(cells(), "w.csv"), made(trace(jitter=jitter), "r.csv"))
    assert [len(y) for *_, y in found.reads] == [200, 200]
    assert found.read_interval == pytest.approx(0.01, rel=0.05)
    assert len(found.drift) == 0


def test_tables_of_reads_count_their_own_series_and_have_one_time_between_reads(made):
    first = made(trace(), "r1.csv")
    found = cells_of(made(cells(), "w.csv"), first, made(trace(jitter=0.1), "r2.csv"))
    assert sum("2 series of 50 reads or more" in line for line in found.said) == 2
    with pytest.raises(InputError, match=r"r2\.csv: its reads are 10 s apart, those of another table 0\.01 s"):
        cells_of(made(cells(), "w.csv"), first, made(trace(apart=10.0), "r2.csv"))


def test_a_stuck_cell_whose_trace_begins_later_is_found(made):
    table = trace()
    late = table["cell"] == "b"
    table.loc[late, "time_s"] += 5
    table.loc[late, "measured_uS"] -= 60
    assert cells_of(made(table), stuck_beyond=10e-6).stuck["cell"].tolist() == ["b"]


def test_a_table_of_reads_of_stuck_cells_alone(made):
    found = cells_of(made(trace().assign(note="stuck")))
    assert (len(found.stuck), found.cells, len(found.written), found.reads) == (2, 2, 0, [])


def test_two_times_of_numbered_reads_are_drift(made):
    table = pd.concat([cells(time_s=t, read=k) for k, t in enumerate((1.0, 1000.0))])
    found = cells_of(made(table))
    assert (len(found.written), len(found.drift), found.read_interval) == (40, 80, None)
    # Of a table that tells read noise alone they are what is between its reads.
    assert cells_of(made(cells(), "w.csv"), made(table, "r.csv")).read_interval == 999


def test_reads_at_a_few_times_of_drift_are_series_of_each_time(made):
    table = pd.concat([trace().assign(time_s=t) for t in (1.0, 100.0)])
    assert len(cells_of(made(cells(), "w.csv"), made(table, "r.csv")).reads) == 4


def iv(v, sign=1.0):
    return pd.DataFrame({"V_V": v, "I_uA": sign * 100 * (v + 0.5 * v**3)})


def fit_with(made, sweep):
    found = cells_of(made(cells(), "w.csv"), made(sweep, "iv.csv"))
    return fit_profile(found, "mine", given={"g_hrs": 5e-6}, draws=19)


def test_magnitudes_of_a_sweep_through_zero(made):
    table = iv(np.linspace(-0.3, 0.3, 41))
    assert fit_with(made, table.assign(I_uA=table["I_uA"].abs())).profile.iv_curvature == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("v", "said"),
    [
        (np.random.default_rng(0).permutation(np.linspace(-0.3, 0.3, 41)), "1 of 1 sweeps have no 6 voltages in a row"),
        (np.linspace(-1, 1, 11), "1 of 1 parts of I-V sweeps have fewer than 6 points"),
        (np.full(30, 0.2), "1 of 1 parts of I-V sweeps have fewer than 6 points, or 3 voltages"),
    ],
)
def test_sweeps_that_are_left_out_are_counted(made, v, said):
    fit = fit_with(made, iv(v))
    assert not fit.curves
    assert any(said in w for w in fit.warnings)


def test_cells_that_draw_together_are_said(made):
    """Planted: the spread falls to a third; cells drawn from a profile cannot do that."""
    table = over_times(cells(400), (1.0, 100.0))
    late = table["time_s"] > 1
    table.loc[late, "measured_uS"] -= (table["measured_uS"] - table["target_uS"])[late] * 2 / 3
    warnings = fit_profile(cells_of(made(table)), "mine", given={"g_hrs": 5e-6}, draws=19).warnings
    assert any("closer together than at first" in w for w in warnings)


def test_a_cell_that_drifts_is_not_stuck(made):
    """All drift by 20 uS; two are 50 uS off from the first, and count as stuck at a distance of 10."""
    table = over_times(cells(60), (1.0, 100.0))
    table.loc[table["time_s"] > 1, "measured_uS"] -= 20
    table.loc[table["cell"].isin(["c0", "c1"]), "measured_uS"] += 50
    for frame in (table, table.drop(columns="cell")):
        found = cells_of(made(frame), stuck_beyond=10e-6)
        assert (len(found.stuck), found.cells, len(found.written)) == (2, 60, 58)


def test_a_few_reads_of_many_cells_without_targets_have_the_noise_that_was_planted(made):
    """Two reads of a cell have one degree of freedom: a spread by cell would be too small in the mean, and wild."""
    rng = np.random.default_rng(1)
    g = np.repeat(rng.uniform(20, 200, 400), 2)
    table = pd.DataFrame({"cell": np.repeat(np.arange(400), 2), "read": np.tile([0, 1], 400)})
    table["G_uS"] = g + (0.1 + 0.001 * g) * rng.normal(0, 1, 800)
    found = cells_of(made(cells(), "w.csv"), made(table, "r.csv"))
    profile = fit_profile(found, "mine", given={"g_hrs": 5e-6}, draws=19).profile
    at = np.array([40.0, 110.0, 180.0])
    assert 1e6 * profile.read_sigma_at(1e-6 * at) == pytest.approx(0.1 + 0.001 * at, rel=0.25)
    assert len(profile.read_sigma_shape) == 8


def test_noise_that_differs_from_cell_to_cell_is_said(made):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"cell": np.repeat(["a", "b"], 100), "target_uS": 100.0, "read": np.tile(range(100), 2)})
    for scale, said in ((0.1, False), (0.5, True)):
        table["G_uS"] = 100 + np.repeat([0.1, scale], 100) * rng.normal(0, 1, 200)
        found = cells_of(made(cells(), "w.csv"), made(table, "r.csv"))
        warnings = fit_profile(found, "mine", given={"g_hrs": 5e-6}, draws=19).warnings
        assert any("read noise differs from cell to cell, at 100 uS" in w for w in warnings) is said
