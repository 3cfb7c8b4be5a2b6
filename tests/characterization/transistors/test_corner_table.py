import json
import tomllib
from pathlib import Path

import pytest

from characterization.transistors.macro_fit import MACRO_FILE, corner_table, fit_comparator, macro_delay, write_macro_parameters
from netlists.errors import InputError

BLOCKS = Path(__file__).parents[3] / "results" / "blocks"


@pytest.fixture(scope="module")
def summary():
    return json.loads((BLOCKS / "summary.json").read_text())


def test_the_data_file_is_what_the_results_give(summary, tmp_path):
    path = write_macro_parameters(summary, tmp_path / "macro.toml", tables=BLOCKS)
    written, kept = (tomllib.loads(p.read_text()) for p in (path, MACRO_FILE))
    assert written["corners"]["columns"] == kept["corners"]["columns"]
    # The fifth digit, which is the last one written, is beyond what a fitted gain owes to its search.
    for row, before in zip(written["corners"]["rows"], kept["corners"]["rows"], strict=True):
        assert row == [before[0], *(pytest.approx(v, rel=1e-4) for v in before[1:])]
    assert written["circuit"] == kept["circuit"]


def test_without_tables_there_are_no_corners(summary, tmp_path):
    path = write_macro_parameters(summary, tmp_path / "macro.toml")
    assert "corners" not in tomllib.loads(path.read_text())


def test_delays_of_a_corner_come_back_from_its_fit():
    table = corner_table(BLOCKS, 0.9).set_index(["corner", "temperature", "v_dd"])
    row = table.loc[("ss", 125, 1.62)]
    delay = macro_delay([1e-3, 1e-2, 1e-1], row["comparator_gain"], row["comparator_tau"], row["comparator_limit"])
    again = fit_comparator([1e-3, 1e-2, 1e-1], delay, row["comparator_limit"])
    assert again["gain"] == pytest.approx(row["comparator_gain"], rel=1e-4)
    assert again["tau"] == pytest.approx(row["comparator_tau"], rel=1e-4)


@pytest.mark.parametrize("damage", ["gone", "empty", "column"])
def test_tables_that_cannot_be_used(damage, tmp_path):
    for name in ("ota", "integrator", "comparator", "delay"):
        (tmp_path / f"{name}.csv").write_text((BLOCKS / f"{name}.csv").read_text())
    file = tmp_path / "ota.csv"
    if damage == "gone":
        file.unlink()
    else:
        file.write_text("" if damage == "empty" else "corner,temperature,v_dd\ntt,27,1.8\n")
    with pytest.raises(InputError, match="corner tables of the measured blocks cannot be used"):
        corner_table(tmp_path, 0.9)
