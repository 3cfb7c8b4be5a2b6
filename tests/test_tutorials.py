"""Tutorials: their cells run from the first to the last, in an empty folder, and say what their text promises."""

import json
import re
from pathlib import Path

import pytest

TUTORIALS = sorted((Path(__file__).resolve().parent.parent / "docs" / "tutorials").glob("*.ipynb"))


def test_there_is_one_for_each_reader():
    assert [path.stem for path in TUTORIALS] == ["circuit_designer", "device_person", "ml_researcher"]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_no_outputs_are_stored(path):
    assert not any(cell.get("outputs") for cell in json.loads(path.read_text())["cells"])


@pytest.fixture
def output(tmp_path, monkeypatch, capsys, batches_here):
    """What the cells of a tutorial print."""
    monkeypatch.chdir(tmp_path)

    def run(name):
        (path,) = (p for p in TUTORIALS if p.stem == name)
        names = {"__name__": "__main__"}
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), path.name, "exec"), names)
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_circuit_designer(output):
    text = output("circuit_designer")
    assert "INP = inp" in text
    # Calibration takes the common offset away.
    for before, after in re.findall(r"\{False: ([\d.]+), True: ([\d.]+)\} LSB", text):
        assert float(after) < float(before)
    assert "2-bit, 4 chips" in text


def test_device_person(output):
    text = output("device_person")
    assert 1.3 < float(re.search(r"at 200 uS: ([\d.]+) uS", text)[1]) < 1.7
    # Ten digits: what learned nothing is right in one of ten.
    assert min(float(v) for v in re.findall(r"chips (0\.\d+)", text)) > 0.5


def test_ml_researcher(output):
    text = output("ml_researcher")
    found = {(int(b), float(n)): float(v) for b, n, v in re.findall(r"(\d) bits, noise ([\d.]+) LSB: ([\d.]+)", text)}
    assert found[5, 0.0] > 0.9
    assert found[2, 1.0] < found[5, 0.0]
