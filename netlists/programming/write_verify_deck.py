"""One round of write-verify as a SPICE deck: every cell of a column gets its own pulse, then all are read.

The deck is complete in itself: the states before the round are parameters in it, those after it are its result, and a
program that verifies (`characterization.chips.write_verify`) carries them from round to round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from netlists.checks import Array, Positive, Seconds, check, checked
from netlists.errors import InputError
from netlists.spice import Deck, subcircuit

from .switching import State, Switching, add_cell

OPTIONS = ".options reltol=1e-4 abstol=1e-15 vntol=1e-9 chgtol=1e-18 trtol=1"
VECTORS_PER_CELL = ("cur", "x")


@checked
@dataclass(frozen=True)
class WritePulses:
    """Voltages and times of a programming round, SI units. All values are assumptions.

    Attributes
    ----------
    v_set, v_reset : float
        Height of the pulses that raise and that lower the conductance, volts, both positive: the model knows the sign.
    v_read : float
        Read voltage, volts.
    t_edge : float
        Rise and fall time, seconds.
    t_min, t_max : float
        Shortest and longest pulse that the programmer can make, between half heights, seconds.
    t_read : float
        How long the read voltage stands before the current is taken, seconds.
    """

    v_set: Positive = 1.2
    v_reset: Positive = 1.2
    v_read: Positive = 0.2
    t_edge: Seconds = 1e-9
    t_min: Seconds = 2e-9
    t_max: Seconds = 10e-6
    t_read: Seconds = 10e-9

    def __post_init__(self) -> None:
        if not self.t_edge < self.t_min < self.t_max:
            raise InputError(
                f"write pulses: t_edge={self.t_edge:g} t_min={self.t_min:g} t_max={self.t_max:g} s: "
                "must satisfy t_edge < t_min < t_max"
            )
        if self.v_read >= min(self.v_set, self.v_reset):
            raise InputError(f"write pulses: v_read={self.v_read:g} V: must be below v_set and v_reset")


def write_verify_deck(
    model: Switching,
    state: np.ndarray,
    direction: np.ndarray,
    width: np.ndarray,
    *,
    pulses: WritePulses,
    rate: np.ndarray | None = None,
) -> Deck:
    """A round for all cells in parallel; its transient ends at the instant of the read.

    Parameters
    ----------
    model : Vteam or Yakopcic
    state : ndarray (cells,)
        x of each cell before the round.
    direction : ndarray of int (cells,)
        +1 raises the conductance, -1 lowers it, 0 leaves the cell alone.
    width : ndarray (cells,)
        Pulse length between half heights, seconds; not used where ``direction`` is 0.
    pulses : WritePulses
    rate : ndarray (cells,), optional
        Factor on each cell's switching rate in this round, 0 for a cell that never moves; 1 by default.

    Returns
    -------
    Deck
        Nodes ``cur<i>`` (1 V = 1 A) and ``x<i>`` (1 V = 1).

    Raises
    ------
    InputError
        Shapes that differ, a state outside 0..1, a width outside ``t_min..t_max``, a negative rate.
    """
    state = check(replace(State, shape=("cells",)), state, "state")
    n = len(state)
    direction = check(Array((n,), -1, 1, whole=True), direction, "direction")
    rate = check(Array((n,), 0), np.ones(n) if rate is None else rate, "rate")
    if np.shape(width) == (n,):
        width = np.where(direction == 0, pulses.t_min, width)
    width = check(Array((n,), pulses.t_min, pulses.t_max, unit="s", why="where there is a pulse"), width, "width")

    from netlists.spice.shared_library import Circuit

    c = Circuit(f"write-verify round, {n} cells, {model.subcircuit}")
    blocks = [subcircuit(model.subcircuit).rstrip()]
    edge, start = pulses.t_edge, 2 * pulses.t_edge
    longest = float(np.max(np.where(direction == 0, 0.0, width), initial=0.0))
    read_at = start + longest + 3 * edge
    stop = read_at + edge + pulses.t_read
    height = model.set_sign * np.where(direction > 0, pulses.v_set, -pulses.v_reset)
    for i in range(n):
        # A trapezoid whose length between half heights is the width.
        points = [0.0, 0.0]
        if direction[i]:
            v, w = float(height[i]), float(width[i])
            points += [start, 0.0, start + edge, v, start + w, v, start + w + edge, 0.0]
        points += [read_at, 0.0, read_at + edge, pulses.v_read]
        c.V(f"drv{i}", f"te{i}", c.gnd, "PWL(" + " ".join(f"{p:.12g}" for p in points) + ")")
        blocks.append(f"hcur{i} 0 cur{i} vdrv{i} 1")
        add_cell(c, f"cell{i}", model, f"te{i}", c.gnd, f"x{i}", x0=float(state[i]), rate=float(rate[i]))
    c.raw_spice = "\n".join(blocks)
    saves = [f".save v(cur{i}) v(x{i})" for i in range(n)]
    control = ["set numdgt=14", "run", "echo columns: cell state conductance_S"]
    at = f"at={stop * (1 - 1e-9):.12g}"
    for i in range(n):
        control += [f"meas tran s find v(x{i}) {at}", f"meas tran c find v(cur{i}) {at}",
                    f"let g = c/{pulses.v_read!r}", f'echo cell {i} "$&s" "$&g"']  # fmt: skip
    analysis = [OPTIONS, *saves, f".tran {pulses.t_read / 4!r} {stop!r}"]
    return Deck(f"{c}\n" + "\n".join(analysis) + "\n", "\n".join([*control, "quit"]))
