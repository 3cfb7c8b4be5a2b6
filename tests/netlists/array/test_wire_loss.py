"""Wires made good: by one gain, by targets of the cells; held against solutions of the whole mesh."""

import numpy as np
import pytest

from netlists.array.crossbar import Crossbar
from netlists.array.pairs import weights_to_pairs
from netlists.array.solver import ArraySolver
from netlists.array.wire_loss import wired_pairs
from netlists.errors import InputError

SHAPE = (24, 16)


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(1).normal(0, 1, SHAPE)


def through(ohm, **ends):
    return lambda g: ArraySolver(Crossbar(g, r_row=ohm, r_col=ohm, **ends)).transfer


def shown(pairs, layout, ohm):
    """Weights by node analysis of the mesh, an input at a time, in units of the scale."""
    inputs = np.eye(SHAPE[0])
    drive = inputs if layout == "columns" else np.stack([inputs, -inputs], axis=-1).reshape(SHAPE[0], -1)
    current = ArraySolver(Crossbar(pairs.conductance, r_row=ohm, r_col=ohm)).solve(drive).column_current
    return (current if layout == "rows" else current[:, 0::2] - current[:, 1::2]) / pairs.scale


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_one_gain_is_the_best_one(weights, profile, layout):
    none, mean = (wired_pairs(weights, profile, through(2.0), c, layout=layout) for c in ("none", "mean"))
    assert np.array_equal(none.conductance, mean.conductance)
    found = shown(mean, layout, 2.0)
    assert np.linalg.norm(found - weights) == pytest.approx(mean.error * np.linalg.norm(weights))
    for other in (0.98, 1.02):
        assert np.linalg.norm(found * other - weights) > np.linalg.norm(found - weights)
    assert np.polyfit(weights.ravel(), shown(none, layout, 2.0).ravel(), 1)[0] == pytest.approx(1 / mean.gain, rel=0.03)
    assert none.error > 2 * mean.error
    assert none.gain == 1


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_targets_that_allow_for_the_wires_show_the_weights(weights, profile, layout):
    pairs = wired_pairs(weights, profile, through(2.0), "wires", layout=layout)
    found = shown(pairs, layout, 2.0)
    assert np.sqrt(np.mean((found - weights) ** 2)) < 2e-4
    assert pairs.conductance.min() >= profile.g_min
    assert pairs.conductance.max() == pytest.approx(profile.g_max)
    # The price: a unit of weight has less of the range than on ideal wires.
    assert pairs.gain > 1.05


def test_without_wires_nothing_is_made_good(weights, profile):
    plain = weights_to_pairs(weights, profile)
    for transfer in (None, through(1e-9)):
        for compensate in ("none", "mean", "wires"):
            pairs = wired_pairs(weights, profile, transfer, compensate)
            np.testing.assert_allclose(pairs.conductance, plain.conductance, rtol=1e-6)
            assert [pairs.scale, pairs.gain] == pytest.approx([plain.scale, 1.0], rel=1e-6)


def test_crossings_without_cells_stay_open(weights, profile):
    there = np.random.default_rng(2).random(SHAPE) < 0.7
    cells = np.repeat(there, 2, axis=0)
    sparse = np.where(there, weights, 0.0)
    transfer = through(2.0)
    pairs = wired_pairs(sparse, profile, lambda g: transfer(np.where(cells, g, 1e-15)), "wires", layout="rows", cells=cells)
    assert pairs.error < 1e-4
    assert np.all(pairs.conductance[~cells] == profile.g_min)


def test_wires_that_cannot_be_made_good(weights, profile):
    with pytest.raises(InputError, match=r"compensate='wires': no targets from 0\.0001 to 0\.0004 S"):
        wired_pairs(weights, profile, through(300.0), "wires")
    with pytest.raises(InputError, match="compensate='some': unknown; allowed are none, mean, wires"):
        wired_pairs(weights, profile, through(1.0), "some")
