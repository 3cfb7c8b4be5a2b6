"""Test benches of a converter column's parts at any level of detail: what is connected and driven; transients alone.

Benches of a comparator or an integrator take a level of detail or `Blocks`, of which they have that one place. They run in this
process with `netlists.spice.simulate` and, written to disk, in ``ngspice -b``. The benches of `ota` measure
the transistor-level blocks in more ways; these make the samples that compact models are fitted to, the same at every level.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from netlists.array import Crossbar, continued, mesh_subcircuit, ports
from netlists.checks import Array, check
from netlists.converter import MACRO, Blocks, comparator, integrator, supplies, transient
from netlists.spice import Deck, pulses, pwl, stairs, subcircuits
from netlists.technology import RampCircuit

OPTIONS = ".options reltol=1e-4 abstol=1e-12 vntol=1e-7 chgtol=1e-16"
T_STEP = 5e-9
"""When the input of `comparator_step_deck` steps, seconds."""
T_RELEASE, T_PULSE = 20e-9, 40e-9
"""When the reset of `integrator_pulse_deck` has ended and its pulse starts, seconds."""


def _head(title: str, blocks: Blocks, circuit: RampCircuit, part: str) -> list[str]:
    blocks.only("a bench of one block", "opamp" if part == "integrator" else part)
    ground, *supply = supplies(blocks, circuit)
    return [f"{title}, level {blocks.level}", *blocks.models(), *supply, blocks.text(part), OPTIONS, ground]


def _deck(lines: list[str], saved: Sequence[str], stop: float, step: float, blocks: Blocks = MACRO) -> Deck:
    return transient(lines, [f"v({n})" for n in saved], step, stop, blocks, "set wr_singlescale\nrun\nwrdata bench.txt all\nquit")


def _comparator(k: int, inp: str, blocks: Blocks, circuit: RampCircuit, offset: float = 0.0) -> list[str]:
    """Comparator ``k`` with its negative input at analog ground and the latch's load; its output is node ``y<k>``."""
    cards = comparator(f"{k}", inp, "com", blocks, circuit, offset=circuit.comparator_offset + offset)
    return [*cards, *([f"cl{k} y{k} 0 20f"] if blocks.level == "sky130" else [])]


def comparator_step_deck(
    blocks: Blocks | str, circuit: RampCircuit, overdrives: npt.ArrayLike, *, before: float = 0.4, stop: float = 40e-9
) -> Deck:
    """Comparators at rest ``before`` volts below their trip point, then stepped to each overdrive above it at `T_STEP`.

    Returns
    -------
    Deck
        Saves ``y<k>``: crosses ``v_cm`` upwards when comparator k has decided. An overdrive counts from v(inp) = v_cm: the
        comparator's own offset is part of what is measured.
    """
    blocks = Blocks.of(blocks)
    lines = _head("comparator bench: steps", blocks, circuit, "comparator")
    v = check(Array(("n",), above=0, unit="V"), overdrives, "overdrives")
    for k, od in enumerate(v):
        lines.append(f"vin{k} in{k} com {pwl(*stairs(np.array([1e-12, T_STEP]), np.array([-before, od]), 10e-12))}")
        lines += _comparator(k, f"in{k}", blocks, circuit)
    return _deck(lines, [f"y{k}" for k in range(len(v))], stop, 20e-12, blocks)


def decision_deck(
    blocks: Blocks | str,
    circuit: RampCircuit,
    drive: npt.ArrayLike,
    *,
    time: float,
    rest: float = 0.1,
    offset: npt.ArrayLike | None = None,
) -> Deck:
    """Clocked decisions: each input rests ``rest`` volts below com for ``3 time``, then has its drive for ``time``.

    Parameters
    ----------
    drive : array_like (comparators, decisions)
        Volts above com, noise included.
    offset : array_like (comparators,), optional
        Input offset of each comparator, volts.

    Returns
    -------
    Deck
        Saves ``y<k>``; `decision_times` says when to look: above ``v_cm``, tripped.
    """
    d = check(Array(("comparators", "decisions"), unit="V"), drive, "drive")
    offsets = np.zeros(len(d)) if offset is None else check(Array((len(d),), unit="V"), offset, "offset")
    blocks = Blocks.of(blocks)
    lines = _head("comparator bench: decisions", blocks, circuit, "comparator")
    at = np.arange(d.shape[1]) * 4 * time + 3 * time
    edges = np.sort(np.concatenate([at, at + time, [1e-12]]))
    for k, row in enumerate(d):
        levels = np.append(-rest, np.stack([row, np.full_like(row, -rest)], axis=1).ravel())
        lines.append(f"vin{k} in{k} com {pwl(*stairs(edges, levels, 10e-12))}")
        lines += _comparator(k, f"in{k}", blocks, circuit, float(offsets[k]))
    return _deck(lines, [f"y{k}" for k in range(len(d))], float(at[-1] + 1.5 * time), time / 8, blocks)


def decision_times(decisions: int, time: float) -> np.ndarray:
    """Ends of the drives of `decision_deck`, shape (decisions,), seconds."""
    return (np.arange(decisions) * 4 + 4) * time


def triangle_deck(blocks: Blocks | str, circuit: RampCircuit, slopes: npt.ArrayLike, *, span: float = 0.1) -> Deck:
    """Comparators whose input climbs from ``-span`` to ``span`` and falls back, each at its own slope (volts per second).

    Returns
    -------
    Deck
        Saves ``in<k>`` and ``y<k>``.
    """
    s = check(Array(("n",), above=0, unit="V/s"), slopes, "slopes")
    blocks = Blocks.of(blocks)
    lines = _head("comparator bench: triangles", blocks, circuit, "comparator")
    for k, slope in enumerate(s):
        t = 2 * span / slope
        lines.append(
            f"vin{k} in{k} com {pwl(np.array([0.0, 5e-9, 5e-9 + t, 5e-9 + 2 * t]), np.array([-span, -span, span, -span]))}"
        )
        lines += _comparator(k, f"in{k}", blocks, circuit)
    stop = 20e-9 + 4 * span / float(s.min())
    return _deck(lines, [f"{n}{k}" for k in range(len(s)) for n in ("in", "y")], stop, stop / 4000, blocks)


def offset_ramp_deck(
    blocks: Blocks | str, circuit: RampCircuit, offsets: npt.ArrayLike, *, span: float, slope: float = 0.1e6
) -> Deck:
    """Comparators with input offsets of their own, all on one ramp from ``-span`` to ``span`` about com and back.

    Returns
    -------
    Deck
        Saves ``in`` and ``y<k>``.
    """
    v, t = check(Array(("n",), unit="V"), offsets, "offsets"), 2 * span / slope
    blocks = Blocks.of(blocks)
    lines = _head("comparator bench: offsets", blocks, circuit, "comparator")
    lines.append(f"vin in com {pwl(np.array([0.0, t, 2 * t]), np.array([-span, span, -span]))}")
    for k, offset in enumerate(v):
        lines += _comparator(k, "in", blocks, circuit, float(offset))
    return _deck(lines, ["in", *(f"y{k}" for k in range(len(v)))], 2 * t, t / 400, blocks)


def latch_deck(circuit: RampCircuit, differences: npt.ArrayLike, *, close: float = 2e-9, stop: float = 4e-9) -> Deck:
    """Latches ``latch_macro`` that hold small differences from com when the clock falls at ``close``.

    Returns
    -------
    Deck
        Saves ``q<k>``: 0.5 until the latch has run away, then 0 or 1.
    """
    d = check(Array(("n",), unit="V"), differences, "differences")
    lines = _head("latch bench: regeneration", MACRO, circuit, "latch_macro")
    lines.append(f"vclk clk 0 {pwl(np.array([0.0, close, close + 1e-12]), np.array([circuit.v_dd, circuit.v_dd, 0.0]))}")
    for k, v in enumerate(d):
        lines += [f"vd{k} d{k} com {float(v)!r}", f"xlat{k} d{k} clk q{k} com latch_macro v_dd={circuit.v_dd!r}"]
    # Differences of nanovolts on 0.9 V: the node's own tolerance must not decide.
    lines = [line.replace("reltol=1e-4", "reltol=1e-6").replace("vntol=1e-7", "vntol=1e-12") for line in lines]
    return _deck(lines, [f"q{k}" for k in range(len(d))], stop, 2e-12)


def integrator_pulse_deck(
    blocks: Blocks | str, circuit: RampCircuit, currents: npt.ArrayLike, *, c_f: float, width: float = 16e-9, stop: float = 400e-9
) -> Deck:
    """Integrators that are reset, released at `T_RELEASE`, and given one current pulse each at `T_PULSE`.

    Parameters
    ----------
    currents : array_like (n,)
        Drawn out of the summing node, amperes: positive lifts the output by ``current * width / c_f``.

    Returns
    -------
    Deck
        Saves ``out<k>``.
    """
    i = check(Array(("n",), unit="A"), currents, "currents")
    blocks = Blocks.of(blocks)
    lines = _head("integrator bench: pulses", blocks, circuit, "integrator")
    edge = circuit.t_edge
    lines.append(f"vrst rst 0 {pwl(np.array([0.0, T_RELEASE - edge, T_RELEASE]), np.array([circuit.v_dd, circuit.v_dd, 0.0]))}")
    for k, current in enumerate(i):
        nodes = f"sum{k} out{k} com rst"
        lines.append(integrator(f"Xint{k}", nodes, blocks, circuit, c_f=c_f, offset=circuit.opamp_offset))
        wave = pulses(np.array([T_PULSE]), np.array([T_PULSE + width]), np.array([current]), edge)
        lines.append(f"i{k} sum{k} 0 {pwl(*wave)}")
    return _deck(lines, [f"out{k}" for k in range(len(i))], stop, 0.25e-9, blocks)


def cell_iv_deck(conductance: float, curvature: float, *, v_max: float = 0.3, time: float = 1e-6) -> Deck:
    """A memristor cell (``memristor_static``) whose voltage climbs from ``-v_max`` to ``v_max``; 1 ohm senses the current.

    Returns
    -------
    Deck
        Saves ``te``, the cell's voltage, and ``s``, the current in volts per ohm.
    """
    lines = [
        "memristor bench: current against voltage",
        subcircuits("memristor_static").rstrip(),
        ".options reltol=1e-7 abstol=1e-15 vntol=1e-12",
        f"vte te 0 {pwl(np.array([0.0, time]), np.array([-v_max, v_max]))}",
        f"xm te a memristor_static g={float(conductance)!r} b={float(curvature)!r}",
        "vs a 0 0",
        "hs s 0 vs 1",
    ]
    return _deck(lines, ["te", "s"], time, time / 100)


def array_read_deck(crossbar: Crossbar, v: npt.ArrayLike) -> Deck:
    """Every cell and wire segment of an array under row voltages ``v`` (R,), volts; all terminals at 0 V.

    Returns
    -------
    Deck
        Saves ``s<j>``: current of column j in volts per ohm.
    """
    drive = check(Array((crossbar.rows,), unit="V"), v, "v")
    cols = range(crossbar.cols)
    lines = ["crossbar bench: read", mesh_subcircuit(crossbar).rstrip(), ".options reltol=1e-7 abstol=1e-15 vntol=1e-12"]
    lines += [f"vr{i} r{i} 0 {float(x)!r}" for i, x in enumerate(drive)]
    lines += [f"vc{j} c{j} 0 0\nhs{j} s{j} 0 vc{j} 1" for j in cols]
    lines.append(continued(["xarray", *ports(crossbar.rows, list(cols))[:-1], "0", "crossbar_mesh"]))
    return _deck(lines, [f"s{j}" for j in cols], 1e-9, 1e-10)
