"""Pages of results folders: made of the folder's files alone, nothing simulated, readable anywhere."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from cosim.cli.app import run
from cosim.report.registry import STUDIES, write_report, write_sums
from netlists.errors import InputError
from netlists.quantities import spice_number

RESULTS = Path(__file__).resolve().parents[3] / "results"


def study_of(folder):
    summary = json.loads((folder / "summary.json").read_text())
    return summary.get("study") if isinstance(summary, dict) else None


FOLDERS = sorted(path.parent.name for path in RESULTS.glob("*/summary.json") if study_of(path.parent) in STUDIES)
LEFT_OUT = (".parts", "report.html", "*.svg")

WITHOUT_NGSPICE = """
import sys
import traceback
from pathlib import Path
from cosim.report.registry import write_report
from netlists.errors import ToolkitError
from netlists.spice.pyspice import find_executable_version, shared_instance
try:
    shared_instance()
except (ToolkitError, OSError):
    pass
else:
    sys.exit("ngspice could be reached: the test shows nothing")
assert not find_executable_version()
for folder in sys.argv[1:]:
    try:
        write_report(Path(folder))
    except Exception:
        traceback.print_exc(file=open(Path(folder) / "error.txt", "w"))
"""


class Reader(HTMLParser):
    """Tables, sources and tags of a page."""

    def __init__(self):
        super().__init__()
        self.tables, self.sources, self.tags, self._cell = [], [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = True
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data):
        if self._cell:
            self.tables[-1][-1][-1] += data


def read(text):
    reader = Reader()
    reader.feed(text)
    return reader


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """The committed folders and a page of each, made in a process that reaches no ngspice."""
    where = tmp_path_factory.mktemp("results")
    for name in FOLDERS:
        shutil.copytree(RESULTS / name, where / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    empty = tmp_path_factory.mktemp("empty")
    environment = {**os.environ, "PATH": str(empty), "NGSPICE_LIBRARY_PATH": str(empty / "libngspice.so")}
    command = [sys.executable, "-c", WITHOUT_NGSPICE, *(str(where / name) for name in FOLDERS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return where


@pytest.fixture
def copy(copies, tmp_path):
    """A function that copies a folder for one test, its page included."""

    def made(name):
        if name not in FOLDERS:
            pytest.skip(f"results/{name} is not there")
        return Path(shutil.copytree(copies / name, tmp_path / name))

    return made


@pytest.mark.parametrize("name", FOLDERS)
def test_every_committed_folder_gives_its_page_without_ngspice(copies, name):
    error = copies / name / "error.txt"
    assert not error.exists(), error.read_text()
    assert (copies / name / "report.html").exists()


@pytest.mark.parametrize("name", FOLDERS)
def test_pages_need_nothing_but_themselves(copies, name):
    text = (copies / name / "report.html").read_text()
    page = read(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"link", "iframe", "object", "embed", "video", "form"}
    # What sorts the tables stands in the page.
    assert [attrs for tag, attrs in page.tags if tag == "script"] == [{}]
    script = text[text.index("<script>") : text.index("</script>")]
    assert not [word for word in ("fetch(", "XMLHttpRequest", "import(", "http") if word in script]
    assert "url(" not in text
    assert "@import" not in text
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert all(link.startswith("#") or (copies / name / link).exists() or link.endswith(".svg") for link in links)
    assert len(page.sources) == len(images) + len(links)
    for image in images:
        kind, data = image["src"].split(",", 1)
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
        assert image["alt"]
    assert len(page.tables) >= 1
    assert "<title>" in text
    assert not {"nan", "NaN", "None"} & {c for t in page.tables for r in t for c in r}


def contrast(ink, ground):
    """Ratio of relative luminances of two colours in hexadecimal digits."""

    def luminance(colour):
        colour = colour if len(colour) == 6 else "".join(2 * c for c in colour)
        parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", FOLDERS)
def test_pages_read_well_on_a_phone_and_in_the_dark(copies, name):
    text = (copies / name / "report.html").read_text()
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in read(text).tags
    style = text[text.index("<style>") : text.index("</style>")]
    assert "color-scheme: light dark" in style
    # Text and links against the page: a contrast of 4.5 or more (WCAG 2.2, 1.4.3), in light and in dark.
    for colours in re.findall(r":root \{([^}]*)\}", style):
        of = dict(re.findall(r"--(\w+): #(\w+);", colours))
        for ink in ("text", "soft", "accent"):
            for ground in ("page", "block"):
                assert contrast(of[ink], of[ground]) >= 4.5, (ink, ground)
    assert re.search(r"\.wide \{[^}]*overflow-x: auto", style)
    # Pictures are drawn for white.
    assert re.search(r"img \{[^}]*width: 100%[^}]*background: #fff", style)


def test_the_same_files_give_the_same_page(copy):
    folder = copy("vread")
    text = (folder / "report.html").read_text()
    assert write_report(folder).read_text().replace(str(folder), "") == text.replace(
        re.search(r"cosim report (\S+)</code>", text).group(1), ""
    )


CHANGES = [
    ("vread", "figures.csv", "max_inl_lsb"),
    ("stuck", "yield.csv", "median_max_inl_lsb"),
    ("activations", "activations.csv", "cells"),
    ("nladc-calibration", "calibration.csv", "point_error_rms"),
    ("models", "calibration.csv", "max_inl_after_lsb"),
    ("error-sources", "networks.csv", "test_sequences"),
]


@pytest.mark.parametrize(("name", "file", "column"), CHANGES)
def test_a_changed_value_in_a_table_changes_the_page(copy, name, file, column):
    folder = copy(name)
    table = pd.read_csv(folder / file)
    table[column] = table[column].astype(float)
    table.loc[0, column] = 7654
    table.to_csv(folder / file, index=False)

    def shown(text):
        return [c for table in read(text).tables for row in table for c in row if c.split()[:1] == ["7654"]]

    assert not shown((folder / "report.html").read_text())
    assert shown(write_report(folder).read_text())


def test_a_changed_table_is_said_on_the_page_and_by_the_command(copy, capsys):
    folder = copy("vread")
    (table, *_) = sorted(p.name for p in folder.glob("*.csv"))
    write_sums(folder, ["summary.json", table])
    assert run(["report", str(folder)]) == 0
    assert capsys.readouterr().err == ""
    (folder / table).write_text((folder / table).read_text() + "\n")
    assert run(["report", str(folder)]) == 0
    line = f"{table}: is not as the study wrote it; see SHA256SUMS"
    assert f"warning: {line}\n" == capsys.readouterr().err
    assert line in (folder / "report.html").read_text()


@pytest.mark.parametrize(("name", "file", "column"), CHANGES)
def test_a_missing_file_is_named(copy, name, file, column):
    folder = copy(name)
    table = pd.read_csv(folder / file)
    table.drop(columns=column).to_csv(folder / file, index=False)
    with pytest.raises(InputError, match=f"{file}: has no column {column}"):
        write_report(folder)
    (folder / file).write_bytes(b"\x00\xff\xfe")
    with pytest.raises(InputError, match=f"{file}: not a valid table|{file}: has no column"):
        write_report(folder)
    (folder / file).unlink()
    with pytest.raises(InputError, match=f"{file}: the table cannot be read"):
        write_report(folder)
    table.to_csv(folder / file, index=False)
    picture = sorted((folder / "pictures").glob("*.png"))[0]
    picture.unlink()
    with pytest.raises(InputError, match=f"{picture.name}: the picture cannot be read"):
        write_report(folder)


def test_numbers_of_the_table_are_those_of_the_file(copy):
    folder = copy("vread")
    shown = next(t for t in read((folder / "report.html").read_text()).tables if "gain" in t[0])
    figures = pd.read_csv(folder / "figures.csv")
    assert len(shown) == len(figures) + 1
    for cells, row in zip(shown[1:], figures.itertuples(index=False), strict=True):
        assert cells[:2] == [row.activation, row.converter]
        numbers = [row.v_read, row.chips, row.max_inl_lsb, row.max_inl_p05, row.max_inl_p95, row.gain]
        shown_numbers = [spice_number(c.replace(" ", "")) for c in cells[2:]]
        assert shown_numbers == pytest.approx(numbers, rel=1e-3)


def test_yields_of_the_page_are_those_of_the_file(copy):
    folder = copy("stuck")
    shown = next(t for t in read((folder / "report.html").read_text()).tables if "passed" in t[0])
    table = pd.read_csv(folder / "yield.csv")
    for cells, row in zip(shown[1:], table.itertuples(), strict=True):
        passed, chips = map(int, cells[4].split(" of "))
        assert (passed, chips) == (row.passed, row.chips)
        assert float(cells[5].removesuffix(" %")) == pytest.approx(100 * passed / chips, abs=0.051)


def test_the_registry_loads_no_study():
    code = (
        "import sys; from cosim.report import STUDIES, load_study; "
        "print([m for m in ('matplotlib', 'pandas', 'scipy', 'numba', 'PySpice', 'pydantic', 'cosim.studies') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_folder_that_is_no_study(tmp_path, capsys):
    with pytest.raises(InputError, match=r"summary\.json: there is no such study summary"):
        write_report(tmp_path)
    path = tmp_path / "summary.json"
    for content, message in (
        ("{", "not a valid study summary"),
        ("[]", "study=None: unknown"),
        ('{"study": "tea"}', "study='tea'"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=message):
            write_report(tmp_path)
    assert run(["report", str(tmp_path)]) == 2
    assert "study='tea': unknown; there are demo, " in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_report_on_the_command_line(copy, capsys):
    folder = copy("stuck")
    (folder / "report.html").unlink()
    assert run(["report", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(folder / "report.html"), "warnings": []}
    assert (folder / "report.html").stat().st_size > 10_000
