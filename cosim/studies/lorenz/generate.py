"""Networks that run by themselves: their own observed units are their next input."""

from __future__ import annotations

import numpy as np

from cosim.chip import ChipPath, Hardware, draw_chip
from cosim.compiled import chosen_engine
from cosim.network import ExactPath, Network

ESCAPED = 1e3
"""Magnitude beyond which a network has left the attractor for good."""


def generate(
    network: Network, start: np.ndarray, steps: int, hardware: Hardware | None = None, *, chip: int = 0, seed: int = 0
) -> np.ndarray:
    """Observed units of a network that is forced by ``start`` and then runs by itself, (steps, observed); fewer if it escapes.

    Parameters
    ----------
    start : ndarray (steps, observed)
    hardware : Hardware or None
        None: floating point.
    chip, seed : int
        Number of the chip and seed of all chips.
    """
    layer = network.layers[0]
    path = (
        ExactPath(layer.cell, layer.forward)
        if hardware is None
        else ChipPath(draw_chip(network, hardware, chip, seed, np.float64).layers[0][0], hardware, chosen_engine(), np.float64)
    )
    counters, out = np.zeros(1, np.uint32), np.empty((steps, network.n_in))
    state = path.start(1, np.float64)
    own = layer.cell.state_sizes.keys()
    for t in range(-len(start), steps):
        x = start[t][:, None] if t < 0 else state["h"][: network.n_in].copy()
        path.at(counters, t + len(start), state, 1)
        state = layer.cell.step(x, state, path) | {k: v for k, v in state.items() if k not in own}
        if t >= 0:
            out[t] = state["h"][: network.n_in, 0]
            if not np.abs(out[t]).max() < ESCAPED:
                return out[:t]
    return out
