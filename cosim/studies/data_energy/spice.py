"""Steps of real sequences in ngspice: a column's pulses and its ramp until the tile stops, beside what the cost model says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from characterization.transistors import energy
from cosim.chip import Arrays, MatrixPlace, mapped_pairs, matrix_places
from cosim.cost import Design, NetworkShape, SequenceUse, column_capacitance, figure, opamp_size, ramp_cell_energy, ramp_charge
from cosim.network import Network
from netlists.array import Pwm
from netlists.ramp import RampProgram, program_ramp, to_volts
from netlists.technology import RampCircuit, load_profile
from netlists.testbench import mac_bench, ramp_bench

LIMIT = 0.05
"""Largest deviation of the model from ngspice."""
PROFILE = "taox-100-400"


@dataclass(frozen=True, eq=False)
class ColumnBench:
    """One column of the first matrix of a network, and the ramp that it compares with.

    Attributes
    ----------
    design : Design
    column : int
    pairs : ndarray (rows, 2)
        Conductances of its cells, siemens.
    program : RampProgram
    c_f : float
        Feedback capacitor of its integrator, farads.
    size : float
        How many times as fast its op-amp is as the measured one.
    """

    design: Design
    column: int
    pairs: np.ndarray
    program: RampProgram
    c_f: float
    size: float

    @classmethod
    def of(cls, network: Network, used: SequenceUse, column: int, design: Design) -> ColumnBench:
        """The column as its cells are to be programmed."""
        at: MatrixPlace = next(matrix_places(network, used.hardware.pwm))
        profile = load_profile(PROFILE).without_variation()
        cells = mapped_pairs(at, Arrays(profile)).conductance
        gate = next(gate for columns, gate in at.gates if columns.start <= column < columns.stop)
        shape = NetworkShape.of(network, 1, None, used.hardware.pwm).arrays[0]
        program = program_ramp(gate.activation, design.bits, profile, n_calibration=design.calibration_cells)
        pairs = cells.reshape(-1, 2, cells.shape[1])[:, :, column]
        return cls(design, column, pairs, program, column_capacitance(shape, design), opamp_size(shape, design))

    def compare(self, level: str, pulses: np.ndarray, code: int, stop: int) -> dict[str, tuple[float, float]]:
        """Energy of each block in one step, in the model and in ngspice, joules.

        Parameters
        ----------
        pulses : ndarray (rows,)
            Parts of the longest pulse of an input, of the rows of the matrix; differences reach 2.
        code : int
            At which the column latches.
        stop : int
            Steps after which the ramp stops.
        """
        d, circuit = self.design, RampCircuit()
        # Differences have a bit more.
        pwm, codes = Pwm(n_in=d.n_in + 1), np.rint(pulses * d.max_code).astype(int)
        # The bias, the last row of the matrix, may have several rows of cells.
        codes = np.append(codes, np.full(len(self.pairs) - len(codes), codes[-1]))
        mac = mac_bench(level, circuit.with_(gbw=self.size * circuit.gbw), pwm, codes, self.pairs, c_f=self.c_f)
        begin = mac.windows["mac"][0]
        mac = replace(mac, windows={"step": (begin, begin + d.t_mac)})
        edges = np.append(self.program.x, self.program.x[-1] + 1.0)
        x = edges[0] - 0.5 if code == 0 else 0.5 * (edges[code - 1] + edges[code])
        ramp = ramp_bench(level, self.program, circuit, float(to_volts(np.array(x), self.program, circuit)))
        start, first = ramp.windows["calibration"][0], ramp.windows["ramp"][0]
        ramp = replace(ramp, windows={"step": (start, first + stop * d.t_step)})
        found: Mapping[tuple[str, str], float] = energy.run(mac)
        ran = energy.run(ramp)
        cells = d.v_read**2 * d.t_unit * float(np.abs(codes) @ self.pairs.sum(axis=1))
        share = ramp_charge(self.program.activation, d.bits)[stop]
        out = {
            "weight cells": (cells, found["cells", "step"]),
            "ramp cells": (share * ramp_cell_energy(self.program.activation, d), ran["ramp cells", "step"]),
        }
        if level == "sky130":
            t_ramp = (d.calibration_cells + stop) * d.t_step
            power, per_step = figure("integrator_power").value, figure("counter_energy").value + figure("clock_energy").value
            out |= {
                "column integrator, products": (power * d.t_mac, found["integrator", "step"]),
                "ramp integrator": (power * t_ramp, ran["integrator", "step"]),
                "comparator": (figure("comparator_power").value * t_ramp, ran["comparator", "step"]),
                "latch and counter": (per_step * stop, ran["latch and counter", "step"] + ran["clocks", "step"]),
            }
        return out


def sequence_row(bench: ColumnBench, level: str, used: SequenceUse, i: int, steps: Sequence[int]) -> dict[str, Any]:
    """Compares some steps of sequence ``i`` of a traced count, summed; all blocks together and each."""
    assert used.trace is not None
    pulses, codes = next(iter(used.trace.values()))
    total: dict[str, np.ndarray] = {}
    for t in steps:
        latched = codes[t][:, i]
        step = bench.compare(level, pulses[t][:, i], int(latched[bench.column]), int(latched.max()) + 1)
        for block, pair in step.items():
            total[block] = total.get(block, np.zeros(2)) + pair
    model, spice = np.sum(list(total.values()), axis=0)
    row = {"level": level, "sequence": i, "steps": len(steps), "column": bench.column, "model": model, "spice": spice}
    ratios = {f"{block.replace(',', '').replace(' ', '_')}_ratio": float(m / s) for block, (m, s) in total.items()}
    return row | {"ratio": float(model / spice), "within": bool(abs(model / spice - 1) <= LIMIT)} | ratios
