"""Bench that tells whether a user's block does what its place needs: which way its output goes, and whether twice the same."""

from __future__ import annotations

import numpy as np

from netlists.converter import OPTIONS, Blocks, supplies, transient
from netlists.outside import UserSubcircuit
from netlists.spice import Deck, pwl
from netlists.technology import RampCircuit

HOLD, RAMP = 1e-6, 2e-6
"""How long the input of `sides_deck` stays on a side, and how long it takes to the other, seconds."""
DRIVE = 0.1
"""How far it goes to each side of analog ground, volts."""
DECISION_PERIOD = 32e-9
"""Clock period of a comparator that has a clock, seconds; it is high in the second half."""


def sides_deck(own: UserSubcircuit, blocks: Blocks, circuit: RampCircuit, *, step: float = HOLD / 50) -> Deck:
    """Two instances of a block whose positive input goes from `DRIVE` below analog ground to as much above it, and back.

    The negative input stays at analog ground. The two differ only where the block itself is random.

    Parameters
    ----------
    step : float
        Longest time step, seconds; a clocked comparator gets shorter ones.

    Returns
    -------
    Deck
        Saves ``in``, ``com``, ``y0`` and ``y1``.
    """
    t = np.cumsum([0.0, HOLD, RAMP, HOLD, RAMP, HOLD])
    v = circuit.v_cm + DRIVE * np.array([-1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    lines = [
        f".title {own.name}: which side its output goes to",
        *blocks.models(),
        own.definitions,
        *supplies(blocks, circuit),
        f"Vin in 0 {pwl(t, v)}",
        OPTIONS,
    ]
    if "clk" in own.ports:
        half = DECISION_PERIOD / 2
        lines.append(f"Vclk clk 0 pulse(0 {circuit.v_dd!r} {half!r} 50p 50p {half - 1e-10!r} {DECISION_PERIOD!r})")
    for k in range(2):
        nodes = {"inp": "in", "inn": "com", "out": f"y{k}", "com": "com", "vdd": "vdd", "vss": "0", "clk": "clk"}
        lines.append(f"Xown{k} {' '.join(own.nodes(nodes))} {own.name_of_instance}")
    return transient(
        lines,
        [f"v({n})" for n in ("in", "com", "y0", "y1")],
        min(step, DECISION_PERIOD / 8) if blocks.is_clocked else step,
        float(t[-1]),
        blocks,
    )
