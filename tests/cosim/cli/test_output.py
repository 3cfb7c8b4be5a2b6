"""What commands write besides their answer."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from cosim.cli.output import write_table

TABLE = pd.DataFrame(
    {
        "time": [1.23456789012e-9, 4.2e-16, 1 / 3 * 1e-12],
        "conductance": np.array([1 / 3 * 1e-4, math.nan, 2.736e-6]),
        "sample": [0, 1, 2**40],
        "status": ["ok", None, "failed"],
        "calibrated": [True, False, True],
    }
)


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet", ".JSON"])
def test_a_table_keeps_every_digit_of_small_numbers(ending, tmp_path, capsys):
    path = tmp_path / f"t{ending}"
    write_table(path, TABLE)
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet}.get(ending, lambda p: pd.DataFrame(json.loads(p.read_text())))
    found = read(path)
    for name in TABLE:
        both = zip(found[name], TABLE[name], strict=True)
        assert all(a == b or (pd.isna(a) and pd.isna(b)) for a, b in both), name
    assert capsys.readouterr().err == ""


def test_infinite_values_of_a_table_in_json_are_said(tmp_path, capsys):
    path = tmp_path / "t.json"
    write_table(path, pd.DataFrame({"enob": [math.inf, 4.5, math.nan]}))
    assert json.loads(path.read_text()) == [{"enob": None}, {"enob": 4.5}, {"enob": None}]
    assert "1 infinite values are null" in capsys.readouterr().err
