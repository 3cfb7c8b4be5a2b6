"""A converter as a Verilog-A module, for OpenVAF and the simulators that load its compiled form (ngspice, VACASK, Xyce...)."""

from __future__ import annotations

from .converter import StaticConverter


def module(converter: StaticConverter) -> str:
    """Text of one module with ports ``in code out com`` and parameter ``v_os``; the same block as `spice.subcircuit`."""
    c = converter
    lines = [
        f"// {c.name} - fitted ramp converter: {c.origin}",
        f"// in: {c.volts_per_unit:.6g} V per input unit above com (com at {c.v_cm:g} V in the fitted circuit)",
        "// code: 1 V = 1 code; out: 1 V = 1 output unit; both referred to ground",
        '`include "disciplines.vams"',
        f"module {c.name}(in, code, out, com);",
        "  inout in, code, out, com;",
        "  electrical in, code, out, com;",
        "  parameter real v_os = 0.0 from (-inf:inf);  // input offset added to in, V",
        "  real v, n, y;",
        "  analog begin",
        "    v = V(in, com) + v_os;",
        f"    n = {float(c.codes[0])!r};",
        f"    y = {float(c.values[0])!r};",
    ]
    for variable, what in (("n", "codes"), ("y", "values")):
        for level, step in c.steps(what):
            lines.append(f"    if (v > {level!r}) {variable} = {variable} + ({step!r});")
    lines += ["    V(code) <+ n;", "    V(out) <+ y;", "  end", "endmodule"]
    return "\n".join(lines) + "\n"
