"""docs/studies.md against the studies that there are."""

import re
import shlex
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from cosim.report.registry import STUDIES, load_study
from cosim.report.settings import load_settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "studies.md"
ROOT = PAGE.parents[1]
TEXT = PAGE.read_text()


def test_every_study_has_its_row():
    commands = re.findall(r"^\| `cosim study ([\w-]+)` \|.*\(\.\./results/([\w-]+)\) \|$", TEXT, re.MULTILINE)
    assert {name for name, _ in commands} == {name for name, entry in STUDIES.items() if entry.question}
    assert all(name == folder for name, folder in commands)


@pytest.mark.parametrize("line", re.findall(r"^cosim study \S.*--set.*$", TEXT, re.MULTILINE))
def test_settings_of_the_examples_exist(line):
    words = shlex.split(line, comments=True)
    changes = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    study = load_study(words[2])
    chosen = load_settings(study.settings, study.preset, changes)
    for change in changes:
        name, value = change.split("=", 1)
        assert chosen.model_dump(mode="json")[name] == tomllib.loads(f"x = {value}")["x"]


def test_figures_of_the_calibration_study_are_those_of_its_files():
    folder = PAGE.parents[1] / "results" / "nladc-calibration"
    yields = pd.read_csv(folder / "yield.csv").set_index(["activation", "group", "calibration", "limit_lsb"])
    head, _, *table = TEXT[TEXT.index("| sigmoid chips, yield at 0.5 LSB |") :].split("\n\n")[0].splitlines()
    calibrations = [cell.strip() for cell in head.strip("|").split("|")][1:]
    assert len(table) == 4
    assert calibrations == ["as programmed", "one-point", "trim"]
    for line in table:
        group, *shares = (cell.strip() for cell in line.strip("|").split("|"))
        for share, calibration in zip(shares, calibrations, strict=True):
            row = yields.loc[("sigmoid", group, calibration, 0.5)]
            assert share == f"{100 * row['yield']:.0f} ({100 * row['low']:.0f}-{100 * row['high']:.0f})"


def test_links_of_the_page_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target


def test_figures_of_the_large_network_are_those_of_its_files():
    rows = pd.read_csv(ROOT / "results" / "lm-bits-full" / "results.csv").set_index(["training", "condition"])
    text = (ROOT / "docs" / "resolution.md").read_text()
    assert f"plain network in float ({rows.loc[('plain', 'float'), 'value']:.3f})" in text
    for name in ("ideal ramps", "fitted chips", "fitted chips, weight noise", "fitted chips, weight noise, pulse widths"):
        each = [rows.loc[(training, name)] for training in ("plain", "hardware-aware")]
        cells = [f"{r['change']:.3f} ({r['change_low']:.3f}..{r['change_high']:.3f})" for r in each]
        assert f"| {name} | {' | '.join(cells)} |" in text
    assert f"in float it is {rows.loc[('hardware-aware', 'float'), 'change']:.3f} worse" in text
