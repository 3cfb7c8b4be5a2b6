"""Figures of one node at another: the scaling equations of Stillmaker and Baas, and the rule for analog blocks.

Source: A. Stillmaker, B. Baas, "Scaling equations for the accurate prediction of CMOS device performance from 180 nm to
7 nm", Integration 58, 74-81 (2017), doi 10.1016/j.vlsi.2017.02.002; coefficients as transcribed in HWComponents, the
component library of Accelergy. They are for digital gates. Between the nodes of the table values are interpolated.

    energy ~ a V^2 + b V + c      a, b, c of the node, V its supply
    area   ~ the node's entry in the paper's table

Beyond a node's nominal supply, where the polynomial was not fitted, energy goes as V^2 (assumption): so 1.8 V at 130 nm.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from netlists.checks import Number, check

NODES = (130.0, 90.0, 65.0, 45.0, 32.0, 20.0, 16.0, 14.0, 10.0, 7.0)
"""Nanometres."""
NOMINAL_SUPPLY = (1.2, 1.1, 1.1, 1.0, 0.9, 0.85, 0.8, 0.8, 0.75, 0.7)
"""Volts. Assumption: usual core supplies of each node."""
_ENERGY = (
    (7.171, -6.709, 2.904),
    (4.762, -4.781, 2.092),
    (3.755, -4.398, 1.975),
    (1.103, -0.362, 0.2767),
    (0.9559, -0.7823, 0.471),
    (0.373, -0.1582, 0.04104),
    (0.2958, -0.1241, 0.03024),
    (0.2363, -0.09675, 0.02239),
    (0.2068, -0.09311, 0.02375),
    (0.1776, -0.09097, 0.02447),
)
_AREA_FROM_130 = (1.0, 0.44, 0.23, 0.16, 0.072, 0.033, 0.03, 0.027, 0.016, 0.0092)
SIMULATED_NODE, SIMULATED_SUPPLY = 130.0, 1.8
"""Of the SKY130 blocks: nanometres, volts."""


Node = Annotated[float, Number(NODES[-1], NODES[0], unit="nm", why="what the scaling equations cover")]


def nominal_supply(node: float) -> float:
    """Supply of a node's circuits, volts: 1.8 V at 130 nm, as simulated, else the nominal one."""
    check(Node, node, "node")
    return SIMULATED_SUPPLY if node == SIMULATED_NODE else _between(node, NOMINAL_SUPPLY)


def energy_factor(to: float, v_to: float, source: float, v_source: float) -> float:
    """Energy of an operation at node ``to`` (nm) and supply ``v_to`` (V) over that at node ``source`` and ``v_source``."""
    return _energy(to, v_to) / _energy(source, v_source)


def area_factor(to: float, source: float) -> float:
    """Area at node ``to`` (nm) over that at node ``source``."""
    return _between(to, _AREA_FROM_130) / _between(source, _AREA_FROM_130)


def analog_power_factor(to: float, v_to: float) -> float:
    """Power of a SKY130 analog block, redesigned at node ``to`` (nm), over what it was simulated to take.

    Assumption: its energy in a clock period scales as a digital operation's, and its speed as 1 / node: power as the one
    times the other.
    """
    return energy_factor(to, v_to, SIMULATED_NODE, SIMULATED_SUPPLY) * SIMULATED_NODE / to


def _energy(node: float, v: float) -> float:
    check(Node, node, "node")
    nominal = _between(node, NOMINAL_SUPPLY)
    a, b, c = (_between(node, [row[i] for row in _ENERGY]) for i in range(3))
    inside = min(v, nominal)
    return (a * inside**2 + b * inside + c) * (v / inside) ** 2


def _between(node: float, values: object) -> float:
    check(Node, node, "node")
    return float(np.interp(node, NODES[::-1], list(values)[::-1]))  # type: ignore[call-overload]
