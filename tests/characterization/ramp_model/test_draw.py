import numpy as np
import pytest

from characterization.ramp_model.draw import RampDraw
from netlists.errors import InputError


def make(**change):
    fields = {
        "activation": "sigmoid",
        "bits": 2,
        "thresholds": np.zeros((5, 3)),
        "column_offset": np.zeros((5, 7)),
        "noise_sigma": np.zeros(3),
    }
    return RampDraw(**(fields | change))


def test_ideal_has_the_inverse_as_thresholds_and_nothing_else():
    draw = RampDraw.ideal("sigmoid", 3)
    k = np.arange(1, 8)
    np.testing.assert_allclose(draw.thresholds, [np.log(k / (8 - k))], atol=1e-15)
    assert draw.n_chips == 1
    assert not draw.noisy
    assert not draw.column_offset.any()


def test_arrays_are_copies_and_read_only():
    levels = np.zeros((5, 3))
    draw = make(thresholds=levels)
    levels[:] = 1.0
    assert not draw.thresholds.any()
    with pytest.raises(ValueError, match="read-only"):
        draw.thresholds[0, 0] = 1.0


@pytest.mark.parametrize(("sigma", "noisy"), [(0.0, False), (0.1, True), (np.array([0, 0, 0.1]), True)])
def test_noisy(sigma, noisy):
    assert make(noise_sigma=sigma).noisy is noisy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "reluu"}, "activation='reluu'"),
        ({"bits": 0}, "bits=0"),
        ({"bits": 3}, r"thresholds: have shape \(5, 3\), must be \(chips, 7\)"),
        ({"thresholds": np.full((5, 3), np.nan)}, r"thresholds\[0, 0\]=nan"),
        ({"column_offset": np.zeros((4, 7))}, r"column_offset: has shape \(4, 7\), must be \(5, columns\)"),
        ({"noise_sigma": np.zeros(2)}, "noise_sigma: has shape"),
        ({"noise_sigma": -0.5}, "noise_sigma=-0.5"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(InputError, match=message):
        make(**change)
