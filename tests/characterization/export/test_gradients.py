"""The ramp in PyTorch and on JAX arrays: the NumPy model's values on the same draws, the activation's slope backward."""

import numpy as np
import pytest
from scipy.special import expit

from characterization.ramp_model.model import RampModel
from characterization.run.montecarlo import simulate_run
from netlists.errors import InputError


@pytest.fixture(scope="module")
def model(plan3):
    return RampModel.fit(simulate_run(plan3, 16, progress=False))


@pytest.fixture(scope="module")
def draw(model):
    return model.sample(3, 5, np.random.default_rng(0))


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(1).uniform(-5, 5, (40, 5))


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(2).standard_normal((40, 5))


def test_the_torch_module_is_the_numpy_model(model, draw, x, noise):
    torch = pytest.importorskip("torch")
    from characterization.export.torch_module import RampActivation

    module = RampActivation(model, draw, 1)
    tensor = torch.tensor(x)
    np.testing.assert_array_equal(module(tensor).numpy(), draw.apply(x, 1))
    np.testing.assert_array_equal(module(tensor, torch.tensor(noise)).numpy(), draw.apply(x, 1, noise))
    assert module(tensor.float()).dtype == torch.float32


def test_torch_gradients_go_straight_through(model, draw, x):
    torch = pytest.importorskip("torch")
    from characterization.export.torch_module import RampActivation

    tensor = torch.tensor(x, requires_grad=True)
    RampActivation(model, draw)(tensor).sum().backward()
    np.testing.assert_allclose(tensor.grad.numpy(), expit(x) * expit(-x), atol=1e-5)


def test_a_torch_module_survives_its_state_dict(model, draw, x):
    torch = pytest.importorskip("torch")
    from characterization.export.torch_module import RampActivation

    a, b = RampActivation(model, draw, 0), RampActivation(model, draw, 2)
    b.load_state_dict(a.state_dict())
    np.testing.assert_array_equal(a(torch.tensor(x)).numpy(), b(torch.tensor(x)).numpy())
    assert list(a.parameters()) == []


def test_torch_refuses_other_columns_and_chips(model, draw):
    torch = pytest.importorskip("torch")
    from characterization.export.torch_module import RampActivation

    with pytest.raises(InputError, match="x: has 4 columns, the drawn chip 5"):
        RampActivation(model, draw)(torch.zeros(2, 4))
    with pytest.raises(InputError, match="chip=3: drawn were 3"):
        RampActivation(model, draw, 3)


@pytest.fixture
def jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


def test_the_jax_function_is_the_numpy_model(jax, model, draw, x, noise):
    from characterization.export.jax_function import ramp_function

    f = jax.jit(ramp_function(model, draw, 1))
    np.testing.assert_array_equal(np.asarray(f(x)), draw.apply(x, 1))
    np.testing.assert_array_equal(np.asarray(f(x, noise)), draw.apply(x, 1, noise))


def test_jax_gradients_go_straight_through(jax, model, draw, x):
    from characterization.export.jax_function import ramp_function

    f = ramp_function(model, draw)
    gradient = jax.grad(lambda v: f(v).sum())(x)
    np.testing.assert_allclose(np.asarray(gradient), expit(x) * expit(-x), atol=1e-5)


def test_jax_refuses_other_columns_and_chips(jax, model, draw):
    from characterization.export.jax_function import ramp_function

    with pytest.raises(InputError, match="x: has 4 columns, the drawn chip 5"):
        ramp_function(model, draw)(np.zeros((2, 4)))
    with pytest.raises(InputError, match="chip=3: drawn were 3"):
        ramp_function(model, draw, 3)
