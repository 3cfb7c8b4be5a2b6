"""Integrators and comparators of a budget against differential equations, ngspice and the compact models."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from characterization.compact.column import ColumnModel, decision_times
from characterization.compact.comparator import ComparatorModel
from characterization.compact.delay import DelayLaw
from characterization.compact.integrator import IntegratorModel
from characterization.ramp_model.draw import RampDraw
from characterization.ramp_model.file import Fitted
from cosim.chip.column_effects import FAR, column_gains, late_columns, late_levels, leaked_levels
from netlists.array.pwm import Pwm
from netlists.converter.tile import Tile
from netlists.converter.tile_deck import convert
from netlists.ramp.clock import timing
from netlists.ramp.compiler import program_ramp
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

CIRCUIT = RampCircuit()
TAU = 1 / (2 * math.pi * CIRCUIT.gbw)


@pytest.fixture(scope="module")
def program():
    return program_ramp("sigmoid", 5, load_profile("taox-100-400"))


def held_output(load, c_f, a0, omega, pulse, window):
    """Output of an integrator whose column conducts ``load``, after a pulse; one-pole op-amp, by integration of its equations."""
    current = 1e-6

    def slope(t, state):
        v, x = state
        # Op-amp: dv/dt = -omega x - v omega / a0. Summing node without capacitance: C_f d(v - x)/dt = i + load x (towards it).
        dv = -omega * x - v * omega / a0
        i = current if t < pulse else 0.0
        dx = dv - (i + load * x) / c_f
        return [dv, dx]

    first = solve_ivp(slope, (0, pulse), [0.0, 0.0], method="Radau", rtol=1e-9, atol=1e-15).y[:, -1]
    return solve_ivp(slope, (pulse, window), first, method="Radau", rtol=1e-9, atol=1e-15).y[0, -1]


@pytest.mark.parametrize(("a0", "gbw"), [(3780.4, 1.3632e8), (500.0, 1e9), (1e7, 5e7)])
def test_gains_are_those_of_the_op_amps_equations(a0, gbw):
    """Columns 10 % around the mean: a short pulse, then the rest of the window."""
    load, c_f, window = np.array([13e-3, 14e-3, 15e-3, 16e-3, 17e-3]), 138e-12, 620e-9
    omega = 2 * math.pi * gbw
    held = np.array([held_output(s, c_f - load.mean() / omega, a0, omega, 20e-9, window) for s in load])
    gain = column_gains(load, c_f, window, settling=1 / omega, inverse_gain=1 / a0)
    found = held / held[2]
    assert np.ptp(gain) > 1e-4
    # First order in each, and the pulse takes a part of the window.
    np.testing.assert_allclose(gain / gain[2], found, atol=0.03 * np.ptp(found))


def test_gains_of_a_tile_in_ngspice():
    """Level macro, no offsets: columns with unequal loads and the weight of their first row alike."""
    profile, ramp = load_profile("taox-100-400"), program_ramp("sigmoid", 3, load_profile("taox-100-400"))
    weights = np.zeros((8, 4))
    weights[0] = 1.0
    weights[1:] = np.linspace(0, 1, 4)
    tile = Tile.from_weights(weights, profile, [(ramp, range(4))], pwm=Pwm(n_in=4, t_unit=20e-9))
    codes = np.zeros(8, int)
    codes[0] = tile.pwm.max_code
    one, half = (convert(tile, np.sign(codes) * n, "macro", "ideal").v_mac for n in (6, 3))
    # The difference of two inputs leaves out the pedestal.
    found = one - half
    load = tile.crossbar.conductance.sum(axis=0)
    charge = float(tile.charge_capacitance()[0])
    series = tile.r_hold + CIRCUIT.opamp_resistance
    gain = column_gains(load, charge, tile.pwm.duration, settling=TAU, resistance=series, inverse_gain=1 / CIRCUIT.a0)
    spread = np.ptp(found / found.mean())
    assert spread > 0.05
    np.testing.assert_allclose(gain / gain.mean(), found / found.mean(), atol=0.03 * spread)
    # Bandwidth alone is not enough.
    bare = column_gains(load, charge, tile.pwm.duration, settling=TAU, inverse_gain=1 / CIRCUIT.a0)
    assert np.ptp(bare / bare.mean()) < 0.8 * spread


def test_no_amount_is_no_gain():
    assert np.array_equal(column_gains(np.array([1e-3, 2e-3]), 1e-11, 1e-6), np.ones(2))


def test_leaked_levels_are_the_integrator_model_turned_round(program):
    """The level that a held pre-activation passes, found by decaying it until each latching instant."""
    rate = 2e3
    ideal = IntegratorModel.ideal()
    model = ideal.model_copy(update={"leak": Fitted.given(-rate, "1/s")})
    levels = leaked_levels(program.x, program, CIRCUIT, rate)
    latched = timing(program, CIRCUIT).latch[: len(levels)]
    np.testing.assert_allclose(model.apply(levels, time=latched), program.x, atol=2e-5)
    assert np.abs(levels - program.x).max() > 1e-3


def test_late_levels_are_the_composed_columns(program):
    """`ColumnModel` with the same comparator, and one-point calibration."""
    tau = 5e-9
    law = DelayLaw(
        law="limited", tau=Fitted.given(tau, "s"), third=Fitted.given(CIRCUIT.comparator_limit / CIRCUIT.comparator_gain, "V")
    )
    comparator = ComparatorModel.given().model_copy(update={"delay": law})
    draw = RampDraw.ideal("sigmoid", 5)
    column = ColumnModel(draw, program.volts_per_unit(CIRCUIT), comparator, time=decision_times(comparator, program, CIRCUIT))
    late = program.x - column.levels[0, 0]
    np.testing.assert_allclose(late_levels(program, CIRCUIT, tau), late - np.interp(0, program.x, late), atol=1e-12)
    assert np.abs(late_levels(program, CIRCUIT, tau)).max() > 1e-3


def test_a_comparator_that_never_decides_lets_every_input_pass(program):
    assert np.all(late_levels(program, CIRCUIT, 1e-6) == FAR)


def test_late_columns_spread_with_the_delay(program):
    spread = [late_columns(program, CIRCUIT, tau, 400, np.random.default_rng(1)).std() for tau in (1e-9, 2e-9, 4e-9)]
    assert 0 < spread[0] < spread[1] < spread[2]
    # The mean comparator is the nominal one, up to the bend of the law.
    four = late_columns(program, CIRCUIT, 4e-9, 400, np.random.default_rng(1))
    assert abs(np.median(four)) < 0.2 * four.std()
