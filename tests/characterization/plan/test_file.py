import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from characterization.plan.file import LARGEST_FILE, load_plan_file, plan_file_schema
from characterization.plan.plan import RampPlan, Sampling, Variation
from characterization.plan.shapes import Shape
from netlists.errors import InputError
from netlists.technology.conditions import Pvt, circuit_at
from netlists.technology.parameters import RampCircuit
from netlists.technology.profile import load_profile

EXAMPLES = Path(__file__).parents[3] / "examples" / "plans"
SMALL = '[ramp]\nactivation = "sigmoid"\nbits = 3\n[sampling]\nsamples = 8\n'


@pytest.fixture
def load(tmp_path):
    def read(text):
        path = tmp_path / "plan.toml"
        path.write_text(text)
        return load_plan_file(path)

    return read


def test_a_small_file_is_the_default_plan(load):
    file = load(SMALL)
    assert file.plans() == [("sigmoid_3bit", RampPlan("sigmoid", 3))]
    assert file.samples == 8
    assert file.limits.max_inl == math.inf


def test_everything_a_file_can_say(load):
    text = """
        [ramp]
        activation = "tanh"
        bits = 3
        scheme = "pulse"
        calibration_cells = 4
        calibration = "none"
        profile = "yang-0-150"
        cells = "switch"
        wire_resistance = 2
        [profile]
        stuck_off_rate = 0.01
        read_sigma_shape = [[1e-5, 1.0], [1e-4, 2.0]]
        [circuit]
        a0 = 1e4
        [variation]
        programming_length = 2.0
        correlations = [["opamp_offset", "comparator_offset", 0.5]]
        [variation.opamp_offset]
        sigma = 3e-3
        shape = "uniform"
        [variation.comparator_noise]
        shape = "student-t"
        dof = 4
        [conditions]
        corner = "ff"
        temperature = 85
        supply = 1.9
        [sampling]
        method = "latin-hypercube"
        samples = 32
        seed = 9
        [measure]
        conversions = false
        [measure.limits]
        max_inl = 1.5
        monotonic = false
        """
    file = load(text)
    at = Pvt("ff", 85.0, 1.9)
    profile = replace(load_profile("yang-0-150"), stuck_off_rate=0.01, read_sigma_shape=((1e-5, 1.0), (1e-4, 2.0)))
    variation = replace(
        Variation.measured(at),
        opamp_offset=3e-3,
        programming_length=2.0,
        opamp_offset_shape=Shape("uniform"),
        comparator_noise_shape=Shape("student-t", dof=4.0),
        correlations=(("opamp_offset", "comparator_offset", 0.5),),
    )
    expected = RampPlan(
        "tanh",
        3,
        profile,
        circuit_at(at).with_(a0=1e4),
        variation,
        scheme="pulse",
        n_calibration=4,
        cells="switch",
        seed=9,
        calibration="none",
        conditions=at,
        wire_resistance=2.0,
        sampling=Sampling("latin-hypercube", 32),
        conversions=False,
    )
    assert file.plans() == [("tanh_3bit", expected)]
    assert (file.limits.max_inl, file.limits.max_dnl, file.limits.monotonic) == (1.5, math.inf, False)
    json.dumps(expected.as_dict(), allow_nan=False)


def test_limits_are_no_part_of_a_plan(load):
    assert load(SMALL).plans()[0][1].sha256 == load(SMALL + "[measure.limits]\nmax_inl = 1.0").plans()[0][1].sha256


def test_a_sweep_becomes_plans(load):
    file = load(
        SMALL + "[sweep]\ncircuit.v_read = [0.15, 0.25]\nconditions.corner = ['tt', 'ss']\nprofile.stuck_off_rate = [0.0, 0.1]"
    )
    plans = dict(file.plans())
    assert len(plans) == 8
    slow = plans["sigmoid_3bit_v_read-0.15_corner-ss_stuck_off_rate-0.1"]
    assert slow.circuit == circuit_at(Pvt("ss")).with_(v_read=0.15)
    assert slow.profile.stuck_off_rate == 0.1
    assert plans["sigmoid_3bit_v_read-0.15_corner-tt_stuck_off_rate-0.0"] == RampPlan(
        "sigmoid", 3, circuit=RampCircuit(v_read=0.15)
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda p: p.stem)
def test_the_examples_load(path):
    file = load_plan_file(path)
    assert file.samples > 0
    for _, plan in file.plans():
        assert RampPlan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan


def test_there_are_examples():
    assert {p.stem for p in EXAMPLES.glob("*.toml")} >= {"sigmoid5", "vread_sweep", "stuck_cells", "corners"}
    assert load_plan_file(EXAMPLES / "vread_sweep.toml").plans()[0][0] == "sigmoid_5bit_v_read-0.15"


def test_files_are_looked_for_beside_the_plan(load, tmp_path):
    source = (Path(load_profile.__code__.co_filename).parent / "profiles" / "yang-0-150.toml").read_text()
    (tmp_path / "mine.toml").write_text(source)
    (tmp_path / "own.cir").write_text(".subckt hard inp inn out com\nb1 out com v = 1e3 * v(inp, inn)\n.ends\n")
    text = SMALL.replace("bits = 3\n", 'bits = 3\nprofile = "mine.toml"\ncomparator = "own.cir:hard"\n')
    plan = load(text).plans()[0][1]
    assert plan.profile == load_profile("yang-0-150")
    assert plan.comparator.name == "hard"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[ramp]\nbits = 3\n[sampling]\nsamples = 8", r"ramp\.activation: is missing"),
        (
            SMALL.replace("samples", "sample"),
            r"sampling\.samples: is missing; sampling\.sample=8: unknown; allowed are samples, method",
        ),
        (SMALL.replace("bits", "bit"), r"ramp\.bits: is missing; ramp\.bit=3: unknown; allowed are activation, bits, scheme"),
        (SMALL.replace("= 3", "= '3'"), r"ramp\.bits='3': must be a whole number"),
        (SMALL.replace("= 3", "= 9"), r"ramp\.bits=9: must be"),
        (SMALL.replace("= 8", "= 0"), r"sampling\.samples=0: must be a whole number, 1 or more"),
        (SMALL.replace("sigmoid", "gelou"), r"\[ramp\] activation='gelou'"),
        (SMALL + "seed = -1", r"seed=-1: must be a whole number"),
        (SMALL + "method = 'halton'", r"sampling\.method='halton': unknown; allowed are random, sobol"),
        (SMALL + "method = 'latin-hypercube'\n[other]\nx = 1", r"other=\{'x': 1\}: unknown; allowed are ramp, sampling, profile"),
        (SMALL + "[circuit]\ngain = 3.0", r"circuit\.gain=3\.0: unknown; allowed are v_read, v_cm"),
        (SMALL + "[circuit]\na0 = nan", r"circuit\.a0=nan: must be a finite number"),
        (SMALL + "[circuit]\na0 = -1.0", r"circuit\.a0=-1\.0: must be a finite number, 1 or more"),
        (SMALL + "[profile]\ng_max = 1e-6", r"\[profile\] device profile taox-100-400: .* must satisfy"),
        (SMALL + "[profile]\nname = 'x'", r"profile\.name='x': unknown"),
        (SMALL + "[conditions]\ncorner = 'xx'", r"conditions\.corner='xx': unknown; allowed are tt, ss, ff, sf, fs"),
        (SMALL + "[conditions]\ntemperature = 150", r"\[conditions\] temperature=150: the blocks were measured from -40 to 125"),
        (SMALL + "[conditions]\ncorner = 'ss'\n[circuit]\nv_dd = 1.7", r"\[ramp\] circuit v_dd=1\.7: the conditions"),
        (SMALL + "[variation.opamp_offset]\nsigma = -1.0", r"variation\.opamp_offset\.sigma=-1\.0"),
        (
            SMALL + "[variation.opamp_offset]\nshape = 'gauss'",
            r"variation\.opamp_offset\.shape='gauss': unknown; allowed are normal",
        ),
        (SMALL + "[variation]\nopamp_offset = 1e-3", r"variation\.opamp_offset=0\.001: must be a table"),
        (SMALL + "[variation]\ncorrelations = [['a', 'b', 1]]", r"correlations\[0\]\[0\]='a': unknown; allowed"),
        (SMALL + "[variation.gain]\nsigma = 1.0", r"variation\.gain=.*: unknown; allowed are opamp_offset"),
        (SMALL + "[measure]\nconversions = 1", r"measure\.conversions=1: must be true or false"),
        (SMALL + "[measure.limits]\nmax_inl = 0.0", r"measure\.limits\.max_inl=0\.0: must be a number above 0"),
        (SMALL + "[measure.limits]\ninl = 1.0", r"measure\.limits\.inl=1\.0: unknown; allowed are max_inl, max_dnl, monotonic"),
        (SMALL + "[sweep]\nbits = [3, 9]", r"sweep bits=9: ramp\.bits=9"),
        (SMALL + "[sweep]\nbit = [3]", r"sweep bit=3: ramp\.bit=3: unknown"),
        (SMALL + "[sweep]\nbits = 3", r"sweep\.bits=3: must be a list of values"),
        (SMALL + "sweep = 3", r"unknown"),
        ("sweep = 3\n" + SMALL, r"sweep=3: must be a table"),
        (SMALL + "[ramp.x]\ny = 1", r"ramp\.x=.*unknown"),
        ("ramp = 3\n[sampling]\nsamples = 8", r"ramp=3: must be a table"),
        ("", r"ramp\.activation: is missing; ramp\.bits: is missing; sampling\.samples: is missing"),
        ("x = ", r"not valid TOML"),
        (
            SMALL.replace("= 3\n", "= 3\nprofile = 'none.toml'\n"),
            r"\[ramp\] .*none\.toml: there is no such device",
        ),
        (SMALL.replace("= 3\n", "= 3\ncomparator = 'none.cir:x'\n"), r"\[ramp\] "),
    ],
)
def test_bad_files_name_file_table_field_and_value(load, text, message):
    with pytest.raises(InputError, match=rf"plan\.toml: (?s:.*){message}"):
        load(text)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.toml: there is no such plan file"):
        load_plan_file(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="cannot be read"):
        load_plan_file(tmp_path)
    big = tmp_path / "big.toml"
    big.write_text("#" * (LARGEST_FILE + 1))
    with pytest.raises(InputError, match=f"is larger than {LARGEST_FILE} bytes"):
        load_plan_file(big)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"not a valid plan file \(it is UTF-16 text"):
        load_plan_file(binary)
    deep = tmp_path / "deep.toml"
    deep.write_text("x = " + "[" * 100_000 + "]" * 100_000)
    with pytest.raises(InputError, match="not valid TOML"):
        load_plan_file(deep)


def test_the_schema_names_every_table_and_what_a_choice_allows():
    schema = json.loads(json.dumps(plan_file_schema()))
    assert set(schema["properties"]) == {"ramp", "sampling", "profile", "circuit", "variation", "conditions", "measure", "sweep"}
    tables = {name: table.get("properties") for name, table in schema["properties"].items()}
    assert tables["conditions"]["corner"]["enum"] == ["tt", "ss", "ff", "sf", "fs"]
    assert set(tables["circuit"]) == set(RampCircuit().as_dict())
    assert schema["properties"]["ramp"]["additionalProperties"] is False
    assert schema["properties"]["ramp"]["required"] == ["activation", "bits"]
    kinds = [
        tables["ramp"]["bits"],
        tables["ramp"]["level"],
        tables["measure"]["conversions"],
        tables["profile"]["relaxation_times"],
    ]
    assert [kind["type"] for kind in kinds] == ["integer", "string", "boolean", "array"]
    assert tables["variation"]["opamp_offset"]["properties"]["dof"]["type"] == "number"
    assert all(f["description"] for f in (tables["ramp"] | tables["circuit"]).values())


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    bits=st.integers(2, 4),
    seed=st.integers(0, 2**60),
    sigma=st.floats(0, 1e-2),
    v_read=st.floats(0.1, 0.3),
    wire=st.floats(0, 10),
    rate=st.floats(0, 0.5),
    method=st.sampled_from(["random", "sobol"]),
)
def test_what_is_written_as_toml_is_what_comes_back(load, bits, seed, sigma, v_read, wire, rate, method):
    file = load(
        f"[ramp]\nactivation = 'tanh'\nbits = {bits}\nwire_resistance = {wire!r}\n[circuit]\nv_read = {v_read!r}\n"
        f"[variation.comparator_offset]\nsigma = {sigma!r}\n[profile]\nstuck_on_rate = {rate!r}\n"
        f"[sampling]\nsamples = 4\nseed = {seed}\nmethod = '{method}'\n"
    )
    expected = RampPlan(
        "tanh",
        bits,
        profile=replace(load_profile("taox-100-400"), stuck_on_rate=rate),
        circuit=RampCircuit(v_read=v_read),
        variation=Variation(comparator_offset=sigma),
        wire_resistance=wire,
        sampling=Sampling(method),
        seed=seed,
    )
    assert file.plans() == [(f"tanh_{bits}bit", expected)]
