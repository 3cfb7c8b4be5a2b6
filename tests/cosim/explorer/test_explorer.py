"""The explorer in a real browser: figures follow sliders and picks and say what the tables say; served to this machine alone."""

import html
import json
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from characterization import RampPlan, characterize, load_run
from characterization.estimates.yields import run_yield
from characterization.plan import Limits
from cosim.cli.app import run as run_command
from cosim.explorer import folder as folder_module, look_into
from cosim.explorer.server import server_of
from netlists.errors import InputError, ToolkitError
from netlists.spice import RawPlot, write_raw_plots

DEMO = Path(__file__).parents[3] / "results" / "demo"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LIMIT = 0.04
ASK = """<script>
window.wrong = [];
addEventListener('error', (e) => wrong.push(e.message));
const until = async (ready) => { while (!ready()) await new Promise((go) => setTimeout(go, 10)); };
const ask = async () => {
  const of = (name) => Bokeh.documents[0].get_model_by_name(name), seen = {};
  await until(() => Bokeh.documents.length && of('yieldA').text && of('at').text && of('modeltitleB').text);
  of('dnlA').value = 2; of('inlA').value = LIMIT;
  await until(() => of('yieldA').text.endsWith('<= LIMIT and max |DNL| <= 2 LSB'));
  seen.yield = of('yieldA').text;
  const calibrated = JSON.stringify(of('pointsA').data.inl);
  of('whenA').active = 0;
  await until(() => JSON.stringify(of('pointsA').data.inl) !== calibrated);
  seen.before = of('yieldA').text;
  of('whenA').active = 1;
  await until(() => JSON.stringify(of('pointsA').data.inl) === calibrated);
  of('pointsA').selected.indices = [2, 3];
  await until(() => of('linesA').data.inl.length === 2);
  seen.picked = of('chipsA').value;
  seen.lines = of('linesA').data.inl;
  of('cursors').value = [0.25, 0.75];
  await until(() => of('at').text.includes('0.5 apart'));
  seen.at = of('at').text;
  of('noise').value = 1;
  await until(() => of('wordsA').text.includes('= 1'));
  seen.accuracy = of('accuracyA').data.mean;
  seen.words = of('wordsA').text;
  seen.law = of('lawA').data.mean;
  seen.models = [of('modeltitleA').text, of('modeltitleB').text];
  seen.fetched = performance.getEntriesByType('resource').map((r) => r.name);
  seen.wrong = wrong;
  document.title = 'SEEN' + JSON.stringify(seen);
};
addEventListener('load', ask);
</script>""".replace("LIMIT", str(LIMIT))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, module_batches_here):
    folder = tmp_path_factory.mktemp("view")
    characterize(RampPlan("sigmoid", 2, seed=5), 8, folder / "runs" / "a", progress=False)
    for name in ("sigmoid3.json", "tanh3.json"):
        shutil.copy(DEMO / "models" / name, folder / name)
    t = np.linspace(0.0, 1.0, 101)
    pd.DataFrame({"time": t, "v(out)": 2.0 * t, "v(in)": t**2}).to_csv(folder / "waves.csv", index=False)
    rows = [(b, n, 0.9 - n / 10 + b / 100, 0.95, 0.94) for b in (3, 4) for n in (0.0, 1.0)]
    pd.DataFrame(rows, columns=["bits", "threshold_noise", "mean", "float", "ideal"]).to_csv(folder / "sweep.csv", index=False)
    (folder / "broken.json").write_text('{"schema": "nladc-cosim/ramp-model"}')
    return folder


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)")
def test_sliders_and_picks_move_the_figures(folder, tmp_path, capsys):
    pytest.importorskip("bokeh", reason="needs the extra view")
    assert run_command(["view", str(folder), "--out", str(tmp_path / "page.html"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) | {"left_out": 1} == {
        "out": str(tmp_path / "page.html"), "runs": 1, "models": 2, "waves": 1, "accuracies": 1, "left_out": 1,
    }  # fmt: skip
    assert "broken.json" in err
    page = tmp_path / "page.html"
    head, end, tail = page.read_text().rpartition("</body>")
    page.write_text(head + ASK + end + tail)
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--dump-dom", f"file://{page}"]
    dom = subprocess.run(command, capture_output=True, text=True).stdout
    title = re.search(r"<title>SEEN(\{.*?\})</title>", dom, re.DOTALL)[1]
    seen = json.loads(html.unescape(title))
    assert seen["wrong"] == []
    assert [name for name in seen["fetched"] if not name.startswith(("file:", "data:", "blob:"))] == []
    run = look_into(folder).runs[0]
    loaded = load_run(folder / "runs" / "a")
    for state, text in (("after", seen["yield"]), ("before", seen["before"])):
        share = run_yield(loaded.figures("calibrating"), Limits(max_inl=LIMIT, max_dnl=2.0))[state]
        ends = f"{100 * share['low']:.1f}..{100 * share['high']:.1f} %"
        assert f"({share['good']} of {share['tested']}; 95 % interval {ends})" in text
    assert seen["picked"] == "2,3"
    assert seen["lines"] == [run["states"]["after"]["inl"][i] for i in (2, 3)]
    assert "0.25 and 0.75, 0.5 apart" in seen["at"]
    assert "v(out): 0.5, 1.5, difference 1" in seen["at"]
    assert seen["accuracy"] == [0.83, 0.84]
    assert "threshold_noise = 1" in seen["words"]
    assert len(seen["law"]) == 7
    assert "sigmoid" in seen["models"][0]
    assert "tanh" in seen["models"][1]


def test_long_waveforms_keep_their_extremes(tmp_path):
    t = np.linspace(0.0, 1.0, 60_001)
    v = np.zeros_like(t)
    v[31_415] = 5.0
    pd.DataFrame({"time": t, "v(out)": v}).to_parquet(tmp_path / "long.parquet")
    found = look_into(tmp_path)
    (wave,) = found.waves
    assert len(wave["values"][0]) == 20_000
    assert max(wave["values"][1]) == 5.0
    assert "60001 points" in found.left_out[0]


def test_only_this_machine_is_served():
    with server_of("<p>here</p>", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address[:2]
        assert host == "127.0.0.1"
        ours = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert ours.open(f"http://127.0.0.1:{port}/").read() == b"<p>here</p>"
        for path, headers in (("/etc/passwd", {}), ("/", {"Host": "elsewhere.example"})):
            with pytest.raises(urllib.error.HTTPError):
                ours.open(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers))
        with pytest.raises(ToolkitError, match="choose another port"):
            server_of("", port)
        server.shutdown()


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_nothing_to_look_at_is_said(name, tmp_path):
    with pytest.raises(InputError, match=r"there is no such folder|holds no run"):
        look_into(tmp_path / name)


def test_what_a_table_lacks_is_not_drawn(tmp_path):
    """Neither at the mean nor at zero: a table without ideal ramps has no line of them, one chip no interval."""
    pd.DataFrame({"bits": [3, 4], "mean": [0.8, 0.9], "float": [0.95, 0.95], "chips_low": [0.7, None]}).to_csv(tmp_path / "a.csv")
    (line,) = look_into(tmp_path).accuracies[0]["lines"]
    assert line["mean"] == [0.8, 0.9]
    np.testing.assert_array_equal([line["ideal"], line["chips_low"]], [[np.nan, np.nan], [0.7, np.nan]])


def test_what_is_left_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "MOST_ROWS", 4)
    for name, rows in (("short", 4), ("long", 5)):
        pd.DataFrame({"time": np.arange(rows), "v(a)": np.ones(rows)}).to_csv(tmp_path / f"{name}.csv", index=False)
    ac = RawPlot("AC Analysis", ("frequency", "v(a)"), ("frequency", "voltage"), np.ones((2, 2)) + 1j)
    write_raw_plots(tmp_path / "ac.raw", [ac], "a deck")
    found = look_into(tmp_path)
    assert [wave["name"] for wave in found.waves] == ["short.csv"]
    assert found.left_out == [
        "ac.raw: holds complex numbers, as of an AC analysis, which are not drawn",
        "long.csv: has more than 4 rows",
    ]


def test_a_table_that_is_there_twice_is_shown_once(tmp_path):
    table = pd.DataFrame({"bits": [3, 4], "mean": [0.9, 0.91], "float": [0.95, 0.95]})
    table.to_csv(tmp_path / "sweep.csv", index=False)
    table.to_parquet(tmp_path / "sweep.parquet")
    table.to_csv(tmp_path / "other.csv", index=False)
    assert [t["name"] for t in look_into(tmp_path).accuracies] == ["other.csv", "sweep.csv"]
    table.assign(mean=0.5).to_parquet(tmp_path / "sweep.parquet")
    assert [t["name"] for t in look_into(tmp_path).accuracies] == ["other.csv", "sweep.csv", "sweep.parquet"]
