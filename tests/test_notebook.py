"""examples/five_steps.ipynb: its cells run, in ten lines, and an accuracy comes out."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOK = json.loads((Path(__file__).resolve().parent.parent / "examples" / "five_steps.ipynb").read_text())
CELLS = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_ten_lines_imports_among_them():
    lines = [line for cell in CELLS for line in cell.splitlines() if line.strip()]
    assert len(lines) <= 10
    assert all(len(line) <= 132 for line in lines)


def test_only_the_doors_of_the_packages_are_imported():
    for node in ast.walk(ast.parse("\n".join(CELLS))):
        assert not isinstance(node, ast.Import)
        if isinstance(node, ast.ImportFrom):
            assert node.module in ("netlists", "characterization", "cosim")


def test_no_outputs_are_stored():
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in NOTEBOOK["cells"])


@pytest.mark.usefixtures("batches_here")
def test_the_cells_run_from_the_first_to_the_last(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for cell in CELLS:
        exec(compile(cell, "five_steps.ipynb", "exec"), names)
    assert [deck.write(tmp_path / f"{k}.cir").stat().st_size > 1000 for k, deck in enumerate(names["decks"])] == [True, True]
    assert [run.failed for run in names["runs"]] == [0, 0]
    for model, check in zip(names["models"].values(), names["checks"].values(), strict=True):
        assert model.samples == 32
        # Codes of the chips' own levels; and distributions apart by no more than sampling explains.
        assert check["decks"]["differ"] == 0
        assert check["rms_dt_lsb"] < 3 * check["rms_dt_lsb_expected"]
    result = names["result"]
    assert set(result.bits) == {3}
    assert len(result.chips) == 16
    # A classifier of nine speakers that learned nothing is right in one of nine.
    assert 0.9 < min(result.chips) <= max(result.chips) <= 1
    assert result.over_chips.mean == pytest.approx(sum(result.chips) / 16)
    assert "3-bit, 16 chips" in capsys.readouterr().out
