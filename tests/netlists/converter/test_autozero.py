"""Auto-zero of the columns' integrators in ngspice: what it takes of an op-amp's offset, what it leaves, what is lost without."""

from dataclasses import replace

import numpy as np
import pytest

from netlists.converter import AutoZero, Blocks, ColumnCharge, Converter, Replay, Tile, convert, replay_deck
from netlists.converter.tile_reference import mac_voltages
from netlists.errors import InputError
from netlists.outside import load_user_subcircuit
from netlists.ramp import Chips, program_ramp
from netlists.spice import simulate
from netlists.technology import RampCircuit, load_profile

PROFILE = load_profile("taox-100-400")
PROGRAM = program_ramp("sigmoid", 2, PROFILE)
OFFSET = np.array([-3e-3, 0.0, 3e-3])
WIRES = {"r_row": 0.0, "r_col": 0.0}
CODES = np.array([3, -7, 0, 15, -2, 5])


def tile(**settings):
    weights = np.tile(np.linspace(-0.5, 0.5, 6)[:, None], (1, 3))
    return Tile.from_weights(weights, PROFILE, [(PROGRAM, range(3))], wires=WIRES, opamp_offset=OFFSET, **settings)


def rise(t):
    """``1 + S T / C_f`` of a column: what an offset at the summing node is at the output."""
    closed, _, opened = t.mac_window()
    s = t.crossbar.cell_conductance[:, 0].sum()
    behind = s / (1 + t.r_hold * s)
    return 1 + behind * (opened - closed) / (t.feedback_capacitance()[0] + behind / (2 * np.pi * t.circuit.gbw))


def spread(t, **options):
    """Held V_mac of the columns less that of the middle one, volts; they differ in their op-amps' offsets alone."""
    v = convert(t, CODES, **options).v_mac
    return v - v[1]


def test_the_offset_integrates_without_auto_zero_and_does_not_with_it():
    bare, stored = tile(autozero=None), tile()
    np.testing.assert_allclose(spread(bare), OFFSET * rise(bare), rtol=0.01)
    assert rise(bare) > 5
    # c_az has the offset; the finite gain and what the op-amp travels from its offset to where it integrates are left.
    left = np.abs(spread(stored)).max()
    assert left < 0.002 * np.abs(spread(bare)).max()


def test_what_the_switch_leaves_integrates():
    """The charge of the auto-zero switch, planted a hundred times as large, is the offset of every column."""
    clean, planted = (convert(tile(autozero=AutoZero(c_inject=c)), CODES).v_mac for c in (0.0, 13e-15))
    t = tile()
    residue = AutoZero(c_inject=13e-15).residue(0.0, t.circuit)
    assert residue == pytest.approx(2.34e-3)
    np.testing.assert_allclose(planted - clean, residue * rise(t), rtol=0.05)


def test_closed_form():
    t = tile()
    np.testing.assert_allclose(convert(t, CODES).v_mac, mac_voltages(t, CODES), atol=1.5e-4)
    assert AutoZero().noise == pytest.approx(np.sqrt(1.380649e-23 * 300.15 / 10e-12))


def test_level_ideal_leaves_nothing():
    assert np.abs(spread(tile(), blocks="ideal")).max() < 1e-6
    np.testing.assert_allclose(convert(tile(), CODES, "ideal").v_mac, mac_voltages(tile(), CODES, level="ideal"), atol=1e-5)


OWN = ".subckt mine inp inn out com\nE1 x 0 vol='2e4*(v(inp)-v(inn))'\nR1 x y 1k\nC1 y 0 1n\nE2 out com y 0 1\n.ends mine\n"


def test_an_op_amp_of_ones_own(tmp_path):
    path = tmp_path / "mine.cir"
    path.write_text(OWN)
    blocks = Blocks(opamp=load_user_subcircuit(f"{path}:mine", "opamp"))
    bare, stored = (np.abs(spread(tile(autozero=a), blocks=blocks)).max() for a in (None, AutoZero()))
    assert bare == pytest.approx(3e-3 * rise(tile(autozero=None)), rel=0.1)
    assert stored < 0.01 * bare


@pytest.mark.parametrize("counters", [False, True])
def test_replayed_columns_are_those_of_the_tile(counters):
    t = tile()
    g = t.crossbar.cell_conductance
    units = np.arange(1, t.pwm.max_code + 1)
    on = np.sign(CODES) * (np.abs(CODES) >= units[:, None])
    closed, start, opened = t.mac_window()
    charge = ColumnCharge(
        t.circuit.v_read * (on @ (g[0::2] - g[1::2])).T,
        g.sum(axis=0),
        t.feedback_capacitance(),
        OFFSET,
        t.r_hold,
        closed,
        start,
        opened,
        t.pwm.t_unit,
        t.autozero,
    )
    converter = Converter(PROGRAM, t.circuit)
    deck = replay_deck(
        converter, Chips.nominal(PROGRAM), Replay(charge, np.zeros(3)), counters=counters, save=["mac0", "mac1", "mac2"]
    )
    data = simulate(deck, ["mac0", "mac1", "mac2"])
    held = [np.interp(opened + t.circuit.t_settle, data["time"], data[f"mac{j}"]) for j in range(3)]
    np.testing.assert_allclose(held, convert(t, CODES).v_mac, atol=1e-3)
    assert np.ptp(held) < 2e-4
    bare = replay_deck(
        converter, Chips.nominal(PROGRAM), Replay(replace(charge, autozero=None), np.zeros(3)), save=["mac0", "mac2"]
    )
    data = simulate(bare, ["mac0", "mac2"])
    assert np.ptp([data[f"mac{j}"][-1] for j in (0, 2)]) > 0.02


def test_no_time_for_an_auto_zero():
    with pytest.raises(InputError, match=r"t_guard=5e-08 s: must be shorter than the reset, t_reset = 4e-08 s"):
        convert(tile(autozero=AutoZero(t_guard=50e-9)), CODES)


def test_cells_of_a_column_need_a_settled_integrator():
    """A slower op-amp loses its part through c_az and the input capacitance beside it, which C_f makes good."""
    t = tile(circuit=RampCircuit(gbw=60e6), autozero=AutoZero(c_az=1e-12, c_gate=1e-12))
    assert t.feedback_capacitance()[0] < tile(circuit=RampCircuit(gbw=60e6), autozero=None).feedback_capacitance()[0]
    np.testing.assert_allclose(convert(t, CODES).v_mac, mac_voltages(t, CODES), atol=2e-3)
