import tomllib

import pytest

from characterization.plan.sweep import LARGEST_GRID, grid
from netlists.errors import InputError

BASE = '[ramp]\nactivation = "sigmoid"\nbits = 5\n'


def points(text):
    return grid(tomllib.loads(BASE + text))


def test_without_a_sweep_there_is_one_point():
    assert points("") == [("sigmoid_5bit", "", {"ramp": {"activation": "sigmoid", "bits": 5}})]


def test_every_combination_the_last_field_fastest():
    found = points('[sweep]\nactivation = ["tanh", "elu"]\nbits = [3, 4]\ncircuit.v_read = [0.15, 0.2]')
    assert [name for name, _, _ in found] == [
        f"{a}_{b}bit_v_read-{v}" for a in ("tanh", "elu") for b in (3, 4) for v in (0.15, 0.2)
    ]
    assert found[1][1] == "sweep activation='tanh', sweep bits=3, sweep circuit.v_read=0.2"
    assert found[1][2] == {"ramp": {"activation": "tanh", "bits": 3}, "circuit": {"v_read": 0.2}}


def test_quoted_and_plain_dotted_names_are_the_same():
    assert points('[sweep]\n"circuit.v_read" = [0.1]') == points("[sweep]\ncircuit.v_read = [0.1]")
    assert points("[sweep]\nramp.bits = [2, 3]") == points("[sweep]\nbits = [2, 3]")


def test_points_share_no_table():
    first, second = points("[circuit]\na0 = 1e4\n[sweep]\ncircuit.v_read = [0.1, 0.2]")
    first[2]["circuit"]["a0"] = 0
    assert second[2]["circuit"]["a0"] == 1e4


def test_names_can_be_folders_and_are_told_apart():
    names = [n for n, _, _ in points('[sweep]\nprofile = ["a/b.toml", "x y"]\nvariation.opamp_offset.sigma = [1e-3]')]
    assert names == ["sigmoid_5bit_profile-b_sigma-0.001", "sigmoid_5bit_profile-x-y_sigma-0.001"]
    two = "[sweep]\nvariation.opamp_offset.sigma = [1.0]\nvariation.comparator_offset.sigma = [2.0]"
    name = "sigmoid_5bit_variation.opamp_offset.sigma-1.0_variation.comparator_offset.sigma-2.0"
    assert points(two)[0][0] == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bits = 3", r"sweep\.bits=3: must be a list of values"),
        ("bits = []", r"sweep\.bits=\[\]: must be a list of values"),
        ("bits = [3, 4, 3]", r"sweep\.bits: 3 is listed twice"),
        ("bits = [0, 0]", r"sweep\.bits: 0 is listed twice"),
        ("bits = [{a = 1}]", r"sweep\.bits: takes single values"),
        ("sampling.seed = [1, 2]", r"sweep\.sampling\.seed: cannot be swept; fields of ramp, profile"),
        ("measure.limits.max_inl = [1, 2]", r"sweep\.measure\.limits\.max_inl: cannot be swept"),
        ("bits = [3]\nramp.bits = [4]", r"bits is swept twice"),
        ("ramp.bits.x = [4]", r"sweep\.ramp\.bits\.x: bits is no table"),
        ('profile = ["a b", "a-b"]', r"sweep: 2 combinations would be called 'sigmoid_5bit_profile-a-b'"),
        (f"bits = {list(range(LARGEST_GRID + 1))}", rf"sweep: {LARGEST_GRID + 1} combinations; at most {LARGEST_GRID}"),
    ],
)
def test_bad_sweeps(text, message):
    with pytest.raises(InputError, match=message):
        points(f"[sweep]\n{text}")


def test_a_sweep_that_is_no_table():
    with pytest.raises(InputError, match="sweep=3: must be a table of lists"):
        grid({"sweep": 3})
