"""Decks from strangers: what is refused, that what is refused leaves no trace, and what permissions change."""

from __future__ import annotations

import os
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from netlists.errors import InputError
from netlists.outside.deck import read_cards, read_outside_deck
from netlists.spice.safety import Permissions

RC = "v1 in 0 dc 1 ac 1 pulse(0 1 0 1p 1p 1 2)\nr1 in out 1k\nc1 out 0 1n\n"


DANGEROUS = {
    "shell": ".control\nshell touch marker\n.endc",
    "system through pre_": ".control\npre_shell touch marker\n.endc",
    "exclamation mark": ".control\n!touch marker\n.endc",
    "star-hash line": "*#shell touch marker",
    "star-hash with blanks": "  *# shell touch marker",
    "backquotes": ".control\necho `touch marker`\n.endc",
    "substitution": ".control\nlet a = $(touch marker)\n.endc",
    "source": ".control\nsource other.sp\n.endc",
    "load": ".control\nload other.raw\n.endc",
    "snload": ".control\nsnload a b\n.endc",
    "cd": ".control\ncd /tmp\n.endc",
    "altermod from a file": ".control\naltermod nx file = ../secret.inc\n.endc",
    "alias": ".control\nalias print shell touch marker\n.endc",
    "codemodel": ".control\ncodemodel ./evil.cm\n.endc",
    "osdi": ".control\npre_osdi ./evil.osdi\n.endc",
    "edit": ".control\nedit x\n.endc",
    "option that is a variable": ".options rawfile=marker",
    "option in brackets": ".options(rawfile=marker)",
    "absolute include": ".include /etc/passwd",
    "quoted absolute lib": '.lib "/etc/passwd" x',
    "parent": ".include ../secret.inc",
    "parent by detour": ".inc sub/../../secret.inc",
    "home": ".include ~/secret.inc",
    "link": ".include link.inc",
    "link to a folder": ".include linked/secret.inc",
    "lib of the parent": ".lib ../secret.inc tt",
    "include of a folder": ".include sub",
    "include without blank": '.include"../secret.inc"',
    "filesource": 'a1 %v([x]) src\n.model src filesource (file="../secret.inc" amploffset=[0] amplscale=[1])',
    "filesource over lines": 'a1 %v([x]) src\n.model\n+ src\n+ filesource\n+ (file="../secret.inc")',
    "d_source": 'a1 [x] src\n.model src d_source(input_file="../secret.inc")',
    "d_state": 'a1 [x] y z [w] src\n.model src d_state(state_file = "../secret.inc")',
    "table2d": 'a1 x y z src\n.model src table2D (file="../secret.inc")',
    "table3d": 'a1 x y z w src\n.model src table3D (offset=0 file="../secret.inc")',
    "d_process": 'a1 [x] clk null [y] src\n.model src d_process (process_file="touch" process_params=["marker"])',
    "d_cosim": 'a1 [x] [y] null src\n.model src d_cosim (simulation="./evil.so")',
    "model of unknown type": ".model src numd level=1",
    "network device": ".model src ndev remote=localhost port=1",
    "model type by parameter": ".model src {kind} (file='x')",
    "model in brackets": ".model src(filesource file='x')",
    "pwl file": 'v9 x 0 pwl file="../secret.inc"',
    "pwl FILE without sign": 'v9 x 0 PWL FILE "../secret.inc"',
    "compiled model": "n1 x 0 evil",
    "external source": "v9 x 0 external",
    "unknown card": ".alter",
    "incbin": ".incpslt ../secret.inc",
    "bad first character": "@include ../secret.inc",
    "carriage return": "r9 x 0 1k\r.include ../secret.inc",
    "backslash": "r9 x 0 1k \\\n.include2 x",
    "form feed": "r9 x 0 1k\f.include ../secret.inc",
}


@pytest.mark.parametrize("what", DANGEROUS)
def test_refused_and_no_trace(what, write, tmp_path, monkeypatch, run):
    path = write(RC + DANGEROUS[what] + "\n.op")
    monkeypatch.chdir(path.parent)
    (path.parent / "sub").mkdir()
    (tmp_path / "secret.inc").write_text(".param hidden=12345\n")
    os.symlink(tmp_path / "secret.inc", path.parent / "link.inc")
    os.symlink(tmp_path, path.parent / "linked")
    before = sorted(p.name for p in tmp_path.rglob("*"))
    with pytest.raises(InputError) as e:
        run(path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before
    assert "12345" not in str(e.value)
    assert "deck.cir, line " in str(e.value)


LEFT_OUT = {
    "write": ".control\nrun\nwrite marker v(out)\n.endc",
    "wrdata": ".control\nrun\nwrdata marker v(out)\n.endc",
    "wrs2p": ".control\nwrs2p marker\n.endc",
    "run into a file": ".control\nrun marker\n.endc",
    "redirection": ".control\nrun\nprint v(out) > marker\n.endc",
    "append": ".control\necho x >> marker\n.endc",
    "hardcopy": ".control\nrun\nhardcopy marker v(out)\n.endc",
    "gnuplot": ".control\nrun\ngnuplot marker v(out)\n.endc",
    "snsave": ".control\nsnsave marker\n.endc",
    "set of a variable": ".control\nset sourcepath = ( / )\n.endc",
    "redirection by a variable": '.control\nset g = ">"\nrun\necho a $g marker\n.endc',
    "redirection by a loop": '.control\nrun\nforeach g ">" ">>"\necho a $g marker\nend\n.endc',
    "a name of ngspice's own": ".control\nset rawfile = marker\nset x = $rawfile\nrun\n.endc",
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_left_out_and_no_trace(what, write, tmp_path, monkeypatch, run):
    path = write(RC + LEFT_OUT[what] + "\n.op")
    monkeypatch.chdir(path.parent)
    before = sorted(p.name for p in tmp_path.rglob("*"))
    with suppress(InputError):
        assert run(path)["v(out)"][0] == pytest.approx(1)
        assert any("deck.cir, line " in note for note in read_outside_deck(path).skipped)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_the_marker_would_appear_with_permission(write, run):
    """The counterpart of the refusals: these constructs do act in this ngspice."""
    path = write(RC + ".tran 1n 1u\n.control\nshell touch marker\nrun\nwrdata data v(out)\nquit\n.endc")
    waves = run(path, "v(out)", allowed=Permissions(commands=True))
    assert (path.parent / "marker").exists()
    assert list(path.parent.glob("data*"))
    assert waves["v(out)"][-1] == pytest.approx(1 - np.exp(-1), abs=1e-3)


def test_commands_that_run_their_own_analysis(write, run):
    waves = run(write(RC + ".control\nalter r1 2k\nac lin 1 1meg 1meg\n.endc"), allowed=Permissions(commands=True))
    assert waves.kind == "ac"
    assert abs(waves["v(out)"][0]) == pytest.approx(abs(1 / (1 + 2j * np.pi * 1e6 * 2e-6)), rel=1e-6)


def test_data_files_and_files_elsewhere_with_permission(write, tmp_path, run):
    body = 'a1 %v([x]) src\n.model src filesource (file="data.txt" amploffset=[0] amplscale=[2])\n.include ../r.inc\n.tran 1u 1m'
    path = write(body)
    (path.parent / "data.txt").write_text("0 0\n1e-3 1\n")
    (tmp_path / "r.inc").write_text("r1 x 0 1k\n")
    waves = run(path, "v(x)", allowed=Permissions(files=True))
    np.testing.assert_allclose(waves["v(x)"], 2e3 * waves["time"], atol=1e-6)


def test_a_pdk_is_read_where_its_user_has_named_it_and_no_further(write, tmp_path, monkeypatch, run):
    (tmp_path / "pdk").mkdir()
    (tmp_path / "pdk" / "m.lib").write_text(".lib tt\n.param rr=2k\n.endl\n")
    (tmp_path / "secret.inc").write_text(".param rr=12345\n")
    (tmp_path / "pdk" / "link.inc").symlink_to(tmp_path / "secret.inc")
    path = write(f"v1 a 0 1\nr1 a 0 {{rr}}\n.lib {tmp_path / 'pdk' / 'm.lib'} tt\n.op")
    with pytest.raises(InputError, match="PDK_ROOT"):
        run(path)
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "pdk"))
    assert run(path)["i(v1)"][0] == pytest.approx(-0.5e-3)
    for name in ("link.inc", "../secret.inc"):
        path.write_text(f"t\nv1 a 0 1\nr1 a 0 {{rr}}\n.include {tmp_path}/pdk/{name}\n.op\n")
        with pytest.raises(InputError, match="outside the folder"):
            run(path)


def test_no_spiceinit_is_read(write, monkeypatch, run):
    path = write(RC + ".op")
    (path.parent / ".spiceinit").write_text("shell touch marker\n")
    monkeypatch.chdir(path.parent)
    run(path)
    assert not (path.parent / "marker").exists()


PIECES = st.sampled_from(
    [
        ".include ",
        ".lib x y",
        ".control\n",
        ".endc\n",
        ".end\n",
        "*#",
        "+",
        "{",
        "'",
        '"',
        "r1 a 0 1k\n",
        ".model a d\n",
        ".tran 1 2\n",
        "= ",
        "\\",
        "\0",
        "é",
        "`",
    ]
)


def test_no_text_does_anything_but_pass_or_be_refused(tmp_path):
    path = tmp_path / "fuzz.cir"
    passed = 0

    @given(st.lists(st.one_of(st.text(max_size=20), PIECES, st.sampled_from(["\n", " "])), max_size=30).map("".join))
    @example("t\n.save v(a,\n.tran\n.dc\n.options\n.model\n.lib\n.include\n")
    @example("t\n.include\x20'\n")
    @example("t\n.options =\n.save @\n.tran = =\n")
    def check(text):
        nonlocal passed
        path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        try:
            d = read_outside_deck(path)
        except InputError:
            return
        assert all(" " <= c <= "~" or c in "\t\n" for c in d.body)
        assert ".control" not in d.body.lower().split("\n")
        passed += 1

    check()
    assert passed >= 10


@given(st.binary(max_size=300))
def test_no_bytes_do_either(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.bin"
    path.write_bytes(data)
    with suppress(InputError):
        read_cards(path, title=True)
