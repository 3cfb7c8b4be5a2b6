"""A measured block as its fitted macro-model for other tools: ngspice subcircuit, or Verilog-A module with the same equations."""

from __future__ import annotations

from itertools import pairwise

from netlists.checks import check
from netlists.outside import BlockFile, ComparatorMacro, OpampMacro
from netlists.technology import TwoStageOpamp

from .converter import Identifier

UNITS = {
    "offset": "V",
    "gain": "V/V",
    "noise": "V rms",
    "hysteresis": "V",
    "input_low": "V",
    "input_high": "V",
    "delay_1mv": "s",
    "delay_10mv": "s",
    "delay_100mv": "s",
    "kickback": "V on 1 pF",
    "energy": "J a decision",
    "gbw": "Hz",
    "phase_margin": "deg",
    "slew": "V/s",
    "swing_low": "V",
    "swing_high": "V",
    "r_out": "ohm",
    "power": "W",
}
"""Figures that a header says, in SI units."""


def name_of(block: BlockFile, name: str | None) -> str:
    """The name asked for, or the block's own."""
    found = f"{block.own.name}_macro" if name is None else name
    check(Identifier, found, "name")
    return found


def header(block: BlockFile, name: str, mark: str) -> str:
    """What the model is, and the figures of the block it was fitted to."""
    at = block.conditions
    where = f"{at['corner']}, {at['temperature']:g} C, {at['v_dd']:g} V, analog ground {at['v_cm']:g} V"
    lines = [f"{name} - macro-model of the {block.role} {block.own.name}, fitted at {where}"]
    lines += [f"  {n} {v:.6g} {UNITS[n]}" for n, v in block.figures.items() if n in UNITS and v is not None]
    lines += [f"  sigma of {n}: {v:.6g} V, not in the model" for n, v in sorted(block.statistics.items())]
    if "largest_lsb" in block.checks:
        lines.append(f"  largest difference from the block: {block.checks['largest_lsb']:.3g} LSB on {block.checks['chips']} chips")
    return "".join(f"{mark} {line}\n" for line in lines)


def subcircuit(block: BlockFile, *, name: str | None = None) -> str:
    """Text of one ``.subckt`` with ports ``inp inn out com``; it needs nothing but ngspice."""
    name = name_of(block, name)
    return header(block, name, "*") + block.macro.text(name)


def module(block: BlockFile, *, name: str | None = None) -> str:
    """Text of one Verilog-A module with ports ``inp inn out com`` and parameter ``v_os``, an offset that adds to the block's."""
    name, macro = name_of(block, name), block.macro
    if isinstance(macro, ComparatorMacro):
        nodes, equations = "", _comparator(macro)
    elif isinstance(macro, TwoStageOpamp):
        nodes, equations = "d2, z", _two_stage(macro)
    else:
        nodes, equations = "x", _one_pole(macro)
    lines = [
        '`include "disciplines.vams"',
        f"module {name}(inp, inn, out, com);",
        "  inout inp, inn, out, com;",
        f"  electrical inp, inn, out, com{', ' if nodes else ''}{nodes};",
        "  parameter real v_os = 0.0 from (-inf:inf);  // input offset added to inp, V",
        "  real v;",
        "  analog begin",
        *(f"    {line}" for line in equations),
        "  end",
        "endmodule",
    ]
    return header(block, name, "//") + "\n".join(lines) + "\n"


def _comparator(m: ComparatorMacro) -> list[str]:
    points = list(zip(m.common_modes, m.offsets, strict=True))
    lines = [f"v = V(inp, inn) + v_os + ({m.offsets[0]!r});", "// The offset follows the common mode in straight lines."]
    for (a, low), (b, high) in pairwise(points):
        lines.append(f"v = v + ({(high - low) / (b - a)!r}) * (min(max(V(inn), {a!r}), {b!r}) - ({a!r}));")
    return [
        *lines,
        f"I(com, out) <+ {m.limit!r} * tanh({m.gain / m.limit!r} * v);",
        "I(out, com) <+ V(out, com);",
        f"I(out, com) <+ {m.tau!r} * ddt(V(out, com));",
    ]


def _one_pole(m: OpampMacro) -> list[str]:
    gm, limit = 6.283185307179586 * m.gbw * 1e-12, m.slew * 1e-12
    return [
        f"v = V(inp, inn) + v_os + ({m.offset!r});",
        f"I(com, x) <+ {limit!r} * tanh({gm / limit!r} * v);",
        f"I(x, com) <+ V(x, com) * {gm / m.a0!r} + 1e-12 * ddt(V(x, com));",
        "V(out) <+ V(x);",
    ]


def _two_stage(m: TwoStageOpamp) -> list[str]:
    return [
        f"v = V(inp, inn) + v_os + ({m.offset!r});",
        f"I(d2, com) <+ {m.i_1!r} * tanh({m.gm1 / m.i_1!r} * v) + V(d2, com) / {m.r1!r} + {m.c1!r} * ddt(V(d2, com));",
        f"I(d2, z) <+ V(d2, z) / {m.r_z!r};",
        f"I(z, out) <+ {m.c_c!r} * ddt(V(z, out));",
        f"I(out, com) <+ {m.gm2!r} * V(d2, com) + V(out, com) / {m.r_o!r} + {m.c_out!r} * ddt(V(out, com));",
    ]
