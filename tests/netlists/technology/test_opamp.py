"""The two-stage op-amp: its subcircuit in ngspice against the figures it is given, and against its natural modes."""

import numpy as np
import pytest

from netlists.errors import InputError
from netlists.spice import Deck, subcircuits
from netlists.technology import RampCircuit
from netlists.testbench import run_bench
from netlists.testbench.run import commands

OTHER = RampCircuit(a0=500.0, gbw=4e8, opamp_gm_ratio=4.0, opamp_gain2=20.0, opamp_c_out=1e-12)


def bench(circuit, body, vector):
    """An ``.ac`` of ``integrator_macro`` or ``opamp_macro`` with the circuit's parameters; frequency and complex vector."""
    stages = ["c_c", "c_g2", "c_out", "gm_ratio", "gain2", "rz_gm2"]
    values = [f"{n}={getattr(circuit, n)!r}" for n in ("a0", "gbw", "slew")]
    values += [f"{n}={getattr(circuit, f'opamp_{n}')!r}" for n in stages]
    text = f"op-amp\n{subcircuits('integrator_macro')}vcom com 0 0.9\n{body.format(values=' '.join(values))}\n"
    run = run_bench(Deck(text, commands("ac dec 60 10 1g", ("ac", [vector]))), ["ac"])["ac"]
    return run[:, 0], run[:, 1] + 1j * run[:, 2]


@pytest.mark.parametrize("circuit", [RampCircuit(), OTHER], ids=["default", "other"])
def test_gain_and_bandwidth_are_those_it_is_given(circuit):
    f, out = bench(circuit, "vin inp com ac 1\nx1 inp com out com opamp_macro {values}", "v(out)")
    assert abs(out[0]) == pytest.approx(circuit.a0, rel=1e-4)
    # Far above its pole and far below the second the gain is gbw / f.
    middle = np.argmin(np.abs(f - 20 * circuit.gbw / circuit.a0))
    assert abs(out[middle]) * f[middle] == pytest.approx(circuit.gbw, rel=0.01)


@pytest.mark.parametrize("circuit", [RampCircuit(), OTHER], ids=["default", "other"])
def test_natural_modes_are_what_ngspice_shows_at_the_summing_node(circuit):
    c_f, load = 9e-12, 300e-6
    body = f"i1 0 sum ac 1\nrl sum com {1 / load}\nx1 sum out com 0 integrator_macro c_f={c_f} c_inj=1a c_in={circuit.c_in} "
    f, measured = bench(circuit, body.replace("1a", "1e-21") + "{values}", "v(sum)")
    rate, weight = circuit.opamp.integrator_modes(c_f, circuit.c_in, load)
    modes = np.sum(weight / (2j * np.pi * f[:, None] - rate), axis=1)
    use = f > 1e5
    np.testing.assert_allclose(modes[use], measured[use], rtol=1e-3)


def test_an_op_amp_that_oscillates_is_refused():
    with pytest.raises(InputError, match=r"opamp_gm_ratio=0\.2: an op-amp with these stages oscillates"):
        RampCircuit(opamp_gm_ratio=0.2, opamp_rz_gm2=0.01)
    # A faster one keeps its phase: both stages grow.
    assert RampCircuit(gbw=1e11).opamp.is_stable()
