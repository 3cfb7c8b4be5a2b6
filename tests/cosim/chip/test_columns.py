"""Offsets of a chip's columns in the evaluator: integrators against ngspice, auto-zero, and a trimming cell a column."""

from dataclasses import replace

import numpy as np
import pytest

from characterization.chips import POINT, error_at
from characterization.plan import RampPlan, Variation
from cosim.budget.chips import ChipBuilder
from cosim.budget.sources import default_amounts
from cosim.chip.circuit_ramps import CircuitRamp
from cosim.chip.draw import draw_chip
from cosim.chip.hardware import Arrays, Hardware, Integrators
from cosim.chip.mapping import integrator_shifts, mapped_pairs, matrix_places
from cosim.chip.pulses import PwmInputs
from cosim.loop.chip import make_chip
from cosim.loop.settings import LoopSettings
from cosim.network import Layer, Network
from cosim.network.cells.registry import make_cell
from netlists.array import Crossbar, Pwm
from netlists.converter import AutoZero, ColumnGroup, Tile, convert
from netlists.technology import RampCircuit, load_profile

PROFILE, PWM, BITS = load_profile("taox-100-400").without_variation(), PwmInputs(5), 3
LOUD = Variation(opamp_offset=0.0, comparator_noise=0.0)
FULL = load_profile("taox-100-400")


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(3)
    cell = make_cell({"kind": "lstm", "n_in": 3, "n_hidden": 8})
    return Network((Layer(cell, cell.initial_parameters(rng)),), rng.normal(0, 1, (9, 3)))


def hardware(integrators=None, variation=None, profile=PROFILE, calibration="one-point"):
    made = {
        a: CircuitRamp(RampPlan(a, BITS, profile=profile, variation=variation or Variation.none(), calibration=calibration))
        for a in ("sigmoid", "tanh")
    }
    return Hardware(ramps=made, arrays=Arrays(profile), integrators=integrators, pwm=PWM)


def thresholds(network, made, chip=0, seed=5):
    (matrix,) = draw_chip(network, made, chip, seed, np.float64).layers[0][0].matrices.values()
    return np.concatenate([u.bank.thresholds[:, : 2**BITS - 1] for u in matrix.units])


def test_offsets_of_integrators_against_ngspice(network):
    """V_mac of a tile with one op-amp offset in all columns less that without, where nothing stores it."""
    made = hardware(Integrators(offset=1.0))
    (at,) = matrix_places(network, PWM)
    shift, noise = integrator_shifts(at, made, np.full(at.matrix.shape[1], 1e-3))
    assert not np.any(noise)
    mapped = mapped_pairs(at, made.arrays)
    crossbar = Crossbar(mapped.conductance, r_row=0.0, r_col=0.0)
    groups = tuple(ColumnGroup(made.program(a), tuple(c.tolist()), full_scale=s) for (a, s), c in at.ramp_groups.items())
    tile = Tile(crossbar, mapped.scale, groups, pwm=Pwm(5), autozero=None)
    codes = np.zeros(tile.inputs, int)
    some = [0, 5, 20]
    offset, clean = (convert(t, codes, columns=some).v_mac for t in (tile.with_(opamp_offset=np.full(tile.columns, 1e-3)), tile))
    volts = offset - clean
    units = [v / groups[tile.group_of(j)].program.volts_per_unit(tile.circuit) for j, v in zip(some, volts, strict=True)]
    # The bandwidth of the op-amp and the hold switch, which C_f makes good, are 3 % of it.
    np.testing.assert_allclose(shift[some], units, rtol=0.06)
    assert np.min(volts) > 5e-3


def test_an_offset_lowers_the_levels_of_its_column(network):
    """The normal numbers are those of the loop's op-amps."""
    plain, moved = thresholds(network, hardware()), thresholds(network, hardware(Integrators(offset=1e-3)))
    (at,) = matrix_places(network, PWM)
    loop = make_chip(network, LoopSettings("none", bits=BITS, seed=5, columns=(0,), noise=False))
    offset = next(iter(loop.arrays.values())).tile.opamp_offset
    normal = offset / next(iter(loop.ramps.values())).plan.variation.opamp_offset
    shift, _ = integrator_shifts(at, hardware(Integrators(offset=1e-3)), normal)
    np.testing.assert_allclose(plain - moved, np.tile(shift[:, None], plain.shape[1]), atol=1e-9)


def test_auto_zero_leaves_little_and_as_much_in_every_column():
    bare, stored = Integrators.measured(None), Integrators.measured(AutoZero())
    assert bare.offset == pytest.approx(1.8033e-3)
    assert bare.offset_rms == bare.offset
    # The requirement: 0.04 to 0.09 mV for a loss of one to two and a half points of the voices network.
    assert stored.offset_rms < 0.04e-3
    assert stored.offset < 1e-6
    assert stored.common_offset == pytest.approx(AutoZero().residue(0.0, RampCircuit()))
    assert stored.offset_noise == AutoZero().noise
    half = stored.with_offset_rms(0.5 * stored.offset_rms)
    assert half.common_offset == pytest.approx(0.5 * stored.common_offset)
    assert stored.with_offset_rms(0.0).shifting is False


def test_noise_of_the_auto_zero_is_the_conversions(network):
    made = hardware(Integrators(offset_noise=1e-3))
    (at,) = matrix_places(network, PWM)
    _, expected = integrator_shifts(at, made, np.zeros(at.matrix.shape[1]))
    (matrix,) = draw_chip(network, made, 0, 5, np.float64).layers[0][0].matrices.values()
    found = np.concatenate([u.bank.sigma[:, 0] for u in matrix.units])
    assert made.random
    for columns in at.ramp_groups.values():
        np.testing.assert_allclose(found[columns], np.sqrt(np.mean(expected[columns] ** 2)), rtol=0.1)


@pytest.mark.parametrize("integrators", [None, Integrators.measured(AutoZero())])
def test_trimming_cells_take_every_columns_error(network, integrators):
    """What is left at x = 0 has the spread of one write over the reach; without them it is the comparators'."""
    left = {}
    for calibration in ("one-point", "per-column"):
        made = hardware(integrators, LOUD, FULL, calibration)
        (at,) = matrix_places(network, PWM)
        levels = np.concatenate([thresholds(network, made, chip) for chip in range(6)])
        own = np.tile(np.arange(at.matrix.shape[1]), 6)
        error = np.concatenate([error_at(POINT, levels[np.isin(own, c)], made.program(a)) for (a, _), c in at.ramp_groups.items()])
        left[calibration] = error * made.program("sigmoid").volts_per_unit(RampCircuit())
    plan = RampPlan("sigmoid", BITS, profile=FULL, variation=LOUD, calibration="per-column")
    write = np.std(FULL.programmed(np.full(20000, 200e-6), np.random.default_rng(1)) - 200e-6)
    expected = write * plan.column_trim_reach / (FULL.g_max - FULL.g_min)
    # tanh columns are in units twice as large, and their cells' reach in these half as long.
    assert 0.5 * expected < left["per-column"].std() < 1.3 * expected
    assert left["one-point"].std() > 10 * left["per-column"].std()


def test_a_budget_with_and_without_auto_zero(network):
    """The source is what integrates; a budget without auto-zero has the op-amps' offsets."""
    stored, bare = (default_amounts(FULL, RampCircuit(), BITS, autozero=a)["integrator_offset"] for a in (AutoZero(), None))
    assert bare == pytest.approx(1.8033e-3)
    assert stored < 0.04e-3
    builder = ChipBuilder(network, FULL, BITS, 1, autozero=None)
    made = builder.hardware({"integrator_offset": bare}).integrators
    assert made.offset == pytest.approx(bare)
    assert made.settling == made.inverse_gain == 0.0
    assert builder.hardware({"integrator_gain": 1e-3}).integrators.shifting is False
    trimmed = replace(builder, calibration="per-column")
    assert all(r.plan.column_trim_reach > 0 for r in trimmed.hardware({"ramp_bits": 3.0}).ramps.values())
