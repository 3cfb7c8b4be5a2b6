"""Block files: what was written comes back, what was changed is refused, and no text of a file reaches ngspice unchecked."""

from __future__ import annotations

import json

import numpy as np
import pytest

from characterization.chips import borrowed_figures
from characterization.plan import RampPlan
from netlists.errors import InputError
from netlists.files import with_checksums
from netlists.outside import BlockFile, ComparatorMacro, OpampMacro, UserSubcircuit, Wiring, load_user_subcircuit
from netlists.spice import Deck, simulate

TEXT = ".subckt mine inp inn out com vb\nb1 out com v={0.9*tanh(50*(v(inp)-v(inn)))+0*v(vb)}\n.ends mine\n"
MACRO = ComparatorMacro(20.0, 2e-9, 0.9, (0.4, 0.9, 1.4), (1e-3, 2e-3, -3e-3))
OWN = UserSubcircuit("mine", TEXT, ("inp", "inn", "out", "com", "bias"), (), (("vb", "0.65 V"),))


@pytest.fixture
def path(tmp_path):
    statistics = {"comparator_offset": 7e-3, "comparator_noise": 0.1e-3}
    file = BlockFile("comparator", OWN, MACRO, statistics, {"offset": 1e-3}, {"v_dd": 1.8}, {}, {"seed": 1})
    return file.save(tmp_path / "block.json")


def test_what_was_written_comes_back(path):
    found = BlockFile.load(path)
    assert (found.macro, found.own) == (MACRO, OWN)
    own = load_user_subcircuit(f"{path}:transistors", "comparator")
    assert own.bias == OWN.bias
    assert own.text == OWN.text
    macro = load_user_subcircuit(str(path), "comparator")
    assert dict(macro.statistics) == {"comparator_offset": 7e-3, "comparator_noise": 0.1e-3}
    for block in (own, macro):
        plan = RampPlan("sigmoid", 2, comparator=block)
        assert (plan.variation.comparator_offset, plan.variation.comparator_noise) == (7e-3, 0.1e-3)
        assert borrowed_figures(plan) == {}
        assert RampPlan.from_dict(plan.as_dict()) == plan


def test_the_macro_model_has_its_offset_over_the_common_mode(path):
    macro = load_user_subcircuit(str(path), "comparator")
    lines, at = ["t", macro.definitions, "vcom com 0 0.9"], np.array([0.2, 0.4, 0.65, 1.4, 1.7])
    for k, v in enumerate(at.tolist()):
        lines += [f"vn{k} n{k} 0 {v!r}", f"x{k} n{k} n{k} y{k} com {macro.name_of_instance}"]
    deck = Deck("\n".join([*lines, f".save {' '.join(f'v(y{k})' for k in range(len(at)))}", ".tran 1n 50n", ""]))
    data = simulate(deck, [f"y{k}" for k in range(len(at))])
    out = np.array([data[f"y{k}"][-1] - 0.9 for k in range(len(at))])
    offset = np.interp(at, MACRO.common_modes, MACRO.offsets)
    np.testing.assert_allclose(out, 0.9 * np.tanh(20 / 0.9 * offset), rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"macro": {"gain": 21.0}}, "field macro: does not match its checksum"),
        ({"schema": "nladc-cosim/ramp-model"}, "field schema: 'nladc-cosim/ramp-model', must be 'nladc-cosim/block'"),
        ({"schema_version": 2}, "field schema_version: 2"),
    ],
)
def test_a_changed_file_is_refused(path, change, message):
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message):
        BlockFile.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("own", {"text": TEXT + ".control\nshell touch marker\n.endc\n"}),
        ("own", {"text": TEXT + ".include /etc/passwd\n"}),
        ("own", {"name": "mine\n.control\nshell touch marker\n.endc"}),
        ("own", {"pdk": "/etc"}),
        ("macro", {"gain": "20\n.control"}),
        ("macro", {"offsets": [0.0]}),
        ("macro", {"common_modes": [1.4, 0.9, 0.4]}),
        ("statistics", {"comparator_offset": -1.0}),
        ("role", "latch"),
    ],
)
def test_a_file_with_sound_checksums_is_no_more_trusted(path, field, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = json.loads(path.read_text())
    data[field] = data[field] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(with_checksums(data)))
    with pytest.raises(InputError, match="is not a valid block"):
        BlockFile.load(path)
    assert not (tmp_path / "marker").exists()


def test_it_stands_in_its_own_place_only(path):
    with pytest.raises(InputError, match="holds the comparator mine"):
        load_user_subcircuit(str(path), "opamp")
    with pytest.raises(InputError, match="has its ports, bias, parameters and models"):
        load_user_subcircuit(str(path), "comparator", wiring=Wiring.parse("comparator", ["inp=a"]))


def test_an_opamp_macro_is_ours(tmp_path):
    """The text that is written from its numbers is the built-in macro-model with a second stage that has no limits."""
    from netlists.spice import subcircuit

    fast = "c_c=1p c_g2=1e-18 c_out=1e-18 gm_ratio=1e5 gain2=1e4 rz_gm2=1"
    text = OpampMacro(1000.0, 50e6, 30e6, 2e-3).text("mine")
    lines = ["t", text, subcircuit("opamp_macro"), "vcom com 0 0.9", "vin in com pulse(0 0.3 10n 1n 1n 1 2)"]
    lines += ["x1 in y1 y1 com mine", f"x2 in y2 y2 com opamp_macro a0=1000 gbw=50meg slew=30meg v_os=2m {fast}"]
    data = simulate(Deck("\n".join([*lines, ".save v(y1) v(y2)", ".tran 0.2n 100n", ""])), ["y1", "y2"])
    assert np.ptp(data["y2"]) > 0.25
    np.testing.assert_allclose(data["y1"], data["y2"], atol=5e-5)
