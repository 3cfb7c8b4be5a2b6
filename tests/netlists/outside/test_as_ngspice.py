"""Decks of strangers give what plain `ngspice -b` gives of them, and what differs is said."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from netlists.errors import InputError, SimulationError
from netlists.outside.deck import read_outside_deck
from netlists.outside.run import simulate_outside
from netlists.outside.waves import DeckResults
from netlists.spice import NOTHING, Permissions, program

RC = "v1 in 0 dc 1 ac 1 pulse(0 1 0 1n 1n 50n 100n)\nr1 in out 1k\nc1 out 0 10p\n"
DIVIDER = "v1 in 0 1\nr1 in out 1k\nr2 out 0 1k\n"


def results(path: Path, *vectors: str, allowed: Permissions = NOTHING) -> DeckResults:
    return simulate_outside(read_outside_deck(path, allowed), vectors, folder=path.parent if allowed.commands else None)


def control(circuit: str, commands: str) -> str:
    return f"{circuit}.control\n{commands}\n.endc"


def plain(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ngspice", "-n", "-b", path.name], cwd=path.parent, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def plain_values(path: Path, name: str) -> list[float]:
    """What plain ngspice prints of a vector, or as the table of an operating point."""
    rows = re.findall(rf"^\s*{re.escape(name)}\s+=?\s*(\S+)", plain(path).stdout, re.MULTILINE)
    return [float(value) for value in rows]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("let x = v(out)*nothing_there", "RHS"),
        ("let x[9] = 5", "cannot be indexed"),
        ("let y = v(out)[99]", "v(out)[99]"),
        ("setplot nowhere", "no such plot named nowhere"),
        ("alterparam nothing = 3", "parameter 'nothing' not found"),
        ("alter r1 nothing = 3", "no such parameter nothing"),
        ("linearize v(out)", "plot must be a transient analysis"),
        ("print 1+", "syntax error"),
        ("meas op z max v(out)", "measure limited to"),
        ("strcmp a b", "too few args"),
    ],
)
def test_a_command_that_fails_is_said(command, said, write):
    found = results(write(control(RC, f"op\n{command}\nlet after = 1")))
    assert any(said in w for w in found.warnings)
    # ngspice goes on, and so does the deck.
    assert found["op"]["after"] == 1
    assert results(write(control(RC, "op\nlet after = 1"))).warnings == ()


def test_an_analysis_without_points_is_an_error(write):
    with pytest.raises(SimulationError, match=r"dc v1 1 0 0\.1' of the control block gave no points"):
        results(write(control(RC, "op\ndc v1 1 0 0.1")))


def test_a_sweep_without_an_end_is_not_silent(write):
    """It has no points in ngspice 39; ngspice 44 takes ends of its own, with a warning."""
    try:
        said = results(write(control(RC, "op\nac dec 10 1k"))).warnings
    except SimulationError as e:
        said = (str(e),)
    assert re.search("ac dec 10 1k' of the control block gave no points|default parameter", "\n".join(said))


def test_a_deck_says_how_it_ended(write):
    path = write(control(RC, "op\nif v(out) > 0.5\nquit 3\nend\ntran 1n 10n"))
    found = results(path)
    assert found.status == plain(path).returncode == 3
    assert [w.name for w in found.waves] == ["op"]
    assert any("status 3" in w for w in found.warnings)
    found = results(path, allowed=Permissions(commands=True))
    assert (found.status, [w.name for w in found.waves]) == (3, ["op"])
    ended = results(write(control(RC, "foreach r 1k 2k\nalter r1 $r\nop\nquit\nend\ntran 1n 10n")))
    assert (ended.status, ended.warnings, [w.name for w in ended.waves]) == (0, (), ["op"])
    assert results(write(control(RC, "op\nif v(out) > 2\nexit 1\nend\ntran 1n 10n"))).waves[-1].kind == "tran"


@pytest.mark.parametrize("name", ["3db", "t-rise", "t.r", "v(x)", "t[0]", "a_measurement_with_a_long_name"])
def test_measurements_of_any_name(name, write):
    path = write(f"{RC}.tran 0.1n 200n\n.meas tran {name} max v(out)")
    found = results(path)
    assert found.waves[0].measurements == {
        name: pytest.approx(float(re.search(rf"{re.escape(name)}\s*= +(\S+)", plain(path).stdout)[1]))
    }
    assert found.warnings == ()


def test_measurements_without_a_result_are_said(write):
    found = results(
        write(f"{RC}.tran 1n 40n\n.meas ac gain find vdb(out) at=1\n.meas tran never when v(out)=5\n.meas tran m max v(out)")
    )
    assert found.waves[0].measurements == {"never": None, "m": pytest.approx(0.9807, rel=1e-3)}
    assert any(w == "deck.cir, line 6: measurement gain: no .ac analysis gave it" for w in found.warnings)
    assert any("never" in w and "out of interval" in w for w in found.warnings)
    assert not any("measurement m" in w for w in found.warnings)


def test_measurements_of_a_loop_are_all_kept(write):
    path = write(control(RC, "tran 0.1n 90n\nforeach level 0.1 0.5 0.9\nmeas tran t when v(out)=$level rise=1\nend"))
    taken = results(path).waves[0].measurements
    assert list(taken) == ["t", "t#2", "t#3"]
    assert list(taken.values()) == pytest.approx(plain_values(path, "t"))
    assert len(set(taken.values())) == 3


def test_analyses_of_one_deck_are_of_one_circuit(write):
    path = write(".param a=agauss(1k,300,1)\nv1 in 0 1\nr1 in out {a}\nr2 out 0 1k\n.op\n.dc v1 0 1 0.5\n.tf v(out) v1")
    first, second = results(path), results(path)
    for found in (first, second):
        assert found["dc"]["v(out)"][-1] == pytest.approx(found["op"]["v(out)"][0], rel=1e-12)
        assert found["tf"]["transfer_function"][0] == pytest.approx(found["op"]["v(out)"][0], rel=1e-9)
    assert first["op"]["v(out)"][0] != second["op"]["v(out)"][0]
    path = write(".options seed=7\n.param a=agauss(1k,300,1)\nv1 in 0 1\nr1 in out {a}\nr2 out 0 1k\n.op\n.dc v1 0 1 0.5")
    found = results(path)
    assert found["op"]["v(out)"][0] == found["dc"]["v(out)"][-1]
    path.write_text(path.read_text().replace(".dc v1 0 1 0.5", ""))
    assert found["op"]["v(out)"][0] == pytest.approx(plain_values(path, "out")[0], rel=1e-5)


@pytest.mark.parametrize(
    "change", ["alter r1 = 1k + 50*sgauss(0)", "alter @r1[resistance] = 1k*(1+0.1*sunif(0))", "let r = rnd(999)\nalter r1 = r"]
)
def test_random_numbers_of_a_loop_are_those_of_plain_ngspice(change, write):
    path = write(control(DIVIDER, f"setseed 3\nrepeat 3\n{change}\nop\nprint v(out)\nend"))
    found = results(path)
    values = [w["v(out)"][0] for w in found.waves]
    assert values == pytest.approx(plain_values(path, "v(out)"), rel=1e-6)
    assert len(set(values)) == 3
    # The step says what was set, and nothing of it is left among the results.
    assert [1e3 / (1e3 + float(w.step[0][1])) for w in found.waves] == pytest.approx(values, rel=1e-5)
    assert not any("cosim" in v.name for w in found.waves for v in w.vectors)


def test_cards_behind_the_end_are_read_as_ngspice_reads_them(write, tmp_path):
    path = write(".include part.inc\nv1 a 0 1\nr1 a 0 1k\n.op\n.end\nr2 a 0 1k")
    (path.parent / "part.inc").write_text("r3 a 0 1k\n.end\nr4 a 0 1k\n")
    found = results(path)
    assert found["op"]["i(v1)"][0] == pytest.approx(-4e-3) == pytest.approx(plain_values(path, "v1#branch")[0])
    assert [w for w in found.warnings if "behind the .end" in w] == [
        "part.inc, line 3: 'r4 a 0 1k' stands behind the .end of line 2: ngspice reads on, so it is part of the deck"
    ]
    assert results(write("v1 a 0 1\nr1 a 0 1k\n.op\n.end")).warnings == ()
    with pytest.raises(InputError, match="command 'shell' is not run"):
        results(write("v1 a 0 1\nr1 a 0 1k\n.op\n.end\n.control\nshell touch marker\n.endc"))


@pytest.mark.parametrize("option", [".save v(out) @r1[i]", ".options savecurrents"])
def test_a_vector_that_one_analysis_lacks_leaves_the_others(option, write):
    path = write(f"{RC}{option}\n.op\n.ac dec 1 1k 10k")
    found = results(path)
    assert abs(found["ac"]["v(out)"][0]) == pytest.approx(1, rel=1e-6)
    assert any(re.fullmatch(r"@r1\[i\]|i\(@r1\[i\]\)", v.name) for v in found["op"].vectors)
    if "save " in option:
        assert found.warnings == ("saved vector @r1[i]: the analysis .ac dec 1 1k 10k did not give it",)


def test_a_vector_asked_for_that_one_analysis_lacks(write):
    path = write(f"{RC}.op\n.ac dec 1 1k 10k")
    found = results(path, "v(out)", "i(r1)", "v(in,out)")
    assert [v.name for v in found["op"].vectors] == ["v(out)", "i(r1)", "v(in,out)"]
    assert found.warnings == ("vector i(r1): the analysis .ac dec 1 1k 10k did not give it",)
    with pytest.raises(InputError, match=r"vector 'v\(nope\)': the simulation has none"):
        results(path, "v(out)", "v(nope)")


def test_computed_values_that_are_not_finite_leave_the_result(write):
    found = results(write(control(RC, "op\nlet q = log(0)\nlet p = 2")))
    assert found["op"]["p"] == 2
    assert found.warnings == ("q: left out: it has values that are not finite",)
    with pytest.raises(KeyError):
        found["op"]["q"]


def test_a_transient_that_stops_itself_is_complete(write):
    measured = f"{RC}.tran 1n 200n\n.meas tran t5 when v(out)=0.5 rise=1\n"
    found = results(write(f"{measured}.options autostop")).waves[0]
    assert found["time"][-1] < 20e-9
    assert found.measurements["t5"] == pytest.approx(results(write(measured)).waves[0].measurements["t5"])


def test_sweeps_of_one_point_and_of_no_step(write):
    assert results(write(f"{RC}.ac lin 1 5k 1meg")).waves[0]["frequency"] == [5e3]
    for card in (".dc v1 0 1 0", ".ac dec 0 1 10", ".dc v1 0 1 0.1 r1 1k 2k 0"):
        with pytest.raises(InputError, match="never comes to the end"):
            results(write(f"{RC}{card}"))
    assert results(write(f"{RC}.dc v1 0 1 {{1/2}}")).waves[0].points == 3


def test_hashes_are_comments_of_a_control_block(write):
    assert np.allclose(results(write(control(RC, "# nothing\nop\n  # more"))).waves[0]["v(out)"], 1)
    with pytest.raises(InputError, match="no element"):
        results(write(f"{RC}# nothing\n.op"))


def test_what_is_known_of_a_deck_is_said_when_it_fails(write):
    path = write("v1 in 0 1\nc1 in out 1n\nc2 out 0 1n\n.op")
    path.write_text(path.read_text().replace("title", "r9 out 0 1k", 1))
    with pytest.raises(SimulationError, match=r"node out floats(.|\n)*'r9 out 0 1k' is the title"):
        results(path)


def test_a_measurement_that_cannot_be_computed_leaves_the_others(write):
    found = results(write(f"{RC}.tran 1n 20n\n.meas tran a max v(out)\n.meas tran b param='1/0'\n.meas tran c param='a*2'"))
    a = found.waves[0].measurements["a"]
    assert found.waves[0].measurements == {"a": a, "b": None, "c": pytest.approx(2 * a, rel=1e-5)}
    assert any("Bad value" in w for w in found.warnings)


def test_a_loop_labels_what_ran_in_it_and_nothing_else(write):
    found = results(write(control(RC, "foreach r 1k 2k\nalter r1 $r\nif v(out) > 9\necho no\nend\nop\nend\nalter r1 = 5k\nop")))
    assert [dict(w.step).get("r") for w in found.waves] == ["1k", "2k", None]
    assert float(dict(found.waves[2].step)["r1"]) == 5e3


def test_a_vector_longer_than_its_analysis_leaves_it_as_it_is(write):
    waves = results(write(control(RC, "tran 1n 20n\nlet z = unitvec(500)"))).waves[0]
    assert waves.points == len(waves["time"]) == len(waves["v(out)"]) < 500 == len(waves["z"])
    assert waves.raw_plot().names == ("time", "v(in)", "v(out)", "i(v1)")


def test_a_deck_that_prints_without_end_is_ended(write, monkeypatch):
    monkeypatch.setattr(program, "PRINTED_MOST", 100_000)
    with pytest.raises(SimulationError, match="printed more than"):
        simulate_outside(read_outside_deck(write(control(RC, "op\nwhile 1\necho for ever\nend"))), timeout=3600)


def test_what_allowed_commands_print_and_measure_is_kept(write):
    allowed = Permissions(commands=True)
    path = write(
        control(
            RC, "tran 1n 20n\nmeas tran m max v(out)\nprint m\nshell echo from outside\nforeach r 1k 2k\nalter r1 = $r\nop\nend"
        )
    )
    found = results(path, allowed=allowed)
    assert found.waves[0].measurements == {"m": pytest.approx(plain_values(path, "m")[0])}
    assert any(line.startswith("m = 8.57") for line in found.printed)
    assert "from outside" in found.printed
    assert [dict(w.step).get("r1") for w in found.waves] == [None, "1k", "2k"]
    assert [w.kind for w in results(write(control(RC, "op\ndestroy all\nop\nac lin 1 1k 1k")), allowed=allowed).waves] == [
        "op",
        "ac",
    ]
    with pytest.raises(SimulationError, match="gave no points"):
        results(write(control(RC, "op\ndc v1 1 0 0.1")), allowed=allowed)
