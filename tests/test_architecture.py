"""docs/architecture.md: the picture shows the imports of today, and the examples of "where to add" run."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
REDRAW = "run `python docs/draw_architecture.py`"
SHOWN = json.loads((DOCS / "pictures" / "architecture.json").read_text())


PAGE = (DOCS / "architecture.md").read_text()
EXAMPLES = [
    (part.partition("\n")[0], code)
    for part in PAGE.split("\n### ")
    for code in re.findall(r"^```python\n(.*?)^```$", part, re.M | re.S)
]


@pytest.fixture
def drawing(monkeypatch):
    """The module that draws the picture."""
    monkeypatch.syspath_prepend(str(DOCS))
    import draw_architecture

    return draw_architecture


def pairs(data):
    return {(room, other) for room, found in data.items() for other in found["imports"]}


def test_the_picture_shows_the_rooms_and_imports_of_today(drawing):
    """Sizes may drift by a third before the picture misleads; a room, a floor or an import that changed may not."""
    today = drawing.survey()
    assert {r: f["floor"] for r, f in SHOWN.items()} == {r: f["floor"] for r, f in today.items()}, REDRAW
    assert pairs(SHOWN) == pairs(today), REDRAW
    for room, found in today.items():
        for size in ("modules", "lines"):
            assert found[size] == pytest.approx(SHOWN[room][size], rel=1 / 3, abs=1), f"{room}: {size}; {REDRAW}"


def test_the_picture_is_that_of_its_data():
    words = re.findall(r"<text[^>]*>(.*?)</text>", (DOCS / "pictures" / "architecture.svg").read_text())
    numbers = sorted(int(w) for w in words if w.isdecimal())
    sizes = [f["lines"] for f in SHOWN.values() if f["modules"] == 1 and f["lines"] < 1000]
    assert numbers == sorted([n for f in SHOWN.values() for n in f["imports"].values()] + sizes), REDRAW
    for room, found in SHOWN.items():
        assert words.count(room.partition(".")[2]) >= 2, f"{room} has no row or no column; {REDRAW}"
        assert found["modules"] == 1 or f"{found['modules']} / {found['lines']:,}" in words, REDRAW


@pytest.mark.slow
def test_imports_are_those_that_the_linter_finds(drawing):
    """Against the graph of import-linter, which reads them in another way."""
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph("netlists", "characterization", "cosim", cache_dir=None)
    rooms = {r.dotted for r in drawing.rooms()}
    found = set()
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            pair = tuple(".".join(name.split(".")[:2]) for name in (module, other))
            if pair[0] != pair[1] and rooms.issuperset(pair):
                found.add(pair)
    assert len(found) > 100
    assert pairs(drawing.survey()) == found


def test_a_room_on_no_floor_is_an_error(drawing, monkeypatch, tmp_path):
    for package in ("netlists", "characterization", "cosim"):
        (tmp_path / package).mkdir()
    (tmp_path / "pyproject.toml").write_text((drawing.ROOT / "pyproject.toml").read_text())
    (tmp_path / "cosim" / "attic.py").write_text("")
    monkeypatch.setattr(drawing, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"cosim: attic on no floor"):
        drawing.rooms()


def test_the_tables_of_rooms_stand_in_the_order_of_the_floors(drawing):
    everywhere = drawing.rooms()
    for package in drawing.COLOURS:
        rows = re.findall(r"^`(\w+)`  ", drawing.docstring(drawing.ROOT / package / "__init__.py"), re.MULTILINE)
        floors = {r.name: r.floor for r in everywhere if r.package == package}
        assert set(rows) == set(floors)
        assert [floors[name] for name in rows] == sorted(floors.values())


@pytest.mark.parametrize(("what", "code"), EXAMPLES, ids=[what for what, _ in EXAMPLES])
def test_examples_of_where_to_add_run(what, code, run_example):
    run_example("python", code)


def test_files_and_tables_of_where_to_add_are_there():
    paths = re.findall(r"`((?:netlists|characterization|cosim|docs)/[a-z_/]+(?:\.\w+)?)`", PAGE)
    assert len(paths) > 15
    assert [path for path in paths if not (DOCS.parent / path).exists()] == []
    tables = re.findall(r"`([A-Z]+)` in `([\w./]+)`", PAGE)
    assert tables
    for name, path in tables:
        assert re.search(rf"^{name}\b", (DOCS.parent / path).read_text(), re.MULTILINE), f"{path} has no {name}"


def test_a_class_name_means_one_thing_and_a_folder_holds_about_a_dozen_modules():
    modules = [path for package in ("netlists", "characterization", "cosim") for path in (DOCS.parent / package).rglob("*.py")]
    assert len(modules) > 300
    classes = Counter(
        node.name
        for path in modules
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, times in classes.items() if times > 1} == set()
    folders = Counter(path.parent for path in modules if path.name != "__init__.py")
    assert {folder: n for folder, n in folders.items() if n > 14} == {}
