"""Pages in a real browser: nothing cut on a phone, a screen or paper, no script error, tables sort, everything by keyboard."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cosim.report import write_report

RESULTS = Path(__file__).parents[3] / "results"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NAMES = sorted(f.parent.name for f in RESULTS.glob("*/report.html"))

FIRST = "<script>window.wrong = []; addEventListener('error', (e) => wrong.push(e.message));</script>"
LAST = """<script>addEventListener('load', () => {
  const scrolls = (e) => e && (['auto', 'scroll'].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const cut = (width, rounds) => {
    document.documentElement.style.width = width + 'px';
    return [...document.querySelectorAll('body *')]
      .filter((e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e))
      .map((e) => `${width}: ${e.tagName} ${e.textContent.trim().slice(0, 60)}`).slice(0, 3);
  };
  document.querySelectorAll('details').forEach((d) => { d.open = true; });
  const found = { cut: [...cut(390), ...cut(1280)], links: [], sorted: [], focus: 0 };
  for (const a of document.querySelectorAll('a[href^="#"]'))
    if (!document.getElementById(a.getAttribute('href').slice(1))) found.links.push(a.href);
  for (const sheet of document.styleSheets) for (const rule of sheet.cssRules)
    if (rule.media && rule.media.mediaText === 'print') rule.media.mediaText = 'all';
  found.cut.push(...cut(703));
  const button = document.querySelector('th[aria-sort] button');
  if (button) {
    const column = button.parentElement.cellIndex, table = button.closest('table');
    button.click();
    found.sorted = [...table.rows].slice(1).map((r) => r.cells[column].dataset.value ?? r.cells[column].textContent.trim());
  }
  found.focus = document.querySelectorAll('.wide:not([tabindex]):not(:has(a))').length;
  document.title = JSON.stringify(Object.assign(found, { wrong }));
});</script>"""


def looked_at(page, folder):
    """What the page says of itself in headless Chromium."""
    text = page.read_text().replace("<head>", "<head>" + FIRST, 1).replace("</body>", LAST + "</body>", 1)
    (folder / "page.html").write_text(text)
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    command += [f"--user-data-dir={folder / 'profile'}", "--window-size=1300,900", "--dump-dom", f"file://{folder / 'page.html'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    return json.loads(re.search(r"<title>(\{.*?\})</title>", done.stdout, re.DOTALL).group(1).replace("&amp;", "&"))


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)")
@pytest.mark.parametrize("name", [n if n in ("demo", "cost") else pytest.param(n, marks=pytest.mark.slow) for n in NAMES])
def test_pages_in_a_browser(name, tmp_path):
    folder = Path(shutil.copytree(RESULTS / name, tmp_path / name))
    seen = looked_at(write_report(folder), tmp_path)
    assert seen["wrong"] == []
    assert seen["cut"] == []
    assert seen["links"] == []
    assert seen["focus"] == 0
    try:
        numbers = [float(v) for v in seen["sorted"]]
    except ValueError:
        return
    assert numbers == sorted(numbers)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)")
def test_a_page_that_is_cut_or_throws_is_seen(tmp_path):
    wide = "<div style='width: 900px'>too wide</div><a href='#nowhere'>x</a><script>undefined_function()</script>"
    (tmp_path / "bad.html").write_text(f"<html><head></head><body>{wide}</body></html>")
    seen = looked_at(tmp_path / "bad.html", tmp_path)
    assert any("too wide" in line for line in seen["cut"])
    assert len(seen["links"]) == len(seen["wrong"]) == 1
