"""The studies on small sizes: their figures against closed forms, and what they write."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from characterization.chips.sampling import draw
from characterization.chips.transitions import measure
from characterization.plan.plan import CALIBRATIONS, RampPlan
from characterization.ramp_model.model import RampModel
from characterization.ramp_model.validation import convert
from characterization.resume import Parts
from cosim.cli.app import run
from cosim.report.settings import RunOptions
from cosim.studies import ramp_models
from cosim.studies.models import run as models, transistors
from cosim.studies.models.settings import ModelsSettings
from cosim.studies.ramp_models import HELD_OUT_SEED_OFFSET
from netlists.converter.blocks import MACRO
from netlists.converter.converter import Converter
from netlists.errors import InputError
from netlists.ramp.chips import Chips
from netlists.ramp.clock import timing
from netlists.ramp.closed_form import to_input_units, to_volts, transition_levels


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")

    def study():
        settings = ModelsSettings(
            activations=("sigmoid",), bits=3, samples=16, held_out=8, further_sets=2, transistors=(), calibration_chips=4
        )
        return models.STUDY.run(settings, folder / "out", RunOptions(progress=False, work=folder / "work"))

    return folder, study, study()


def test_study_of_the_models(small):
    folder, _, summary = small
    held = summary["macro"]["sigmoid"]
    assert held["decks"]["conversions"] == 8 * 16
    assert held["decks"]["differ"] == 0
    assert held["seed"] == 1 + HELD_OUT_SEED_OFFSET
    model = RampModel.load(folder / "out" / "sigmoid3.json")
    assert model.validation["fit"] == held["fit"]
    rows = {row["calibration"]: row for row in summary["calibration"]}
    assert tuple(rows) == CALIBRATIONS
    assert rows["none"]["max_inl_before_lsb"] == rows["none"]["max_inl_after_lsb"]
    assert rows["none"]["writes_max"] == 0
    for name in CALIBRATIONS[1:]:
        assert rows[name]["offset_sigma_after_lsb"] < 0.3 * rows[name]["offset_sigma_before_lsb"]
        assert rows[name]["writes_mean"] >= 1
    sets = pd.DataFrame(summary["further_sets"])
    tests = sets.groupby("test")["chips"].apply(list).to_dict()
    assert {"max |INL|: shape", "max |DNL|: place", "gain: spread", "error at input 0: place"} <= set(tests)
    assert all(chips == [16, 8, 8] for chips in tests.values())
    assert len(set(sets["seed"]) - {1, held["seed"]}) == 2
    assert sets["p_value"].between(0, 1).all()
    pd.testing.assert_frame_equal(pd.read_csv(folder / "out" / "fresh_sets.csv"), sets, rtol=1e-5)
    assert "two decks: 128 codes, 100.000 % equal" in models.describe(summary)


def test_a_validated_model_is_not_validated_again(small, monkeypatch):
    _, study, summary = small

    def never(*args, **kwargs):
        raise AssertionError("validated again")

    monkeypatch.setattr(ramp_models, "validate", never)
    assert study()["macro"] == summary["macro"]


def test_codes_from_comparator_outputs_are_those_of_latch_and_counter():
    plan = RampPlan("sigmoid", 3, seed=4)
    program = plan.program()
    chips = draw(plan, np.arange(3)).chips()
    middle, half = to_volts(np.array([-1.1, 0.05, 2.6]), program, plan.circuit), 0.06
    codes = transistors.comparator_codes(plan, program, chips, middle, half)
    np.testing.assert_array_equal(codes, convert(plan, chips, middle[:, None] + [-half, half]))


def test_codes_of_levels_count_the_levels_below():
    program = RampPlan("sigmoid", 3).program()
    rng = np.random.default_rng(0)
    levels = np.sort(program.x + 0.2 * rng.standard_normal((50, 7)), axis=1)
    x = rng.uniform(-3, 3, 50)
    np.testing.assert_array_equal(transistors.codes_of(x, levels, program), (levels < x[:, None]).sum(axis=1))


def test_probes_are_placed_by_the_chips_known_so_far():
    rng = np.random.default_rng(0)
    n, k = transistors.BATCH, np.arange(1, 8)
    opamp, comparator = 2e-3 * rng.standard_normal(n), 4e-3 * rng.standard_normal(n)

    def difference(a, b):
        return 1e-3 * k + 0.1 * k * a - 0.05 * b

    nominal = pd.DataFrame({"chip": -1, "k": k, "macro": 0.9, "sky130": 0.9 + difference(0, 0)})
    nominal = nominal.assign(opamp_offset=0.0, comparator_offset=0.0)
    tables = [
        pd.DataFrame({"chip": i, "k": k, "macro": 0.9, "sky130": 0.9 + difference(a, b), "opamp_offset": a, "comparator_offset": b})
        for i, (a, b) in enumerate(zip(opamp, comparator, strict=True))
    ]
    new = Chips(np.ones((2, 3)), np.array([1e-3, -3e-3]), np.array([5e-3, 0.0]))
    first, wide = transistors._expected(nominal, new)
    np.testing.assert_allclose(first, np.tile(1e-3 * k, (2, 1)))
    later, narrow = transistors._expected(pd.concat([nominal, *tables]), new)
    np.testing.assert_allclose(later, [difference(1e-3, 5e-3), difference(-3e-3, 0.0)], atol=1e-12)
    assert narrow < wide


def test_waveforms_of_the_nominal_chip():
    plan = RampPlan("sigmoid", 3)
    program = plan.program()
    levels = measure(Converter(program, plan.circuit), Chips.nominal(program)).volts[0]
    waves = transistors.nominal_waveforms(plan, MACRO, levels)
    # The ramp settles where the closed form has it; the comparator trips a little later than the ramp passes V_mac.
    expected = transition_levels(program, plan.circuit, Chips.nominal(program))[0]
    np.testing.assert_allclose(waves["ramp"], expected, atol=2e-3)
    clock = timing(program, plan.circuit)
    assert waves["delay"].between(0, (clock.latch - clock.step_start)[:-1].max()).all()


def test_the_comparison_wants_transistors(tmp_path):
    with pytest.raises(InputError, match="level='macro': the plan must be one of level sky130"):
        transistors.simulate_both_levels(RampPlan("sigmoid", 3), 1, Parts(tmp_path, {}))


def test_batches_of_both_levels_are_resumed(tmp_path, monkeypatch):
    """A study that was stopped between the two tables of a batch measures that batch again, and no other."""
    plan, measured = RampPlan("sigmoid", 2, seed=5, level="sky130"), []

    def batch(plan, chips, calibrated, pairs, known):
        measured.append((chips.tolist(), calibrated.tolist(), len(known)))
        rows = pd.DataFrame({"chip": chips, "k": 1, "macro": 0.1, "sky130": 0.2})
        return rows[["chip"]], rows

    monkeypatch.setattr(transistors, "_batch", batch)
    monkeypatch.setattr(transistors, "_nominal", lambda plan, parts: pd.DataFrame({"chip": [-1]}))
    parts = Parts(tmp_path, {})
    whole = transistors.simulate_both_levels(plan, 20, parts, progress=False)
    (path,) = (tmp_path / ".parts").glob("sigmoid2-*-16-4-0-1-levels.*.parquet")
    path.unlink()
    again = transistors.simulate_both_levels(plan, 20, parts, progress=False)
    first, second = (list(range(16)), list(range(8)), 1), (list(range(16, 20)), [], 17)
    assert measured == [first, second, second]
    for name in ("levels", "codes"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(whole, name))


@pytest.mark.slow
def test_transistors_level_by_level_and_code_by_code(tmp_path):
    plan = RampPlan("sigmoid", 2, seed=5, level="sky130")
    parts = Parts(tmp_path, {})
    both = transistors.simulate_both_levels(plan, 2, parts, calibrated=1, progress=False)
    figures, table = transistors.what_macro_misses(both, parts)
    assert (figures["chips"], figures["failed"], figures["conversions"]) == (2, 0, 4)
    assert figures["codes_equal"] == 1.0
    assert np.abs(table["difference_mv"]).max() < 20
    np.testing.assert_allclose(table["delay_sky130_ns"], table["delay_macro_ns"], atol=5)
    # Latch and counter of transistors give the same codes as the comparator's output.
    program = plan.program()
    chips = transistors.take(draw(plan, np.arange(2)).chips(), np.array([0]))
    volts = both.codes.query("chip == 0")
    found = convert(plan, chips, volts["volts"].to_numpy()[None])[0]
    np.testing.assert_array_equal(found, volts["code"])
    levels = measure(plan.converter, chips).volts
    own = transistors.codes_of(
        to_input_units(volts["volts"].to_numpy(), program, plan.circuit),
        np.repeat(to_input_units(levels, program, plan.circuit), 2, axis=0),
        program,
    )
    np.testing.assert_array_equal(own, found)


PAGE = Path(__file__).resolve().parents[3] / "docs" / "models.md"
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("language", "code"), EXAMPLES, ids=[f"{k}-{lang}" for k, (lang, _) in enumerate(EXAMPLES)])
def test_examples_of_the_page_run_and_agree(language, code, run_example):
    if "import jax" in code:
        pytest.importorskip("jax")
    for line in run_example(language, code).splitlines():
        if "difference" in line:
            assert float(line.split()[-1]) < 1e-5, line


def test_links_of_the_page_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target


def cosim(capsys, *arguments):
    code = run([*arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_study_on_the_command_line(tmp_path, capsys):
    arguments = ("--set", "bits=2", "--set", "samples=2", "--jobs", "1", "--quiet", "--json", "--out", str(tmp_path / "v"))
    code, out, _ = cosim(capsys, "study", "vread", *arguments)
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "v" / "summary.json").read_text())
    for name in ("vread", "stuck", "activations", "models", "nladc-calibration"):
        code, out, _ = cosim(capsys, "study", name, "--help")
        assert code == 0
        assert f"Example: cosim study {name}" in out


def test_fit_with_runs_at_other_conditions_and_validate(tmp_path, capsys):
    common = ("--bits", "2", "--samples", "12", "--seed", "3", "--jobs", "1", "--quiet")
    for name, more in (("home", ()), ("low", ("--set", "v_read=0.16"))):
        assert cosim(capsys, "characterize", *common, *more, "--out", str(tmp_path / name))[0] == 0
    path = str(tmp_path / "m.json")
    code, out, _ = cosim(capsys, "fit", str(tmp_path / "home"), "--at", str(tmp_path / "low"), "--out", path, "--json")
    assert code == 0
    assert json.loads(out)["conditions"] == {"v_read": [0.16, 0.2]}
    model = RampModel.load(path)
    there = replace(model.ramp_plan, circuit=model.ramp_plan.circuit.with_(v_read=0.16))
    assert model.at(v_read=there.circuit.v_read).mean.shape == model.mean.shape
    code, out, _ = cosim(capsys, "validate", path, "--samples", "8", "--conversions", "2", "--jobs", "1", "--quiet")
    assert code == 0
    for line in (
        "tests of 8 fresh chips",
        "max |DNL|: sigma x",
        "offset of a column: sigma x",
        "codes at given inputs",
        "0 differ",
    ):
        assert line in out
    assert RampModel.load(path).validation["passed"]
    code, _, err = cosim(capsys, "fit", str(tmp_path / "home"), "--at", str(tmp_path / "nowhere"), "--out", path)
    assert code == 2
    assert "nowhere" in err
