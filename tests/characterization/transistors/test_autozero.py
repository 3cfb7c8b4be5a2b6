"""The auto-zeroed integrator in transistors: what it leaves of its op-amps' offsets, and that the macro-model leaves as much."""

import numpy as np
import pytest

from characterization.transistors import measure_autozero
from characterization.transistors.autozero import reset_capacitances
from netlists.converter import AutoZero, released
from netlists.errors import InputError
from netlists.technology import RampCircuit


def test_macro_leaves_what_its_closed_form_says():
    """Another way to the same figures: `AutoZero.residue`, from which budget and evaluator take theirs."""
    figures, samples = measure_autozero(n=3, rng=np.random.default_rng(1), level="macro")
    az = AutoZero()
    offset, residue = (np.array([s[name] for s in samples]) for name in ("offset", "residue"))
    assert figures.offset_rms > 0.5e-3
    assert residue == pytest.approx(az.residue(offset, RampCircuit()), abs=5e-6)
    assert figures.left_rms == pytest.approx(np.hypot(figures.residue, az.noise), rel=0.05)
    assert figures.left_rms < figures.required < 0.1 * figures.offset_rms
    # The bench ends its reset as decks of tiles do: what it finds is what was put in.
    assert (figures.c_reset, figures.c_far) == pytest.approx((az.c_reset, az.c_far), rel=0.01)


def test_a_level_without_auto_zero_is_refused():
    with pytest.raises(InputError, match="level='ideal'"):
        measure_autozero(n=2, level="ideal")


@pytest.mark.slow
def test_offsets_of_transistors_are_stored():
    """Four integrators with foundry mismatch: millivolts leave tens of microvolts, as the defaults of the macro-model have it."""
    figures, samples = measure_autozero(n=4, rng=np.random.default_rng(1))
    assert figures.offset_sigma > 0.5e-3
    assert figures.residue_sigma < 5e-6
    assert all(abs(s["residue"]) < 0.04e-3 for s in samples)
    az = AutoZero()
    assert figures.c_inject == pytest.approx(az.c_inject, rel=0.1)
    assert figures.c_reset == pytest.approx(az.c_reset, rel=0.1)
    # Of one integrator without a column, with its own mismatch.
    assert figures.c_far == pytest.approx(az.c_far, rel=0.2)
    assert 1e3 < figures.r_az < 10e3
    assert 50e-15 < figures.c_gate < 200e-15


def test_the_switches_of_the_macro_model_are_found():
    az = AutoZero(c_reset=20e-15, c_far=10e-15)
    assert reset_capacitances(AutoZero(), *released(RampCircuit(), az)) == pytest.approx((20e-15, 10e-15), rel=1e-3)
