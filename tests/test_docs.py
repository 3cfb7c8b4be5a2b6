"""The pages: links lead somewhere, names exist, imports go through doors; pictures, tables and examples of docs/circuits.md."""

import re
from pathlib import Path

import click
import pandas as pd
import pytest

from cosim.cli.app import application
from netlists.files import read_json

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "circuits.md").read_text()
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```$", (DOCS / "own_circuits.md").read_text() + PAGE, re.DOTALL | re.MULTILINE)
ROOT = DOCS.parent
# Not the changelog: it names what is gone.
PAGES = [
    ROOT / "README.md",
    *sorted(DOCS.glob("*.md")),
    ROOT / "netlists/circuits/README.md",
    *sorted(ROOT.glob("results/*/README.md")),
]
MODULES = ("netlists.checks", "netlists.errors", "netlists.files", "characterization.resume", "characterization.streams")
"""Modules that stand beside the rooms, and have no door."""
DEEP = {
    ("characterization.chips.write_verify", "write_verify"),  # its module has its name
    ("characterization.compact.fit_blocks", "fit_blocks"),
    ("netlists.ramp.cells", "Cells"),  # who adds a scheme works in the room
}
REFRESH = "run `python docs/draw_circuits.py`"


@pytest.fixture
def drawing(monkeypatch):
    """The module that draws the pictures, with those beside it."""
    monkeypatch.syspath_prepend(str(DOCS))
    import draw_circuits

    return draw_circuits


def test_tables_are_those_of_the_code_and_the_results(drawing):
    for page in drawing.PAGES:
        assert drawing.circuit_tables.refresh(page.read_text()) == page.read_text(), f"{page} is out of date: {REFRESH}"


def test_every_table_is_in_a_page(drawing):
    text = "".join(page.read_text() for page in drawing.PAGES)
    assert sorted(re.findall(r"<!-- table (\S+) -->", text)) == sorted(drawing.circuit_tables.TABLES)
    assert text.count("<!-- end -->") == len(drawing.circuit_tables.TABLES)


def test_offsets_in_the_page_are_those_of_the_results():
    offsets = pd.read_csv(ROOT / "results" / "blocks" / "offsets.csv")
    at = offsets[offsets["common_mode"] == 0.9].set_index("block")["sigma"] * 1e3
    said = re.search(
        r"`comparator_sky130` has a sigma of (\S+) mV.*?`strongarm_sky130` (\S+) mV, of `ota_sky130` (\S+) mV", PAGE, re.DOTALL
    )
    for name, text in zip(("comparator_sky130", "strongarm_sky130", "ota_sky130"), said.groups(), strict=True):
        assert text == f"{at[name]:.2f}"


def test_refresh_replaces_a_wrong_number(drawing):
    page = drawing.PAGES[0].read_text()
    wrong = page.replace("| `v_read` |", "| `v_read` | 3 V |", 1)
    assert wrong != page
    assert drawing.circuit_tables.refresh(wrong) == page


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in set(re.findall(r"\]\(([^)\s]+)\)", page.read_text())):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in anchors(file.read_text()), f"{target}: no such heading"


def is_door(dotted: str) -> bool:
    return ROOT.joinpath(*dotted.split("."), "__init__.py").is_file()


def hands_out(dotted: str, name: str) -> bool:
    """Whether a door, or a module that has none, has a name."""
    place = ROOT.joinpath(*dotted.split("."))
    if place.with_suffix(".py").is_file():
        return re.search(rf"^(def |class |from .*)?\b{name}\b", place.with_suffix(".py").read_text(), re.MULTILINE) is not None
    stub = place / "__init__.pyi"
    return stub.is_file() and re.search(rf"\b{name} as {name}\b", stub.read_text()) is not None


def exists(dotted: str) -> bool:
    """Whether there is a module, a room, what one of them hands out, or an attribute of that."""
    if is_door(dotted) or ROOT.joinpath(*dotted.split(".")).with_suffix(".py").is_file():
        return True
    owner, _, name = dotted.rpartition(".")
    return hands_out(owner, name) or hands_out(*owner.rpartition(".")[::2])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_exist_and_examples_import_from_doors(page):
    text = page.read_text()
    for dotted in re.findall(r"`((?:netlists|characterization|cosim)(?:\.\w+)+)`", text):
        assert exists(dotted), f"{dotted}: neither a module nor handed out by one"
    for source, names in re.findall(r"^ *from ((?:netlists|characterization|cosim)[\w.]*) import ([\w, ]+)$", text, re.MULTILINE):
        for name in names.split(", "):
            assert is_door(source) or source in MODULES or (source, name) in DEEP, f"{source} is no door; take {name} from one"
            assert hands_out(source, name) or exists(f"{source}.{name}"), f"{source} does not hand out {name}"


def unknown(line: str) -> list[str]:
    """What of a command line, after ``cosim``, the commands do not have."""
    words, command = line.split(), application()
    while hasattr(command, "get_command") and words:
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            # Capitals stand for a name of the reader's choice.
            return [] if words[0].isupper() else words[:1]
        words, command = words[1:], found
    known = {"--help"}.union(*(p.opts + p.secondary_opts for p in command.params))
    return [word for word in words if word.startswith("--") and word.strip(",;.)") not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_exist(page):
    text = page.read_text().replace("\\\n", " ")
    for line in re.findall(r"(?:^ *|`)cosim ([a-z][^`\n#|]*)", text, re.MULTILINE):
        assert unknown(line) == [], f"cosim {line}"


def test_a_stale_command_is_found():
    assert unknown("evalute --task vowels") == ["evalute"]
    assert unknown("evaluate --tasks vowels --seed 1") == ["--tasks"]
    assert unknown("netlist ramp --bits 5") == []


@pytest.mark.parametrize(
    ("dotted", "is_there"),
    [
        ("netlists.ramp", True),
        ("netlists.ramp.closed_form", True),
        ("netlists.program_ramp", True),
        ("characterization.RampModel.fit", True),
        ("netlists.ramp.closed_form.to_volts", True),
        ("netlists.ramp.attic", False),
        ("netlists.program", False),
        ("netlists.closed_form.to_volts", False),
    ],
)
def test_a_stale_name_is_found(dotted, is_there):
    assert exists(dotted) == is_there


@pytest.mark.parametrize(
    ("language", "code"),
    # A datasheet takes long; its command is tested beside it.
    [
        pytest.param(language, code, marks=[pytest.mark.slow] * ("cosim comparator" in code), id=f"{k}-{language}")
        for k, (language, code) in enumerate(EXAMPLES)
    ],
)
def test_examples_run_and_agree(language, code, run_example):
    """Every example that compares two ways prints how far apart they are."""
    for line in run_example(language, code).splitlines():
        if "difference" in line:
            assert float(line.split()[-1]) < 1e-4, line


OTHERS = [
    pytest.param(code, marks=[pytest.mark.slow] * (page in ("devices", "statistics", "training")), id=f"{page}-{k}")
    for page in ("cost", "devices", "howto", "statistics", "training")
    for k, code in enumerate(re.findall(r"^```python\n(.*?)^```$", (DOCS / f"{page}.md").read_text(), re.DOTALL | re.MULTILINE))
]
"""Examples of pages that no test beside their subject runs."""


@pytest.mark.parametrize("code", OTHERS)
def test_examples_of_other_pages_run(code, run_example):
    run_example("python", code)


def test_no_page_has_examples_that_no_test_runs():
    pages = {page.stem for page in DOCS.glob("*.md") if "\n```python\n" in page.read_text()}
    assert pages == {"architecture", "circuits", "models", "cost", "devices", "howto", "statistics", "training"}


def test_codes_equal_in_readme_are_those_of_the_results():
    loop = read_json(ROOT / "results" / "loop-shadow" / "summary.json", "study summary")
    found = re.search(r"(\S+) % of (\S+) codes equal, none farther than one", (ROOT / "README.md").read_text())
    assert found.groups() == (f"{100 * loop['codes_equal']:.2f}", f"{loop['conversions']:,}")
    assert loop["codes_within_1"] == 1.0
