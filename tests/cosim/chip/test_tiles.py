"""Products and conversions in tiles against converters that count, and whole networks against those that do without tiles."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from characterization.ramp_model import RampDraw
from cosim.chip import Hardware, PwmInputs, kernels
from cosim.chip.converters import Converters
from cosim.chip.kernels import normals
from cosim.chip.tiled import path as tiled_path, tiles
from cosim.evaluation import evaluate, evaluator
from cosim.network import LANES, Layer, LSTMNetwork, Network
from cosim.network.cells import GRU, LSTM, SLSTM, Vanilla
from cosim.tasks import SequenceSet

needs_permutes = pytest.mark.skipif(not tiles.has_permutes(), reason="needs AVX-512")
COLUMNS, INPUTS, STATES = 10, 7, 5
U = np.uint32


def chained_sums(weights, rows):
    """Sums as a chain of fused multiply-adds: each product exact, one rounding an addition."""
    out = np.zeros((len(weights), rows.shape[1]), np.float32)
    for k, row in enumerate(rows):
        out = (weights[:, k : k + 1].astype(np.longdouble) * row.astype(np.longdouble) + out).astype(np.float32)
    return out


def bank(kind, rng, levels=31):
    """Levels that repeat, lie next to each other in floating point, or far apart; noise by kind."""
    t = np.sort(rng.normal(0, 2, (COLUMNS, levels)).astype(np.float32), axis=1)
    t[:, 4:7] = t[:, 4:5]
    t[::2, 9] = np.nextafter(t[::2, 8], np.float32(np.inf))
    t = np.sort(t, axis=1)
    sigma = {"none": np.zeros(()), "one": np.array(0.02), "each": rng.uniform(0.01, 0.3, levels)}[kind]
    keys = rng.integers(0, 2**32, (COLUMNS // 2 + 2, 2), dtype=U)
    with np.errstate(over="ignore"):
        built = Converters.build(t, sigma, rng.standard_normal(levels + 1), keys, np.float32)
    return Converters(built.thresholds, built.sigma, built.values, built.keys)


def test_all_have_the_same_width_of_a_tile():
    """Each file of compiled code has its own, as numba's cache does not notice changes of another."""
    assert tiles.LANES == kernels.LANES == LANES


@needs_permutes
@pytest.mark.parametrize("levels", [1, 3, 15, 31])
@pytest.mark.parametrize("kind", ["none", "one", "each"])
def test_a_tile_converts_as_counting_does(kind, levels):
    rng = np.random.default_rng(levels)
    converters = (
        bank(kind, rng, max(levels, 10))
        if levels > 1
        else Converters.build(rng.normal(size=(COLUMNS, 1)), np.zeros(()), np.arange(2.0), np.zeros((7, 2), U), np.float32)
    )
    order, columns = np.arange(COLUMNS), 12
    tables = tiled_path.Tables.of(converters, order, columns)
    # One row drives each column with a number of its own choice: thresholds, their neighbours, NaN, infinities.
    x = np.zeros((2, COLUMNS, tiles.LANES), np.float32)
    exact = converters.thresholds[order[:, None], rng.integers(0, converters.levels, (COLUMNS, 128))].reshape(COLUMNS, 2, 64)
    choice = [
        exact,
        np.nextafter(exact, np.float32(np.inf)),
        np.nextafter(exact, np.float32(-np.inf)),
        rng.normal(0, 3, exact.shape),
    ]
    x[:] = np.choose(rng.integers(0, 4, exact.shape), choice).transpose(1, 0, 2)
    x[np.isinf(x)] = 0.5
    h, ones = np.zeros((2, 0, tiles.LANES), np.float32), np.zeros((0, tiles.LANES), np.float32)
    z = np.zeros((2, columns, tiles.LANES), np.float32)
    counters = rng.integers(0, 2**32, (2, tiles.LANES), dtype=U)
    weights = tiled_path.packed(np.eye(COLUMNS, dtype=np.float32))
    if tables.sigma is None:
        tiles.product(weights, x, h, ones, tables.thresholds, tables.values, z)
    else:
        noise = np.zeros(z.shape, np.float32)
        for t in range(2):
            noise[t, :COLUMNS] = normals(converters.keys, counters[t], 3)[:COLUMNS]
        tiles.product_noisy(weights, x, h, ones, noise, tables.thresholds, tables.sigma, tables.ends, tables.values, z)
    for t in range(2):
        np.testing.assert_array_equal(z[t, :COLUMNS], converters.convert(x[t], counters[t], 3))


@needs_permutes
def test_numbers_that_are_none_and_infinite_ones_have_their_codes():
    converters = Converters.build(np.array([[-1.0, 0.0, 1.0]] * 4), np.zeros(()), np.arange(4.0), np.zeros((4, 2), U), np.float32)
    tables = tiled_path.Tables.of(converters, np.arange(4), 4)
    z, ones = np.zeros((1, 4, tiles.LANES), np.float32), np.ones((1, tiles.LANES), np.float32)
    nothing = np.zeros((1, 0, tiles.LANES), np.float32)
    bias = tiled_path.packed(np.array([[np.nan], [np.inf], [-np.inf], [0.0]], np.float32))
    tiles.product(bias, nothing, nothing, ones, tables.thresholds, tables.values, z)
    np.testing.assert_array_equal(z[0], np.repeat([[0.0], [3.0], [0.0], [1.0]], tiles.LANES, axis=1))


@needs_permutes
def test_sums_are_chains_of_fused_multiply_adds_as_those_of_blas():
    rng = np.random.default_rng(5)
    w = rng.standard_normal((COLUMNS, INPUTS + STATES + 1)).astype(np.float32)
    x, h = (rng.standard_normal((3, n, tiles.LANES)).astype(np.float32) for n in (INPUTS, STATES))
    z = np.zeros((3, 12, tiles.LANES), np.float32)
    ones = np.ones((1, tiles.LANES), np.float32)
    tiles.sums(tiled_path.packed(w), x, h, ones, z)
    for t in range(3):
        rows = np.vstack([x[t], h[t], ones])
        np.testing.assert_array_equal(z[t, :COLUMNS], chained_sums(w, rows))
        np.testing.assert_allclose(z[t, :COLUMNS], w @ rows, rtol=1e-5, atol=1e-5)


def test_a_column_is_steady_unless_noise_can_turn_levels_around():
    t = np.array([[0.0, 0.1, np.inf], [0.0, 0.0, np.inf], [0.0, 1e-4, np.inf], [0.0, 0.0, 1.0]], np.float32)
    s = np.array([[0.01, 0.02, 0.0], [0.02, 0.02, 0.0], [0.01, 0.02, 0.0], [0.01, 0.02, 0.02]], np.float32)
    assert tiled_path._steady(t, s).tolist() == [True, True, False, False]


def sequences(steps=9, count=150):
    rng = np.random.default_rng(2)
    lengths = rng.integers(1, steps + 1, count)
    lengths[:3] = steps
    return SequenceSet(rng.standard_normal((count, steps, INPUTS)), lengths, rng.integers(0, 3, count))


def ramps(noise, columns):
    """Ramps of two chips, whose levels differ."""
    out, rng = {}, np.random.default_rng(4)
    for activation, n in columns.items():
        ideal = RampDraw.ideal(activation, 4).thresholds
        levels = ideal + 0.05 * rng.standard_normal((2, ideal.shape[1]))
        sigma = noise * np.linspace(0.9, 1.1, ideal.shape[1])
        out[activation] = RampDraw(activation, 4, levels, 0.05 * rng.standard_normal((2, n)), sigma)
    return out


NETWORKS = {
    "lstm": ((LSTM(INPUTS, STATES),), {"sigmoid": 3 * STATES, "tanh": STATES}, "h_n"),
    "projected": (
        (LSTM(INPUTS, STATES, n_projection=3, projection_full_scale=2.0),),
        {"sigmoid": 3 * STATES, "tanh": STATES, "identity": 3},
        "mean",
    ),
    "two layers": ((LSTM(INPUTS, STATES), LSTM(STATES, 6)), {"sigmoid": 3 * STATES + 18, "tanh": STATES + 6}, "last"),
    "gru": ((GRU(INPUTS, STATES, reset="before"),), {"sigmoid": 2 * STATES, "tanh": STATES}, "max"),
    "both ways": ((Vanilla(INPUTS, STATES),), {"tanh": 2 * STATES}, "h_n"),
    "slstm": ((SLSTM(INPUTS, STATES),), {"identity": 2 * STATES, "tanh": STATES, "sigmoid": STATES}, "h_n"),
}


def network(cells, pooling, directions):
    rng = np.random.default_rng(1)
    layers = [Layer(cell, *(cell.initial_parameters(rng) for _ in range(directions))) for cell in cells]
    return Network(tuple(layers), rng.normal(size=(directions * cells[-1].n_out + 1, 3)), pooling=pooling)


@needs_permutes
@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_same_answers_in_tiles(name, noise, monkeypatch):
    cells, columns, pooling = NETWORKS[name]
    net = network(cells, pooling, directions=2 if name == "both ways" else 1)
    hardware = Hardware(ramps=ramps(noise, columns), pwm=PwmInputs(6) if name == "gru" else None)
    in_tiles = evaluate(net, sequences(), hardware, 2, 7).scores
    used = []
    monkeypatch.setattr(evaluator, "fits_tiles", lambda chip, engine: used.append(tiled_path.fits_tiles(chip, engine)))
    np.testing.assert_array_equal(in_tiles, evaluate(net, sequences(), hardware, 2, 7).scores)
    assert any(used)


DIGEST = """
import numpy as np
from cosim.chip.tiled import tiles
from tests_of_tiles import answers
print(tiles.has_permutes(), answers())
"""


def answers():
    """Digest of the predictions of a small network with noise."""
    rng = np.random.default_rng(3)
    net = LSTMNetwork(rng.normal(0, 0.5, (INPUTS + STATES + 1, 4 * STATES)), rng.normal(0, 1, (STATES + 1, 3)))
    hardware = Hardware(ramps=ramps(0.01, NETWORKS["lstm"][1]))
    return hashlib.sha256(evaluate(net, sequences(), hardware, 2, 7).scores.tobytes()).hexdigest()


def test_a_processor_without_avx512_has_the_same_answers():
    """numba compiles for the features it is told; without those of AVX-512 the converters that count are used."""
    source = f"import sys, importlib.util as u; s = u.spec_from_file_location('tests_of_tiles', {__file__!r})\n"
    source += "m = u.module_from_spec(s); sys.modules['tests_of_tiles'] = m; s.loader.exec_module(m)\n" + DIGEST
    environment = os.environ | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2,+avx,+avx2,+fma"}
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", answers()]
