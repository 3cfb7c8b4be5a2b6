"""How each block is called at each level of detail: one SPICE card with the ports and parameters that level has."""

from __future__ import annotations

from .parameters import RampCircuit

SUPPLY = "vdd"
"""Node of the supply; only blocks of level ``sky130`` have supply ports (``vdd 0`` after the others)."""


def call(name: str, block: str, nodes: str, level: str, values: dict[str, float]) -> str:
    """The card ``x<name> <nodes> <block>_<level> ...``."""
    ports = f"{nodes} {SUPPLY} 0" if level == "sky130" else nodes
    return " ".join([f"x{name}", ports, f"{block}_{level}", *(f"{key}={float(value)!r}" for key, value in values.items())])


def integrator_values(level: str, circuit: RampCircuit, *, c_f: float, offset: float) -> dict[str, float]:
    """Parameters of ``integrator_<level>``; ``offset`` is the whole input offset, volts."""
    values = {"c_f": c_f, "v_os": offset}
    if level != "sky130":
        values["v_dd"] = circuit.v_dd
    if level != "ideal":
        values["c_in"] = circuit.c_in
    if level == "macro":
        values |= {"a0": circuit.a0, "gbw": circuit.gbw, "slew": circuit.slew, "r_rst": circuit.r_reset, "c_inj": circuit.c_inject}
    return values


def comparator_values(level: str, circuit: RampCircuit, *, offset: float) -> dict[str, float]:
    """Parameters of ``comparator_<level>``; ``offset`` is the whole input offset, volts."""
    values = {"v_os": offset}
    if level != "sky130":
        values["gain"] = circuit.comparator_gain
    if level == "macro":
        values |= {"tau": circuit.comparator_tau, "v_sat": circuit.comparator_limit}
    return values


def integrator(name: str, nodes: str, level: str, circuit: RampCircuit, *, c_f: float, offset: float) -> str:
    """Integrator card; ``nodes`` are sum, out, com, rst."""
    return call(name, "integrator", nodes, level, integrator_values(level, circuit, c_f=c_f, offset=offset))


def comparator(name: str, nodes: str, level: str, circuit: RampCircuit, *, offset: float) -> str:
    """Comparator card; ``nodes`` are inp, inn, out, com."""
    return call(name, "comparator", nodes, level, comparator_values(level, circuit, offset=offset))


def pwm_driver(name: str, nodes: str, level: str, circuit: RampCircuit, *, tau: float, width: float = 0.0) -> str:
    """Row driver card; ``nodes`` are pos, neg, outp, outn, com.

    Level ``sky130`` takes its rails from ``vlo`` and ``vhi`` and has gates of ``width`` micrometres; ``tau`` is for ``macro``.
    """
    if level == "sky130":
        return call(name, "pwm_driver", f"{nodes} vlo vhi", level, {"w": width})
    values = {"v_read": circuit.v_read, "v_dd": circuit.v_dd}
    if level == "macro":
        values["tau"] = tau
    return call(name, "pwm_driver", nodes, level, values)


def hold_switch(name: str, nodes: str, level: str, circuit: RampCircuit, *, r_on: float, width: float = 0.0) -> str:
    """Hold switch card; ``nodes`` are col, sum, clk. Level ``sky130`` is a transmission gate of ``width`` micrometres."""
    if level == "sky130":
        return call(name, "transmission_gate", nodes, level, {"w": width})
    values = {"r_on": r_on, "v_dd": circuit.v_dd}
    if level == "macro":
        values["c_inj"] = circuit.c_inject
    return call(name, "hold_switch", nodes, level, values)
