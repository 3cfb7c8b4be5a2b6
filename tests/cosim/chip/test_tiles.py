"""Products and conversions in tiles against converters that count, and whole networks against those that do without tiles."""

import hashlib
import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from characterization.ramp_model import RampDraw
from cosim.chip import Arrays, Hardware, PwmInputs, kernels
from cosim.chip.converters import Converters
from cosim.chip.tiled import path as tiled_path, product, shared, tiles, vectors
from cosim.chip.tiled.numpy_loop import float_loop
from cosim.compiled import compiled
from cosim.evaluation import evaluate, evaluator
from cosim.network import LANES, Layer, LSTMNetwork, Network
from cosim.network.cells import GRU, LSTM, SLSTM, Vanilla
from cosim.tasks import SequenceSet
from netlists.technology import load_profile

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


def test_tiles_are_as_wide_as_lanes_are_padded():
    """The file of compiled code has its own, as numba's cache does not notice changes of another."""
    assert tiles.LANES == LANES


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
    tables = product.Tables.of(converters, order, columns)
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
    driven = (
        product.packed(np.eye(COLUMNS, dtype=np.float32)),
        x,
        h,
        np.zeros(2, np.intp),
        ones,
        np.zeros((1, tiles.GROUP, tiles.LANES), np.float32),
    )
    z = np.zeros((2, columns, tiles.LANES), np.float32)
    counters = rng.integers(0, 2**32, (2, tiles.LANES), dtype=U)
    if tables.sigma is None:
        tiles.product(*driven, tables.thresholds, tables.values, z)
    else:
        tiles.product_noisy(*driven, tables.keys, counters, U(3), tables.thresholds, tables.sigma, tables.ends, tables.values, z)
    for t in range(2):
        np.testing.assert_array_equal(z[t, :COLUMNS], converters.convert(x[t], counters[t], 3))


@needs_permutes
def test_numbers_that_are_none_and_infinite_ones_have_their_codes():
    converters = Converters.build(np.array([[-1.0, 0.0, 1.0]] * 4), np.zeros(()), np.arange(4.0), np.zeros((4, 2), U), np.float32)
    tables = product.Tables.of(converters, np.arange(4), 4)
    z, ones = np.zeros((1, 4, tiles.LANES), np.float32), np.ones((1, tiles.LANES), np.float32)
    nothing = np.zeros((1, 0, tiles.LANES), np.float32)
    bias = product.packed(np.array([[np.nan], [np.inf], [-np.inf], [0.0]], np.float32))
    before = np.zeros((1, tiles.GROUP, tiles.LANES), np.float32)
    tiles.product(bias, nothing, nothing, np.zeros(2, np.intp), ones, before, tables.thresholds, tables.values, z)
    np.testing.assert_array_equal(z[0], np.repeat([[0.0], [3.0], [0.0], [1.0]], tiles.LANES, axis=1))


@needs_permutes
def test_sums_are_chains_of_fused_multiply_adds_as_those_of_blas():
    rng = np.random.default_rng(5)
    w = rng.standard_normal((COLUMNS, INPUTS + STATES + 1)).astype(np.float32)
    x, h = (rng.standard_normal((3, n, tiles.LANES)).astype(np.float32) for n in (INPUTS, STATES))
    z = np.zeros((3, 12, tiles.LANES), np.float32)
    ones = np.ones((1, tiles.LANES), np.float32)
    zeros = np.zeros((1, tiles.GROUP, tiles.LANES), np.float32)
    tiles.sums(product.packed(w), x, h, np.array([0, STATES]), ones, zeros, z)
    twice = np.zeros_like(z)
    tiles.sums(product.packed(w), x, h, np.array([0, 2, STATES]), ones, zeros, twice)
    np.testing.assert_array_equal(twice, z)
    for t in range(3):
        rows = np.vstack([x[t], h[t], ones])
        np.testing.assert_array_equal(z[t, :COLUMNS], chained_sums(w, rows))
        np.testing.assert_allclose(z[t, :COLUMNS], w @ rows, rtol=1e-5, atol=1e-5)


def test_compiled_code_is_made_again_when_a_file_that_it_is_written_with_changes(tmp_path):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("a = 1")
    other.write_text("a = 2")

    def stamp(source):
        return compiled(sources=(str(source),))(lambda x: x)._cache._cache_file._source_stamp

    assert stamp(one) == stamp(one) != stamp(other)


def test_a_column_is_steady_unless_noise_can_turn_levels_around():
    t = np.array([[0.0, 0.1, np.inf], [0.0, 0.0, np.inf], [0.0, 1e-4, np.inf], [0.0, 0.0, 1.0]], np.float32)
    s = np.array([[0.01, 0.02, 0.0], [0.02, 0.02, 0.0], [0.01, 0.02, 0.0], [0.01, 0.02, 0.02]], np.float32)
    assert product._steady(t, s).tolist() == [True, True, False, False]


def sequences(steps=9, count=150, *, equal=False):
    rng = np.random.default_rng(2)
    lengths = rng.integers(steps if equal else 1, steps + 1, count)
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
    "even": ((LSTM(INPUTS, 6),), {"sigmoid": 18, "tanh": 6}, "h_n"),
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


@needs_permutes
@pytest.mark.parametrize("name", ["even", "two layers", "both ways", "gru"])
def test_passes_and_sums_that_chips_share_change_no_bit(name, monkeypatch):
    cells, columns, pooling = NETWORKS[name]
    net = network(cells, pooling, directions=2 if name == "both ways" else 1)
    hardware = Hardware(ramps=ramps(0.01, columns), pwm=PwmInputs(6) if name == "gru" else None)
    alone = evaluate(net, sequences(), hardware, 2, 7).scores
    monkeypatch.setattr(product, "MOST_ROWS", 4)
    monkeypatch.setattr(product, "ROWS", 4)
    np.testing.assert_array_equal(evaluate(net, sequences(), hardware, 2, 7).scores, alone)
    monkeypatch.setattr(shared, "WORTH_ROWS", 1)
    summed = []
    monkeypatch.setattr(shared, "_sums", lambda *a, sums=shared._sums: summed.append(a[1]) or sums(*a))
    np.testing.assert_array_equal(evaluate(net, sequences(), hardware, 2, 7).scores, alone)
    assert summed
    # Chips with cells of their own share nothing.
    summed.clear()
    own = Hardware(ramps=ramps(0.01, columns), arrays=Arrays(load_profile("taox-100-400")))
    evaluate(net, sequences(), own, 2, 7)
    assert not summed


@needs_permutes
@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("name", ["even", "two layers", "lstm"])
def test_steps_in_one_go_change_no_bit(name, noise, monkeypatch):
    cells, columns, pooling = NETWORKS[name]
    net, hardware = network(cells, pooling, directions=1), Hardware(ramps=ramps(noise, columns))
    several, spans = [], tiled_path._spans
    monkeypatch.setattr(tiled_path, "_spans", lambda *a, **k: [several.append(k["several"]), *spans(*a, **k)][1:])
    data = sequences(equal=True)
    at_once = evaluate(net, data, hardware, 2, 7).scores
    # Noise is drawn for two units of a gate: an odd number of units takes a step at a time.
    assert any(several) == (np.any([cell.n_hidden % 2 == 0 for cell in cells]) or not noise)
    monkeypatch.setattr(tiled_path, "float_loop", lambda function: (0, 0))
    np.testing.assert_array_equal(evaluate(net, data, hardware, 2, 7).scores, at_once)
    monkeypatch.setattr(evaluator, "fits_tiles", lambda chip, engine: False)
    np.testing.assert_array_equal(evaluate(net, data, hardware, 2, 7).scores, at_once)


def test_a_loop_of_numpy_is_found_by_its_types_alone():
    assert float_loop(np.tanh)[0] != 0
    assert float_loop(np.bitwise_not) == (0, 0)


def drawn(words, others):
    """Numbers of a tile's generator for given random words, (n,) each."""

    @intrinsic
    def draw(typingctx, a, b, first, second):
        def generate(context, builder, signature, values):
            a, b, first, second = (
                context.make_array(kind)(context, builder, value).data for kind, value in zip(signature.args, values, strict=True)
            )
            zero = ir.Constant(ir.IntType(64), 0)
            wide = [vectors.Wide(builder, [vectors.load(builder, place, zero, vectors.INTS)]) for place in (a, b)]
            for out, place in zip(vectors.box_muller(*wide), (first, second), strict=True):
                vectors.store(builder, out.vectors[0], place, zero)
            return context.get_dummy_value()

        return types.void(a, b, first, second), generate

    @numba.njit
    def run(a, b, first, second):
        for i in range(len(a)):
            draw(a[i], b[i], first[i], second[i])

    first, second = (np.zeros((len(words) // 16, 16), np.float32) for _ in range(2))
    run(words.reshape(-1, 16), others.reshape(-1, 16), first, second)
    return first.ravel(), second.ravel()


@needs_permutes
@pytest.mark.parametrize("bits", [14, pytest.param(23, marks=pytest.mark.slow)])
def test_noise_in_tiles_has_the_bits_of_the_reference(bits):
    """All radii that there are, or some; and as many angles and signs."""
    rng = np.random.default_rng(bits)
    a, b = (np.arange(2**bits, dtype=U) << U(32 - bits) | rng.integers(0, 2 ** (32 - bits), 2**bits, dtype=U) for _ in range(2))
    rng.shuffle(b)
    for mine, theirs in zip(drawn(a, b), kernels.box_muller(a, b), strict=True):
        np.testing.assert_array_equal(mine, theirs)


DIGEST = """
import numpy as np
from cosim.chip.tiled import tiles
from tests_of_tiles import answers
print(tiles.has_permutes(), answers())
"""


def answers():
    """Digest of the answers of small networks with noise, whose units are odd and even in number."""
    digest, rng = hashlib.sha256(), np.random.default_rng(3)
    for states in (STATES, STATES + 1):
        net = LSTMNetwork(rng.normal(0, 0.5, (INPUTS + states + 1, 4 * states)), rng.normal(0, 1, (states + 1, 3)))
        hardware = Hardware(ramps=ramps(0.01, {"sigmoid": 3 * states, "tanh": states}))
        digest.update(evaluate(net, sequences(), hardware, 2, 7).scores.tobytes())
    return digest.hexdigest()


def test_a_processor_without_avx512_has_the_same_answers():
    """numba compiles for the features it is told; without those of AVX-512 the converters that count are used."""
    source = f"import sys, importlib.util as u; s = u.spec_from_file_location('tests_of_tiles', {__file__!r})\n"
    source += "m = u.module_from_spec(s); sys.modules['tests_of_tiles'] = m; s.loader.exec_module(m)\n" + DIGEST
    environment = os.environ | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2,+avx,+avx2,+fma"}
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", answers()]
