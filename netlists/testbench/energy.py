"""Benches for energy: the column of a MAC, a ramp conversion and a row driver, each block on a supply of its own.

In each deck every source whose energy is asked for stands alone: its branch current times its voltage is the power that its
block draws. Macro-models draw nothing from a supply: there only the drive lines of the cells count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from netlists.array import Pwm
from netlists.checks import Array, check
from netlists.converter import OPTIONS, Blocks, Converter, cards, latch_and_counter, latch_clocks
from netlists.errors import InputError
from netlists.ramp import RampProgram
from netlists.spice import Deck, pulses, pwl
from netlists.technology import RampCircuit

SKY130 = Blocks("sky130", "switch")


@dataclass(frozen=True)
class EnergyBench:
    """A deck and what to integrate.

    Attributes
    ----------
    deck : Deck
        Saves the branch current of each source and the summing nodes.
    sources : dict of str to dict of str to str
        Names of the sources of each block, and the node that each drives.
    volts : dict of str to float
        Voltage that a source's energy counts from, volts: 0, or analog ground for the drive lines of cells.
    windows : dict of str to (float, float)
        Named parts of the transient, seconds.
    """

    deck: Deck
    sources: dict[str, dict[str, str]]
    volts: dict[str, float]
    windows: dict[str, tuple[float, float]]

    @property
    def vectors(self) -> list[str]:
        """Vectors to ask `netlists.spice.simulate` for."""
        pairs = [pair for group in self.sources.values() for pair in group.items()]
        return [*(f"{source}#branch" for source, _ in pairs), *(node for _, node in pairs)]


def mac_bench(
    blocks: Blocks | str,
    circuit: RampCircuit,
    pwm: Pwm,
    codes: np.ndarray,
    conductance: np.ndarray,
    *,
    c_f: float,
    mismatch: bool = False,
) -> EnergyBench:
    """One column while it multiplies and accumulates: pulses on pairs of rows, cells, integrator.

    Parameters
    ----------
    blocks : Blocks or str
        The op-amp, or the level of detail; the cells are resistors.
    codes : ndarray of int (inputs,)
        Signed input codes.
    conductance : ndarray (inputs, 2)
        Of the positive and the negative cell of each input, siemens.
    c_f : float
        Feedback capacitor, farads.
    mismatch : bool
        At level sky130 each transistor draws its own deviation: for `netlists.spice.simulate_draws`.

    Returns
    -------
    EnergyBench
        Blocks ``cells`` (the row sources, counted from analog ground) and, at level sky130, ``integrator``.
        Windows ``mac`` and ``hold``, equally long.

    Raises
    ------
    InputError
        Shapes, codes or level that cannot be.
    """
    blocks = Blocks.of(blocks)
    blocks.only("the energy of a MAC", "opamp")
    codes = pwm.check_codes(codes, len(conductance))
    conductance = check(Array(("inputs", 2), above=0, unit="S"), conductance, "conductance")
    start, stop = circuit.t_reset, circuit.t_reset + pwm.duration
    lines, rows = [f"energy bench: MAC, level {blocks.level}"], []
    for i, code in enumerate(codes):
        if code == 0:
            continue
        t, v = pwm.breakpoints(int(code), start, circuit.v_read, circuit.t_edge)
        # A positive input takes the row of the positive cells down: the integrator inverts.
        for k, sign in enumerate((-1.0, 1.0)):
            rows.append(f"vrow{i}_{k}")
            lines.append(f"vrow{i}_{k} vrow{i}_{k} 0 {pwl(t, circuit.v_cm + sign * np.sign(code) * v)}")
    for i, pair in enumerate(conductance):
        for k, g in enumerate(pair.tolist()):
            node = f"vrow{i}_{k}" if codes[i] else "com"
            lines.append(f"rcell{i}_{k} {node} sum {1 / g!r}")
    more, supply = _integrator(blocks, circuit, "out", c_f)
    sources = {"cells": {row: row for row in rows}} | supply
    windows = {"mac": (start, stop), "hold": (stop, 2 * stop - start)}
    return _bench([*lines, *more], blocks, circuit, sources, dict.fromkeys(rows, circuit.v_cm), windows, mismatch)


def ramp_bench(blocks: Blocks | str, program: RampProgram, circuit: RampCircuit, v_mac: float) -> EnergyBench:
    """One conversion: memristor column with switches, ramp integrator, one comparator; at sky130 its latch and counter too.

    Parameters
    ----------
    blocks : Blocks or str
        With cells ``switch``, whose drive lines' energy is measured; or the level of detail.
    v_mac : float
        Input of the comparator, volts.

    Returns
    -------
    EnergyBench
        Blocks ``ramp cells`` (drive lines, counted from analog ground) and at level sky130 ``integrator``,
        ``comparator``, ``latch and counter`` (supply) and ``clocks`` (gates of latch and counter). Windows ``calibration`` and
        ``ramp``.

    Raises
    ------
    InputError
        Level or cells; a program that the counter of level sky130 cannot count.
    """
    blocks = Blocks(blocks, "switch") if isinstance(blocks, str) else blocks
    if blocks.cells != "switch":
        raise InputError(f"cells={blocks.cells!r}: the energy of the cells is that of their drive lines; take cells 'switch'")
    converter = Converter(program, circuit, blocks)
    clock = converter.clock
    lines = [
        f"energy bench: ramp conversion, {program.activation}, {program.bits} bits, level {blocks.level}",
        *cards.drive_lines(circuit),
    ]
    for pair in zip(cards.select_lines(converter), cards.switch_cells(converter, program.conductance), strict=True):
        lines += pair
    sources = {"ramp cells": {"vdrvp": "drvp", "vdrvn": "drvn"}}
    more, supply = _integrator(blocks, circuit, "ramp", program.feedback_capacitance(circuit))
    lines += [*more, f"vmac mac 0 {v_mac!r}"]
    sources |= supply
    lines += cards.comparator("", "ramp", "mac", blocks, circuit, offset=circuit.comparator_offset, supply="vddc")
    if blocks.takes_supply("comparator"):
        lines.append(f"vddc vddc 0 {circuit.v_dd!r}")
        sources["comparator"] = {"vddc": "vddc"}
    if blocks.level == "sky130":
        lines += [f"vddl vddl 0 {circuit.v_dd!r}", *latch_clocks(converter, "sky130")]
        lines += latch_and_counter("", circuit, "sky130", supply="vddl")
        sources |= {"latch and counter": {"vddl": "vddl"}, "clocks": {"vclk": "clk", "vstep": "step"}}
    windows = {"calibration": (circuit.t_reset, float(clock.step_start[0])), "ramp": (float(clock.step_start[0]), clock.stop)}
    return _bench(lines, blocks, circuit, sources, dict.fromkeys(sources["ramp cells"], circuit.v_cm), windows)


def driver_bench(circuit: RampCircuit, *, width: float, t_pulse: float = 40e-9) -> EnergyBench:
    """One transistor-level row driver without load, two pulses of either sign: what its gates and inverters take.

    Parameters
    ----------
    width : float
        Of each gate's NMOS, micrometres.
    t_pulse : float
        Seconds.

    Returns
    -------
    EnergyBench
        Block ``driver`` (supply and pulse lines); window ``pulses``.
    """
    at = np.array([t_pulse])
    lines = [f"energy bench: row driver of {width:g} um gates"]
    for n, begin in (("vpos", at), ("vneg", 4 * at)):
        wave = pulses(begin, begin + t_pulse, np.array([circuit.v_dd]), circuit.t_edge)
        lines.append(f"{n} {n} 0 {pwl(*wave)}")
    lines += [
        *cards.row_rails(circuit),
        f"vdd vdd 0 {circuit.v_dd!r}",
        cards.pwm_driver("Xdrv", "vpos vneg outp outn com", SKY130, circuit, tau=0.0, width=width),
    ]
    sources = {"driver": {s: s for s in ("vdd", "vpos", "vneg")}}
    return _bench(lines, SKY130, circuit, sources, {}, {"pulses": (0.0, 7 * t_pulse)})


def switch_bench(circuit: RampCircuit, *, width: float, t_pulse: float = 40e-9) -> EnergyBench:
    """One hold switch at level sky130 between two nodes at analog ground, closed and opened once.

    Parameters
    ----------
    width : float
        Of its NMOS, micrometres.

    Returns
    -------
    EnergyBench
        Block ``hold switch`` (supply and clock); window ``pulse``.
    """
    wave = pulses(np.array([t_pulse]), np.array([2 * t_pulse]), np.array([circuit.v_dd]), circuit.t_edge)
    lines = [
        f"energy bench: hold switch of {width:g} um",
        f"vhold vhold 0 {pwl(*wave)}",
        f"vdd vdd 0 {circuit.v_dd!r}",
        cards.hold_switch("Xsw", "com com vhold", SKY130, circuit, r_on=0.0, width=width),
    ]
    sources = {"hold switch": {s: s for s in ("vdd", "vhold")}}
    return _bench(lines, SKY130, circuit, sources, {}, {"pulse": (0.0, 3 * t_pulse)})


def _integrator(blocks: Blocks, circuit: RampCircuit, out: str, c_f: float) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Integrator between ``sum`` and ``out``, its reset clock and, if it has one, its supply; and that as sources of a bench."""
    nodes = f"sum {out} com rst"
    card = cards.integrator("Xint", nodes, blocks, circuit, c_f=c_f, offset=circuit.opamp_offset, supply="vddi")
    lines = [cards.reset("rst", circuit, circuit.t_reset), card]
    if not blocks.takes_supply("opamp"):
        return lines, {}
    return [*lines, f"vddi vddi 0 {circuit.v_dd!r}"], {"integrator": {"vddi": "vddi"}}


def _bench(
    lines: list[str],
    blocks: Blocks,
    circuit: RampCircuit,
    sources: dict[str, dict[str, str]],
    volts: dict[str, float],
    windows: dict[str, tuple[float, float]],
    mismatch: bool = False,
) -> EnergyBench:
    names = ["cells", "integrator", "comparator"]
    if blocks.level == "sky130":
        names += ["latch_sky130", "counter_sky130", "pwm_driver_sky130", "transmission_gate_sky130"]
    text = replace(blocks, cells="switch").text(*names)
    head = [lines[0], *blocks.models(mismatch=mismatch), f"vcom com 0 {circuit.v_cm!r}", OPTIONS, text]
    saved = [e for group in sources.values() for source, node in group.items() for e in (f"i({source})", f"v({node})")]
    stop = max(w[1] for w in windows.values())
    deck = cards.transient([*head, *lines[1:]], saved, circuit.t_pulse / 16, stop, blocks, "run\nquit")
    return EnergyBench(deck, sources, volts, windows)
