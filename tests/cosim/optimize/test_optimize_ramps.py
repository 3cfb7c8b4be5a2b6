"""Ramps of designs against ngspice, and designs that have none."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.chips import draw
from characterization.run.montecarlo import simulate_run
from characterization.streams import ramp_seed
from cosim.chip import CircuitRamp
from cosim.cost import Design
from cosim.optimize.ramps import ramp_plan
from netlists.errors import InputError
from netlists.technology.profile import load_profile

PROFILE = load_profile("taox-100-400")


@pytest.mark.parametrize(
    ("design", "limit"),
    [
        (Design(bits=4), 0.005),
        (Design(bits=4, v_read=0.1, v_swing=0.5, t_step=12e-9, calibration_cells=2), 0.04),
        (Design(bits=3, v_read=0.1, v_swing=0.5, t_step=4e-9, g_max=300e-6), 0.12),
    ],
)
def test_the_same_chips_in_ngspice(design, limit):
    """Chip i of seed 5 is sample i of the plan that a search simulates."""
    plan = ramp_plan("sigmoid", design, PROFILE, ramp_seed(5, 0))
    program = plan.program()
    run = simulate_run(plan, 8, progress=False)
    own = draw(plan, np.arange(8)).comparator_offset[:, None] / program.volts_per_unit(plan.circuit)
    measured = run.levels(calibrated=True) - own
    ramp = CircuitRamp(plan, delay=plan.circuit.comparator_tau)
    closed = np.array([ramp.levels(5, 0, i) for i in range(8)])
    assert np.sqrt(np.mean(((measured - closed) / program.lsb) ** 2)) < limit


@pytest.mark.parametrize(
    ("design", "words"),
    [
        (Design(bits=2, v_read=0.25, v_swing=1.25, t_step=6e-9), "climbs .* V/us, the op-amp 75.5 V/us at most"),
        (Design(bits=5, t_step=0.5e-9), "t_settle=2.5e-10 s: must be longer"),
        (Design(bits=5, v_read=1.0), "must stay within"),
    ],
)
def test_designs_that_cannot_be_built(design, words):
    with pytest.raises(InputError, match=words):
        ramp_plan("sigmoid", design, PROFILE, 1)
