"""The docs site builds without warnings, with every page in its contents, and the version stands in one place."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    pytest.importorskip("mkdocstrings_handlers.python", reason="needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert "program_ramp" in (tmp_path / "reference" / "netlists" / "index.html").read_text()
    assert "--until-ci" in (tmp_path / "reference" / "commands" / "index.html").read_text()
    assert 'href="../tables/faults/"' in (tmp_path / "reliability" / "index.html").read_text()
    assert "SIGKILL" in (tmp_path / "tables" / "faults" / "index.html").read_text()


def test_every_page_is_in_the_contents():
    contents = (ROOT / "mkdocs.yml").read_text()
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").glob("*.md")}
    pages |= {f"tutorials/{path.stem}.md" for path in (ROOT / "docs" / "tutorials").glob("*.ipynb")}
    linked = {t for page in (ROOT / "docs").glob("*.md") for t in re.findall(r"\]\(\.\./(\S+)/README\.md", page.read_text())}
    pages |= {f"tables/{Path(target).name}.md" for target in linked}
    assert pages - set(re.findall(r": ([\w/-]+\.md)$", contents, re.MULTILINE)) == set()


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_a_page_begins_with_what_it_is_for(page):
    title, blank, first = page.read_text().splitlines()[:3]
    assert title.startswith("# ")
    assert blank == ""
    assert re.match(r"[A-Za-z`*]", first), f"{page.name}: begins with {first!r}"


def test_the_version_stands_once():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert metadata.version("nladc-cosim") == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_script_of_distributions_refuses_a_folder_that_is_there(tmp_path):
    done = subprocess.run(["sh", str(ROOT / "scripts" / "dist.sh"), sys.executable, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "is there already" in done.stderr
