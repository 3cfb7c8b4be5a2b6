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


def test_chips_stay_where_they_are_when_weights_are_loaded(model, draw, x):
    torch = pytest.importorskip("torch")
    from characterization.export.torch_module import RampActivation

    def net(chip):
        return torch.nn.Sequential(torch.nn.Linear(5, 5), RampActivation(model, draw, chip)).double()

    trained = net(0)
    saved = trained.state_dict()
    assert list(saved) == ["0.weight", "0.bias"]
    # Files of before hold the chip's numbers as well.
    saved["1.levels"] = trained[1].levels.clone()
    tensor = torch.tensor(x)
    with torch.no_grad():
        for chip in range(3):
            other = net(chip)
            other.load_state_dict(dict(saved))
            np.testing.assert_array_equal(other(tensor).numpy(), draw.apply(trained[0](tensor).numpy(), chip))
    assert list(RampActivation(model, draw).parameters()) == []


@pytest.mark.parametrize("kind", ["half", "bfloat16", "float"])
def test_half_precision_keeps_codes_and_slopes(model, draw, x, kind):
    torch = pytest.importorskip("torch")
    from characterization.export.torch_module import RampActivation

    module = getattr(torch.nn.Sequential(RampActivation(model, draw, 1)), kind)()
    dtype = {"half": torch.float16, "bfloat16": torch.bfloat16, "float": torch.float32}[kind]
    tensor = torch.tensor(x).to(dtype).requires_grad_()
    y = module(tensor)
    exact = tensor.detach().double().numpy()
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.detach().double().numpy(), torch.tensor(draw.apply(exact, 1)).to(dtype).double().numpy())
    slope = torch.autograd.grad(y.sum(), tensor)[0].double().numpy()
    np.testing.assert_allclose(slope, expit(exact) * expit(-exact), rtol=0.01, atol=1e-3)


def test_nan_has_no_code_and_whole_numbers_are_inputs(model, draw):
    expected = np.array([[np.nan, 0.0, 1.0, 2.0, -3.0]])
    values = draw.apply(expected)
    assert np.isnan(values).tolist() == [[True, False, False, False, False]]
    np.testing.assert_array_equal(draw.apply(expected, noise=np.zeros((1, 5))), values)
    torch = pytest.importorskip("torch")
    from characterization.export.torch_module import RampActivation

    module = RampActivation(model, draw)
    np.testing.assert_array_equal(module(torch.tensor(expected)).numpy(), values)
    whole = module(torch.tensor([[0, 0, 1, 2, -3]]))
    assert whole.dtype == torch.get_default_dtype()
    np.testing.assert_allclose(whole.numpy()[:, 1:], values[:, 1:], rtol=1e-6)
    tensor = torch.tensor(expected, requires_grad=True)
    module(tensor).nansum().backward()
    assert np.isfinite(tensor.grad.numpy()[:, 1:]).all()


def test_what_is_no_number_is_refused_and_what_is_masked_has_no_code(model, draw):
    masked = np.ma.masked_array([[0.5, 1.0, 1.0, 1.0, 1.0]], [[0, 1, 0, 0, 0]])
    assert np.isnan(draw.apply(masked)).tolist() == [[False, True, False, False, False]]
    noise = np.array([[0.0, 0.0, np.nan, 0.0, 0.0]])
    assert np.isnan(draw.apply(np.zeros((1, 5)), noise=noise)).tolist() == np.isnan(noise).tolist()
    for other in (np.full((1, 5), 1j), np.full((1, 5), "a"), np.full((1, 5), None)):
        with pytest.raises(InputError, match="must be real numbers"):
            draw.apply(other)
    torch = pytest.importorskip("torch")
    from characterization.export.torch_module import RampActivation

    module = RampActivation(model, draw)
    assert torch.isnan(module(torch.zeros(1, 5), torch.tensor(noise))).tolist() == np.isnan(noise).tolist()
    with pytest.raises(InputError, match="must be real numbers"):
        module(torch.full((1, 5), 1j))


def test_torch_maps_over_batches_and_writes_the_staircase_as_onnx(model, draw, x, tmp_path):
    torch = pytest.importorskip("torch")
    from characterization.export.torch_module import RampActivation

    module, tensor = RampActivation(model, draw), torch.tensor(x)
    slopes = torch.func.vmap(torch.func.grad(lambda v: module(v).sum()))(tensor)
    np.testing.assert_allclose(slopes.numpy(), expit(x) * expit(-x), atol=1e-5)
    np.testing.assert_array_equal(torch.func.vmap(module)(tensor.reshape(8, 5, 5)).numpy(), draw.apply(x.reshape(8, 5, 5)))
    pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    torch.onnx.export(module, (tensor.float(),), tmp_path / "ramp.onnx", dynamo=False, input_names=["x"])
    (found,) = ReferenceEvaluator(str(tmp_path / "ramp.onnx")).run(None, {"x": x.astype(np.float32)})
    np.testing.assert_allclose(found, draw.apply(x.astype(np.float32)), rtol=1e-6)


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


@pytest.mark.slow
def test_jax_maps_keeps_half_and_knows_nan_and_whole_numbers(jax, model, draw, x):
    from characterization.export.jax_function import ramp_function

    jnp = jax.numpy
    f = ramp_function(model, draw, 1)
    np.testing.assert_array_equal(jax.vmap(f)(x.reshape(8, 5, 5)), draw.apply(x.reshape(8, 5, 5), 1))
    np.testing.assert_allclose(jax.vmap(jax.grad(lambda v: f(v).sum()))(x), expit(x) * expit(-x), atol=1e-5)
    assert np.isnan(np.asarray(f(np.full((1, 5), np.nan)))).all()
    np.testing.assert_array_equal(f(np.array([[0, 0, 1, 2, -3]])), draw.apply(np.array([[0, 0, 1, 2, -3]]), 1))
    half = jnp.asarray(x, jnp.bfloat16)
    assert f(half).dtype == jnp.bfloat16
    assert jax.grad(lambda v: f(v).sum())(half).dtype == jnp.bfloat16


def test_jax_refuses_other_columns_and_chips(jax, model, draw):
    from characterization.export.jax_function import ramp_function

    with pytest.raises(InputError, match="x: has 4 columns, the drawn chip 5"):
        ramp_function(model, draw)(np.zeros((2, 4)))
    with pytest.raises(InputError, match="chip=3: drawn were 3"):
        ramp_function(model, draw, 3)
