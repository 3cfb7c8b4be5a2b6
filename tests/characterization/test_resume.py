"""Work that was stopped goes on: each kind of part, damage, other settings, names."""

import numpy as np
import pandas as pd
import pytest

from characterization.resume import Parts
from netlists.errors import InputError

KINDS = {
    "rows": [{"a": 0.1, "b": None}],
    "arrays": {"x": np.arange(3.0), "status": np.array(["ok", "not converged"])},
    "array": np.array([[1, np.nan]]),
    "table": pd.DataFrame({"k": [1, 2], "x": [0.1, np.nan], "near": [True, False]}),
}


def same(found, expected):
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        np.testing.assert_equal(found, expected)


def interrupted():
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_computed_once_and_an_interrupted_or_damaged_one_again(tmp_path, kind):
    calls = []

    def compute():
        calls.append(kind)
        return KINDS[kind]

    def part(compute, name="p1"):
        return getattr(Parts(tmp_path, {"seed": 1}), kind)(name, compute)

    with pytest.raises(KeyboardInterrupt):
        part(interrupted)
    same(part(compute), KINDS[kind])
    same(part(interrupted), KINDS[kind])
    # Neither a longer name nor a shorter one is this part.
    for name in ("p", "p1.0", "p1.0123456789abcdef"):
        with pytest.raises(KeyboardInterrupt):
            part(interrupted, name)
    (path,) = (tmp_path / ".parts").glob("p1.*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    for damaged in (bytes(data), data[:-1], b""):
        path.write_bytes(damaged)
        same(part(compute), KINDS[kind])
    assert len(calls) == 4
    Parts(tmp_path, {"seed": 1}).done()
    assert list(tmp_path.iterdir()) == []


def test_rows_are_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        Parts(tmp_path, {}).rows("second", lambda: [{"a": float("nan")}])
    assert [p.name for p in (tmp_path / ".parts").iterdir()] == ["settings.json"]


def test_parts_of_other_settings_are_refused_with_the_difference(tmp_path):
    Parts(tmp_path, {"seed": 1, "bits": 5})
    with pytest.raises(InputError, match=r"\(seed: 1 there, 2 now\)"):
        Parts(tmp_path, {"seed": 2, "bits": 5})


@pytest.mark.parametrize("name", ["../out", "", "a/b", ".hidden"])
def test_names_of_parts_stay_in_the_folder(tmp_path, name):
    with pytest.raises(InputError, match="letters, digits"):
        Parts(tmp_path, {}).rows(name, list)
