"""Test benches of clocked comparators: trip points by decisions at clock edges, decisions against overdrive, kickback."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netlists.checks import check
from netlists.spice import Deck, pulses, pwl

from .comparator import Overdrives
from .own import DECISION_PERIOD
from .run import OPTIONS, commands, table
from .tested import At, BlockOnBench

EDGE = 50e-12
"""Edges of the clock, seconds; it is low in the first half of a period."""


def _head(title: str, block: BlockOnBench, conditions: At, *, mismatch: bool = False, seed: int | None = None) -> str:
    half = DECISION_PERIOD / 2
    clock = f"vclk clk 0 pulse(0 {conditions.v_dd!r} {half!r} {EDGE!r} {EDGE!r} {half - 2 * EDGE!r} {DECISION_PERIOD!r})\n"
    head = block.head(f"clocked comparator bench, {title}", conditions, mismatch=mismatch, seed=seed)
    return f"{head}{OPTIONS}vdd vdd 0 {conditions.v_dd!r}\n{clock}"


def clocked_trip_deck(
    block: BlockOnBench,
    conditions: At,
    common_modes: Sequence[float],
    before: float | None = None,
    *,
    span: float = 0.1,
    bits: int = 13,
    start: float = 0.0,
    mismatch: bool = False,
    seed: int | None = None,
) -> Deck:
    """Clocked comparators that find their own trip points by bisection: one at each common mode of the negative input.

    After each decision the positive input moves by ``span / 2**j`` against it: charges put on a capacitor by a current whose sign
    is the side of analog ground on which the output stands; an ideal buffer keeps kickback from it.

    Parameters
    ----------
    before : float, optional
        Input in a clock period before each one that counts, volts; default: none, every period counts.
    start : float
        Where they begin, volts.
    seed : int
        Of ngspice's own draws, with ``mismatch``.

    Returns
    -------
    Deck
        Tables of `mismatch_tables`: v(inp) - v(inn) - ``start`` of each over the last moments; the last row is within
        ``span / 2**bits`` of the trip point, or at an end of the span where no decision turned.
    """
    each = DECISION_PERIOD if before is None else 2 * DECISION_PERIOD
    end = bits * each
    # In the second half of the clock's high time, once the decision is there.
    stop = np.arange(1, bits + 1) * each - 0.05 * DECISION_PERIOD
    moved = stop - 0.1 * DECISION_PERIOD
    height = span / 2.0 ** np.arange(1, bits + 1) / (stop - moved)
    text = _head("trip points", block, conditions, mismatch=mismatch, seed=seed)
    text += f"vstep step 0 {pwl(*pulses(moved, stop, height * 1e-9, EDGE))}\n"
    move = "v(z{k})"
    if before is not None:
        t, p = 1.1 * DECISION_PERIOD, DECISION_PERIOD
        text += f"vtest test 0 pulse(0 1 {t!r} {EDGE!r} {EDGE!r} {p - EDGE!r} {2 * p!r})\n"
        move = f"v(test)*v(z{{k}})+(1-v(test))*({before!r})"
    begin = f"+({start!r})" if start else ""
    for k, v in enumerate(common_modes):
        text += (
            f"vn{k} inn{k} 0 {v!r}\nbp{k} inp{k} inn{k} v={{{move.format(k=k)}{begin}}}\n"
            f"{block.card(f'{k}', f'inp{k}', f'inn{k}', f'out{k}', 'vdd', 'clk')}"
            f"b{k} z{k} 0 i={{1e-3*v(step)*tanh(20*(v(out{k})-v(com)))}}\nc{k} z{k} 0 1p\nr{k} z{k} 0 1e12\n"
        )
    run = f"tran {DECISION_PERIOD / 100!r} {end!r} {end - 0.02 * DECISION_PERIOD!r} {DECISION_PERIOD / 100!r}"
    return Deck(text, table("trip", [f"v(z{k})" for k in range(len(common_modes))], run))


def clocked_step_deck(
    block: BlockOnBench,
    conditions: At,
    overdrives: Sequence[float],
    *,
    offset: float = 0.0,
    hysteresis: float = 0.0,
    start: float = 0.1,
    common_mode: float = 0.9,
    c_hold: float = 1e-12,
) -> Deck:
    """Clocked comparator that decides with ``start`` on one side of its trip point, then with each overdrive on the other.

    Its output is not loaded: a converter's latch follows it once it has decided. Parameters are those of `comparator_step_deck`.

    Returns
    -------
    Deck
        Tables ``rise`` and ``fall`` (outputs, a column an overdrive; the clock rises for the second time at 1.5 periods), ``kick``
        (negative input, held and 10 mV below the positive one, also held; supply current of that instance; two periods).
    """
    overdrives = check(Overdrives, overdrives, "overdrives").tolist()
    t = 1.1 * DECISION_PERIOD
    text = _head("steps", block, conditions) + f"vref ref 0 {common_mode!r}\n"
    for name, sign in (("r", 1), ("f", -1)):
        for k, od in enumerate(overdrives):
            v0, v1 = common_mode - offset - sign * start, common_mode - offset + sign * (od + hysteresis / 2)
            text += (
                f"v{name}{k} in{name}{k} 0 pwl(0 {v0!r} {t!r} {v0!r} {t + EDGE!r} {v1!r})\n"
                f"{block.card(f'{name}{k}', f'in{name}{k}', 'ref', f'out{name}{k}', 'vdd', 'clk')}"
            )
    text += (
        f"vddk vddk 0 {conditions.v_dd!r}\nvkp kp ref {0.01 - offset!r}\nrkp kp hp 1e9\nrkn ref hn 1e9\nchp hp 0 {c_hold!r}\n"
        f"chn hn 0 {c_hold!r}\n{block.card('k', 'hp', 'hn', 'outk', 'vddk', 'clk')}"
    )
    cols = range(len(overdrives))
    rise, fall = ([f"v(out{side}{k})" for k in cols] for side in "rf")
    run = f"tran 20p {2 * DECISION_PERIOD!r} 0 {DECISION_PERIOD / 640!r}"
    return Deck(text, commands(run, ("rise", rise), ("fall", fall), ("kick", ["v(hn)", "i(vddk)"])))
