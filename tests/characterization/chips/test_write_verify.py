"""Write-verify of a ramp column in ngspice: convergence, honesty about failures, and each round against SciPy."""

import dataclasses
import json
import re

import numpy as np
import pytest

from characterization.chips.write_verify import PulsePlan, WriteVerifyScheme, write_states, write_verify
from netlists.errors import InputError
from netlists.programming.switching import VTEAM_FAST, YAKOPCIC_TAOX, Vteam, solve_state
from netlists.programming.write_verify_deck import WritePulses, write_verify_deck
from netlists.ramp.compiler import program_ramp
from netlists.spice.engine import simulate
from netlists.spice.program import run_batch
from netlists.technology.profile import load_profile

PROFILE = load_profile("taox-100-400")
PROGRAM = program_ramp("sigmoid", 5, PROFILE)
SMALL = program_ramp("sigmoid", 2, PROFILE)
MODELS = [Vteam(), YAKOPCIC_TAOX]
IDS = ["vteam", "yakopcic"]


@pytest.fixture(scope="module", params=MODELS, ids=IDS)
def programmed(request):
    return request.param, write_verify(PROGRAM.conductance, request.param, PROFILE, np.random.default_rng(7))


def test_the_five_bit_sigmoid_ends_within_the_window(programmed):
    _, result = programmed
    assert result.verified.all()
    assert np.all(np.abs(result.read - result.target) <= PROFILE.program_window)
    # The reading that verified a cell had noise: five sigma of the noisiest state.
    assert np.abs(result.residual).max() <= PROFILE.program_window + 5 * 0.35e-6
    assert np.all((result.tries >= 1) & (result.tries <= 20))


def test_final_conductances_are_those_of_the_final_states(programmed):
    model, result = programmed
    np.testing.assert_allclose(result.final, model.current(0.2, result.state) / 0.2, rtol=1e-6)


def test_results_load_into_pandas_and_json(programmed):
    _, result = programmed
    frame = result.to_frame()
    assert len(frame) == PROGRAM.n_cells
    np.testing.assert_array_equal(frame["residual"], result.final - result.target)
    summary = json.loads(json.dumps(result.summary()))
    assert summary["failed"] == 0
    assert summary["tries_mean"] == frame["tries"].mean()
    assert np.isnan(result.history[-1]).sum() == np.sum(result.tries < len(result.history) - 1)


def test_same_seed_same_result():
    one, two = (write_verify(SMALL.conductance, Vteam(), PROFILE, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.final, two.final)
    np.testing.assert_array_equal(one.history, two.history)


def test_stuck_cells_fail_and_stay_in_the_result():
    stuck = np.zeros(SMALL.n_cells, bool)
    stuck[[1, 4]] = True
    result = write_verify(SMALL.conductance, Vteam(), PROFILE, np.random.default_rng(1), stuck=stuck)
    assert not result.verified[stuck].any()
    assert result.verified[~stuck].all()
    assert np.all(result.tries[stuck] == 20)
    np.testing.assert_allclose(result.final[stuck], PROFILE.g_hrs, rtol=1e-6)
    assert result.summary()["failed"] == 2
    assert len(result.to_frame()) == SMALL.n_cells
    assert result.summary()["residual_max_s"] == pytest.approx(np.abs(SMALL.conductance[stuck] - PROFILE.g_hrs).max(), rel=1e-6)


def test_cells_that_are_right_already_take_no_pulse():
    result = write_verify(SMALL.conductance, YAKOPCIC_TAOX, PROFILE, np.random.default_rng(1), initial=SMALL.conductance)
    assert result.verified.all()
    assert np.all(result.tries == 0)
    assert len(result.history) == 1


def test_reset_pulses_bring_cells_down():
    result = write_verify(SMALL.conductance, Vteam(), PROFILE, np.random.default_rng(2), initial=np.full(SMALL.n_cells, 400e-6))
    assert result.verified.all()


def test_the_nominal_device_moves_by_the_planned_part():
    exact = dataclasses.replace(PROFILE, read_sigma=0.0)
    scheme = WriteVerifyScheme(rate_spread=0.0, pulse_spread=0.0, max_tries=1)
    for model in MODELS:
        result = write_verify(SMALL.conductance, model, exact, np.random.default_rng(0), scheme=scheme)
        # The pulse's edges are shorter at full height than the plan's rectangle.
        np.testing.assert_allclose(result.final - result.initial, 0.5 * (result.target - result.initial), rtol=0.05)


def test_the_scheme_halves_its_step_after_the_coarse_tries():
    exact = dataclasses.replace(PROFILE, read_sigma=0.0)
    scheme = WriteVerifyScheme(rate_spread=0.0, pulse_spread=0.0, coarse_tries=0, max_tries=1)
    result = write_verify(SMALL.conductance, YAKOPCIC_TAOX, exact, np.random.default_rng(0), scheme=scheme)
    np.testing.assert_allclose(result.final - result.initial, 0.25 * (result.target - result.initial), rtol=0.05)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_a_round_in_ngspice_follows_scipy(model):
    pulses = WritePulses()
    state, direction, width = np.array([0.4, 0.4, 0.4, 0.4]), np.array([1, -1, 0, 1]), np.array([40e-9, 70e-9, 0.0, 7e-9])
    rate = np.array([1.0, 1.0, 1.0, 0.0])
    deck = write_verify_deck(model, state, direction, width, pulses=pulses, rate=rate)
    waves = simulate(deck, ["x0", "x1", "x2", "x3", "cur2"])
    for i, volts in ((0, pulses.v_set), (1, -pulses.v_reset)):
        t0, e, w = 2 * pulses.t_edge, pulses.t_edge, width[i]
        knots, levels = np.array([0, t0, t0 + e, t0 + w, t0 + w + e, 1e-6]), np.array([0, 0, 1, 1, 0, 0]) * volts * model.set_sign
        want = solve_state(
            model, lambda t, k=knots, v=levels: np.interp(t, k, v), np.array([0.0, 1e-6]), x0=0.4, corners=knots[1:-1]
        )
        assert waves[f"x{i}"][-1] == pytest.approx(want[-1], rel=1e-3)
        assert abs(want[-1] - 0.4) > 0.01
    assert waves["x2"][-1] == pytest.approx(0.4, rel=1e-9)
    assert waves["x3"][-1] == pytest.approx(0.4, rel=1e-9)
    assert waves["cur2"][-1] / 0.2 == pytest.approx(float(model.current(0.2, 0.4)) / 0.2, rel=1e-6)


def test_the_deck_gives_the_same_in_plain_ngspice(tmp_path):
    model = Vteam()
    deck = write_verify_deck(model, np.array([0.5, 0.2]), np.array([1, -1]), np.array([50e-9, 20e-9]), pulses=WritePulses())
    waves = simulate(deck, ["x0", "x1", "cur0", "cur1"])
    rows = [line.split()[1:] for line in run_batch(deck.write(tmp_path / "round.cir")).splitlines() if line.startswith("cell ")]
    table = np.array(rows, float)
    # ngspice prints six digits.
    np.testing.assert_allclose(table[:, 1], [waves["x0"][-1], waves["x1"][-1]], rtol=1e-5)
    np.testing.assert_allclose(table[:, 2], [waves["cur0"][-1] / 0.2, waves["cur1"][-1] / 0.2], rtol=1e-5)


def test_pulse_plan_agrees_with_scipys_trajectory():
    pulses = WritePulses()
    for model in MODELS:
        plan = PulsePlan(model, {"g": np.array([40e-6, 400e-6])}, pulses)
        for now, goal, volts in ((60e-6, 250e-6, pulses.v_set), (350e-6, 120e-6, -pulses.v_reset)):
            width = float(plan.width(np.array([now]), np.array([goal]))[0])
            x = solve_state(model, lambda t, v=volts * model.set_sign: v, np.array([0.0, width]), x0=float(model.state(now, 0.2)))
            assert float(model.current(0.2, x[-1])) / 0.2 == pytest.approx(goal, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WritePulses(t_min=0.5e-9), "t_edge < t_min < t_max"),
        (lambda: WritePulses(v_read=1.5), "v_read=1.5 V: must be below"),
        (lambda: _program(model=Vteam(r_on=4e3)), "target[0]=250 uS: outside"),
        (lambda: _program(initial=np.full(SMALL.n_cells, np.nan)), "initial[0]=nan"),
        (lambda: _program(initial=np.ones(3)), "initial: has shape (3,)"),
        (lambda: _program(stuck=np.zeros(2, bool)), "stuck: has shape (2,)"),
        (lambda: _program(scheme=WriteVerifyScheme(pulses=WritePulses(v_set=0.5))), "v_set=0.5 V does not switch this Vteam"),
        (lambda: _program(scheme=WriteVerifyScheme(pulses=WritePulses(v_read=0.7))), "v_read=0.7 V moves this Vteam"),
        (lambda: _program(profile=dataclasses.replace(PROFILE, program_sigma=0.0, program_window=0.0)), "needs a window above 0"),
        (lambda: _deck(state=np.array([1.2, 0.5])), "state[0]=1.2"),
        (lambda: _deck(direction=np.array([0, 2])), "direction[1]=2"),
        (lambda: _deck(width=np.array([1e-9, 1e-8])), "width[0]=1e-09: must be a finite number 2e-09..1e-05"),
        (lambda: _deck(width=np.array([1e-8])), "width: has shape (1,)"),
        (lambda: _deck(rate=np.array([1.0, -1.0])), "rate[1]=-1.0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()


def test_a_read_that_would_disturb_is_refused():
    g = {"target": np.array([2e-3, 5e-3])}
    with pytest.raises(InputError, match=re.escape("v_read=0.2 V moves this Vteam model")):
        PulsePlan(VTEAM_FAST, g, WritePulses())


def _program(*, model=None, profile=PROFILE, **options):
    return write_verify(SMALL.conductance, model or Vteam(), profile, np.random.default_rng(0), **options)


def _deck(*, state=None, direction=None, width=None, rate=None):
    return write_verify_deck(
        Vteam(),
        np.array([0.5, 0.5]) if state is None else state,
        np.array([1, -1]) if direction is None else direction,
        np.array([1e-8, 1e-8]) if width is None else width,
        pulses=WritePulses(),
        rate=rate,
    )


def test_states_leave_less_error_in_a_narrower_window():
    wide, narrow = (
        write_states(dataclasses.replace(PROFILE, read_sigma=0.0, program_window=w), [150e-6, 350e-6], cells=3, seed=1)
        for w in (5e-6, 1e-6)
    )
    np.testing.assert_array_equal(wide.target, np.repeat([150e-6, 350e-6], 3))
    for result in (wide, narrow):
        assert np.abs(result.residual[result.verified]).max() <= result.window
    assert np.all(narrow.residual**2 < wide.residual**2)
    assert 4 <= narrow.verified.sum() <= wide.verified.sum() == 6
    assert narrow.tries.sum() > wide.tries.sum()
    with pytest.raises(InputError, match="cells=0: must be a whole number, 1 or more"):
        write_states(PROFILE, cells=0)
