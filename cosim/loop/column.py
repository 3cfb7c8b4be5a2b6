"""The columns' integrators: what drives them, and what the model knows of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netlists.converter import ColumnCharge, Converter, Replay, Tile, replay_deck, saved_vectors
from netlists.errors import InputError, SimulationError
from netlists.spice import simulate

from .array import LoopArray, LoopRamp

DRIVES = 12
"""Random input vectors that an integrator's line is fitted to."""


def column_charge(tile: Tile, columns: np.ndarray, drive: np.ndarray) -> ColumnCharge:
    """What drives the integrators of some columns, each with its own input vector.

    Parameters
    ----------
    columns : ndarray of int (m,)
    drive : ndarray of int (inputs, m)
        Codes of the pulse widths.
    """
    g = tile.crossbar.cell_conductance
    difference = (g[0::2] - g[1::2])[:, columns]
    units = np.arange(1, tile.pwm.max_code + 1)
    # Current of the rows whose pulses are k units long or longer.
    on = np.sign(drive)[None] * (np.abs(drive)[None] >= units[:, None, None])
    closed, start, opened = tile.mac_window()
    return ColumnCharge(
        current=tile.circuit.v_read * np.einsum("uim,im->mu", on, difference),
        conductance=g.sum(axis=0)[columns],
        c_f=tile.feedback_capacitance("macro")[columns],
        opamp_offset=tile.opamp_offset[columns],
        r_hold=tile.r_hold,
        closed=closed,
        start=start,
        opened=opened,
        t_unit=tile.pwm.t_unit,
        autozero=tile.autozero,
    )


def measure_integrators(array: LoopArray, ramps: Mapping[str, LoopRamp], rng: np.random.Generator) -> np.ndarray:
    """Offset (input units) and gain of each simulated column's integrator, from V_mac of random input vectors in ngspice.

    Returns
    -------
    ndarray (columns, 2)
        Least-squares line of ``(V_mac - v_cm) / volts_per_unit`` times the column's full scale over what the closed form makes of
        the same pulses (`LoopArray.integrated`).

    Raises
    ------
    SimulationError
        If ngspice fails.
    """
    tile, columns = array.tile, array.chosen
    if tile.pwm.periods != 1:
        raise InputError(f"periods={tile.pwm.periods}: columns are replayed with one period of pulse widths")
    out = np.empty((len(columns), 2))
    for activation, ramp in ramps.items():
        own = np.array([j for j in columns if array.gate(j).activation == activation], int)
        if len(own) == 0:
            continue
        spread = tile.pwm.max_code / 3
        drive = np.clip(np.rint(rng.normal(0, spread, (tile.inputs, DRIVES))), -tile.pwm.max_code, tile.pwm.max_code).astype(int)
        if array.matrix.bias:
            # It always has the longest pulse.
            drive[-1] = tile.pwm.max_code
        charge = column_charge(tile, np.repeat(own, DRIVES), np.tile(drive, len(own)))
        x = (array.difference[:, own].T @ drive) / (tile.scale * tile.pwm.max_code) + array.integrated(drive)[own]
        swing = _held(tile, ramp, charge).reshape(x.shape) - tile.circuit.v_cm
        for i, j in enumerate(own):
            # Inputs that drive the integrator out of its range say nothing about its line.
            inside = np.abs(swing[i]) < 0.6
            if inside.sum() < 3:
                raise SimulationError(f"column {j}: {inside.sum()} of {DRIVES} random inputs stay within 0.6 V of analog ground")
            y = array.gate(j).full_scale * (swing[i] / ramp.volts_per_unit)
            gain, offset = np.polyfit(x[i][inside], y[inside], 1)
            out[np.flatnonzero(columns == j)[0]] = offset, gain
    return out


def some_charges(charge: ColumnCharge, rows: np.ndarray | slice) -> ColumnCharge:
    """What drives some of the integrators."""
    parts = (charge.current[rows], charge.conductance[rows], charge.c_f[rows], charge.opamp_offset[rows])
    return ColumnCharge(*parts, charge.r_hold, charge.closed, charge.start, charge.opened, charge.t_unit, charge.autozero)


def _held(tile: Tile, ramp: LoopRamp, charge: ColumnCharge) -> np.ndarray:
    """Held V_mac of each column, volts."""
    m = len(charge.conductance)
    out = np.empty(m)
    for first in range(0, m, 96):
        some = slice(first, min(first + 96, m))
        n = some.stop - some.start
        replay = Replay(some_charges(charge, some), np.zeros(n))
        nodes = [f"mac{j}" for j in range(n)]
        deck = replay_deck(
            Converter(ramp.program, ramp.plan.circuit, ramp.plan.blocks), ramp.column, replay, counters=False, save=nodes
        )
        data = simulate(deck, [*saved_vectors(n, counters=False), *nodes])
        at = charge.opened + tile.circuit.t_settle
        out[some] = [np.interp(at, data["time"], data[name]) for name in nodes]
    return out
