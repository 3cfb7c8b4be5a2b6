"""Shares of a total among players that interact: Shapley values, exact for few players, by sampled orders for many.

The share of a player is what it adds to those before it, mean over all orders in which they can be switched on (L. S. Shapley, in
Contributions to the Theory of Games II, 1953, 307-317). Shares add up to the total whatever the interactions. Orders are
drawn in pairs, one the reverse of the other: what a player adds as an early one and as a late one are then averaged, which
takes out all interactions of two exactly (R. Mitchell et al., J. Mach. Learn. Res. 23, 2022, 1-46).

Coalitions are bit masks: player i is in if bit i is set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import factorial

import numpy as np
from scipy.stats import t as student

from netlists.errors import InputError

Value = Callable[[int], np.ndarray]
"""Worth of a coalition, an array of any shape, the same for all coalitions."""


@dataclass(frozen=True, eq=False)
class Shares:
    """Sampled shares.

    Attributes
    ----------
    pairs : ndarray (pairs, players, ...)
        Share of each player in each pair of orders, in the shape of a coalition's worth.
    """

    pairs: np.ndarray

    @property
    def value(self) -> np.ndarray:
        """Share of each player, shape (players, ...)."""
        return self.pairs.mean(axis=0)

    def sampling_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of each player's mean share that the finite number of orders leaves, shapes (players,).

        Worth is averaged over its own axes first; Student's t over the pairs.
        """
        each = self.pairs.reshape(*self.pairs.shape[:2], -1).mean(axis=2)
        n = len(each)
        half = student.ppf(0.975, n - 1) * each.std(axis=0, ddof=1) / np.sqrt(n)
        return each.mean(axis=0) - half, each.mean(axis=0) + half


def orders(players: int, pairs: int, rng: np.random.Generator) -> np.ndarray:
    """Random orders, each followed by its reverse, shape (2 pairs, players)."""
    if pairs < 2:
        raise InputError(f"pairs={pairs}: an interval needs two pairs of orders at least")
    drawn = [rng.permutation(players) for _ in range(pairs)]
    return np.array([order for d in drawn for order in (d, d[::-1])])


def coalitions(order: np.ndarray) -> list[int]:
    """Masks from nobody to everybody, as players join in an order (players,)."""
    masks = [0]
    for player in order:
        masks.append(masks[-1] | 1 << int(player))
    return masks


def sampled_shares(drawn: np.ndarray, value: Value) -> Shares:
    """Shares from drawn orders (2 pairs, players) of `orders`."""
    gains = []
    for order in drawn:
        worth = [np.asarray(value(mask), np.float32) for mask in coalitions(order)]
        gain = np.empty((len(order), *worth[0].shape), np.float32)
        gain[order] = [after - before for before, after in pairwise(worth)]
        gains.append(gain)
    all_ = np.array(gains)
    return Shares(0.5 * (all_[0::2] + all_[1::2]))


def exact_shares(players: int, value: Value) -> np.ndarray:
    """Shares from all 2**players coalitions, shape (players, ...)."""
    if not 1 <= players <= 12:
        raise InputError(f"players={players}: all coalitions are taken for 1..12 players; sample orders for more")
    worth = [np.asarray(value(mask), float) for mask in range(2**players)]
    out = np.zeros((players, *worth[0].shape))
    for mask in range(2**players):
        size = mask.bit_count()
        if size == players:
            continue
        weight = factorial(size) * factorial(players - size - 1) / factorial(players)
        for i in range(players):
            if not mask >> i & 1:
                out[i] += weight * (worth[mask | 1 << i] - worth[mask])
    return out


def resampled_interval(pairs: np.ndarray, rng: np.random.Generator, resamples: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of each player's mean share over orders, chips and test items, shapes (players,).

    All three are resampled at once (A. B. Owen, Ann. Appl. Stat. 1, 2007, 386-411: conservative), by percentiles.

    Parameters
    ----------
    pairs : ndarray (pairs, players, chips, items)
    """
    n, players, chips, items = pairs.shape
    over = [rng.multinomial(k, np.full(k, 1 / k), resamples).T / k for k in (items, chips, n)]
    means = pairs.reshape(-1, items) @ over[0].astype(np.float32)
    drawn = np.einsum("pjcb,cb,pb->jb", means.reshape(n, players, chips, resamples), over[1], over[2], optimize=True)
    low, high = np.percentile(drawn, (2.5, 97.5), axis=1)
    return low, high
