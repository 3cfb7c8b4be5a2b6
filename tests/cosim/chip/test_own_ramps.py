"""Networks that bring ramps along: in files, on ideal converters, on circuits; what cannot take them."""

from dataclasses import replace

import numpy as np
import pytest

from characterization import RampPlan, Variation
from characterization.ramp_model import RampDraw
from cosim.budget.chips import ChipBuilder
from cosim.chip import CircuitRamp, Hardware, LinearAdc, draw_chip
from cosim.evaluation import evaluate
from cosim.evaluation.comparison import ideal_hardware
from cosim.network import LSTMNetwork, Network
from cosim.tasks import SequenceSet
from netlists import load_profile
from netlists.errors import InputError
from netlists.function import Staircase, get_activation, uniform_staircase

OWN = Staircase((-1.5, -0.4, 0.1, 0.3, 0.6, 1.1, 2.0), (0.02, 0.2, 0.45, 0.5, 0.6, 0.7, 0.8, 0.97))


@pytest.fixture(scope="module")
def plain():
    rng = np.random.default_rng(1)
    return LSTMNetwork(rng.normal(0, 0.6, (9, 20)), rng.normal(0, 1, (6, 3)))


@pytest.fixture(scope="module")
def own(plain):
    return plain.with_ramps({"0.0.weights.f": OWN})


@pytest.fixture(scope="module")
def data():
    return SequenceSet(np.random.default_rng(2).normal(0, 1, (40, 6, 3)), np.full(40, 6), np.zeros(40, int))


def bank_of(network, hardware, **chip):
    return draw_chip(network, hardware, **({"index": 0, "seed": 1} | chip)).layers[0][0].matrices["weights"].units[0].bank


def without_errors(activation):
    profile = load_profile("taox-100-400").without_variation()
    return CircuitRamp(RampPlan(activation, 3, profile=profile, variation=Variation.none()))


def test_a_gate_has_its_own_ramp_and_the_others_the_hardware(own, plain):
    bank, usual = bank_of(own, Hardware(bits=3)), bank_of(plain, Hardware(bits=3))
    np.testing.assert_allclose(bank.thresholds[5:10, :7], np.tile(OWN.thresholds, (5, 1)), rtol=1e-6)
    np.testing.assert_allclose(bank.values[5:10, :8], np.tile(OWN.values, (5, 1)), rtol=1e-6)
    others = [*range(5), *range(10, 20)]
    np.testing.assert_array_equal(bank.thresholds[others], usual.thresholds[others])


def test_uniform_ramps_of_a_network_are_those_of_the_hardware(plain, data):
    gates = {g: get_activation("tanh" if g == "a" else "sigmoid").name for g in "ifao"}
    same = plain.with_ramps({f"0.0.weights.{g}": uniform_staircase(a, 3) for g, a in gates.items()})
    hardware = Hardware(bits=3)
    np.testing.assert_array_equal(evaluate(same, data, hardware).scores, evaluate(plain, data, hardware).scores)


def test_files_carry_ramps(own, plain, tmp_path):
    again = Network.load(own.save(tmp_path / "own.npz"))
    assert again.ramps == own.ramps
    assert again.sha256 == own.sha256 != plain.sha256
    assert again.with_ramps({}).sha256 == plain.sha256
    assert isinstance(again.with_ramps({}), LSTMNetwork)
    assert "exact activations" in again.warnings[0]
    fields = own.arrays()
    np.savez(tmp_path / "bad.npz", **(fields | {"ramps.0.0.weights.f": np.arange(4.0)}))
    with pytest.raises(InputError, match=r"ramps\.0\.0\.weights\.f"):
        Network.load(tmp_path / "bad.npz")
    with pytest.raises(InputError, match="unknown"):
        plain.with_ramps({"0.0.weights.z": OWN})


def test_a_circuit_makes_the_own_ramp_with_its_errors(own, plain):
    quiet = Hardware(ramps={a: without_errors(a) for a in ("sigmoid", "tanh")})
    ramp = bank_of(own, quiet).thresholds[5, :7]
    lsb = np.append(np.diff(OWN.thresholds), OWN.thresholds[-1] - OWN.thresholds[-2])
    assert np.abs((ramp - OWN.thresholds) / lsb).max() < 0.05
    drawn = Hardware(ramps={a: CircuitRamp(RampPlan(a, 3)) for a in ("sigmoid", "tanh")})
    off = np.array([bank_of(own, drawn, index=i).thresholds[5:10, :7] for i in range(8)]) - OWN.thresholds
    assert 0.005 < np.std(off.mean(axis=1)) < 0.3
    usual = bank_of(plain, drawn).thresholds
    np.testing.assert_array_equal(bank_of(own, drawn).thresholds[10:15], usual[10:15])


def test_as_designed_it_is_the_own_ramp_too(own):
    drawn = Hardware(ramps={a: CircuitRamp(RampPlan(a, 3)) for a in ("sigmoid", "tanh")})
    np.testing.assert_allclose(bank_of(own, ideal_hardware(drawn)).thresholds[5, :7], OWN.thresholds, rtol=1e-6)


def test_what_cannot_take_them_says_so(own):
    noisy = replace(RampDraw.ideal("sigmoid", 3), noise_sigma=np.array(0.1))
    for hardware, why in (
        (Hardware(bits=4), "4 bits"),
        (Hardware(adc=LinearAdc()), "linear converter"),
        (Hardware(ramps={"sigmoid": noisy, "tanh": None}), "RampDraw"),
        (Hardware(ramps={a: replace(without_errors(a), quantized=False) for a in ("sigmoid", "tanh")}), "CircuitRamp"),
    ):
        with pytest.raises(InputError, match=f"ramp of 3 bits of its own.*{why}"):
            draw_chip(own, hardware, 0, 1)
    with pytest.raises(InputError, match="ramps of its own"):
        ChipBuilder(own, load_profile("taox-100-400"), 3, 1)
    assert draw_chip(own, Hardware(), 0, 1).layers
