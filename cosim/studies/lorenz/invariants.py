"""What two chaotic trajectories have in common though their points do not: exponent, occupied space, power spectrum."""

from __future__ import annotations

import numpy as np

from cosim.network import Network
from cosim.network.cells import ALRNN

BINS = 20
SMOOTHING = 20
"""Width of the Gaussian that smooths a power spectrum, in frequencies (Mikhaeil et al., NeurIPS 2022, take it likewise)."""
REFERENCES, WINDOW, APART = 500, (0.3, 1.5), 1.0
"""Points whose neighbours are followed; time units over which they part, and that two neighbours are apart in time at least."""


def state_space_divergence(points: np.ndarray, generated: np.ndarray) -> float:
    """Kullback-Leibler divergence of the space that is occupied, nats, over `BINS` bins a dimension of the range of ``points``.

    Points (n, dimensions) beyond that range count in its outermost bins. Empty bins have a share of 1e-5 of one point.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    edges = [np.linspace(a, b, BINS + 1) for a, b in zip(low, high, strict=True)]
    p, q = (np.histogramdd(np.clip(x, low, high), edges)[0] + 1e-5 for x in (points, generated))
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(p * np.log(p / q)))


def spectrum_distance(points: np.ndarray, generated: np.ndarray) -> float:
    """Hellinger distance, 0..1, of the smoothed power spectra, mean over dimensions."""
    from scipy.ndimage import gaussian_filter1d

    n = min(len(points), len(generated))

    def shares(x: np.ndarray) -> np.ndarray:
        x = x[:n] - x[:n].mean(axis=0)
        power = gaussian_filter1d(np.abs(np.fft.rfft(x, axis=0)) ** 2, SMOOTHING, axis=0)
        total = power.sum(axis=0)
        # What stands still has no spectrum: all its power is at frequency 0.
        still = np.eye(len(power), 1)
        return np.where(total > 0, power / np.where(total > 0, total, 1.0), still)

    overlap = np.sqrt(shares(points) * shares(generated)).sum(axis=0)
    return float(np.mean(np.sqrt(np.clip(1.0 - overlap, 0.0, None))))


def divergence_rate(points: np.ndarray, dt: float) -> float:
    """Largest exponent as a trajectory shows it, per time unit: how fast neighbours part (Rosenstein et al., Physica D 65, 1993).

    Returns
    -------
    float
        Slope of the mean logarithm of their distance over `WINDOW`; NaN where no neighbours part.
    """
    from scipy.spatial import cKDTree

    ahead, apart = round(WINDOW[1] / dt), round(APART / dt)
    usable = len(points) - ahead
    if usable <= 2 * apart:
        return float("nan")
    tree = cKDTree(points[:usable])
    start = np.linspace(0, usable - 1, REFERENCES).astype(int)
    distances, places = tree.query(points[start], k=2 * apart + 2)
    good = (np.abs(places - start[:, None]) > apart) & (distances > 0)
    has = good.any(axis=1)
    first = good[has].argmax(axis=1)
    start, other = start[has], places[has][np.arange(has.sum()), first]
    k = np.arange(round(WINDOW[0] / dt), ahead)
    d = np.linalg.norm(points[start[:, None] + k] - points[other[:, None] + k], axis=2)
    if not np.all(d.max(axis=0, initial=0.0) > 0):
        return float("nan")
    mean = np.array([np.log(column[column > 0]).mean() for column in d.T])
    return float(np.polyfit(k * dt, mean, 1)[0])


def network_exponent(network: Network, start: np.ndarray, steps: int, dt: float) -> float:
    """Largest Lyapunov exponent of an almost-linear network that runs by itself, from its Jacobians, per time unit.

    Parameters
    ----------
    start : ndarray (steps, observed)
        Forces the network first.
    """
    cell, p = network.layers[0].cell, network.layers[0].forward
    assert isinstance(cell, ALRNN)
    weights, kept, first = p["weights"], np.diag(p["decay"]), cell.n_hidden - cell.n_relu
    h, tangent, grown = np.zeros(cell.n_hidden), np.full(cell.n_hidden, cell.n_hidden**-0.5), 0.0
    for t in range(-len(start), steps):
        z = np.concatenate([start[t], h[cell.n_in :]]) if t < 0 else h
        passes = np.ones(cell.n_hidden)
        passes[first:] = (z[first:] > 0) & (z[first:] < cell.state_full_scale)
        r = z * passes
        r[first:] = np.clip(z[first:], 0.0, cell.state_full_scale)
        h = kept * z + r @ weights[:-1] + weights[-1]
        if t >= 0:
            tangent = kept * tangent + (passes * tangent) @ weights[:-1]
            length = np.linalg.norm(tangent)
            if not np.isfinite(length) or length == 0:
                return float("nan")
            grown += float(np.log(length))
            tangent = tangent / length
    return grown / (steps * dt)
