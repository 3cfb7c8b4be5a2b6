"""`cosim write-verify`: the numbers of Python's function, a table and a picture, one line for a mistake."""

import json

import numpy as np
import pandas as pd
import pytest

from characterization.chips.write_verify import write_states
from cosim.cli.app import run
from netlists.technology.profile import load_profile


def test_command_gives_what_python_gives(tmp_path, capsys):
    table, picture = tmp_path / "cells.csv", tmp_path / "cells.png"
    options = ["--targets", "150,350", "--cells", "2", "--seed", "3", "--out", str(table), "--picture", str(picture), "--json"]
    assert run(["write-verify", "taox-100-400", *options]) == 0
    said, result = (
        json.loads(capsys.readouterr().out),
        write_states(load_profile("taox-100-400"), [150e-6, 350e-6], cells=2, seed=3),
    )
    assert result.summary().items() <= said.items()
    np.testing.assert_array_equal(pd.read_csv(table)["final"], result.final)
    assert picture.stat().st_size > 1000
    assert picture.with_suffix(".svg").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--targets", "100;200"], "--targets '100;200': must be numbers in uS"),
        (["--targets", "9000"], "target[0]=9000 uS: outside"),
        (["--cells", "0"], "cells=0: must be a whole number"),
        (["--window", "0"], "program_window"),
    ],
)
def test_mistakes_are_one_line(options, message, capsys):
    assert run(["write-verify", "taox-100-400", *options]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
