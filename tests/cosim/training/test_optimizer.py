import math

import numpy as np
import pytest

from cosim.training import Adam, TrainingSettings


def adam(p, decayed=None, **settings):
    return Adam({"p": p}, TrainingSettings(**settings), {"p": len(p) if decayed is None else decayed})


def test_the_first_step_is_the_learning_rate_whatever_the_gradient():
    p = np.zeros((2, 3))
    gradient = np.array([[1e-3, -2.0, 5.0], [1.0, -1.0, 1e3]])
    adam(p, clip=1e300).step({"p": gradient}, 0.1)
    np.testing.assert_allclose(p, -0.1 * np.sign(gradient), rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ["adamw", "adam"])
def test_many_steps_are_those_of_the_published_algorithm(dtype, optimizer):
    rng = np.random.default_rng(1)
    p = rng.normal(0, 1, (3, 4))
    ours = p.astype(dtype)
    stepper = adam(ours, 2, clip=2.0, weight_decay=0.1, optimizer=optimizer)
    m, v, decay = np.zeros_like(p), np.zeros_like(p), np.array([[0.1], [0.1], [0.0]])
    for t in range(1, 20):
        g = rng.normal(0, 1, p.shape)
        stepper.step({"p": g.astype(dtype)}, 0.01)
        g = g * min(1.0, 2.0 / np.linalg.norm(g))
        if optimizer == "adam":
            g = g + decay * p
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        if optimizer == "adamw":
            p = p - 0.01 * decay * p
        p = p - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(ours, p, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-6 if dtype == np.float32 else 0)


def test_clipping_scales_all_gradients_together():
    parameters = {"a": np.zeros((2, 1)), "b": np.zeros((2, 1))}
    stepper = Adam(parameters, TrainingSettings(clip=1.0), {"a": 1, "b": 1})
    stepper.step({"a": np.array([[3.0], [0.0]]), "b": np.array([[0.0], [4.0]])}, 0.1)
    # After one step the mean is 0.1 of what it was given: (3, 4) scaled from norm 5 to norm 1.
    np.testing.assert_allclose(np.concatenate([stepper.mean["a"], stepper.mean["b"]]).ravel() * 10, [0.6, 0, 0, 0.8])


def test_weights_decay_and_biases_do_not():
    p = np.ones((3, 2))
    adam(p, 2, weight_decay=0.5).step({"p": np.zeros((3, 2))}, 0.1)
    np.testing.assert_allclose(p, [[0.95, 0.95], [0.95, 0.95], [1.0, 1.0]])


def test_a_gradient_that_is_not_a_number_is_not_hidden():
    p = np.ones((1, 2))
    adam(p).step({"p": np.array([[math.nan, 1.0]])}, 0.1)
    assert np.all(np.isnan(p))


def test_schedules():
    def rates(epochs, **settings):
        s = TrainingSettings(learning_rate=1.0, epochs=40, **settings)
        return [s.rate(e) for e in epochs]

    assert rates([0, 20, 40], schedule="cosine") == pytest.approx([1.0, 0.5, 0.0])
    assert rates([0, 7.5, 39], schedule="constant") == [1.0, 1.0, 1.0]
    assert rates([0, 9.9, 10, 25], schedule="step", step_epochs=10, step_factor=0.1) == pytest.approx([1, 1, 0.1, 0.01])
    assert rates([0, 1, 2, 3], schedule="constant", warm_up=2.0) == pytest.approx([0, 0.5, 1, 1])
