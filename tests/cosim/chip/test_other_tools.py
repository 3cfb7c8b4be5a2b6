"""What examples/other_tools hands to other tools: the same chips, looked up in plain NumPy, answer as the evaluator does."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterization.ramp_model import RampDraw

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "other_tools"


@pytest.fixture
def tools(monkeypatch):
    """The scripts' modules, as they find each other."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("chips", "neurosim_table"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import chips
    import neurosim_table

    return chips, neurosim_table


def test_levels_in_the_order_of_the_columns_answer_as_the_evaluator(tools):
    chips, _ = tools
    network, data = chips.network_and_data()
    draws = {
        name: replace(ramp, noise_sigma=np.zeros(()), shared_sigma=np.zeros(()), column_offset=5 * ramp.column_offset)
        for name, ramp in chips.draw(network, chips.DEMO / "models", 3, 2, seed=3).items()
    }
    weights, columns = chips.weights_and_columns(network)

    def looked_up(chip, turned=0):
        levels, noise = chips.own_columns(draws, columns, chip)
        assert not noise.any()
        levels = np.roll(levels, turned, axis=0)

        def gates(rows):
            z = rows @ weights
            codes = np.stack([np.searchsorted(own, x) for own, x in zip(levels, z.T, strict=True)]).T
            return {g: draws[chips.GATES[g]].values[codes[:, c]] for g, c in columns.items()}

        return chips.run_lstm(network, data, gates)

    expected = chips.ours(network, data, draws, seed=1)
    assert len(set(expected.mean(axis=1))) == 2
    for chip in range(2):
        np.testing.assert_array_equal(looked_up(chip), expected[chip])
    # Offsets at the wrong columns are seen.
    assert np.any(looked_up(0, turned=1) != expected[0])


def test_a_noise_table_has_the_mean_and_spread_of_the_code(tools):
    _, neurosim = tools
    ideal = RampDraw.ideal("sigmoid", 3).thresholds
    # All columns of all chips trip a whole level late: the table says one code less, without spread.
    late = RampDraw("sigmoid", 3, ideal, np.full((1, 2), 0.0), np.zeros(()))
    shifted = np.append(ideal[:, 1:], ideal[:, -1:] + 5.0, axis=1)
    table = neurosim.noise_table(replace(late, thresholds=shifted), ideal[0], seed=1, per_code=200)
    np.testing.assert_array_equal(table[:, 0], np.arange(8))
    np.testing.assert_allclose(table[1:, 1], np.arange(7))
    assert not table[:, 2].any()
    # Offsets of two columns, half a step apart in opposite directions, spread the code about its place.
    step = float(np.diff(ideal[0])[3])
    spread = neurosim.noise_table(replace(late, column_offset=np.array([[-step, step]])), ideal[0], seed=1, per_code=400)
    assert abs(spread[4, 1] - 4) < 0.2
    assert spread[4, 2] > 0.8
