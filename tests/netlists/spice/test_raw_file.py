"""The reader of raw files, on what ngspice wrote and on what it did not."""

import numpy as np
import pytest

from netlists.errors import SimulationError
from netlists.spice.deck import Deck
from netlists.spice.program import run_batch
from netlists.spice.raw_file import read_raw_plot


@pytest.fixture
def written(tmp_path):
    path = Deck("* low pass\nv1 in 0 dc 1 ac 1\nr1 in Out 1k\nc1 Out 0 1n\n.save v(Out) i(v1)\n.tran 10n 1u\n").write(
        tmp_path / "d.cir"
    )
    run_batch(path, options=("-r", "out.raw"))
    return tmp_path / "out.raw"


def test_a_transient(written):
    plot = read_raw_plot(written)
    assert plot.name == "Transient Analysis"
    assert plot.names == ("time", "v(out)", "i(v1)")
    assert plot.units == ("time", "voltage", "current")
    time, out, current = plot.values.T
    assert time[-1] == pytest.approx(1e-6)
    np.testing.assert_allclose(out, 1.0, rtol=1e-6)
    np.testing.assert_allclose(current, 0.0, atol=1e-8)


def test_complex_values(tmp_path):
    path = Deck("* low pass\nv1 in 0 dc 1 ac 1\nr1 in out 1k\nc1 out 0 1n\n.save v(out)\n.ac dec 5 1k 1meg\n").write(
        tmp_path / "d.cir"
    )
    run_batch(path, options=("-r", "out.raw"))
    plot = read_raw_plot(tmp_path / "out.raw")
    f, out = plot.values.T
    # What ngspice leaves in the imaginary part of the frequency means nothing.
    np.testing.assert_allclose(out, 1 / (1 + 2j * np.pi * f.real * 1e-6), rtol=1e-6)


def test_a_file_that_was_cut(written):
    written.write_bytes(written.read_bytes()[:-4])
    with pytest.raises(SimulationError, match="no complete raw file"):
        read_raw_plot(written)


@pytest.mark.parametrize("content", [b"", b"Title: x\n", b"Title: x\nFlags: real\nNo. Variables: 2\nNo. Points: 1\nBinary:\n"])
def test_no_raw_file(content, tmp_path):
    (tmp_path / "out.raw").write_bytes(content)
    with pytest.raises(SimulationError, match="no complete raw file"):
        read_raw_plot(tmp_path / "out.raw")


def test_no_file_at_all(tmp_path):
    with pytest.raises(SimulationError, match="wrote no raw file"):
        read_raw_plot(tmp_path / "out.raw")
