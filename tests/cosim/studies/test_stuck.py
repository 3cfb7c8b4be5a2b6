"""The study of stuck cells on small sizes."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cosim.report.settings import RunOptions
from cosim.studies.stuck import run as stuck
from cosim.studies.stuck.settings import StuckSettings
from cosim.studies.stuck.tables import yield_row
from netlists.errors import InputError

QUIET = RunOptions(progress=False)
SETTINGS = StuckSettings(bits=3, samples=8, rates=(0.0, 0.3), cells=(3,), calibrations=("trim",))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("stuck")
    return out, stuck.STUDY.run(SETTINGS, out, QUIET)


@pytest.mark.parametrize(("passed", "n"), [(0, 5), (3, 5), (5, 5), (50, 64)])
def test_yield_has_the_exact_interval(passed, n):
    worst = np.r_[np.full(passed, 0.5), np.full(n - passed, 0.51)]
    row = yield_row(worst, 0.5)
    exact = binomtest(passed, n).proportion_ci(method="exact")
    assert row["yield"] == passed / n
    assert (row["low"], row["high"]) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_a_chip_that_failed_does_not_pass():
    row = yield_row(np.array([0.1, np.nan, 0.2]), 0.5)
    assert (row["passed"], row["chips"]) == (2, 3)
    assert row["median_max_inl_lsb"] == pytest.approx(0.15)
    assert yield_row(np.array([np.nan]), 0.5)["median_max_inl_lsb"] is None


def test_stuck_cells_cost_yield(done):
    out, summary = done
    rows = {(r["stuck_off_rate"], r["limit_lsb"]): r["yield"] for r in summary["yield"]}
    assert rows[0.0, 1.0] == 1.0
    assert rows[0.3, 0.5] < 0.5
    assert rows[0.3, 0.5] <= rows[0.3, 1.0]
    chips = pd.read_parquet(out / "chips.parquet")
    assert chips["max_inl_after"].notna().all()
    assert len(chips) == 2 * 8
    assert (out / "pictures" / "stuck.png").stat().st_size > 10_000
    assert not (out / ".parts").exists()


@pytest.mark.slow
def test_a_stopped_study_goes_on(done, tmp_path, monkeypatch):
    whole, summary = done
    characterize, names = stuck.characterize, []

    def once(plan, samples, folder, **keywords):
        names.append(folder.name)
        if len(names) == 2:
            raise KeyboardInterrupt
        return characterize(plan, samples, folder, **keywords)

    out = tmp_path / "stopped"
    monkeypatch.setattr(stuck, "characterize", once)
    with pytest.raises(KeyboardInterrupt):
        stuck.STUDY.run(SETTINGS, out, QUIET)
    chunks = {path: path.stat().st_mtime_ns for path in out.rglob("chunks/*")}
    assert chunks
    with pytest.raises(InputError, match="seed: 1 there, 2 now"):
        stuck.STUDY.run(SETTINGS.model_copy(update={"seed": 2}), out, QUIET)

    def check(plan, samples, folder, **keywords):
        run = characterize(plan, samples, folder, **keywords)
        assert {path: path.stat().st_mtime_ns for path in chunks} == chunks
        return run

    monkeypatch.setattr(stuck, "characterize", check)
    assert stuck.STUDY.run(SETTINGS, out, QUIET)["yield"] == summary["yield"]
    for name in ("yield.csv", "chips.parquet"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_a_calibration_that_does_not_exist(tmp_path):
    settings = SETTINGS.model_copy(update={"calibrations": ("three-point",)})
    with pytest.raises(InputError, match="calibration='three-point': unknown"):
        stuck.STUDY.run(settings, tmp_path / "x", QUIET)
    assert not (tmp_path / "x").exists()
