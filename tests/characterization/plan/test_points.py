import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.stats import qmc

from characterization.plan.points import LARGEST_HYPERCUBE, Sampling, unit_points
from netlists.errors import InputError

SOBOL = Sampling("sobol")


def generator(seed):
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))


def test_sobol_points_are_scipys_sequence_whatever_the_batch():
    whole = qmc.Sobol(6, scramble=True, bits=32, seed=generator(4)).random(64) + 2.0**-33
    np.testing.assert_array_equal(unit_points(SOBOL, 4, 6, np.arange(64)), whole)
    np.testing.assert_array_equal(unit_points(SOBOL, 4, 6, np.array([63, 5, 5, 17])), whole[[63, 5, 5, 17]])
    np.testing.assert_array_equal(unit_points(SOBOL, 4, 6, np.arange(16, 48)), whole[16:48])
    assert not np.any(unit_points(SOBOL, 5, 6, np.arange(4)) == whole[:4])


def test_threads_may_ask_at_the_same_time(monkeypatch):
    whole = unit_points(SOBOL, 4, 40, np.arange(64))
    real = qmc.Sobol.fast_forward
    never, inside = threading.Event(), []

    def slow(sequence, n):
        # The other threads get their turn in the middle of a move.
        inside.append(sequence)
        never.wait(1e-4)
        assert inside == [sequence]
        inside.pop()
        return real(sequence, n)

    monkeypatch.setattr(qmc.Sobol, "fast_forward", slow)
    parts = [np.arange(first, 64, 8) for first in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for part, points in zip(parts, pool.map(lambda samples: unit_points(SOBOL, 4, 40, samples), parts), strict=True):
            np.testing.assert_array_equal(points, whole[part])


def test_a_sobol_sequence_integrates_better_than_random_points():
    # Smooth, in six dimensions, with a known integral: prod(1 + (u - 1/2)) has mean 1.
    def error(points):
        return abs(np.mean(np.prod(0.5 + points, axis=1)) - 1)

    n = np.arange(1024)
    sobol = [error(unit_points(SOBOL, seed, 6, n)) for seed in range(20)]
    random = [error(np.random.default_rng(seed).uniform(size=(1024, 6))) for seed in range(20)]
    assert np.sqrt(np.mean(np.square(sobol))) < 0.1 * np.sqrt(np.mean(np.square(random)))


def test_a_latin_hypercube_has_one_sample_in_every_interval():
    points = unit_points(Sampling("latin-hypercube", 50), 1, 3, np.arange(50))
    for axis in points.T:
        np.testing.assert_array_equal(np.sort(np.floor(axis * 50)), np.arange(50))
    np.testing.assert_array_equal(unit_points(Sampling("latin-hypercube", 50), 1, 3, np.array([7, 3])), points[[7, 3]])


@pytest.mark.parametrize("sampling", [SOBOL, Sampling("latin-hypercube", 200)])
def test_points_are_inside(sampling):
    points = unit_points(sampling, 0, 40, np.arange(200))
    assert 0 < points.min() < points.max() < 1


def test_a_latin_hypercube_cannot_be_extended():
    cube = Sampling("latin-hypercube", 50)
    cube.check(50)
    for wrong in (49, 51):
        with pytest.raises(InputError, match=f"samples={wrong}: the plan's latin-hypercube has 50"):
            cube.check(wrong)
    with pytest.raises(InputError, match="sample 50: the plan's latin-hypercube ends at sample 49"):
        unit_points(cube, 0, 3, np.array([50]))
    SOBOL.check(10**9)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("halton",), "method='halton': unknown; allowed are random, sobol, latin-hypercube"),
        (("sobol", 10), "samples=10 with method='sobol'"),
        (("latin-hypercube",), "samples=None: a latin-hypercube needs its size"),
        (("latin-hypercube", 1), "samples=1:"),
        (("latin-hypercube", True), "samples=True:"),
        (("latin-hypercube", 10.0), "samples=10.0:"),
    ],
)
def test_bad_sampling(values, message):
    with pytest.raises(InputError, match=message):
        Sampling(*values)


def test_what_a_method_cannot_hold():
    with pytest.raises(InputError, match="30000 varying numbers a chip: a Sobol sequence has at most 21201"):
        unit_points(SOBOL, 0, 30_000, np.arange(2))
    with pytest.raises(InputError, match="sample 4294967296: a Sobol sequence has 4294967296 points"):
        unit_points(SOBOL, 0, 3, np.array([2**32]))
    with pytest.raises(InputError, match=f"holds at most {LARGEST_HYPERCUBE}"):
        unit_points(Sampling("latin-hypercube", 10**6), 0, 40, np.arange(2))
