"""Latch and counter of a converter: their cards, their clocks, and the codes at which counters end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netlists.errors import InputError, SimulationError
from netlists.ramp import RampProgram
from netlists.spice import pulses, pwl
from netlists.technology import RampCircuit

from .blocks import SUPPLY, Blocks
from .converter import Converter, count_time

COUNTER_BITS = 5
"""Of ``counter_sky130``."""
WHOLE = 0.25
"""How far a counter may end from a whole number: each count loses up to 1e-3."""


def latch_clocks(converter: Converter, digital: str, tag: str = "") -> list[str]:
    """Clocks ``clk<tag>`` of the latches and ``step<tag>`` of the counters.

    Raises
    ------
    InputError
        A program that the transistors' counter cannot count.
    """
    program, circuit, clock = converter.program, converter.circuit, converter.clock
    if digital == "sky130" and program.bits > COUNTER_BITS:
        raise InputError(
            f"bits={program.bits}: the counter of level sky130 counts to {COUNTER_BITS} bits; take 1..{COUNTER_BITS} bits or level "
            "macro"
        )
    if digital == "sky130" and np.any(program.code_step != 1):
        raise InputError(
            f"{program.activation}: its code goes down too, and the counter of level sky130 only counts up; take level macro"
        )
    edge = circuit.t_edge
    # The latch follows for half the settling time and decides; the counter reads it at the start of the next period.
    # It follows from the beginning up to the first decision: a latch that held would have two operating points.
    # Behind a clocked comparator it opens once that has decided: what it held would otherwise decide for it.
    opens = circuit.t_settle / (4 if converter.blocks.is_clocked else 2)
    t, v = pulses(clock.latch - opens, clock.latch, np.full(program.n_steps, circuit.v_dd), edge / 10)
    if converter.blocks.is_clocked:
        # It must not load the first decision either.
        shut = circuit.t_reset / 2
        t, v = np.append([0.0, shut, shut + edge], t[1:]), np.append([circuit.v_dd, circuit.v_dd, 0.0], v[1:])
    else:
        t, v = np.append(0.0, t[3:]), np.append(circuit.v_dd, v[3:])
    count_at = clock.latch[: len(program.x)] + circuit.t_aperture + edge
    height = program.code_step * (circuit.v_dd if digital == "sky130" else 1.0)
    return [
        f"Vclk{tag} clk{tag} 0 {pwl(t, v)}",
        f"Vstep{tag} step{tag} 0 {pwl(*pulses(count_at, count_at + count_time(circuit), height, edge))}",
    ]


def latch_and_counter(
    tag: str, circuit: RampCircuit, digital: str, *, clock: str = "", rst: str = "rst", supply: str = SUPPLY, load: str = ""
) -> list[str]:
    """Latch and counter of one converter: comparator output ``y<tag>`` to ``code<tag>``.

    ``digital`` is ``macro`` or ``sky130``, ``clock`` the tag of its clocks, ``load`` more parameters of ``latch_macro``.
    """
    if digital == "sky130":
        bits = " ".join(f"b{n}_{tag}" for n in range(COUNTER_BITS))
        return [
            f"Xlat{tag} y{tag} clk{clock} q{tag} com {supply} 0 latch_sky130",
            f"Xcnt{tag} q{tag} step{clock} {rst} {bits} code{tag} {supply} 0 counter_sky130 v_dd={circuit.v_dd!r}",
        ]
    return [
        f"Xlat{tag} y{tag} clk{clock} q{tag} com latch_macro v_dd={circuit.v_dd!r}{load}",
        f"Xcnt{tag} q{tag} step{clock} code{tag} counter_macro t_cnt={count_time(circuit)!r}",
    ]


def latch_load(blocks: Blocks) -> str:
    """Parameters of ``latch_macro`` behind transistors, which cannot charge its default node within the tracking time."""
    return " c_h=20f r_on=1k" if blocks.level == "sky130" or blocks.comparator is not None else ""


def read_codes(program: RampProgram, data: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Codes (names,) at which counters ended: they start at 0, the converter's at the code below its first threshold.

    Raises
    ------
    SimulationError
        A counter that ended anywhere but at a code.
    """
    last = program.codes[0] + np.array([data[name][-1] for name in names])
    code = np.rint(last)
    bad = np.flatnonzero((np.abs(last - code) > WHOLE) | (code < 0) | (code >= 2**program.bits))
    if len(bad):
        raise SimulationError(f"the counter {names[bad[0]]} ended at {last[bad[0]]:.6g}: not a code of {program.bits} bits")
    return code.astype(int)
