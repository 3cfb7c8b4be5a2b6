"""docs/circuits.md: its tables and pictures are those the code makes today, its examples run, its links lead somewhere."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "circuits.md").read_text()
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
REFRESH = "run `python docs/draw_circuits.py`"


@pytest.fixture
def drawing(monkeypatch):
    """The module that draws the pictures, with those beside it."""
    monkeypatch.syspath_prepend(str(DOCS))
    import draw_circuits

    return draw_circuits


def test_tables_are_those_of_the_code_and_the_results(drawing):
    assert drawing.circuit_tables.refresh(PAGE) == PAGE, f"docs/circuits.md is out of date: {REFRESH}"


def test_every_table_is_in_the_page(drawing):
    assert sorted(re.findall(r"<!-- table (\S+) -->", PAGE)) == sorted(drawing.circuit_tables.TABLES)
    assert PAGE.count("<!-- end -->") == len(drawing.circuit_tables.TABLES)


def test_refresh_replaces_a_wrong_number(drawing):
    wrong = PAGE.replace("| `v_read` |", "| `v_read` | 3 V |", 1)
    assert wrong != PAGE
    assert drawing.circuit_tables.refresh(wrong) == PAGE


def words(svg: Path) -> list[str]:
    """What is written in a picture; independent of the version of the library that drew it."""
    return sorted(re.findall(r"<text[^>]*>(.*?)</text>", svg.read_text()))


def test_pictures_show_the_circuits_of_today(drawing, tmp_path):
    assert sorted(re.findall(r"\]\(pictures/(\w+)\.svg\)", PAGE)) == sorted(drawing.PICTURES)
    for name in drawing.PICTURES:
        drawing.draw(name, tmp_path)
        assert words(tmp_path / f"{name}.svg") == words(DOCS / "pictures" / f"{name}.svg"), f"{name} is out of date: {REFRESH}"
        assert (DOCS / "pictures" / f"{name}.png").is_file()


@pytest.mark.parametrize("block", ["ota_sky130", "comparator_sky130", "strongarm_sky130", "integrator_sky130"])
def test_transistor_pictures_show_every_size(block):
    """Against the text of the subcircuit itself, read in another way than the drawing does."""
    shown = words(DOCS / "pictures" / f"{block}.svg")
    for line in (DOCS.parent / "netlists" / "circuits" / f"{block}.cir").read_text().splitlines():
        if re.search(r"^x.* [np]mos_(lvt_)?sky130 ", line):
            name = line.split()[0]
            w, length = re.search(r" w=(\S+)", line)[1], re.search(r" l=(\S+)", line)[1]
            assert name in shown or f"{name} lvt" in shown
            assert f"{w}/{length}" in shown


def test_a_transistor_that_is_not_drawn_is_an_error(drawing):
    import schemdraw

    with schemdraw.Drawing(show=False) as d:
        t = drawing.transistors.Transistors(d, "ota_sky130")
        t.place("x1", (0, 0))
        with pytest.raises(ValueError, match="not in the picture: x2, x3"):
            t.done()


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.3632e8, "Hz", "136 MHz"),
        (999.9e3, "Hz", "1 MHz"),
        (7.5475e7, "V/s", "75.5 V/us"),
        (12.66, "V/s", "12.7 V/s"),
        (-1.1783e-4, "V", "-118 uV"),
        (0.0, "V", "0 V"),
        (3780.4, "V/V", "3780 V/V"),
        (100.0, "ohm", "100 ohm"),
        (4e-18, "F", "0.004 fF"),
    ],
)
def test_numbers_with_prefixes(drawing, value, unit, text):
    assert drawing.circuit_tables.si(value, unit) == text


def anchors(page: str) -> set[str]:
    """Names a heading can be linked by: lower case, no punctuation, blanks as dashes."""
    heads = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", PAGE))))
def test_links_lead_somewhere(target):
    path, _, anchor = target.partition("#")
    file = DOCS / path if path else DOCS / "circuits.md"
    assert file.exists(), f"{target}: no such file"
    if anchor:
        assert anchor in anchors(file.read_text()), f"{target}: no such heading"


@pytest.mark.parametrize(("language", "code"), EXAMPLES, ids=[f"{k}-{lang}" for k, (lang, _) in enumerate(EXAMPLES)])
def test_examples_run_and_agree(language, code, run_example):
    """Every example that compares two ways prints how far apart they are."""
    for line in run_example(language, code).splitlines():
        if "difference" in line:
            assert float(line.split()[-1]) < 1e-5, line
