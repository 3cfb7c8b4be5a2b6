"""Samples for a MAC column's model from transients of a small tile, and its error against inputs that the fit has not seen."""

from __future__ import annotations

import numpy as np

from characterization.compact.mac import MacModel, MacSamples, edge_rate, offset_rise
from netlists.array import Pwm
from netlists.converter import Tile, convert
from netlists.errors import InputError
from netlists.ramp import compensate, program_ramp
from netlists.technology import MEASURED_STATISTICS, DeviceProfile, RampCircuit, load_profile

from .errors import in_volts

DRIVER = 10.0
"""Resistance of the rows' drivers at level sky130, ohm: gates of 222 um, which lose a percent of a row's voltage."""


def bench_tile(
    level: str,
    rng: np.random.Generator,
    *,
    inputs: int = 8,
    columns: int = 4,
    profile: DeviceProfile | None = None,
    circuit: RampCircuit | None = None,
    pwm: Pwm | None = None,
) -> Tile:
    """A tile of random weights and drawn op-amp offsets on a 3-bit sigmoid ramp, whose conversion is short; without auto-zero."""
    profile, circuit = profile or load_profile("taox-100-400"), circuit or RampCircuit()
    program = program_ramp("sigmoid", 3, profile)
    if level != "ideal":
        program = compensate(program, circuit, profile)
    weights = rng.uniform(-1, 1, (inputs, columns)) * 3.0 / np.sqrt(inputs)
    # Columns of unequal total conductance tell what the load of a column costs.
    weights *= np.linspace(0.4, 1.0, columns)
    offset = MEASURED_STATISTICS["opamp_offset_sigma"] * rng.standard_normal(columns)
    tile = Tile.from_weights(
        weights,
        profile,
        [(program, range(columns))],
        compensate="none",
        circuit=circuit,
        pwm=pwm or Pwm(),
        opamp_offset=offset,
        autozero=None,
    )
    return tile.with_(crossbar=tile.crossbar.with_(r_driver=DRIVER)) if level == "sky130" else tile


def characterize_mac(
    level: str, rng: np.random.Generator, *, tile: Tile | None = None, vectors: int = 24, chips: int = 200
) -> MacSamples:
    """Converts random input vectors on a tile without wires (a crossbar model has those) and keeps each column's V_mac.

    Raises
    ------
    InputError
        Fewer than 4 vectors; a tile that has no ramp in common.
    SimulationError
        ngspice.
    """
    if vectors < 4:
        raise InputError(f"vectors={vectors}: a fit needs 4 or more")
    tile = tile or bench_tile(level, rng)
    codes = rng.integers(-tile.pwm.max_code, tile.pwm.max_code + 1, (vectors, tile.inputs))
    # Vectors with many zeros tell the charge of an active row from the pedestal.
    codes[rng.random(codes.shape) < rng.uniform(0, 0.9, (vectors, 1))] = 0
    terms = mac_terms(tile, codes, level)
    output = np.array([convert(tile, c, level, "ideal").v_mac for c in codes]) - tile.circuit.v_cm
    flat = {name: np.broadcast_to(a, output.shape).ravel() for name, a in terms.items()}
    drawn = MEASURED_STATISTICS["opamp_offset_sigma"] * rng.standard_normal(chips)
    size, pwm = f"{tile.inputs} x {tile.columns}", tile.pwm
    about = f"{vectors} input vectors on a tile of {size}, n_in {pwm.n_in}, t_unit {pwm.t_unit:g} s"
    return MacSamples(**flat, output=output.ravel(), opamp_offset=drawn, level=level, about=about)


def mac_terms(tile: Tile, codes: np.ndarray, level: str) -> dict[str, np.ndarray]:
    """The model's inputs for input codes (n, inputs) on a tile without wires; each broadcasts to (n, columns)."""
    g = tile.crossbar.conductance
    weights = (g[0::2] - g[1::2]) / tile.scale
    scale = {round(group.program.volts_per_unit(tile.circuit), 12) for group in tile.groups}
    if len(scale) != 1:
        raise InputError(f"tile: its {len(tile.groups)} groups of columns differ in volts per unit; take one group")
    volts = float(next(iter(scale)))
    closed, _, opened = tile.mac_window()
    total = tile.crossbar.cell_conductance.sum(axis=0)
    values = codes * (tile.input_max / tile.pwm.max_code)
    return {
        "ideal": values @ weights * volts,
        "edge_rate": edge_rate(weights, codes, tile.pwm, volts_per_unit=volts, input_max=tile.input_max),
        "active": np.count_nonzero(codes, axis=1)[:, None].astype(float),
        "excess": (total - total.mean()) / tile.feedback_capacitance(level),
        "offset": tile.opamp_offset * offset_rise(total, tile.feedback_capacitance(level), opened - closed),
    }


def held_out_mac(model: MacModel, level: str, rng: np.random.Generator, *, vectors: int = 8) -> dict[str, float]:
    """Error of the model on another tile with other inputs: rms and largest, volts."""
    tile = bench_tile(level, rng)
    codes = rng.integers(-tile.pwm.max_code, tile.pwm.max_code + 1, (vectors, tile.inputs))
    found = np.array([convert(tile, c, level, "ideal").v_mac for c in codes]) - tile.circuit.v_cm
    return in_volts(model.apply(**mac_terms(tile, codes, level)) - found)
