"""Small fixtures that several test files share."""

import numpy as np
import pytest
from hypothesis import settings

from characterization.plan.plan import RampPlan, Variation
from netlists.ramp.chips import Chips
from netlists.ramp.compiler import program_ramp
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

# The first example of a test may load a library, and a busy machine takes its time.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def profile():
    return load_profile("taox-100-400")


@pytest.fixture(scope="session")
def circuit():
    return RampCircuit()


@pytest.fixture(scope="session")
def program3(profile):
    """The 3-bit sigmoid ramp."""
    return program_ramp("sigmoid", 3, profile)


@pytest.fixture(scope="session")
def plan3():
    """The 3-bit sigmoid ramp with everything that varies."""
    return RampPlan("sigmoid", 3, seed=7)


@pytest.fixture(scope="session")
def quiet3(profile):
    """The 3-bit sigmoid ramp with nothing that varies."""
    return RampPlan("sigmoid", 3, profile=profile.without_variation(), variation=Variation.none(), seed=7)


@pytest.fixture(scope="session")
def drawn_chips():
    """Chips with conductance errors and offsets: ``drawn_chips(program, n)``."""

    def draw(program, n, seed=5, noise=0.0):
        rng = np.random.default_rng(seed)
        g = program.conductance + 2e-6 * rng.standard_normal((n, program.n_cells))
        decisions = noise * rng.standard_normal((n, program.n_steps)) if noise else None
        return Chips(g, 1e-3 * rng.standard_normal(n), 3e-3 * rng.standard_normal(n), decisions)

    return draw
