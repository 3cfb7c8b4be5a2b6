"""Fitted blocks of columns in a network's chips: perfect ones change nothing, and each error does what its model says."""

from dataclasses import replace

import numpy as np
import pytest

from characterization.compact import ComparatorModel, FittedColumns, IntegratorModel, MacModel
from characterization.ramp_model import Fitted
from cosim.chip import Arrays, Hardware, draw_chip
from cosim.network import LSTMNetwork
from netlists.errors import InputError


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(0)
    return LSTMNetwork(rng.normal(0, 0.5, (3 + 4 + 1, 16)), rng.normal(0, 1, (5, 2)))


@pytest.fixture(scope="module")
def plain(profile):
    return Hardware(bits=4, arrays=Arrays(profile.without_variation()))


def thresholds(network, hardware):
    (unit,) = draw_chip(network, hardware, 0, 5, np.float64).layers[0][0].matrices["weights"].units
    return unit.bank.thresholds[:, :15]


def test_perfect_blocks_change_nothing(network, plain):
    columns = FittedColumns(ComparatorModel.given(), IntegratorModel.ideal(), MacModel.ideal(), autozero=None)
    np.testing.assert_allclose(thresholds(network, replace(plain, columns=columns)), thresholds(network, plain), atol=1e-12)


def test_gain_and_offset_of_the_columns(network, plain):
    ideal = thresholds(network, plain)
    mac = MacModel.ideal().model_copy(update={"gain_error": Fitted.given(-0.1, "")})
    np.testing.assert_allclose(
        thresholds(network, replace(plain, columns=FittedColumns(mac=mac, autozero=None))), ideal / 0.9, rtol=1e-9, atol=1e-12
    )
    offset = ComparatorModel.given(offset_sigma=5e-3)
    moved = thresholds(network, replace(plain, columns=FittedColumns(offset))) - ideal
    # All levels of a column move together, and each column by its own comparator.
    np.testing.assert_allclose(moved, moved[:, :1].repeat(15, axis=1), atol=1e-9)
    assert len(np.unique(moved[:, 0].round(9))) == len(moved)


def test_the_op_amps_offset_counts_with_the_conductance_of_its_column(network, plain):
    mac = MacModel.ideal().model_copy(update={"offset": ComparatorModel.given(offset_sigma=2e-3).offset})
    ideal = thresholds(network, plain)
    whole, left = (thresholds(network, replace(plain, columns=FittedColumns(mac=mac, **o))) for o in ({"autozero": None}, {}))
    assert np.std(whole - ideal) > 20 * np.std(left - ideal) > 0


def test_the_mac_models_loading_is_the_hardwares_integrator(network, plain):
    mac = MacModel.ideal().model_copy(update={"loading": Fitted.given(-2e-9, "s")})
    hardware = replace(plain, columns=FittedColumns(mac=mac))
    assert hardware.integrators.settling == 2e-9
    assert replace(hardware, bits=3).integrators == hardware.integrators
    sums = [draw_chip(network, h, 0, 5, np.float64).layers[0][0].matrices["weights"].sums[0].weights for h in (plain, hardware)]
    assert 1e-4 < np.abs(sums[1] / sums[0] - 1).max() < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arrays": None}, "columns: need arrays with layout='rows'"),
        ({"bits": None}, "columns: stand around ramps; give bits or ramps"),
    ],
)
def test_what_does_not_go_together(plain, options, message):
    with pytest.raises(InputError, match=message):
        replace(plain, **{"columns": FittedColumns(ComparatorModel.given())} | options)
