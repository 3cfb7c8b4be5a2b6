"""What delta inputs save: energy of a time step with the pulses counted, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cosim.chip import Hardware, PulseCount, RowsDriven
from cosim.network import Network
from netlists.errors import InputError

from .design import Design
from .network import network_cost
from .shape import NetworkShape

DRIVEN = ("weight cells", "row drivers", "input registers", "differences")
"""Blocks whose energy goes with the pulses."""


@dataclass(frozen=True)
class DeltaSaving:
    """Energy of a time step without delta inputs and with them, joules.

    Attributes
    ----------
    before, after : dict of str to float
        Of each block that the pulses drive (`DRIVEN`), of the others, and of all.
    """

    before: dict[str, float]
    after: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"step_energy_before": self.before, "step_energy": self.after}

    def report(self) -> list[str]:
        """Lines for reading."""
        lines = ["  energy of a step, nJ, without delta and with it (docs/cost.md):"]
        for name, value in self.before.items():
            now = self.after[name]
            change = f"{100 * (now / value - 1):+.0f} %" if value else ""
            lines.append(f"    {name:<20}{1e9 * value:10.3f}{1e9 * now:10.3f}  {change}")
        return lines


def delta_saving(network: Network, hardware: Hardware, driven: RowsDriven, design: Design | None = None) -> DeltaSaving:
    """Prices the pulses that were counted with and without delta inputs.

    Parameters
    ----------
    design : Design, optional
        None: the simulated circuit with the hardware's resolution, pulse widths and arrays.

    Raises
    ------
    InputError
        Hardware without pulse widths, or that `design_of` has no design of.
    """
    pwm = hardware.pwm
    if pwm is None or pwm.bits is None:
        raise InputError("pwm: what delta inputs save is of pulses; give pulse widths of so many bits")
    design = design or design_of(hardware)

    def energies(count: PulseCount, delta: bool) -> dict[str, float]:
        shape = NetworkShape.of(network, 1, hardware.arrays, pwm, count, delta=delta)
        terms = network_cost(shape, design).terms
        out = {name: sum(t.energy for t in terms if t.block == name) for name in DRIVEN}
        total = sum(t.energy for t in terms if t.per == "time step")
        return out | {"other blocks": total - sum(out.values()), "all": total}

    return DeltaSaving(energies(driven.before, False), energies(driven.after, True))


def design_of(hardware: Hardware) -> Design:
    """Makes the design of the simulated circuit with a hardware's converters and pulse widths, and its arrays' size and cells.

    Raises
    ------
    InputError
        Converters of more than 8 bits.
    """
    ramps = [r.bits for r in (hardware.ramps or {}).values() if r is not None]
    bits = hardware.bits or (hardware.adc.bits if hardware.adc else 0) or max(ramps, default=Design().bits)
    n_in = Design().n_in if hardware.pwm is None or hardware.pwm.bits is None else hardware.pwm.bits
    converter = "ramp" if hardware.adc is None else "conventional"
    design = Design(bits=bits, n_in=n_in, converter=converter)
    if (arrays := hardware.arrays) is None:
        return design
    # Arrays count cells, a design counts weights: two cells along a column or along a row.
    high, wide = (2, 1) if arrays.layout == "rows" else (1, 2)
    rows, columns = (most and max(most // cells, 1) for most, cells in ((arrays.max_rows, high), (arrays.max_columns, wide)))
    profile = arrays.profile
    return design.with_(max_rows=rows, max_columns=columns, v_read=arrays.v_read, g_min=profile.g_min, g_max=profile.g_max)
