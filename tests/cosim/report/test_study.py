"""The frame of a study: what it writes, what it keeps, and the words of a page filled with numbers."""

import json
import shutil
import subprocess
from functools import partial

import pandas as pd
import pytest

from characterization.lock import locked
from cosim.report import page as pages, study as frame
from cosim.report.page import cell, quantity
from cosim.report.pictures import new_figure
from cosim.report.registry import changed_files
from cosim.report.settings import RunOptions, StudySettings
from cosim.report.study import Results, Study
from netlists.checks import Count
from netlists.errors import InputError, ToolkitError


class TeaSettings(StudySettings):
    cups: Count = 2


def compute(settings, work):
    if settings.cups > 4:
        raise InputError("cups: too many")
    rows = work.rows({f"cup-{i}": partial(list, [{"cup": i}]) for i in range(settings.cups)}, "cups", "tea")
    table = pd.DataFrame([row for found in rows for row in found])
    return Results(
        {"seed": 3}, {"cups.csv": table, "more/cups.parquet": table}, {"tea": lambda: new_figure(2, 2)[0]}, warnings=["hot", "hot"]
    )


@pytest.fixture
def study(monkeypatch):
    monkeypatch.setattr(frame, "write_report", lambda folder: None)
    monkeypatch.setattr(frame, "command", lambda head: "cosim study tea")
    return Study("tea", TeaSettings, compute, str)


def test_the_frame_writes_everything_and_removes_the_parts(study, tmp_path):
    summary = study.run(TeaSettings(cups=3), tmp_path, RunOptions(progress=False))
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert list(summary) == ["study", "settings", "seed", "command", "warnings", "versions", "engine", "wall_seconds"]
    assert summary["engine"] == "numba"
    assert summary["warnings"] == ["hot"]
    assert pd.read_csv(tmp_path / "cups.csv").equals(pd.read_parquet(tmp_path / "more" / "cups.parquet"))
    assert {p.name for p in (tmp_path / "pictures").iterdir()} == {"tea.png", "tea.svg"}
    assert not (tmp_path / ".parts").exists()


def test_parts_stay_in_a_folder_that_was_asked_for(study, tmp_path):
    options = RunOptions(progress=False, work=tmp_path / "work")
    study.run(TeaSettings(cups=1), tmp_path / "out", options)
    (part,) = (tmp_path / "work" / ".parts").glob("cup-0.*.json")
    assert json.loads(part.read_text()) == [{"cup": 0}]
    with pytest.raises(InputError, match="cups: 1 there, 2 now"):
        study.run(TeaSettings(), tmp_path / "out", options)


def test_what_cannot_be_is_said_before_a_folder_is_made(study, tmp_path):
    with pytest.raises(InputError, match="cups: too many"):
        study.run(TeaSettings(cups=5), tmp_path / "x")
    assert not (tmp_path / "x").exists()


WORDS = """# Tea of {{ name }}

It is
{{ s.kind }}.

- {{ percent(0.5, 0) }} :: drunk

## Cups

Before.

![A picture.](tea)

[table cups.csv where litres > 0.1]
kind
volume (ml) <- 1000 * litres
text <- kind ~ " of " ~ name

After.

## Whole

[table own]
"""


def test_what_was_changed_in_a_folder_is_said(study, tmp_path):
    study.run(TeaSettings(cups=3), tmp_path, RunOptions(progress=False))
    assert changed_files(tmp_path) == []
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True)
    for name in ("summary.json", "cups.csv", "more/cups.parquet"):
        content = (tmp_path / name).read_bytes()
        for k in range(0, len(content), 97):
            (tmp_path / name).write_bytes(content[:k] + bytes([content[k] ^ 1]) + content[k + 1 :])
            assert changed_files(tmp_path) == [f"{name}: is not as the study wrote it; see SHA256SUMS"]
        (tmp_path / name).write_bytes(content)
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  ../x\n")
    with pytest.raises(InputError, match=r"SHA256SUMS: '\.\./x' is not in the folder"):
        changed_files(tmp_path)


def test_words_of_a_page(tmp_path):
    (tmp_path / "page.md").write_text(WORDS)
    pd.DataFrame({"kind": ["mug", "thimble"], "litres": [0.25, 0.01]}).to_csv(tmp_path / "cups.csv", index=False)
    own = pd.DataFrame({"any name": [1]})
    fill = partial(pages.page_of, tmp_path / "page.py", tmp_path, {"own": own}, name="Assam")
    page = fill(s={"kind": "black\n\n## no heading"})
    assert (page.title, page.lead, page.highlights) == ("Tea of Assam", "It is black ## no heading.", [("50 %", "drunk")])
    cups, whole = page.sections
    assert (cups.text, cups.picture, cups.caption, cups.notes) == (["Before."], "tea", "A picture.", ["After."])
    assert cups.table.to_dict("records") == [{"kind": "mug", "volume (ml)": 250.0, "text": "mug of Assam"}]
    assert whole.table is own
    with pytest.raises(InputError, match="has no attribute 'kind'; run the study again"):
        fill(s={})
    pd.DataFrame({"kind": ["mug"]}).to_csv(tmp_path / "cups.csv", index=False)
    with pytest.raises(InputError, match=r"cups\.csv: has no column litres"):
        fill(s={"kind": "black"})


def test_a_folder_of_others_is_neither_shared_nor_overwritten(study, tmp_path):
    (tmp_path / ".parts").mkdir()
    with locked(tmp_path / ".parts"), pytest.raises(ToolkitError, match="is at work in this folder; wait for it"):
        study.run(TeaSettings(), tmp_path, RunOptions(progress=False))
    (tmp_path / ".parts" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"\.parts: holds thesis\.txt, which is no part of ours"):
        study.run(TeaSettings(), tmp_path, RunOptions(progress=False))
    for text, whose in (("{}", "not of a study"), ("mine", "not of a study"), ('{"study": "coffee"}', "those of 'coffee'")):
        (tmp_path / "summary.json").write_text(text)
        with pytest.raises(InputError, match=f"holds results, {whose}"):
            study.run(TeaSettings(), tmp_path, RunOptions(progress=False))
        assert (tmp_path / "summary.json").read_text() == text
    assert (tmp_path / ".parts" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.6e-8, "s", "16 ns"),
        (7.548e7, "V/s", "75.48 MV/s"),
        (1.5684e-13, "J a ramp step", "156.8 fJ a ramp step"),
        (3780.0, "V/V", "3780 V/V"),
        (0.03, "V^-2", "0.03 V^-2"),
        (0.5, "1/V**2", "0.5 1/V**2"),
        (2e-4, "V**2", "0.0002 V**2"),
        (9.9996e-7, "s", "1 us"),
        (-9.99e-7, "s", "-999 ns"),
        (5.64e-5, "S/S", "5.64e-05 S/S"),
        (0.0, "V", "0 V"),
        (3.96875e-10, "m2", "396.9 um2"),
        (2.5e-6, "m2 a cell", "2.5 mm2 a cell"),
        (3.0, "1", "3"),
        (13547.52, "", "13548"),
        (None, "V", "-"),
    ],
)
def test_a_quantity_has_the_prefix_of_its_size(value, unit, text):
    assert quantity(value, unit) == text


def test_a_supply_current_of_minus_nothing_is_nothing():
    assert cell(-0.0) == "0"
    assert cell(1_720.4) == "1720"
