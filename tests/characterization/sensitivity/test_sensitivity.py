"""Derivatives of a plan's converter against ngspice and the closed form, and what they are used for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from characterization.chips import closed_levels, draw
from characterization.figures import inl_input, offset_and_gain
from characterization.plan import Limits, RampPlan, Variation
from characterization.sensitivity import linear_yield, sensitivities, spice_check, trim_order, trimming_table, worst_case
from characterization.sensitivity.gradient import chip_of
from netlists.errors import InputError
from netlists.ramp import to_input_units, transition_levels


@pytest.fixture(scope="module")
def found(plan3):
    return sensitivities(plan3, 4)


def levels_after(found, change):
    plan = found.plan
    return to_input_units(transition_levels(plan.program(), plan.circuit, chip_of(found, change)), plan.program(), plan.circuit)[0]


def test_levels_are_those_of_the_drawn_chip(found, plan3):
    drawn = draw(plan3, np.array([4]))
    np.testing.assert_allclose(found.levels, closed_levels(plan3, drawn, drawn.conductance)[0], atol=1e-12)


@pytest.mark.parametrize("name", ["cell 0", "cell 9", "conductance_gain", "wire_resistance", "comparator_offset"])
def test_chain_through_gain_and_wire(plan3, name):
    wired = replace(plan3, wire_resistance=20.0, variation=replace(plan3.variation, conductance_gain=0.05))
    found = sensitivities(wired, 4)
    i = found.names.index(name)
    step = np.zeros(len(found.names))
    step[i] = 1e-4 * (abs(found.values[i]) or 1.0)
    expected = (levels_after(found, step) - levels_after(found, -step)) / (2 * step[i])
    np.testing.assert_allclose(found.jacobian[:, i], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from(["sigmoid", "tanh", "softsign"]),
    st.integers(1, 4),
    st.sampled_from(["auto", "pulse", "split"]),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_every_kind_of_parameter_over_random_plans(activation, bits, scheme, calibrated, seed):
    """Cells, op-amp, comparator and wire of drawn chips of random programs, calibrated or not, against central differences."""
    rng = np.random.default_rng(seed)
    plan = RampPlan(activation, bits, scheme=scheme, seed=seed, wire_resistance=float(rng.uniform(0, 20)))
    found = sensitivities(plan, 3, calibrated=calibrated)
    program = plan.program()
    point = np.array([np.interp(0.0, program.x, e) for e in np.eye(len(program.x))])
    for name in (
        f"cell {rng.integers(found.n_cells)}",
        "opamp_offset",
        "gbw",
        "comparator_offset",
        "wire_resistance",
        "conductance_gain",
    ):
        i = found.names.index(name)
        step = {"wire_resistance": 1e-2, "opamp_offset": 1e-5, "comparator_offset": 1e-5, "conductance_gain": 1e-4}.get(name, 0.0)
        step = step or 1e-4 * found.values[i]
        sides = []
        for side in (1, -1):
            circuit, change = plan.circuit, np.zeros(len(found.names))
            if name == "gbw":
                circuit = circuit.with_(gbw=circuit.gbw + side * step)
            else:
                change[i] = side * step
            x = to_input_units(transition_levels(program, circuit, chip_of(found, change)), program, circuit)[0]
            sides.append(x - point @ x if calibrated else x)
        expected = (sides[0] - sides[1]) / (2 * step)
        scale = max(np.abs(expected).max(), 1e-9 / step)
        np.testing.assert_allclose(found.jacobian[:, i], expected, rtol=0, atol=1e-4 * scale, err_msg=name)


def test_gradients_of_the_figures(found):
    """Max |INL| and offset along a random direction, as far as no other level overtakes."""
    program, rng = found.plan.program(), np.random.default_rng(3)
    step = np.zeros(len(found.names))
    step[: found.n_cells] = rng.standard_normal(found.n_cells) * 1e-4 * found.values[: found.n_cells]
    up, down = (levels_after(found, s * step) for s in (1, -1))
    largest = [np.abs(inl_input(x, program)).max() for x in (up, down)]
    assert found.max_inl_gradient @ step == pytest.approx((largest[0] - largest[1]) / 2, rel=1e-3)
    offset = [offset_and_gain(x, program)[0] for x in (up, down)]
    assert found.offset_gradient @ step == pytest.approx((offset[0] - offset[1]) / 2, rel=1e-3)


def test_smooth_range_ends_where_another_level_overtakes(found):
    reach = found.smooth_range()
    i = int(np.argmin(np.where(np.arange(len(reach)) < found.n_cells, reach, np.inf)))
    for share, same in ((0.99, True), (1.01, False)):
        worst = []
        for side in (1, -1):
            inl = np.abs(found.inl + side * share * reach[i] * found.inl_jacobian[:, i])
            worst.append(int(np.argmax(inl)) == found.worst_level)
        assert all(worst) == same


def test_one_point_calibration_takes_out_what_is_common(plan3):
    found = sensitivities(plan3, 4, calibrated=True)
    assert np.interp(0.0, plan3.program().x, found.levels) == pytest.approx(np.interp(0.0, plan3.program().x, plan3.program().x))
    np.testing.assert_allclose(found.jacobian[:, found.names.index("comparator_offset")], 0, atol=1e-6)
    with pytest.raises(InputError, match="calibrated"):
        spice_check(found)


@pytest.mark.slow
def test_ngspice_has_the_same_derivatives(plan3):
    """Every cell within 1 %, the op-amp's bandwidth and C_f within 2 %."""
    found = sensitivities(plan3)
    checked = spice_check(found).set_index("parameter")
    cells = checked[checked.index.str.startswith("cell ") & checked["resolved"]]
    assert len(cells) >= found.n_cells - 1
    assert cells["error"].max() < 0.01
    assert checked.loc[["c_f", "opamp_offset", "comparator_offset", "wire_resistance"], "error"].max() < 0.01
    assert checked.loc["gbw", "error"] < 0.02


def test_a_wrong_derivative_is_seen(plan3):
    """One percent and a half more than it is, of a two-level ramp's cells: few parameters, as each takes simulations."""
    found = sensitivities(RampPlan("sigmoid", 1, profile=plan3.profile))
    errors = [spice_check(f).set_index("parameter").loc["cell 1", "error"] for f in (found, _scaled(found, 1.015))]
    assert errors[0] < 0.01 < errors[1]


def _scaled(found, factor):
    return replace(found, jacobian=found.jacobian * factor)


def test_worst_case_is_where_no_drawn_corner_is_worse(plan3):
    """Thousands of corners at the same distance: none moves its levels farther; ngspice has the same INL there."""
    corner = worst_case(plan3, 3.0, spice=True)
    assert corner.inl["closed form"] == pytest.approx(corner.inl["linear"], rel=0.02)
    assert corner.inl["ngspice"] == pytest.approx(corner.inl["linear"], rel=0.02)
    assert np.linalg.norm(corner.deviation) == pytest.approx(3)
    found, rng = sensitivities(plan3), np.random.default_rng(1)
    z = rng.standard_normal((5000, len(found.names)))
    z *= (3 / np.linalg.norm(np.where(found.sigmas > 0, z, 0), axis=1))[:, None]
    mean = np.zeros(len(found.names))
    mean[: found.n_cells] = plan3.profile.program_mean_at(plan3.program().conductance)
    inl = np.abs(inl_input(found.moved(mean + z * found.sigmas), plan3.program())).max(axis=1)
    assert 0.6 * abs(corner.inl["linear"]) < inl.max() <= abs(corner.inl["linear"]) * (1 + 1e-9)


def test_worst_case_says_what_it_leaves_out(plan3):
    correlated = replace(plan3, variation=replace(plan3.variation, correlations=(("opamp_offset", "comparator_offset", 0.5),)))
    assert "independent" in worst_case(correlated).warnings[0]
    still = RampPlan("sigmoid", 3, profile=plan3.profile.without_variation(), variation=Variation.none())
    with pytest.raises(InputError, match="nothing varies"):
        worst_case(still)


def test_linear_yield_agrees_with_closed_form_and_ngspice(plan3):
    linear, closed, spice = linear_yield(plan3, Limits(max_inl=0.02), chips=4000, spice=32)
    assert 0.2 < closed.value < 0.98
    assert linear.value == pytest.approx(closed.value, abs=0.02)
    assert closed.agree > 0.95
    assert spice.agree > 0.9
    assert spice.low <= closed.value <= spice.high


def test_yield_of_all_columns_is_lower(plan3):
    one, every = (linear_yield(plan3, Limits(max_inl=0.1), columns=c, chips=500)[0].value for c in ("calibrating", "all"))
    assert every < one


def test_ranked_writes_leave_less_than_random_ones(plan3):
    # What one chip saves has no interval: it would be no difference at all.
    with pytest.raises(InputError, match="samples: are 1"):
        trimming_table(plan3, range(1), [0, 2])
    table = trimming_table(plan3, range(12), [0, 2], random=4).set_index(["order", "writes"])
    assert table.loc[("ranked", 2), "saved_low"] > 0
    assert table.loc[("ranked", 0), "max_inl"] == pytest.approx(table.loc[("random", 0), "max_inl"])
    assert table.loc[("ranked", 2), "max_inl"] < table.loc[("largest error", 2), "max_inl"]


def test_first_write_is_the_best_single_one(plan3, found):
    """Against all single writes, by the closed form."""
    error = draw(plan3, np.array([4])).conductance[0] - plan3.program().conductance
    left = []
    for cell in range(found.n_cells):
        change = np.zeros(len(found.names))
        change[cell] = -error[cell]
        left.append(np.sum(inl_input(levels_after(found, change), plan3.program()) ** 2))
    assert trim_order(found, error)[0] == int(np.argmin(left))
    assert sorted(trim_order(found, error)) == list(range(found.n_cells))


def test_blocks_without_closed_form_are_refused(plan3):
    with pytest.raises(InputError, match="level='sky130'"):
        sensitivities(replace(plan3, level="sky130"))
