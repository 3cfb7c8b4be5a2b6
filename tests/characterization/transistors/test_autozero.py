"""The auto-zeroed integrator in transistors: what it leaves of its op-amps' offsets, and that the macro-model leaves as much."""

import numpy as np
import pytest

from characterization.transistors import measure_autozero
from netlists.converter import AutoZero


@pytest.mark.slow
def test_offsets_of_transistors_are_stored():
    """Four integrators with foundry mismatch: millivolts leave tens of microvolts, as the defaults of the macro-model have it."""
    figures, samples = measure_autozero(n=4, rng=np.random.default_rng(1))
    assert figures.offset_sigma > 0.5e-3
    assert figures.residue_sigma < 5e-6
    assert all(abs(s["residue"]) < 0.04e-3 for s in samples)
    az = AutoZero()
    assert figures.c_inject == pytest.approx(az.c_inject, rel=0.1)
    assert figures.c_reset == pytest.approx(az.c_reset, rel=0.3)
    assert 1e3 < figures.r_az < 10e3
    assert 50e-15 < figures.c_gate < 200e-15
