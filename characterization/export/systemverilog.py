"""Real-number models in SystemVerilog, for digital simulators: a fitted converter, or a measured comparator."""

from __future__ import annotations

from itertools import pairwise

from netlists.errors import InputError
from netlists.outside import BlockFile, ComparatorMacro

from .block import header, name_of
from .converter import StaticConverter

STEPS = 50
"""Updates of a comparator's output within its time constant: its delay is right to a hundredth of that."""


def module(converter: StaticConverter) -> str:
    """Text of one module with real ports ``in code out com``; the same block as `veriloga.module`.

    ``always_comb`` runs once at time 0: an ``always @`` would give an input that never changes no code.
    """
    c = converter
    lines = [
        f"// {c.name} - fitted ramp converter: {c.origin}",
        f"// in: {c.volts_per_unit:.6g} V per input unit above com (com at {c.v_cm:g} V in the fitted circuit)",
        "// code: 1.0 = 1 code; out: 1.0 = 1 output unit",
        f"module {c.name} #(parameter real v_os = 0.0) (input real in, output real code, output real out, input real com);",
        "  real v, n, y;",
        "  always_comb begin",
        "    v = in - com + v_os;",
        f"    n = {float(c.codes[0])!r};",
        f"    y = {float(c.values[0])!r};",
    ]
    for variable, what in (("n", "codes"), ("y", "values")):
        for level, step in c.steps(what):
            lines.append(f"    if (v > {level!r}) {variable} = {variable} + ({step!r});")
    return "\n".join([*lines, "  end", "  assign code = n;", "  assign out = y;", "endmodule", ""])


def comparator(block: BlockFile, *, name: str | None = None) -> str:
    """Text of one module with real ports ``inp inn out com``: gain, soft limit, one pole, and the offset over the common mode.

    Raises
    ------
    InputError
        An op-amp: its output is what its load makes of it, which real numbers do not carry.
    """
    name, m = name_of(block, name), block.macro
    if not isinstance(m, ComparatorMacro):
        raise InputError(
            f"block {block.own.name!r}: an op-amp's output depends on its load, which real numbers do not carry; take .cir or .va"
        )
    offset = [f"v = inp - inn + v_os + ({m.offsets[0]!r});"]
    for (a, low), (b, high) in pairwise(zip(m.common_modes, m.offsets, strict=True)):
        inside = f"((inn < {a!r} ? {a!r} : inn > {b!r} ? {b!r} : inn) - ({a!r}))"
        offset.append(f"v = v + ({(high - low) / (b - a)!r}) * {inside};")
    lines = [
        "`timescale 1ps/1fs",
        f"module {name} #(parameter real v_os = 0.0) (input real inp, input real inn, output real out, input real com);",
        f"  localparam real step = {1e12 * m.tau / STEPS!r};  // ps",
        f"  localparam real share = {1 / STEPS!r};",
        "  real v, y;",
        "  initial y = 0.0;",
        "  always #(step) begin",
        *(f"    {line}" for line in offset),
        f"    y = y + (1.0 - $exp(-share)) * ({m.limit!r} * $tanh({m.gain / m.limit!r} * v) - y);",
        "  end",
        "  assign out = com + y;",
        "endmodule",
    ]
    return header(block, name, "//") + "\n".join(lines) + "\n"
