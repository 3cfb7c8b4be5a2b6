"""Texts that options take: numbers by name, column numbers, shares."""

from pathlib import Path

import pytest

from cosim.chip import Hardware
from cosim.cli.app import run
from cosim.cli.options import columns_from, numbers_from, parse_loss
from netlists.errors import InputError


def test_texts_of_fixed_values():
    assert numbers_from(["bits=5", " t_step = 16e-9"], "--fix", "NAME=VALUE", "bits=5") == {"bits": 5.0, "t_step": 16e-9}
    for text in ("bits", "bits=", "bits=five", "=5=5"):
        with pytest.raises(InputError, match="must be NAME=VALUE with a number in SI units"):
            numbers_from([text], "--fix", "NAME=VALUE", "bits=5")
    with pytest.raises(InputError, match="--fix bits: is given twice"):
        numbers_from(["bits=5", "bits=4"], "--fix", "NAME=VALUE", "bits=5")


def test_texts_with_another_unit():
    """Of a percentage and a count no unit is taken; a name that is not known is refused by whoever takes the numbers."""
    units = {"stuck": "%", "ramp_bits": "bits", "ramp_offset": "mV"}
    assert numbers_from(["stuck=5m", "ramp_offset=5mV"], "--set", "NAME=VALUE", "x=1", units) == {
        "stuck": 5e-3,
        "ramp_offset": 5e-3,
    }
    assert numbers_from(["other=5ns"], "--set", "NAME=VALUE", "x=1", units) == {"other": pytest.approx(5e-9)}
    for text in ("stuck=5mV", "ramp_bits=5kΩ", "ramp_offset=5ns"):
        with pytest.raises(InputError, match="is not a SPICE number"):
            numbers_from([text], "--set", "NAME=VALUE", "x=1", units)


@pytest.mark.parametrize(("text", "value"), [("0.5%", 0.005), ("0.005", 0.005), (" 2 % ", 0.02), ("0", 0.0), ("50%", 0.5)])
def test_losses(text, value):
    assert parse_loss(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("half", "must be a percentage such as 0.5%"),
        ("nan%", "must be a percentage"),
        ("%", "must be a percentage"),
        ("0.5", "would be 50 %; write 0.5% for per cent"),
        ("60%", "must be from 0% to 50%"),
        ("-1%", "must be from 0% to 50%"),
    ],
)
def test_losses_that_cannot_be(text, words):
    with pytest.raises(InputError, match=words):
        parse_loss(text)


def test_choice_of_columns():
    assert columns_from("3", "--chosen") == (3,)
    assert columns_from("0, 2-3", "--chosen", 4) == (0, 2, 3)
    for text in ("a", "1-", "-1", "1,,2", "4"):
        with pytest.raises(InputError, match="--chosen"):
            columns_from(text, "--chosen", 4)


def test_0_rows_are_one_array_a_matrix(tmp_path, monkeypatch):
    """In every command that divides matrices."""
    seen = []

    def stop(*arguments, **options):
        seen.append((arguments, options))
        raise InputError("enough")

    monkeypatch.setattr("cosim.loop.run.run_loop", stop)
    monkeypatch.setattr("cosim.evaluation.compare", stop)
    network = str(Path(__file__).parents[3] / "results" / "demo" / "network.npz")
    lines = ["--array-rows", "0", "--array-columns", "0"]
    assert run(["loop", "--network", network, "--out", str(tmp_path / "l"), *lines]) == 2
    settings = seen.pop()[0][2]
    assert (settings.array_rows, settings.array_columns) == (None, None)
    for more in (["--weights", "taox-100-400"], ["--everything"]):
        assert run(["evaluate", "--network", network, "--bits", "4", *more, *lines]) == 2
        hardware = next(a for a in (*seen[-1][0], *seen[-1][1].values()) if isinstance(a, Hardware))
        assert (hardware.arrays.max_rows, hardware.arrays.max_columns) == (None, None)
