"""Shapley shares against closed forms and brute force over all orders."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cosim.budget.shapley import coalitions, exact_shares, orders, resampled_interval, sampled_shares
from netlists.errors import InputError


def random_game(players, rng, shape=()):
    worth = rng.standard_normal((2**players, *shape))
    return lambda mask: worth[mask]


def over_all_orders(players, value):
    """The definition itself."""
    gains = []
    for order in permutations(range(players)):
        masks = coalitions(np.array(order))
        gain = np.empty(players)
        for player, before, after in zip(order, masks[:-1], masks[1:], strict=True):
            gain[player] = value(after) - value(before)
        gains.append(gain)
    return np.mean(gains, axis=0)


def test_coalitions_grow_from_nobody_to_everybody():
    assert coalitions(np.array([2, 0, 1])) == [0b000, 0b100, 0b101, 0b111]


@pytest.mark.parametrize("players", [1, 2, 3, 5])
def test_exact_shares_are_the_mean_over_all_orders(players):
    value = random_game(players, np.random.default_rng(players))
    np.testing.assert_allclose(exact_shares(players, value), over_all_orders(players, value), atol=1e-12)


def test_glove_game():
    """One left glove and two right ones; a pair is worth 1. Known shares: 2/3, 1/6, 1/6."""
    worth = lambda mask: float(mask & 1 and mask & 0b110)  # noqa: E731
    np.testing.assert_allclose(exact_shares(3, lambda m: np.array(bool(worth(m)), float)), [2 / 3, 1 / 6, 1 / 6])


def test_airport_game():
    """Costs 1, 3, 7 of runways of which the longest serves all. Known: each part is shared by those who need it."""
    cost = [1.0, 3.0, 7.0]
    value = lambda mask: np.array(max([c for i, c in enumerate(cost) if mask >> i & 1], default=0.0))  # noqa: E731
    np.testing.assert_allclose(exact_shares(3, value), [1 / 3, 1 / 3 + 1, 1 / 3 + 1 + 4])


@settings(max_examples=25)
@given(players=st.integers(2, 7), seed=st.integers(0, 2**32 - 1))
def test_shares_add_up_and_a_player_that_does_nothing_has_none(players, seed):
    rng = np.random.default_rng(seed)
    inner = random_game(players - 1, rng)
    # The last player changes nothing.
    value = lambda mask: inner(mask & (2 ** (players - 1) - 1))  # noqa: E731
    total = value(2**players - 1) - value(0)
    exact = exact_shares(players, value)
    assert exact.sum() == pytest.approx(total, abs=1e-9)
    assert exact[-1] == pytest.approx(0, abs=1e-12)
    found = sampled_shares(orders(players, 3, rng), value).value
    assert found.sum() == pytest.approx(total, abs=1e-5)
    assert found[-1] == 0


@settings(max_examples=20)
@given(players=st.integers(2, 8), seed=st.integers(0, 2**32 - 1))
def test_one_pair_of_orders_is_exact_for_interactions_of_two(players, seed):
    rng = np.random.default_rng(seed)
    alone, two = rng.standard_normal(players), np.triu(rng.standard_normal((players, players)), 1)

    def value(mask):
        on = np.array([mask >> i & 1 for i in range(players)], float)
        return np.array(alone @ on + on @ two @ on)

    pairs = sampled_shares(orders(players, 2, rng), value).pairs
    expected = alone + 0.5 * (two.sum(axis=0) + two.sum(axis=1))
    np.testing.assert_allclose(pairs[0], expected, atol=1e-4)
    np.testing.assert_allclose(exact_shares(players, value), expected, atol=1e-9)


def test_every_second_order_is_the_reverse():
    drawn = orders(9, 5, np.random.default_rng(1))
    assert np.array_equal(drawn[0::2], drawn[1::2, ::-1])
    assert all(sorted(o) == list(range(9)) for o in drawn.tolist())


def test_sampled_shares_meet_brute_force_within_their_interval():
    """95 % intervals of 40 games of 6 players: the exact share lies inside in most."""
    inside = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        value = random_game(6, rng)
        found = sampled_shares(orders(6, 20, rng), value)
        low, high = found.sampling_interval()
        exact = exact_shares(6, value)
        inside.append((low <= exact) & (exact <= high))
    assert 0.90 <= np.mean(inside) <= 0.99


def test_reversed_pairs_are_better_than_as_many_single_orders():
    """Of a monotone game with diminishing returns, which losses of accuracy are like."""
    weights = np.random.default_rng(0).uniform(0.2, 1, 8)
    value = lambda mask: np.array(-np.expm1(-0.3 * sum(w for i, w in enumerate(weights) if mask >> i & 1)))  # noqa: E731
    exact = exact_shares(8, value)
    errors = {"pairs": [], "single": []}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        errors["pairs"].append(sampled_shares(orders(8, 4, rng), value).value - exact)
        single = np.array([rng.permutation(8) for _ in range(8)])
        errors["single"].append(sampled_shares(single, value).value - exact)
    assert np.std(errors["pairs"]) < 0.5 * np.std(errors["single"])


def test_worth_keeps_its_axes():
    value = random_game(4, np.random.default_rng(3), (2, 5))
    found = sampled_shares(orders(4, 2, np.random.default_rng(4)), value)
    assert found.pairs.shape == (2, 4, 2, 5)
    np.testing.assert_allclose(found.value.sum(axis=0), value(15) - value(0), atol=1e-5)


def test_resampled_interval_has_the_width_of_independent_items():
    """Pairs and chips alike: the interval is that of a mean over items, 1.96 sigma / sqrt(n)."""
    items = np.random.default_rng(5).standard_normal(400)
    pairs = np.broadcast_to(items, (6, 2, 3, 400))
    low, high = resampled_interval(pairs, np.random.default_rng(6), 4000)
    half = 1.96 * items.std() / 20
    np.testing.assert_allclose(high - low, 2 * half, rtol=0.06)
    np.testing.assert_allclose(low, items.mean() - half, atol=0.1 * half)


def test_resampled_interval_sees_chips_and_orders():
    rng = np.random.default_rng(7)
    chips = np.broadcast_to(rng.standard_normal((1, 1, 8, 1)), (4, 1, 8, 50))
    drawn = np.broadcast_to(rng.standard_normal((16, 1, 1, 1)), (16, 1, 2, 50))
    for pairs, n in ((chips, 8), (drawn, 16)):
        low, high = resampled_interval(pairs, rng, 4000)
        spread = pairs.reshape(-1, 50).std() / np.sqrt(n)
        np.testing.assert_allclose(high - low, 2 * 1.96 * spread, rtol=0.1)


def test_bad_inputs():
    with pytest.raises(InputError, match="pairs=1"):
        orders(4, 1, np.random.default_rng(0))
    with pytest.raises(InputError, match="players=13"):
        exact_shares(13, lambda _: np.zeros(1))
