"""Compiled steps of a training on chips against NumPy's and SciPy's, to the bit."""

import numpy as np
import pytest
from scipy.special import expit

from cosim.chip import Hardware
from cosim.chip.converters import Converters
from cosim.chip.tiled import codes, product, tiles
from cosim.network.cells import Gate
from cosim.training import HardwareAware, Model, TrainingSettings, initial_network
from cosim.training.classification import ClassifierCourse, LabelledData
from cosim.training.gradients import activation, cells, sigmoid, tape


@pytest.mark.skipif(not tiles.has_permutes(), reason="needs AVX-512")
@pytest.mark.parametrize("shape", [(16, 16), (17, 30), (50, 128)])
def test_squares_turned_in_registers_are_converted_as_columns_are(shape):
    rng = np.random.default_rng(shape[0])
    levels = np.sort(rng.normal(0, 2, (shape[1], codes.LEVELS)).astype(np.float32), axis=1)
    bank = Converters.build(levels, np.zeros(()), rng.standard_normal(32), np.zeros((shape[1], 2), np.uint32), np.float32)
    x = rng.normal(0, 3, shape).astype(np.float32)
    x[0] = bank.thresholds[:, 4]
    out = np.full(shape, np.nan, np.float32)
    product.Tables.of(bank, np.arange(shape[1]), shape[1]).convert_rows(x, out)
    np.testing.assert_array_equal(out, bank.convert(x.T, np.zeros(shape[0], np.uint32), 0).T)


@pytest.mark.parametrize("every", [256, pytest.param(1, marks=pytest.mark.slow)])
def test_slopes_of_the_logistic_function_are_those_of_scipy(every):
    if not sigmoid.slopes_are_known(8.0):
        pytest.skip("a C library with another exp")
    first, last = (int(np.float32(x).view(np.int32)) for x in (0.125, 8.0))
    for start in range(first, last, 2**22 * every):
        x = np.arange(start, min(start + 2**22 * every, last), every, dtype=np.int32).view(np.float32)[None]
        found = x.copy()
        sigmoid.sigmoid_slopes(found, 0, x.shape[1], np.float32(-8), np.float32(8))
        np.testing.assert_array_equal(found, expit(x) * expit(-x))


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
@pytest.mark.parametrize("full_scale", [1.0, 2.0])
def test_slopes_are_0_beyond_the_domain_of_a_ramp(name, full_scale):
    x = np.array([[-9.0, -8.0, -3.0, 0.0, 4.0, 4.1, 8.1, np.nan, np.inf]], np.float32) * np.float32(full_scale)
    sums = np.hstack([x, x])
    activation.to_slopes(Gate("g", name, full_scale=full_scale), sums, slice(9, 18), converted=True)
    end = full_scale * (8.0 if name == "sigmoid" else 4.0)
    np.testing.assert_array_equal(sums[:, :9], x)
    np.testing.assert_array_equal(sums[:, 9:] > 0, np.abs(x) <= end)


def gradients(hidden, hardware, dtype=np.float32):
    """All gradients of an epoch of few sequences of different lengths."""
    rng = np.random.default_rng(3)
    settings = TrainingSettings(batch=40, n_hidden=hidden)
    lengths = rng.integers(1, 8, 70)
    lengths[:3] = 7
    data = LabelledData(rng.standard_normal((70, 7, 5), np.float32), lengths, rng.integers(0, 4, 70))
    model = Model(initial_network(settings, 5, 4, rng), dtype, hardware_aware=HardwareAware(hardware))
    course = ClassifierCourse(model, data, None, settings.batch)
    return [{name: g.copy() for name, g in found.items()} for _, found in course.epoch(rng)]


@pytest.mark.parametrize("hardware", [Hardware(bits=5), Hardware(bits=6), Hardware(bits=4, threshold_noise=0.4)], ids=str)
@pytest.mark.parametrize("hidden", [3, 12])
def test_a_compiled_step_on_chips_has_the_bits_of_numpys(hidden, hardware, monkeypatch):
    compiled = gradients(hidden, hardware)
    monkeypatch.setattr(tape, "row_tables", lambda m, dtype: None)
    monkeypatch.setattr(cells.LSTMBackprop, "_fused", lambda self: False)
    monkeypatch.setattr(activation, "slopes_are_known", lambda *ends: False)
    for found, expected in zip(compiled, gradients(hidden, hardware), strict=True):
        for name, g in expected.items():
            np.testing.assert_array_equal(found[name], g, err_msg=name)
