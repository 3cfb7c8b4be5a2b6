"""The study of the read voltage on small sizes."""

import json

import numpy as np
import pandas as pd
import pytest

from characterization.chips.sampling import draw
from characterization.plan.plan import RampPlan
from cosim.report.settings import RunOptions, load_settings
from cosim.studies.vread import run as vread
from cosim.studies.vread.page import page
from cosim.studies.vread.settings import VreadSettings
from netlists.errors import InputError
from netlists.ramp.closed_form import to_input_units, transition_levels

QUIET = RunOptions(progress=False)
SETTINGS = VreadSettings(activations=("sigmoid",), bits=3, samples=18)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("vread")
    return out, vread.STUDY.run(SETTINGS, out, QUIET)


def test_the_in_memory_ramp_follows_the_read_voltage_and_a_fixed_one_does_not(done):
    _, summary = done
    assert summary["failed"] == 0
    rows = {(row["converter"], row["v_read"]): row for row in summary["figures"]}
    assert len(rows) == 2 * len(SETTINGS.v_read)
    for v in SETTINGS.v_read:
        assert rows["in memory", v]["gain"] == pytest.approx(1, abs=0.01)
        # A ramp that stays spans more of what the array then means: exactly the ratio of the voltages.
        assert rows["fixed reference", v]["gain"] == pytest.approx(rows["fixed reference", 0.2]["gain"] * 0.2 / v)
    assert rows["in memory", 0.2] == {**rows["fixed reference", 0.2], "converter": "in memory"}
    for v in (0.15, 0.25):
        assert rows["fixed reference", v]["max_inl_lsb"] > 5 * rows["in memory", v]["max_inl_lsb"]


def test_levels_move_as_in_closed_form(done):
    out, _ = done
    plan = RampPlan("sigmoid", 3, seed=1, calibration="none")
    program = plan.program()
    chips = draw(plan, np.arange(2)).chips()
    levels = pd.read_parquet(out / "levels.parquet")
    inside = levels[(levels["converter"] == "in memory") & (levels["sample"] < 2)]

    def step(v_read):
        return inside[inside["v_read"] == v_read].sort_values(["sample", "k"])["x"].to_numpy().reshape(2, -1)

    def expected(v_read):
        circuit = plan.circuit.with_(v_read=v_read)
        return to_input_units(transition_levels(program, circuit, chips), program, circuit)

    # Calibration shifts a chip's levels; what V_read adds between them is the cells' own.
    for v_read in (0.15, 0.25):
        moved = np.diff(step(v_read)) - np.diff(step(0.2))
        np.testing.assert_allclose(moved, np.diff(expected(v_read)) - np.diff(expected(0.2)), atol=0.005)


def test_the_study_writes_its_files(done):
    out, summary = done
    assert json.loads((out / "summary.json").read_text()) == summary
    assert summary["settings"] == SETTINGS.model_dump(mode="json")
    assert len(pd.read_csv(out / "figures.csv")) == len(summary["figures"])
    assert len(pd.read_parquet(out / "levels.parquet")) == 2 * len(SETTINGS.v_read) * 18 * 7
    for name in ("vread.png", "vread.svg"):
        assert (out / "pictures" / name).stat().st_size > 10_000
    assert not (out / ".parts").exists()


@pytest.mark.slow
def test_a_stopped_study_goes_on(done, tmp_path, monkeypatch):
    out, _ = done
    measure_batch, calls = vread.measure_batch, []

    def once(*arguments, **keywords):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure_batch(*arguments, **keywords)

    monkeypatch.setattr(vread, "measure_batch", once)
    with pytest.raises(KeyboardInterrupt):
        vread.STUDY.run(SETTINGS, tmp_path, QUIET)
    with pytest.raises(InputError, match="samples: 18 there, 5 now"):
        vread.STUDY.run(SETTINGS.model_copy(update={"samples": 5}), tmp_path, QUIET)
    vread.STUDY.run(SETTINGS, tmp_path, QUIET)
    assert len(calls) == 3
    for name in ("figures.csv", "levels.parquet"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_a_chip_that_failed_is_counted_and_left_out(done, tmp_path, monkeypatch):
    measure = vread.measure

    def failing(*arguments, **keywords):
        found = measure(*arguments, **keywords)
        found.volts[0] = np.nan
        return found

    monkeypatch.setattr(vread, "measure", failing)
    settings = SETTINGS.model_copy(update={"samples": 3, "v_read": (0.18, 0.2)})
    summary = vread.STUDY.run(settings, tmp_path, QUIET)
    assert summary["failed"] == 1
    assert {r["chips"] for r in summary["figures"] if r["converter"] == "in memory"} == {2}
    assert "failed to simulate and are left out: 1." in str(page(tmp_path).sections[0].notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [("bits=9", "bits=9"), ("samples=0", "samples=0"), ("v_read=[0.2]", "v_read"), ("volts=1", "volts: unknown")],
)
def test_settings_that_do_not_fit(change, message):
    with pytest.raises(InputError, match=message):
        load_settings(VreadSettings, None, [change])
