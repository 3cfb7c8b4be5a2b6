"""A converter as an ngspice subcircuit: a static block that turns an input voltage into the code and the output value."""

from __future__ import annotations

from .converter import StaticConverter


def subcircuit(converter: StaticConverter) -> str:
    """Text of one ``.subckt`` with ports ``in code out com``; it needs nothing but ngspice.

    The code and the value are voltages (1 V = 1 code, 1 V = 1 output unit). Delay, noise and the ramp's timing are not in it.
    """
    c = converter
    lines = [
        f"* {c.name} - fitted ramp converter: {c.origin}",
        f"* ports:  in    input, {c.volts_per_unit:.6g} V per input unit above com (com at {c.v_cm:g} V in the fitted circuit)",
        "*         code  code, 1 V = 1 code              out  output value, 1 V = 1",
        "*         com   analog ground of the input; code and out are referred to node 0",
        "* params: v_os  input offset added to in, V",
        f".subckt {c.name} in code out com params: v_os=0",
        *_source("bcode code 0", float(c.codes[0]), c.steps("codes")),
        *_source("bout out 0", float(c.values[0]), c.steps("values")),
        f".ends {c.name}",
    ]
    return "\n".join(lines) + "\n"


def _source(head: str, start: float, steps: list[tuple[float, float]]) -> list[str]:
    """A B-source that adds up the steps whose level lies below the input."""
    lines = [f"{head} v={{{start!r}"]
    lines += [f"+ {'+' if step > 0 else '-'}{abs(step)!r}*u(v(in)-v(com)+v_os-({level!r}))" for level, step in steps]
    lines[-1] += "}"
    return lines
