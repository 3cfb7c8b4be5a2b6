"""Fitted blocks around a network's ramps: the levels that columns meet are those at which the blocks' own equations cross."""

import numpy as np
import pytest

from characterization.compact import validate_blocks
from characterization.compact.benches.column import held_out_tile
from characterization.compact.benches.comparator import characterize_comparator
from characterization.compact.benches.crossbar import characterize_crossbar, held_out_crossbar
from characterization.compact.benches.mac import characterize_mac
from characterization.compact.comparator import ComparatorModel
from characterization.compact.crossbar_model import CrossbarModel
from characterization.compact.fitted_columns import FittedColumns
from characterization.compact.integrator import Clip, IntegratorModel
from characterization.compact.mac import MacModel
from characterization.ramp_model.file import Fitted
from netlists.errors import InputError


def changed(model, **values):
    units = type(model).UNITS
    return model.model_copy(update={name: Fitted.given(v, units[name]) for name, v in values.items()})


MAC = changed(MacModel.ideal(), pedestal=2e-3, offset_gain=0.97, gain_error=-0.02, loading=-2e-9)
CLIP = Clip(low=Fitted.given(0.7, "V"), high=Fitted.given(0.6, "V"), sharpness=Fitted.given(6.0, ""))
INTEGRATOR = changed(IntegratorModel.ideal(), pedestal=1e-3, gain_error=0.01, droop=2e4, leak=-3e4).model_copy(
    update={"clip": CLIP}
)


@pytest.mark.parametrize("blocks", [{"mac": MAC}, {"integrator": INTEGRATOR}, {"mac": MAC, "integrator": INTEGRATOR}], ids="+".join)
def test_levels_are_met_where_the_models_forward_equations_cross_them(blocks):
    columns, hold = FittedColumns(**blocks, hold_time=30e-9), 30e-9
    levels, offset = np.linspace(-0.5, 0.45, 15)[None].repeat(3, axis=0), np.array([-0.03, 0.0, 0.05])
    v = columns.met_at(levels, offset)
    assert np.all(np.diff(v, axis=1) > 0)
    out = v
    if "mac" in blocks:
        out = MAC.apply(v, edge_rate=0.0, active=0.0, excess=0.0, offset=offset[:, None])
        if "integrator" in blocks:
            held = INTEGRATOR.clip(out)
            out = held + hold * (INTEGRATOR.droop.value + INTEGRATOR.leak.value * held)
    else:
        out = INTEGRATOR.clip((1 + INTEGRATOR.gain_error.value) * v + INTEGRATOR.pedestal.value + offset[:, None])
        out = out + hold * (INTEGRATOR.droop.value + INTEGRATOR.leak.value * out)
    np.testing.assert_allclose(out, levels, atol=1e-9)


def test_no_input_reaches_a_level_beyond_the_clip():
    columns = FittedColumns(integrator=INTEGRATOR)
    beyond = columns.met_at(np.array([[-0.71, 0.0, 0.61]]), np.zeros(1))[0]
    assert (beyond[0], beyond[2]) == (-np.inf, np.inf)


def test_a_folder_of_models(tmp_path):
    with pytest.raises(InputError, match=r"holds none of comparator.json, integrator.json, mac.json"):
        FittedColumns.load(tmp_path)
    MAC.validated(rms_v=1e-4).save(tmp_path / "mac.json")
    ComparatorModel.given(offset_sigma=1e-3).save(tmp_path / "comparator.json")
    found = FittedColumns.load(tmp_path, autozero=None)
    assert set(found.models) == {"mac", "comparator"}
    assert found.held_out["mac"] == {"rms_v": 1e-4}
    assert found.settling == 2e-9
    fitted, ideal = found.warnings(True), found.warnings(False)
    assert any("the comparator model is not used" in line for line in fitted)
    assert not any("is not used" in line for line in ideal)
    assert any("comparator model was not held against" in line for line in ideal)


def test_auto_zero_takes_the_offset_out():
    """v_os times 1 + S T / C_f without it; its residue, a0 times less, with it."""
    mac = MAC.model_copy(update={"offset": ComparatorModel.given(offset_sigma=2e-3).offset})
    load, feedback = np.full(2000, 5e-3), np.full(2000, 8e-12)
    whole, left = (FittedColumns(mac=mac, **o).offsets(load, feedback, np.random.default_rng(1)) for o in ({"autozero": None}, {}))
    rise = 1 + 5e-3 * FittedColumns().pwm.duration / 8e-12
    assert np.std(whole) == pytest.approx(2e-3 * rise, rel=0.05)
    assert np.std(left) < np.std(whole) / 50


def test_a_block_model_that_is_worse_than_its_file_says_is_found(tmp_path, profile):
    rng = np.random.default_rng(3)
    model = CrossbarModel.fit(characterize_crossbar(profile, rng), profile)
    good = model.validated(**held_out_crossbar(model, rng))
    path = good.save(tmp_path / "crossbar.json")
    assert validate_blocks.validate_block(path)["passed"]
    # The file of a model that was ten times as good.
    errors = {name: value / 10 for name, value in good.validation.items()}
    good.model_copy(update={"validation": errors}).save(path)
    found = validate_blocks.validate_block(path)
    assert not found["passed"]
    assert "when it was fitted" in found["failures"][0]
    good.model_copy(update={"validation": {}}).save(path)
    with pytest.raises(InputError, match="holds no held-out errors"):
        validate_blocks.validate_block(path)


def column_folder(folder, **errors):
    """A folder of two models at level macro, with the errors of a composed column in the MAC model's file."""
    held = {f"tile_{name}": value for name, value in errors.items()}
    MAC.model_copy(update={"level": "macro", "validation": held}).save(folder / "mac.json")
    ComparatorModel.ideal().model_copy(update={"level": "macro"}).save(folder / "comparator.json")
    return folder


ERRORS = {"codes": 160.0, "codes_equal": 1.0, "codes_within_1": 1.0, "ideal_codes_equal": 0.9, "rms_v": 2e-4, "worst_v": 6e-4}


@pytest.mark.parametrize(
    ("now", "failure"),
    [
        ({}, None),
        ({"codes_equal": 0.975, "rms_v": 5e-4}, None),
        ({"codes_equal": 0.95}, "codes_equal: 0.95 of 160, 1 when"),
        ({"codes_within_1": 0.95}, "codes_within_1"),
        ({"rms_v": 7e-4}, "rms_v: 0.0007, 0.0002 when"),
        ({"worst_v": 2e-3}, "worst_v"),
    ],
)
def test_a_composed_column_that_is_worse_than_its_file_says_is_found(tmp_path, monkeypatch, now, failure):
    folder = column_folder(tmp_path, **ERRORS)
    monkeypatch.setattr(validate_blocks, "held_out_tile", lambda *a, **k: {**ERRORS, **now})
    found = validate_blocks.validate_column(folder)
    assert found["passed"] == (failure is None)
    assert failure is None or failure in found["failures"][0]
    stored = FittedColumns.load(folder).mac.validation
    assert stored["tile_rms_v"] == (ERRORS | now if failure is None else ERRORS)["rms_v"]


def test_few_codes_of_a_composed_column_are_not_taken_for_many(tmp_path, monkeypatch):
    """Of 16 codes one or two that differ are chance; of 160 a tenth is not."""
    few = ERRORS | {"codes": 16.0}
    monkeypatch.setattr(validate_blocks, "held_out_tile", lambda *a, **k: {**few, "codes_equal": 14 / 16})
    assert validate_blocks.validate_column(column_folder(tmp_path, **few))["passed"]
    monkeypatch.setattr(validate_blocks, "held_out_tile", lambda *a, **k: {**few, "codes_equal": 9 / 16})
    assert not validate_blocks.validate_column(column_folder(tmp_path, **few))["passed"]


def test_a_composed_column_without_errors_or_of_two_levels_is_refused(tmp_path):
    with pytest.raises(InputError, match="no errors of a composed column"):
        validate_blocks.validate_column(column_folder(tmp_path))
    ComparatorModel.ideal().save(tmp_path / "comparator.json")
    with pytest.raises(InputError, match="level macro, the comparator's of none"):
        validate_blocks.validate_column(tmp_path)


@pytest.mark.slow
def test_a_gain_error_planted_in_a_composed_column_is_found_in_ngspice(tmp_path):
    rng, deal = np.random.default_rng(1), np.random.default_rng(2)
    comparator = ComparatorModel.fit(characterize_comparator("macro", rng, chips=30), deal)
    mac = MacModel.fit(characterize_mac("macro", rng, chips=30), deal)
    held = held_out_tile(mac, comparator, rng, vectors=40)
    mac = mac.validated(**{f"tile_{name}": value for name, value in held.items()})
    comparator.save(tmp_path / "comparator.json")
    mac.save(tmp_path / "mac.json")
    assert validate_blocks.validate_column(tmp_path)["passed"]
    gain = mac.gain_error.model_copy(update={"value": mac.gain_error.value + 0.03})
    mac.model_copy(update={"gain_error": gain}).save(tmp_path / "mac.json")
    found = validate_blocks.validate_column(tmp_path)
    assert any("rms_v" in line for line in found["failures"])
