"""Device profiles with the sources of a budget."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.budget.device_errors import budget_profile
from cosim.budget.sources import RELAXED, default_relaxation, mean_relaxation
from netlists.technology.profile import load_profile, profile_names

PROFILE = load_profile("taox-100-400")


@pytest.mark.parametrize("name", profile_names())
def test_relaxation_has_the_asked_mean_in_every_profile(name):
    """Also where the stand-in's polynomial is moved to another conductance range; drawn cells agree."""
    profile = load_profile(name)
    cells = budget_profile(profile, {"relaxation": 2e-6})
    assert mean_relaxation(cells) == pytest.approx(2e-6)
    g = np.linspace(profile.g_min, profile.g_max, 101).repeat(400)
    high = np.full_like(g, 1.0)
    moved = cells.relaxed(high, g, RELAXED, np.random.default_rng(1)) - high
    assert moved.reshape(101, 400).std(axis=1).mean() == pytest.approx(2e-6, rel=0.02)


def test_relaxation_by_default():
    """Own data in the profile that has them; in proportion to the programming error elsewhere (an assumption)."""
    wan = load_profile("hfox-wan-1-40")
    assert default_relaxation(wan) == pytest.approx(mean_relaxation(wan))
    assert budget_profile(wan, {"relaxation": default_relaxation(wan)}).relaxation_sigma_fit[1] == pytest.approx(
        wan.relaxation_sigma_fit[1]
    )
    ratio = default_relaxation(PROFILE) / PROFILE.program_sigma_at(np.linspace(PROFILE.g_min, PROFILE.g_max, 101)).mean()
    written = wan.program_sigma_at(np.linspace(wan.g_min, wan.g_max, 101)).mean()
    assert ratio == pytest.approx(mean_relaxation(wan) / written)
