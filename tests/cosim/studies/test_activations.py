"""The gallery of activations: transfer curves from ngspice against the functions themselves."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from cosim.report.settings import RunOptions
from cosim.studies.activations import run as study
from cosim.studies.activations.measure import compiled, measure_transfer, name_of, spice_row
from cosim.studies.activations.settings import ActivationsSettings
from cosim.studies.activations.tables import LIMIT_LSB, compile_row
from netlists.converter.conversion import conversion_deck
from netlists.converter.converter import Converter
from netlists.errors import InputError
from netlists.function.activations import ACTIVATIONS, get_activation
from netlists.function.table import cubic_spline, from_callable
from netlists.ramp.chips import Chips
from netlists.ramp.closed_form import to_volts
from netlists.spice.program import run_batch
from netlists.technology.profile import DeviceProfile


def nearest_output(y, y_min, y_max, bits):
    """Middle of the output step that y lies in."""
    step = (y_max - y_min) / 2**bits
    return y_min + step * (np.clip(np.floor((y - y_min) / step), 0, 2**bits - 1) + 0.5)


def test_codes_of_a_rising_and_falling_function_from_the_counter(profile, circuit):
    m = measure_transfer(from_callable("sine", np.sin, -np.pi, np.pi), 3, profile, circuit)
    assert set(m.program.code_step) == {1, -1}
    assert m.program.codes[0] > 0
    assert m.codes_as_levels.all()
    # Inputs are a tenth of a step and more away from each threshold: the direct quantisation must agree.
    np.testing.assert_allclose(m.decoded, nearest_output(np.sin(m.x), -1, 1, 3), atol=1e-9)


def test_counter_steps_down_in_plain_ngspice_too(tmp_path, profile, circuit):
    program, used = compiled("gaussian", 2, profile, circuit)
    x = np.array([-2.5, -0.9, 0.0, 0.8, 2.6])
    deck = conversion_deck(Converter(program, used), Chips.nominal(program), to_volts(x[None], program, used))
    deck.write(tmp_path / "gaussian.cir")
    printed = run_batch(tmp_path / "gaussian.cir")
    found = [float(c) for c in re.findall(r"^conversion 0 \d+ \S+ (\S+)", printed, re.MULTILINE)]
    a = get_activation("gaussian")
    direct = np.floor((np.exp(-(x**2)) - a.y_min) / (a.y_max - a.y_min) * 4)
    np.testing.assert_allclose(np.array(found) + program.codes[0], np.minimum(direct, 3), atol=0.02)


def test_transfer_curve_within_the_limit(profile, circuit):
    # Of all, softsign's thresholds are the most unequal.
    row, m = spice_row("softsign", 4, profile, circuit)
    assert m is not None
    assert 0.5 <= row["spice_max_error_lsb"] <= LIMIT_LSB
    assert row["spice_conversions_max_error_lsb"] <= LIMIT_LSB
    assert row["spice_codes_as_levels"] == 1
    assert row["spice_conversions"] == 3 * len(m.program.x) + 1


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_transfer_curve_within_the_limit(name, profile, circuit):
    row, _ = spice_row(name, 5, profile, circuit)
    assert max(row["spice_max_error_lsb"], row["spice_conversions_max_error_lsb"]) <= LIMIT_LSB


def test_a_function_that_does_not_compile_says_why(circuit):
    narrow = DeviceProfile("narrow", 99e-6, 100e-6, 98e-6, 0.0, 0.0, 0.0)
    row = compile_row("gelu", 5, narrow, circuit)
    assert not row["compiles"]
    assert "cannot hold the steps of a 5-bit gelu ramp" in row["why_not"]
    spice, m = spice_row("gelu", 5, narrow, circuit)
    assert m is None
    assert spice["why_not"] == row["why_not"]
    with pytest.raises(InputError):
        measure_transfer("gelu", 5, narrow, circuit)


def test_ramps_keep_off_the_rails(profile, circuit):
    for name in ACTIVATIONS:
        program, used = compiled(name, 5, profile, circuit)
        low, high = program.span(used)
        # Allowing for the integrator moves the ends by a little.
        assert 0.08 < low < high < circuit.v_dd - 0.08


def test_gallery_holds_every_kind_of_function(tmp_path):
    assert ActivationsSettings().activations == tuple(ACTIVATIONS)
    functions = study.examples(tmp_path)
    assert {f.interpolation for f in functions} == {"pchip", "cubic"}
    assert len({*ACTIVATIONS, *map(name_of, functions)}) == len(ACTIVATIONS) + len(functions)
    assert (tmp_path / "hard-swish.csv").read_text().startswith("x,y\n")


SETTINGS = ActivationsSettings(activations=("tanh",), examples=True, bits=(3, 4), spice_bits=3)
QUIET = RunOptions(progress=False)


@pytest.fixture
def one_example(monkeypatch):
    spline = cubic_spline("wave", [-2, -1, 0, 1, 2], [0, 1, -0.5, 0.3, 1.2])
    monkeypatch.setattr(study, "examples", lambda folder: [spline])


def test_study_writes_table_picture_and_summary(one_example, tmp_path, monkeypatch):
    out = tmp_path / "a"
    summary = study.STUDY.run(SETTINGS, out, QUIET)
    assert summary == json.loads((out / "summary.json").read_text())
    assert summary["spice_within_limit"]
    assert summary["refused"] == []
    table = pd.read_csv(out / "activations.csv")
    names = [(name, bits) for name in ("tanh", "wave") for bits in (3, 4)]
    assert list(zip(table["function"], table["bits"], strict=True)) == names
    assert table["spice_max_error_lsb"].notna().tolist() == [True, False] * 2
    assert table["max_error_lsb"].max() <= 0.51
    assert table.loc[0, "thresholds"] == len(get_activation("tanh").thresholds(3))
    # Rounding to the nearest of equal steps is off by a quarter of a step on average.
    assert table.loc[0, "spice_mean_error_lsb"] == pytest.approx(0.25, abs=0.02)
    for name in ("gallery.png", "gallery.svg"):
        assert (out / "pictures" / name).stat().st_size > 10_000

    spice_row_, calls = study.spice_row, []

    def once(which, *arguments):
        calls.append(which)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return spice_row_(which, *arguments)

    monkeypatch.setattr(study, "spice_row", once)
    with pytest.raises(KeyboardInterrupt):
        study.STUDY.run(SETTINGS, tmp_path / "b", QUIET)
    study.STUDY.run(SETTINGS, tmp_path / "b", QUIET)
    assert [name_of(function) for function in calls[:3]] == ["tanh", "wave", "wave"]
    for name in ("activations.csv", "pictures/gallery.png"):
        assert (tmp_path / "b" / name).read_bytes() == (out / name).read_bytes()


def test_settings_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match="spice_bits=5: must be one of bits, 3, 4"):
        ActivationsSettings(bits=(3, 4))
    with pytest.raises(ValueError, match="there is nothing to compile"):
        ActivationsSettings(activations=(), examples=False)
    with pytest.raises(InputError, match="activation='swoosh': unknown"):
        study.STUDY.run(ActivationsSettings(activations=("swoosh",)), tmp_path / "x", QUIET)
    assert not (tmp_path / "x").exists()
