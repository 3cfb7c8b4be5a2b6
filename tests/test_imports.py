"""Data does not start machines: what importing and building plans, programs, profiles and models loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[1] / "results" / "demo" / "models" / "sigmoid5.json"
HEAVY = (
    "PySpice",
    "numba",
    "matplotlib",
    "pandas",
    "pyarrow",
    "joblib",
    "psutil",
    "tqdm",
    "scipy.stats",
    "scipy.optimize",
    "scipy.interpolate",
    "scipy.integrate",
    "scipy.sparse.linalg",
)
IMPORTED = """
import characterization.compact.fit_blocks, characterization.export
import characterization.run.montecarlo, characterization.ramp_model.validation, characterization.chips.write_verify
import netlists.array.solver, netlists.spice.engine, netlists.outside.run, netlists.programming.switching
from characterization.plan.plan import RampPlan
from characterization.ramp_model.model import RampModel
from netlists.technology.profile import load_profile
from netlists.ramp.compiler import program_ramp
"""
BUILT = f"""
profile = load_profile("yang-0-150")
RampPlan("sigmoid", 5, seed=1, profile=profile).program()
RampPlan("tanh", 3).program().x
program_ramp("relu", 4, profile=profile)
RampModel.load({str(MODEL)!r}).program
"""


def loaded(code: str) -> tuple[set[str], dict[str, list]]:
    """Modules that a new process has after some lines, and the variables of its environment that they changed, before and after."""
    text = f"import os, sys, json\nbefore = dict(os.environ)\n{code}\nafter = dict(os.environ)\n"
    text += "changed = {k: [before.get(k), after.get(k)] for k in {*before, *after} if before.get(k) != after.get(k)}\n"
    text += "print(json.dumps([sorted(sys.modules), changed]))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    modules, changed = json.loads(done.stdout)
    return set(modules), changed


@pytest.mark.parametrize(("code", "others"), [(IMPORTED, {"scipy"}), (IMPORTED + BUILT, set())], ids=["imported", "built"])
def test_data_loads_no_simulator_and_leaves_the_environment_alone(code, others):
    modules, changed = loaded(code)
    assert {*HEAVY, *others} & modules == set()
    assert changed == {}


def test_a_simulation_leaves_the_environment_alone():
    code = "from netlists.spice import Deck, simulate\nfrom netlists.errors import SimulationError\n"
    code += 'simulate(Deck("* rc\\nv1 a 0 1\\nr1 a b 1k\\nc1 b 0 1n\\n.tran 1u 10u\\n.save v(b)\\n"), ["b"])\n'
    code += 'try:\n    simulate(Deck("* no\\nx1 a 0 nothing\\n.tran 1u 10u\\n"), ["b"])\nexcept SimulationError:\n    pass\n'
    # What a worker process does: loading scipy.stats would take most of its start.
    code += "from characterization.plan.plan import RampPlan\nfrom characterization.run.task import load, simulate_samples\n"
    code += 'load()\nsimulate_samples(RampPlan("sigmoid", 2, calibration="one-point"), [0])\n'
    modules, changed = loaded(code)
    assert "PySpice" in modules
    assert "scipy.stats" not in modules
    assert changed == {}
