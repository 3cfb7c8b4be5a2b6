"""Benches for energy: the column of a MAC, a ramp conversion and a row driver, each block on a supply of its own.

In each deck every source whose energy is asked for stands alone: its branch current times its voltage is the power that its
block draws. Macro-models draw nothing from a supply: there only the drive lines of the cells count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import level_blocks, pdk
from .deck import Deck, subcircuits
from .errors import InputError
from .parameters import RampCircuit, check_level
from .program import RampProgram
from .pwm import Pwm
from .ramp_clock import select_pulses, timing
from .ramp_column import OPTIONS
from .waveforms import pulses, pwl

COUNTER_BITS = 5
"""Of ``counter_sky130``."""


@dataclass(frozen=True)
class EnergyBench:
    """A deck and what to integrate.

    Attributes
    ----------
    deck : Deck
        Saves the branch current of each source and the summing nodes.
    sources : dict of str to tuple of str
        Names of the sources of each block.
    volts : dict of str to float
        Voltage that a source's energy counts from, volts: 0, or analog ground for the drive lines of cells.
    windows : dict of str to (float, float)
        Named parts of the transient, seconds.
    """

    deck: Deck
    sources: dict[str, tuple[str, ...]]
    volts: dict[str, float]
    windows: dict[str, tuple[float, float]]

    @property
    def vectors(self) -> list[str]:
        """What to ask `engine.simulate` for."""
        names = [s for group in self.sources.values() for s in group]
        return [*(f"{s}#branch" for s in names), *names]


def mac_bench(
    level: str,
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
    codes : ndarray of int (inputs,)
        Signed input codes.
    conductance : ndarray (inputs, 2)
        Of the positive and the negative cell of each input, siemens.
    c_f : float
        Feedback capacitor, farads.
    mismatch : bool
        At level sky130 each transistor draws its own deviation: for `engine.simulate_draws`.

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
    check_level(level)
    codes = pwm.check_codes(codes, len(conductance))
    conductance = np.asarray(conductance, float)
    if conductance.ndim != 2 or conductance.shape[1] != 2 or not np.all(np.isfinite(conductance) & (conductance > 0)):
        raise InputError(f"conductance: must be finite and above 0 with shape (inputs, 2), has shape {conductance.shape}")
    start, stop = circuit.t_reset, circuit.t_reset + pwm.duration
    lines, rows = [f"energy bench: MAC, level {level}"], []
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
    sources, volts = {"cells": tuple(rows)}, dict.fromkeys(rows, circuit.v_cm)
    lines += _integrator(level, circuit, "int", c_f, start - 2 * circuit.t_edge, sources, volts)
    return _bench(lines, level, circuit, sources, volts, {"mac": (start, stop), "hold": (stop, 2 * stop - start)}, mismatch)


def ramp_bench(level: str, program: RampProgram, circuit: RampCircuit, v_mac: float) -> EnergyBench:
    """One conversion: memristor column with switches, ramp integrator, one comparator; at sky130 its latch and counter too.

    Parameters
    ----------
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
        Level, or bits that the counter of level sky130 cannot count.
    """
    check_level(level)
    if level == "sky130" and program.bits > COUNTER_BITS:
        raise InputError(f"bits={program.bits}: the counter of level sky130 counts to {COUNTER_BITS} bits")
    clock, edge = timing(program, circuit), circuit.t_edge
    lines = [f"energy bench: ramp conversion, {program.activation}, {program.bits} bits, level {level}"]
    drives = ("vdrvp", "vdrvn")
    lines += [f"{n} {n} 0 {circuit.v_cm + s * circuit.v_read!r}" for n, s in zip(drives, (-1, 1), strict=True)]
    begin, end = select_pulses(program, circuit)
    for m, (g, sign) in enumerate(zip(program.conductance.tolist(), program.polarity, strict=True)):
        # A switch conducts for the whole of both edges: the edges are steep and the pulse one edge shorter (`ramp_column`).
        wave = pwl(*pulses(begin[[m]], end[[m]] - edge / 10, np.array([circuit.v_dd]), edge / 10))
        lines.append(f"vsel{m} sel{m} 0 {wave}")
        drive = drives[0] if sign == 1 else drives[1]
        lines.append(f"xcell{m} {drive} sum sel{m} ramp_cell_switch g={g!r} v_dd={circuit.v_dd!r}")
    sources: dict[str, tuple[str, ...]] = {"ramp cells": drives}
    volts = dict.fromkeys(drives, circuit.v_cm)
    c_f = program.feedback_capacitance(circuit)
    lines += _integrator(level, circuit, "int", c_f, circuit.t_reset - 2 * edge, sources, volts)
    lines.append(f"vmac mac 0 {v_mac!r}")
    values = level_blocks.comparator_values(level, circuit, offset=circuit.comparator_offset)
    lines.append(_card("cmp", "out mac y com", "comparator", level, "vddc", values))
    if level == "sky130":
        t, v = pulses(clock.latch - circuit.t_settle / 2, clock.latch, np.full(program.n_steps, circuit.v_dd), edge / 10)
        count_at = clock.latch[: len(program.x)] + circuit.t_aperture + edge
        step = pulses(count_at, count_at + circuit.t_settle / 4, np.full(len(program.x), circuit.v_dd), edge)
        lines += [
            f"vddc vddc 0 {circuit.v_dd!r}",
            f"vddl vddl 0 {circuit.v_dd!r}",
            f"vclk vclk 0 {pwl(np.append(0.0, t[3:]), np.append(circuit.v_dd, v[3:]))}",
            f"vstep vstep 0 {pwl(*step)}",
            "xlat y vclk q com vddl 0 latch_sky130",
            f"xcnt q vstep vrst {' '.join(f'b{n}' for n in range(COUNTER_BITS))} code vddl 0 counter_sky130 v_dd={circuit.v_dd!r}",
        ]
        sources |= {"comparator": ("vddc",), "latch and counter": ("vddl",), "clocks": ("vclk", "vstep")}
    windows = {"calibration": (circuit.t_reset, float(clock.step_start[0])), "ramp": (float(clock.step_start[0]), clock.stop)}
    return _bench(lines, level, circuit, sources, volts, windows)


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
        f"vlo vlo com {-circuit.v_read!r}",
        f"vhi vhi com {circuit.v_read!r}",
        f"vdd vdd 0 {circuit.v_dd!r}",
        f"xdrv vpos vneg outp outn com vlo vhi vdd 0 pwm_driver_sky130 w={width!r}",
    ]
    return _bench(lines, "sky130", circuit, {"driver": ("vdd", "vpos", "vneg")}, {}, {"pulses": (0.0, 7 * t_pulse)})


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
        f"xsw com com vhold vdd 0 transmission_gate_sky130 w={width!r}",
    ]
    return _bench(lines, "sky130", circuit, {"hold switch": ("vdd", "vhold")}, {}, {"pulse": (0.0, 3 * t_pulse)})


def _integrator(level: str, circuit: RampCircuit, name: str, c_f: float, released: float, sources: dict, volts: dict) -> list[str]:
    """Integrator between ``sum`` and ``out``, its reset clock, and at level sky130 its supply."""
    reset = pwl(np.array([0.0, released - circuit.t_edge, released]), np.array([circuit.v_dd, circuit.v_dd, 0.0]))
    values = level_blocks.integrator_values(level, circuit, c_f=c_f, offset=circuit.opamp_offset)
    lines = [f"vrst vrst 0 {reset}", _card(name, "sum out com vrst", "integrator", level, "vddi", values)]
    if level == "sky130":
        lines.append(f"vddi vddi 0 {circuit.v_dd!r}")
        sources |= {"integrator": ("vddi",)}
    return lines


def _card(name: str, nodes: str, block: str, level: str, supply: str, values: dict[str, float]) -> str:
    ports = f"{nodes} {supply} 0" if level == "sky130" else nodes
    return " ".join([f"x{name}", ports, f"{block}_{level}", *(f"{k}={float(v)!r}" for k, v in values.items())])


def _bench(
    lines: list[str],
    level: str,
    circuit: RampCircuit,
    sources: dict,
    volts: dict,
    windows: dict[str, tuple[float, float]],
    mismatch: bool = False,
) -> EnergyBench:
    head = [f"vcom com 0 {circuit.v_cm!r}", OPTIONS]
    names = ["ramp_cell_switch", f"integrator_{level}", f"comparator_{level}"]
    if level == "sky130":
        head.insert(0, pdk.lib_card(mismatch=mismatch))
        names += ["latch_sky130", "counter_sky130", "pwm_driver_sky130", "transmission_gate_sky130"]
    saved = [f"{kind}({s})" for group in sources.values() for s in group for kind in "iv"]
    save = [".save " + " ".join([*saved[j : j + 16]]) for j in range(0, len(saved), 16)]
    stop, step = max(w[1] for w in windows.values()), circuit.t_pulse / 16
    tran = f".tran {step!r} {stop!r} 0 {step!r}"
    text = "\n".join([lines[0], *head, subcircuits(*names).rstrip(), *lines[1:], *save, tran]) + "\n"
    settings = pdk.SETTINGS if level == "sky130" else ()
    return EnergyBench(Deck(text, "run\nquit", settings), sources, volts, windows)
