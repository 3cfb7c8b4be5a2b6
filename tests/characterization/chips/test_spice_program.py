"""Programs from nominal transients: another op-amp than ours gets levels that are right, and a file that says so."""

import json
from dataclasses import replace

import numpy as np
import pytest

from characterization.chips import examine, measure, program_from_spice
from characterization.plan import RampPlan, load_plan_file
from characterization.run import characterize
from characterization.run.folder import examined_plan
from cosim.cli.app import run as run_command
from netlists.errors import InputError, SimulationError
from netlists.outside import load_user_subcircuit
from netlists.ramp import Chips, Targets, to_input_units

# An op-amp of one pole with 40 MHz: three times slower than ours.
SLOW = (
    ".subckt slow inp inn out com\nb1 com x i={tanh(251u*(v(inp)-v(inn))/1m)*1m}\n"
    "r1 x com 8meg\nc1 x com 1p\ne1 out 0 x 0 1\n.ends\n"
)


@pytest.fixture
def slow(tmp_path):
    (tmp_path / "slow.cir").write_text(SLOW)
    return load_user_subcircuit(f"{tmp_path}/slow.cir:slow", "opamp")


def worst(plan):
    """Largest error of a nominal transition level, local LSB, as the comparators see it."""
    program = plan.program()
    found = to_input_units(measure(plan.converter, Chips.nominal(program)).volts[0], program, plan.circuit)
    return np.abs((found - program.x) / program.lsb).max()


def test_another_op_amp_gets_right_levels(slow):
    plan = RampPlan("sigmoid", 3, opamp=slow)
    found, error = program_from_spice(plan)
    assert worst(plan) > 0.1
    assert error[0] == pytest.approx(worst(plan), abs=0.02)
    # The comparators and their time steps are not in it.
    assert error[-1] < 1e-3
    assert worst(found) < 0.01
    assert RampPlan.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert "targets" not in plan.as_dict()


def test_the_closed_form_is_what_a_transient_of_our_op_amp_gives():
    plan = RampPlan("tanh", 4)
    found, error = program_from_spice(plan)
    assert error[0] < 5e-3
    np.testing.assert_allclose(found.program().conductance, plan.program().conductance, rtol=2e-3)


def test_own_op_amps_are_programmed_for_without_being_asked(slow):
    plan, warnings = examine(RampPlan("sigmoid", 2, opamp=slow))
    assert plan.targets.error_lsb < 3e-3
    assert any("programmed by 2 nominal transients" in line for line in warnings)
    plan, warnings = examine(RampPlan("sigmoid", 2, opamp=slow, program_from="closed-form"))
    assert plan.targets is None
    assert any("is programmed for the gain" in line for line in warnings)


def test_a_run_goes_on_with_its_targets(slow, tmp_path):
    plan = RampPlan("sigmoid", 2, opamp=slow, calibration="none", conversions=False)
    run = characterize(plan, 1, tmp_path / "run", progress=False)
    assert run.plan.targets.error_lsb < 3e-3
    # The same targets to the last bit, and no transient.
    assert examined_plan(plan, tmp_path / "run")[0] == run.plan


def test_commands_and_plan_files_take_it(slow, tmp_path, capsys):
    deck = tmp_path / "deck.cir"
    assert run_command(["netlist", "ramp", "--bits", "2", "--program-from", "spice", "--out", str(deck), "--json"]) == 0
    assert any("nominal transients" in line for line in json.loads(capsys.readouterr().out)["warnings"])
    (tmp_path / "plan.toml").write_text('[ramp]\nactivation = "tanh"\nbits = 2\nprogram_from = "spice"\n[sampling]\nsamples = 1\n')
    plan = load_plan_file(tmp_path / "plan.toml").plans()[0][1]
    with pytest.raises(InputError, match="nothing is simulated yet"):
        plan.program()
    assert examine(plan)[0].targets is not None


def test_what_cannot_be_programmed_is_refused(slow, tmp_path):
    with pytest.raises(InputError, match="at level ideal there is nothing"):
        program_from_spice(RampPlan("sigmoid", 2, level="ideal"))
    (tmp_path / "stuck.cir").write_text(SLOW.replace("251u", "2.5u"))
    stuck = load_user_subcircuit(f"{tmp_path}/stuck.cir:slow", "opamp")
    with pytest.raises(SimulationError, match="does not climb as programmed"):
        program_from_spice(RampPlan("sigmoid", 2, opamp=stuck))
    with pytest.raises(InputError, match="targets: are those of 3 cells"):
        replace(RampPlan("sigmoid", 2), targets=Targets((1e-4,) * 3, 1e-3, 0.0))
