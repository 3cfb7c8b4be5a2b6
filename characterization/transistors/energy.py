"""Energy from SPICE: currents of supplies and drive lines, integrated over the transient, held against V I t and C V^2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from netlists.array import Pwm
from netlists.errors import InputError
from netlists.files import write_text
from netlists.ramp import RampProgram, charge_share, program_ramp
from netlists.spice import simulate, simulate_draws
from netlists.technology import DeviceProfile, RampCircuit, load_profile
from netlists.testbench import EnergyBench, driver_bench, mac_bench, ramp_bench, switch_bench

CODES = (15, -11, 8, -6, 4, -3, 2, 0)
"""Input codes of the measured MAC, 5 bits: magnitudes from the largest to none, both signs."""
PAIRS_US = np.transpose([(250.0, 100, 400, 100, 160, 100, 220, 100), (100, 180, 100, 130, 100, 300, 100, 100)])
"""Conductances of the positive and the negative cell of each input, microsiemens."""
C_F_MAC = 40e-12
"""Feedback capacitor of the measured MAC, farads: V_mac stays within 0.2 V of analog ground."""
V_MACS = (0.6, 0.9, 1.2)
"""Comparator inputs over which latch, counter and comparator are averaged, volts: early, middle and late codes."""
DRIVER_WIDTH, SWITCH_WIDTH = 50.0, 444.0
"""Gate widths of driver and hold switch, micrometres."""
BIAS = {"integrator": 26 * 20e-6, "comparator": 60e-6}
"""Currents that ota_sky130 and comparator_sky130 are biased with, amperes: i_ref, tail 5 i_ref and output 20 i_ref of 20 uA;
two references of 10 uA and tails of twice that."""
GATE_CAPACITANCE = 8.4e-3
"""Of an area of gate oxide, F/m^2: 4.1 nm of silicon dioxide."""
GATE_AREA = {"latch and counter": 27.6e-12, "driver": 268.8e-12, "hold switch": 379.2e-12}
"""Gate area of the blocks whose energy is charging gates, m^2: sum of W L over netlists/circuits."""


@dataclass(frozen=True)
class BlockEnergy:
    """Energy of one block over one part of a transient."""

    block: str
    level: str
    window: str
    v_read: Annotated[float, "V"]
    energy: Annotated[float, "drawn from the block's sources, J"]
    time: Annotated[float, "length of the window, s"]
    bound: Annotated[float, "closed form that it is held against, J"]
    rule: Annotated[str, "what the bound is: equal, at least or at most, and its formula"]
    condition: Annotated[str, "what the block did"]
    # An op-amp of finite bandwidth lets the summing node follow the drive line while charge flows: the cells see less than V_read.
    sag: Annotated[float, "how far below equal is allowed, as a part of it"] = 0.0

    @property
    def power(self) -> float:
        """Mean power, watts."""
        return self.energy / self.time

    @property
    def within(self) -> bool:
        """Whether the bound holds; ``equal`` to 0.1 % and the sag."""
        if self.rule.startswith("equal"):
            return 0.999 - self.sag <= self.energy / self.bound <= 1.001
        return self.energy >= self.bound if self.rule.startswith("at least") else self.energy <= self.bound

    def as_row(self) -> dict[str, Any]:
        """For tables and JSON."""
        return asdict(self) | {"power": self.power, "within": self.within}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> BlockEnergy:
        """What `as_row` was made of."""
        return cls(**{f.name: row[f.name] for f in fields(cls)})


def integrate(bench: EnergyBench, waves: Mapping[str, np.ndarray]) -> dict[tuple[str, str], float]:
    """Energy of each block in each window of a bench, joules.

    ``E = - integral (v - v_0) i dt`` over the block's sources: ngspice counts the current that flows into a source's positive
    terminal, and v_0 is analog ground for the drive lines of cells.

    Parameters
    ----------
    waves : mapping
        What `netlists.spice.simulate` gives for the bench's deck and vectors.
    """
    t, out = waves["time"], {}
    for block, sources in bench.sources.items():
        terms = [-(waves[node] - bench.volts.get(s, 0.0)) * waves[f"{s}#branch"] for s, node in sources.items()]
        power = np.sum(terms, axis=0)
        total = np.append(0.0, np.cumsum(0.5 * (power[1:] + power[:-1]) * np.diff(t)))
        for window, (start, stop) in bench.windows.items():
            out[block, window] = float(np.interp(stop, t, total) - np.interp(start, t, total))
    return out


def run(bench: EnergyBench) -> dict[tuple[str, str], float]:
    """Simulates a bench and integrates it; errors as `netlists.spice.simulate`."""
    return integrate(bench, simulate(bench.deck, bench.vectors))


def measure_mac(level: str, circuit: RampCircuit) -> list[BlockEnergy]:
    """A column of eight inputs in its MAC: energy of the cells, and at level sky130 of the integrator."""
    pwm, energies = Pwm(), _Energies.of(level, circuit, _mac(level, circuit))
    condition = f"{len(CODES)} inputs of {pwm.n_in} bits, {pwm.duration * 1e9:.0f} ns"
    sag = _sag(level, circuit, 1e-6 * float(np.sum(PAIRS_US)), C_F_MAC)
    cells = circuit.v_read**2 * np.sum(1e-6 * PAIRS_US.sum(axis=1) * np.abs(pwm.pulse_time(np.array(CODES))))
    out = [energies.row("cells", "mac", float(cells), "equal: V^2 G t", condition, sag)]
    if level == "sky130":
        out += [energies.biased("integrator", w, condition) for w in ("mac", "hold")]
    return out


def measure_ramp(level: str, circuit: RampCircuit, program: RampProgram, v_mac: float) -> list[BlockEnergy]:
    """A ramp conversion: cells of the ramp column, and at level sky130 integrator, comparator, latch and counter."""
    energies = _Energies.of(level, circuit, ramp_bench(level, program, circuit, v_mac))
    charge = program.conductance * program.width * circuit.t_pulse
    condition = f"{program.activation}, {program.bits} bits, V_mac {v_mac:g} V"
    share = np.ones(program.n_cells) if level == "ideal" else charge_share(program, circuit, program.conductance)
    out = []
    for window, cells in (("calibration", program.step < 0), ("ramp", program.step >= 0)):
        expected = circuit.v_read**2 * float(charge[cells].sum())
        sag = 1 - float(np.average(share[cells], weights=charge[cells]))
        out.append(energies.row("ramp cells", window, expected, "equal: V^2 G t", condition, sag))
    if level == "sky130":
        out += [energies.biased(block, "ramp", condition) for block in ("integrator", "comparator")]
        for block in ("latch and counter", "clocks"):
            gates = program.n_steps * GATE_AREA["latch and counter"] * GATE_CAPACITANCE * circuit.v_dd**2
            rule = "at most: C V^2 of every gate, each step"
            out.append(energies.row(block, "ramp", gates, rule, condition))
    return out


def measure_gates(circuit: RampCircuit) -> list[BlockEnergy]:
    """Row driver, two pulses, and hold switch, closed and opened once, at level sky130."""
    out = []
    for block, window, bench, pulses in (
        ("driver", "pulses", driver_bench(circuit, width=DRIVER_WIDTH), 2),
        ("hold switch", "pulse", switch_bench(circuit, width=SWITCH_WIDTH), 1),
    ):
        bound = pulses * GATE_AREA[block] * GATE_CAPACITANCE * circuit.v_dd**2
        rule = "at most: C V^2 of every gate, each pulse"
        out.append(_Energies.of("sky130", circuit, bench).row(block, window, bound, rule, f"{pulses} pulse(s), no load"))
    return out


def measure_mismatch(circuit: RampCircuit, seeds: Sequence[int]) -> list[BlockEnergy]:
    """The MAC of `measure_mac` at level sky130 on chips of foundry mismatch, one for each seed of ngspice."""
    bench, out = _mac("sky130", circuit, mismatch=True), []
    for seed, waves in zip(seeds, simulate_draws(bench.deck, bench.vectors, seeds), strict=True):
        energies = _Energies("sky130", circuit, bench, integrate(bench, waves))
        out.append(energies.biased("integrator", "mac", f"mismatch, seed {seed}"))
    return out


def measured_figures(rows: Sequence[BlockEnergy]) -> dict[str, tuple[float, str]]:
    """Figures of the cost model from measured rows: value and unit by name.

    Raises
    ------
    InputError
        A block was not measured at level sky130.
    """

    def mean(block: str, value: Callable[[BlockEnergy], float]) -> float:
        found = [value(r) for r in rows if r.level == "sky130" and r.block == block and not r.condition.startswith("mismatch")]
        if not found:
            raise InputError(f"rows: hold no {block!r} at level sky130")
        return float(np.mean(found))

    circuit = RampCircuit()

    def a_step(row: BlockEnergy) -> float:
        return row.energy / (row.time / circuit.t_step)

    return {
        "integrator_power": (mean("integrator", lambda r: r.power), "W"),
        "comparator_power": (mean("comparator", lambda r: r.power), "W"),
        "counter_energy": (mean("latch and counter", a_step), "J a ramp step"),
        "clock_energy": (mean("clocks", a_step), "J a ramp step"),
        "driver_energy": (mean("driver", lambda r: r.energy / 2), "J a pulse"),
        "hold_switch_energy": (mean("hold switch", lambda r: r.energy), "J a conversion"),
    }


def write_measured(figures: Mapping[str, tuple[float, str]], path: Path) -> Path:
    """Writes figures as the TOML file that the cost model reads."""
    head = "# Energies of the SKY130 blocks (tt, 27 C, 1.8 V), from ngspice. Written by `cosim study cost`; do not edit.\n"
    tables = (f'\n[{name}]\nvalue = {value:.5g}\nunit = "{unit}"\n' for name, (value, unit) in figures.items())
    return write_text(path, head + "".join(tables))


def default_program(bits: int, profile: DeviceProfile | None = None) -> RampProgram:
    """The sigmoid ramp that is measured."""
    return program_ramp("sigmoid", bits, profile or load_profile("taox-100-400"))


def _mac(level: str, circuit: RampCircuit, *, mismatch: bool = False) -> EnergyBench:
    return mac_bench(level, circuit, Pwm(), np.array(CODES), 1e-6 * PAIRS_US, c_f=C_F_MAC, mismatch=mismatch)


def _sag(level: str, circuit: RampCircuit, conductance: float, c_f: float) -> float:
    """Part of V_read by which the summing node follows: ``G (1 / (2 pi gbw C_f) + r_o / a0)``."""
    return 0.0 if level == "ideal" else conductance * (circuit.opamp_settling / c_f + circuit.opamp_resistance)


@dataclass(frozen=True)
class _Energies:
    """What a bench gave, to make rows of."""

    level: str
    circuit: RampCircuit
    bench: EnergyBench
    found: Mapping[tuple[str, str], float]

    @classmethod
    def of(cls, level: str, circuit: RampCircuit, bench: EnergyBench) -> _Energies:
        return cls(level, circuit, bench, run(bench))

    def row(self, block: str, window: str, bound: float, rule: str, condition: str, sag: float = 0.0) -> BlockEnergy:
        start, stop = self.bench.windows[window]
        energy = self.found[block, window]
        return BlockEnergy(block, self.level, window, self.circuit.v_read, energy, stop - start, bound, rule, condition, sag)

    def biased(self, block: str, window: str, condition: str) -> BlockEnergy:
        """A block that its bias current keeps busy: it takes at least V I t."""
        start, stop = self.bench.windows[window]
        bound = self.circuit.v_dd * BIAS[block] * (stop - start)
        # Bias mirrors leave a few per cent of what they should carry.
        return self.row(block, window, 0.9 * bound, "at least: 0.9 V I t of the bias", condition)
