"""From tables to a profile: what is planted in a table comes back, what is not clear is refused by name."""

import numpy as np
import pandas as pd
import pytest

from characterization.devices import fit_profile, read_tables, sort_cells
from characterization.devices.curvature import fit_curve_of
from netlists.errors import InputError
from netlists.technology import load_profile, write_profile


@pytest.fixture
def made(tmp_path):
    """Writes a table and returns its path."""

    def write(name="t.csv", **columns):
        path = tmp_path / name
        pd.DataFrame(columns).to_csv(path, index=False)
        return path

    return write


def written(n=40, seed=0, **more):
    rng = np.random.default_rng(seed)
    target = np.repeat([100.0, 200.0, 300.0], n)
    return {"target_uS": target, "measured_uS": target + rng.uniform(-4, 3, 3 * n)} | more


def profile_of(*paths, **options):
    cells = sort_cells(read_tables(list(paths)), **{k: options.pop(k) for k in ("stuck_beyond",) if k in options})
    return fit_profile(cells, "mine", draws=19, **options)


def test_a_table_of_written_cells(made, tmp_path):
    table = written()
    fit = profile_of(made(**table), given={"g_hrs": 20e-6})
    p = fit.profile
    assert (p.g_min, p.g_max, p.g_hrs) == (100e-6, 300e-6, 20e-6)
    error = (table["measured_uS"] - table["target_uS"]).reshape(3, -1)
    assert 1e6 * p.program_sigma == pytest.approx(np.sqrt(np.mean(error.var(axis=1, ddof=1))), rel=1e-5)
    drawn = np.array([p.programmed(np.full(50_000, t), np.random.default_rng(1)) - t for t in (1e-4, 2e-4, 3e-4)])
    assert 1e6 * drawn.mean(axis=1) == pytest.approx(error.mean(axis=1), abs=0.05)
    assert 1e6 * drawn.std(axis=1) == pytest.approx(error.std(axis=1, ddof=1), rel=0.02)
    assert load_profile(write_profile(p, tmp_path / "mine.toml")) == p
    assert all("none" in w for w in fit.warnings)


def test_resampled_cells_have_the_table_s_errors_alone(made):
    table = written(n=10)
    p = profile_of(made(**table), given={"g_hrs": 20e-6}, resample=True).profile
    drawn = p.programmed(np.full(2000, 2e-4), np.random.default_rng(1)) - 2e-4
    own = (table["measured_uS"] - table["target_uS"])[10:20]
    assert np.unique((1e6 * drawn).round(4)) == pytest.approx(np.sort(own), abs=1e-3)


def test_resistances_other_names_and_units_give_the_same_profile(made):
    table = written()
    target, measured = table["target_uS"], table["measured_uS"]
    same = made("r.csv", **{"Ziel [kohm]": 1e3 / target, "R (kohm)": 1e3 / measured})
    read = read_tables([same], {"target": "Ziel [kohm]:kohm"})
    assert read[0].frame["measured"].to_numpy() == pytest.approx(1e-6 * measured)
    assert read[0].mapping == {"target": "Ziel [kohm]", "measured": "R (kohm)"}


def test_stuck_cells_by_note_and_by_distance_keep_their_own_values(made):
    table = written()
    note = [""] * 120
    note[3], note[50], note[7] = "stuck off", "SHORT", "slow writer"
    measured = table["measured_uS"].copy()
    measured[[3, 50, 90]] = 5.0, 900.0, 250.0
    path = made(**table | {"measured_uS": measured}, note=note, row=np.arange(120) // 12, col=np.arange(120) % 12)
    cells = sort_cells(read_tables([path]), stuck_beyond=30e-6)
    fit = fit_profile(cells, "mine", given={"g_hrs": 20e-6}, draws=19)
    assert sorted(1e6 * np.array(fit.profile.stuck_values)) == pytest.approx([5, 250, 900])
    assert fit.profile.stuck_rate == pytest.approx(3 / 120)
    assert cells.stuck[["row", "column"]].to_numpy().tolist() == [["0", "3"], ["4", "2"], ["7", "6"]]
    assert any("'slow writer'" in w for w in fit.warnings)
    # Without the distance the third is a written cell, far beyond the window.
    with pytest.raises(InputError, match="1 of 118 cells are farther off"):
        profile_of(path, window=5e-6, given={"g_hrs": 20e-6})


def test_drift_of_mean_and_spread(made):
    """Planted: the mean falls by 2 uS and the spread grows by 3 uS a decade, as the square root of the sum of squares."""
    rng = np.random.default_rng(5)
    target = np.repeat([100.0, 200.0, 300.0], 200)
    first = target + rng.uniform(-4, 4, 600)
    rows = []
    for decade, time in enumerate([1.0, 10.0, 100.0]):
        measured = first - 2 * decade + 3 * np.sqrt(decade) * np.random.default_rng(6).standard_normal(600)
        rows.append(pd.DataFrame({"cell": np.arange(600), "target_uS": target, "time_s": time, "G_uS": measured}))
    fit = profile_of(made(**pd.concat(rows)), given={"g_hrs": 20e-6})
    p = fit.profile
    assert len(fit.written.cells) == 3
    assert fit.written.cells.tolist() == [200, 200, 200]
    start = np.full(100_000, 200e-6)
    change = 1e6 * (p.relaxed(start, start, 100.0, np.random.default_rng(0)) - start)
    assert change.mean() == pytest.approx(-4, abs=0.4)
    assert change.std() == pytest.approx(3 * 2**0.5, abs=0.4)
    assert all(c.passed for c in fit.checks)


def test_reads_give_noise_by_state_and_its_lasting_share(made):
    rng = np.random.default_rng(1)
    slow = np.cumsum(rng.standard_normal(300)) * 0.05
    values = np.concatenate([100 + 0.1 * rng.standard_normal(300), 300 + slow + 0.02 * rng.standard_normal(300)])
    reads = made("reads.csv", target_uS=np.repeat([100.0, 300.0], 300), read=np.tile(np.arange(300), 2), measured_uS=values)
    p = profile_of(made(**written()), reads, given={"g_hrs": 20e-6}, read_interval=0.5).profile
    assert 1e6 * p.read_sigma_at(np.array([1e-4, 3e-4])) == pytest.approx([values[:300].std(), values[300:].std()], rel=0.03)
    assert p.read_lasting[0][1] < 0.1
    assert p.read_lasting[1][1] > 0.9
    assert p.read_times[1][1] > 0.5


def test_curvature_of_a_sweep_recorded_as_magnitudes(made):
    v = np.concatenate([np.linspace(0, -0.4, 41), np.linspace(-0.39, 0, 40)])
    current = 1e6 * np.abs(2e-4 * (v + 0.5 * v**3))
    fit = profile_of(made(**written()), made("iv.csv", V_V=v, I_uA=current, state="a"), given={"g_hrs": 20e-6})
    assert len(fit.curves) == 2
    assert [c.curvature for c in fit.curves] == pytest.approx([0.5, 0.5], abs=1e-6)
    assert fit.profile.iv_curvature == pytest.approx(0.5)
    assert any("magnitudes" in w for w in fit.warnings)


def test_errors_of_the_curvature_are_those_of_the_noise():
    v = np.linspace(0, 0.3, 40)
    rng = np.random.default_rng(0)
    found = [fit_curve_of(v, 2e-4 * (v + 0.5 * v**3) + 1e-7 * rng.standard_normal(40)) for _ in range(300)]
    assert np.std([f.curvature for f in found]) == pytest.approx(np.mean([f.curvature_stderr for f in found]), rel=0.15)


def test_what_tables_do_not_tell_is_the_base_s(made):
    base = load_profile("taox-100-400")
    fit = profile_of(made(**written()), base=base)
    assert fit.profile.read_sigma == base.read_sigma
    assert fit.profile.g_hrs == base.g_hrs
    assert "profile taox-100-400" in fit.profile.source["read_noise"]
    assert "no series of reads: read noise is that of taox-100-400" in fit.warnings


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"target": [1.0], "measured_uS": [1.0]}, {}, r"column 'target' \(target\) has no unit"),
        ({"target_uS": [1.0], "measured_furlongs": [1.0]}, {}, "no column is measured"),
        ({"target_uS": [1.0], "measured_uS": [1.0], "G_uS": [1.0]}, {}, "could both be measured"),
        ({"target_uS": [1.0], "measured_uS": ["1,5"]}, {}, r"row 1 below the names: '1,5' is not a finite number"),
        ({"target_uS": [1.0], "measured_uS": [-1.0]}, {}, "must be above 0, unless its note"),
        ({"target_uS": [1.0], "measured_uS": [1.0]}, {"columns": {"measured": "Ist"}}, "no table has a column 'Ist'"),
        ({"target_uS": [1.0], "measured_uS": [1.0]}, {"columns": {"colour": "x"}}, "'colour': is nothing that a column can be"),
        ({"target_uS": [1.0, 1.0], "read": [0, 0], "measured_uS": [1.0, 1.0]}, {}, "no column says which cell they are"),
        ({"V_V": [1.0], "I_uA": [1.0], "G_uS": [1.0]}, {}, "give them as two tables"),
        ({"target_uS": [1.0], "measured_ohm": [0.0]}, {}, "a resistance must be above 0"),
    ],
)
def test_tables_that_are_not_clear(made, columns, options, message):
    with pytest.raises(InputError, match=message):
        sort_cells(read_tables([made(**columns)], **options))
