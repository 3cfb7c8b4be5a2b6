"""What a design loses: gains of columns, held-out sequences, hardware without errors, errors that must show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.ramp_model.draw import RampDraw
from cosim.chip.mapping import converted_columns, integrator_gains, matrix_places
from cosim.evaluation.evaluator import evaluate
from cosim.network import LSTMNetwork, Network
from cosim.optimize.bench import DesignBench
from cosim.optimize.space import Space, design_of, variables
from cosim.tasks import load_task
from cosim.training import TrainingSettings, held_out_sequences, train_task
from netlists.errors import InputError
from netlists.technology.profile import load_profile

PROFILE = load_profile("taox-100-400")
DEFAULT = Space(variables(PROFILE), {}).default


@pytest.fixture(scope="module")
def task():
    return load_task("digits")


@pytest.fixture(scope="module")
def digits(task):
    return train_task(task, seed=4, settings=TrainingSettings(n_hidden=8, epochs=4))


def test_held_out_sequences_are_those_of_the_training(task, digits):
    """The accuracy that the training noted for its best epoch is had again on them."""
    held = held_out_sequences(task, digits)
    about = digits.metadata
    noted = next(e.validation_accuracy for e in about.epochs if e.epoch == about.best_epoch)
    assert 0 < len(held) < len(task.train)
    assert evaluate(digits, held).accuracy[0] == pytest.approx(noted, abs=1.5 / len(held))


def test_a_network_that_does_not_say_is_refused(task, digits):
    unknown = Network(digits.layers, digits.readout)
    with pytest.raises(InputError, match="must not look at the test set"):
        held_out_sequences(task, unknown)


def test_a_validation_set_of_the_task_is_taken_as_it_is(task, digits):
    with_set = replace(task, validation=task.train.select(np.arange(7)))
    assert held_out_sequences(with_set, digits) is with_set.validation


def test_columns_of_each_activation(digits):
    assert converted_columns(digits) == {"sigmoid": 24, "tanh": 8}


def gains(network, design):
    """Of the integrators of each column."""
    hardware = DesignBench(network, None, PROFILE.without_variation(), 0.0).hardware(design, {})
    ramps = {a: RampDraw.ideal(a, design.bits) for a in ("sigmoid", "tanh")}
    (at,) = matrix_places(network, hardware.pwm)
    return integrator_gains(at, replace(hardware, ramps=ramps), hardware.integrators.faster[0])


def test_equal_columns_have_equal_gains():
    """C_f makes good what the mean column loses: columns alike lose nothing against each other."""
    network = LSTMNetwork(np.tile(np.linspace(-1, 1, 9)[:, None], (1, 20)), np.ones((6, 2)))
    np.testing.assert_allclose(gains(network, design_of(DEFAULT, PROFILE, network)), 1, rtol=1e-12)


def test_a_column_with_more_conductance_loses_more():
    weights = np.zeros((9, 20))
    weights[:, ::2], weights[:, 1::2] = 0.05, 1.0
    network = LSTMNetwork(weights, np.ones((6, 2)))
    design = design_of(DEFAULT, PROFILE, network)
    gain = gains(network, design)
    assert np.all(gain[1::2] < 1)
    assert np.all(gain[::2] > 1)
    # Half the range makes the capacitors smaller, not the standing conductance.
    assert np.ptp(gains(network, design.with_(g_max=250e-6))) > np.ptp(gain) * 0.5


def test_hardware_without_errors_loses_what_rounding_does(task, digits):
    bench = DesignBench(digits, task.test, PROFILE.without_variation(), r_wire=0.0)
    design = design_of(DEFAULT | {"bits": 8, "n_in": 8}, PROFILE, digits)
    ramps = {a: RampDraw.ideal(a, 8) for a in ("sigmoid", "tanh")}
    found = bench.loss(design, ramps, 2, 1)
    assert abs(found.loss) < 0.01
    assert found.exact == evaluate(digits, task.test, dtype=np.float64).accuracy[0]
    assert found.loss == pytest.approx(found.exact - found.accuracy, abs=1e-12)
    assert found.low <= found.loss <= found.high


def test_large_offsets_and_long_wires_show(task, digits):
    bench = DesignBench(digits, task.test, PROFILE, r_wire=1.0)
    good = bench.predicted(design_of(DEFAULT | {"comparator_offset": 1e-3, "array_size": 16}, PROFILE, digits), 3, 1)
    offset = bench.predicted(design_of(DEFAULT | {"comparator_offset": 50e-3, "array_size": 16}, PROFILE, digits), 3, 1)
    wires = replace(bench, r_wire=50.0).predicted(design_of(DEFAULT | {"comparator_offset": 1e-3}, PROFILE, digits), 3, 1)
    assert offset.loss > good.loss + 0.05
    assert wires.loss > good.loss + 0.05
    assert good.chips_low <= good.loss <= good.chips_high


def test_the_same_seed_gives_the_same_loss_on_any_number_of_threads(task, digits):
    design = design_of(DEFAULT | {"array_size": 16}, PROFILE, digits)
    one, two = (DesignBench(digits, task.test, PROFILE, 1.0, threads=n).predicted(design, 2, 3) for n in (1, 2))
    assert one == two
