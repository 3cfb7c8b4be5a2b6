"""What users type wrongly is answered in one line, with what was meant where that can be seen."""

import pytest

from cosim.cli.app import run


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("charcterize", "error: no such command 'charcterize'; did you mean 'characterize'? (see `cosim --help`)"),
        ("netlist rampp", "error: no such command 'rampp'; did you mean 'ramp'? (see `cosim netlist --help`)"),
        ("netlist ramp --bits 5", "error: missing option '--out' / '-o' (see `cosim netlist ramp --help`)"),
        ("netlist ramp --activation sigmod --bits 5 --out a.cir", "did you mean 'sigmoid'?"),
        ("netlist ramp --bits 5 --profile taox-100-40 --out a.cir", "did you mean 'taox-100-400'?"),
        ("netlist ramp --bits 5 --set v_reed=0.2 --out a.cir", "did you mean 'v_read'?"),
        ("netlist crossbar --r-wire 1ohms/cell --out a.cir", "'1ohms/cell': is not a SPICE number"),
        ("tasks get vowls", "did you mean 'vowels'?"),
        ("evaluate --task vowels --network nothing.npz", "error: nothing.npz: there is no such network"),
        ("characterize --bits 5 --samples 100000000000000000000000 --out run", "must be a whole number 1..1000000000"),
        ("train --task vowels --hidden 1000000000 --out n.npz", "would take about"),
        ("netlist crossbar --rows 1000000 --columns 1000000 --out a.cir", "GiB of memory"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(line, answer, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(line.split()) == 2
    out, said = capsys.readouterr()
    assert out == ""
    assert said.count("\n") == 1
    assert answer in said
    assert list(tmp_path.iterdir()) == []


def test_numbers_have_spice_suffixes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, values in (("a.cir", "1k 200m"), ("b.cir", "1000 0.2")):
        ohms, volts = values.split()
        assert run(f"netlist crossbar --rows 4 --columns 4 --r-driver {ohms} --curvature {volts} --out {name}".split()) == 0
    assert (tmp_path / "a.cir").read_text() == (tmp_path / "b.cir").read_text()


def test_help_has_a_short_form_and_shells_can_complete(capsys, monkeypatch):
    # The shell is named, not looked for among the processes above.
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    assert run(["-h"]) == run(["netlist", "ramp", "-h"]) == 0
    capsys.readouterr()
    assert run(["--show-completion", "bash"]) == 0
    assert "complete -o default -F _cosim_completion cosim" in capsys.readouterr().out
