"""The composed column against ngspice: codes of given V_mac, and codes of input vectors on a tile."""

from __future__ import annotations

from typing import Any

import numpy as np

from characterization.compact.column import ColumnModel, decision_times
from characterization.compact.comparator import ComparatorModel
from characterization.compact.crossbar_model import CrossbarChips, CrossbarModel
from characterization.compact.mac import MacModel
from characterization.ramp_model import RampDraw
from netlists.converter import Converter, conversion_deck, convert, read_codes
from netlists.ramp import Chips, compensate, program_ramp, to_input_units, transition_levels
from netlists.spice import simulate
from netlists.technology import MEASURED_STATISTICS, DeviceProfile, RampCircuit, load_profile

from .errors import code_agreement, in_volts
from .mac import bench_tile


def held_out_codes(
    comparator: ComparatorModel,
    rng: np.random.Generator,
    *,
    activation: str = "sigmoid",
    bits: int = 5,
    circuit: RampCircuit | None = None,
    profile: DeviceProfile | None = None,
    settling: float = 0.0,
    chips: int = 4,
    inputs: int = 48,
) -> dict[str, float]:
    """Codes of drawn chips at level macro, computed ramp levels and the comparator model, against ngspice.

    Parameters
    ----------
    settling : float
        As for `decision_times`.

    Returns
    -------
    dict
        ``codes_equal``, ``codes_within_1``; ``codes_equal_at_once``: the same with a comparator that decides at once, which is what
        the model's delay explains.
    """
    circuit, profile = circuit or RampCircuit(), profile or load_profile("taox-100-400")
    program = compensate(program_ramp(activation, bits, profile), circuit, profile)
    g = np.array([profile.programmed(program.conductance, child) for child in rng.spawn(chips)])
    op_amp = MEASURED_STATISTICS["opamp_offset_sigma"] * rng.standard_normal(chips)
    offset = comparator.sample(chips, rng).offset
    scale = program.volts_per_unit(circuit)
    x = rng.uniform(program.x[0] - program.lsb[0], program.x[-1] + program.lsb[-1], (chips, inputs))
    found = np.empty(x.shape, int)
    for i in range(chips):
        # Many latches in one deck cost more than many decks of a few.
        for part in np.array_split(np.arange(inputs), max(1, inputs // 12)):
            chip = Chips(g[i : i + 1], op_amp[i : i + 1], offset[i])
            names = [f"code0_{j}" for j in range(len(part))]
            run = simulate(conversion_deck(Converter(program, circuit), chip, circuit.v_cm + x[i : i + 1, part] * scale), names)
            found[i, part] = read_codes(program, run, names)
    ramp = Chips(g, op_amp, np.zeros(chips))
    levels = to_input_units(transition_levels(program, circuit, ramp), program, circuit)
    draw = RampDraw(activation, bits, levels, np.zeros((chips, 1)), np.zeros(()))
    quiet = comparator.quiet
    late = ColumnModel(draw, scale, quiet, offset, time=decision_times(comparator, program, circuit, settling=settling))
    codes = program.codes[late.apply(x[:, :, None])[..., 0]]
    prompt = program.codes[ColumnModel(draw, scale, quiet, offset).apply(x[:, :, None])[..., 0]]
    return code_agreement(codes, found) | {"codes_equal_at_once": float(np.mean(prompt == found))}


def held_out_tile(
    mac: MacModel,
    comparator: ComparatorModel,
    rng: np.random.Generator,
    *,
    level: str = "macro",
    settling: float = 0.0,
    vectors: int = 12,
) -> dict[str, float]:
    """Codes and V_mac of a wired tile at level macro or sky130 against the whole chain of models.

    The ramp's levels are the closed form's, which at level sky130 is 0.03 steps off.

    Returns
    -------
    dict
        ``codes_equal``, ``codes_within_1``, and the same without any error (``ideal_codes_equal``): weights as trained; ``codes``:
        how many; ``rms_v``, ``worst_v``: of V_mac.
    """
    wires: dict[str, Any] = {"r_row": 1.0, "r_col": 1.0, "r_driver": 10.0, "r_sense": 5.0}
    tile = bench_tile(level, rng, inputs=16, columns=4)
    tile = tile.with_(crossbar=tile.crossbar.with_(**wires))
    codes = rng.integers(-tile.pwm.max_code, tile.pwm.max_code + 1, (vectors, tile.inputs))
    runs = [convert(tile, c, level, "reduced") for c in codes]
    found, held = np.array([run.code for run in runs]), np.array([run.v_mac for run in runs]) - tile.circuit.v_cm
    program, circuit = tile.groups[0].program, tile.circuit
    levels = to_input_units(transition_levels(program, circuit, tile.groups[0].ramp), program, circuit)
    draw = RampDraw(program.activation, program.bits, levels, np.zeros((1, 1)), np.zeros(()))
    profile = load_profile("taox-100-400")
    column = ColumnModel(
        draw,
        program.volts_per_unit(circuit),
        comparator.quiet,
        time=decision_times(comparator, program, circuit, settling=settling),
        mac=mac,
        integrator_offset=tile.opamp_offset[None],
        crossbar=CrossbarModel(profile=profile.without_variation(), v_read=circuit.v_read, **wires).without_curvature(),
    )
    chip = CrossbarChips(tile.crossbar.conductance[None], tile.crossbar.conductance, tile.scale)
    options: dict[str, Any] = {"circuit": circuit, "input_max": tile.input_max}
    modelled = column.convert(codes, chip, tile.pwm, **options)[0]
    error = column.v_mac(codes, chip, tile.pwm, **options)[0] - held
    g = tile.crossbar.conductance
    x = codes * (tile.input_max / tile.pwm.max_code) @ ((g[0::2] - g[1::2]) / tile.scale)
    ideal = ColumnModel(RampDraw.ideal(program.activation, program.bits), 1.0).apply(x)[0]
    agreement = code_agreement(modelled, found) | {"ideal_codes_equal": float(np.mean(ideal == found))}
    return agreement | in_volts(error) | {"codes": float(found.size)}
