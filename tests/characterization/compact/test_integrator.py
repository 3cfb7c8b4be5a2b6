"""Integrator and MAC column models against ngspice, closed forms and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from characterization.compact.benches.integrator import C_F, characterize_integrator, held_out_integrator
from characterization.compact.benches.mac import DRIVER, bench_tile, characterize_mac, held_out_mac, mac_terms
from characterization.compact.integrator import Clip, IntegratorModel, IntegratorSamples, soft_clip
from characterization.compact.mac import MacModel
from characterization.ramp_model.file import Fitted
from netlists.converter.tile_deck import tile_deck
from netlists.converter.tile_reference import mac_voltages
from netlists.errors import InputError
from netlists.technology.parameters import RampCircuit


@pytest.fixture(scope="module")
def integrator():
    return IntegratorModel.fit(characterize_integrator("macro", np.random.default_rng(1), chips=60), np.random.default_rng(2))


@pytest.fixture(scope="module")
def mac_samples():
    return characterize_mac("macro", np.random.default_rng(1), chips=60)


def test_macro_integrator_has_its_closed_form(integrator):
    circuit = RampCircuit()
    # The op-amp's slow mode, the only one left half a nanosecond after a pulse: the others last 0.2 ns.
    rate, weight = circuit.opamp.integrator_modes(C_F, circuit.c_in)
    slow = np.argsort(-rate.real)[1]
    assert integrator.gain_error.value == pytest.approx(-(1 + circuit.c_in / C_F) / circuit.a0, rel=0.06)
    assert integrator.lag.value == pytest.approx(-(weight[slow] / rate[slow]).real, rel=0.3)
    assert integrator.tau.value == pytest.approx(-1 / rate[slow].real, rel=0.15)
    assert integrator.pedestal.value == pytest.approx(circuit.c_inject * circuit.v_dd / C_F, rel=0.05)
    assert integrator.clip is None


def test_held_out_pulses(integrator):
    figures = held_out_integrator(integrator, "macro", np.random.default_rng(3))
    assert figures["settled_rms_v"] < 2e-6
    assert figures["rms_v"] < 0.5e-3


def test_clip_leak_and_droop_are_found_where_they_are():
    rng = np.random.default_rng(4)
    u, t = (a.ravel() for a in np.meshgrid(np.linspace(-0.8, 0.8, 17), np.array([1e-9, 2e-9, 4e-9, 20e-9, 100e-9, 1e-6])))
    i = u * 1e-4
    y = 1e-3 + soft_clip(0.99 * u, 0.7, 0.6, 5.0) - 200 * i * np.exp(-t / 2e-9) + t * (500 - 2000 * u)
    y = y + 20e-6 * rng.standard_normal(len(y))
    model = IntegratorModel.fit(IntegratorSamples(u, i, t, y, np.zeros(0)), rng)
    assert model.clip is not None
    pairs = [(model.clip.low, 0.7), (model.clip.high, 0.6), (model.clip.sharpness, 5.0), (model.gain_error, -0.01)]
    pairs += [(model.lag, 200), (model.tau, 2e-9), (model.droop, 500), (model.leak, -2000), (model.pedestal, 1e-3)]
    for found, true in pairs:
        assert abs(found.value - true) < 5 * found.stderr
    assert model.apply(np.array([-5.0, 5.0])) == pytest.approx([-0.699, 0.601], abs=2e-3)


def test_soft_clip_is_the_identity_below_and_the_limit_beyond():
    np.testing.assert_allclose(soft_clip([-1e-3, 0.0, 1e-3], 0.5, 0.6, 8), [-1e-3, 0, 1e-3])
    np.testing.assert_allclose(soft_clip([-1e3, 1e3], 0.5, 0.6, 8), [-0.5, 0.6])


def test_ideal_models_do_nothing():
    v = np.linspace(-0.5, 0.5, 7)
    np.testing.assert_array_equal(IntegratorModel.ideal().apply(v, current=1e-4, time=1e-6), v)
    np.testing.assert_array_equal(MacModel.ideal().apply(v, edge_rate=1e6, active=5, excess=1e8), v)


def test_mac_against_ngspice_and_the_tile_in_closed_form(mac_samples):
    model = MacModel.fit(mac_samples, np.random.default_rng(2))
    figures = held_out_mac(model, "macro", np.random.default_rng(3), vectors=4)
    assert figures["rms_v"] < 0.1e-3
    tile = bench_tile("macro", np.random.default_rng(8))
    codes = np.random.default_rng(9).integers(-15, 16, (50, tile.inputs))
    expected = mac_voltages(tile, codes, level="macro", array="ideal") - tile.circuit.v_cm
    assert np.sqrt(np.mean((model.apply(**mac_terms(tile, codes, "macro")) - expected) ** 2)) < 0.2e-3
    fitted_on = bench_tile("macro", np.random.default_rng(1))
    c_f = fitted_on.feedback_capacitance("macro")[0]
    assert model.loading.value == pytest.approx(
        -(1 / (2 * np.pi * tile.circuit.gbw) + (tile.r_hold + tile.circuit.opamp_resistance) * c_f)
        * c_f
        / fitted_on.charge_capacitance()[0],
        rel=0.1,
    )


def test_a_tile_of_transistors_has_drivers_that_are_gates():
    """Their resistance is a width at level sky130; at level macro the bench's rows are driven without any."""
    codes = np.ones(8, int)
    for level, driver in (("macro", 0.0), ("sky130", DRIVER)):
        tile = bench_tile(level, np.random.default_rng(1), columns=1)
        assert tile.crossbar.r_driver == driver
        assert "tile, 8 inputs x 1 columns" in tile_deck(tile, codes, level, "reduced").text


def test_edge_time_and_row_charge_are_found(mac_samples):
    s = mac_samples
    output = s.ideal + 2e-9 * s.edge_rate + 1e-4 * s.active + 3e-3 + s.offset
    model = MacModel.fit(replace(s, output=output), np.random.default_rng(0))
    found = [model.edge_time.value, model.row_charge.value, model.pedestal.value, model.offset_gain.value]
    np.testing.assert_allclose(found, [2e-9, 1e-4, 3e-3, 1.0], rtol=1e-6)


def test_files_and_draws(integrator, mac_samples, tmp_path):
    mac = MacModel.fit(mac_samples, np.random.default_rng(2))
    for model in (integrator, mac):
        path = model.save(tmp_path / "m.json")
        assert type(model).load(path) == model
        assert "+-" in model.report()
        many, few = (model.sample(n, np.random.default_rng(7), n_columns=2).offset for n in (5, 2))
        np.testing.assert_array_equal(many[:2], few)
    with pytest.raises(InputError, match="field schema"):
        IntegratorModel.load(path)


def test_refusals(integrator, mac_samples):
    s = IntegratorSamples(np.zeros(5), np.zeros(5), np.zeros(5), np.zeros(5), np.zeros(0))
    for call, message in [
        (lambda: IntegratorModel.fit(s, np.random.default_rng(0)), "12 or more"),
        (lambda: integrator.sample(2, np.random.default_rng(0), n_columns=0), "n_columns=0"),
        (lambda: characterize_integrator("macro", np.random.default_rng(0), pulses=3), "pulses=3"),
        (lambda: characterize_mac("macro", np.random.default_rng(0), vectors=1), "vectors=1"),
        (lambda: MacModel.fit(replace(mac_samples, active=np.zeros(3)), np.random.default_rng(0)), "one length"),
        (lambda: MacModel.fit(replace(mac_samples, active=0 * mac_samples.active), np.random.default_rng(0)), "row_charge"),
        (lambda: Clip(low=Fitted.given(0.0, "V"), high=Fitted.given(1.0, "V"), sharpness=Fitted.given(4.0, "")), "low"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
