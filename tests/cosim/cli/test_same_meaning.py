"""An option means the same wherever it stands: one default, one help, one kind, in every command that has it."""

import re

import pytest

from cosim.cli.app import run
from cosim.cli.fields import SAID
from cosim.cli.inputs import OUTPUTS
from cosim.cli.options import SEED


@pytest.fixture(scope="module")
def having(all_commands):
    """The parameter of a flag in each command that has it."""
    return lambda flag: {path: p for path, c in all_commands.items() for p in c.params if flag in p.opts}


def test_one_default_seed(having):
    seeds = {path: p.default for path, p in having("--seed").items()}
    # Fresh chips must not be those that the model was fitted to.
    assert seeds.pop(("validate",)) == 99
    assert len(seeds) >= 15
    assert set(seeds.values()) == {SEED}


@pytest.mark.parametrize(("flag", "least"), [("--seed", 8), ("--jobs", 9), ("--quiet", 12), ("--json", 30), ("--plan", 2)])
def test_one_help_and_one_default(flag, least, having):
    found = having(flag)
    assert len(found) >= least
    defaults = {(p.default, p.is_flag) for path, p in found.items() if (flag, path) != ("--seed", ("validate",))}
    assert len(defaults) == 1
    # Where a command says more of its seed, it is of what the seed is.
    helps = {p.help for p in found.values()}
    assert len(helps) == 1 or flag == "--seed"


def test_what_may_run_long_can_be_quiet_and_takes_jobs(having):
    assert set(having("--jobs")) <= set(having("--quiet"))


def test_every_command_answers_in_json(all_commands, having):
    assert set(having("--json")) == set(all_commands)


def test_out_has_one_short_form(having):
    for path, p in having("--out").items():
        assert p.opts == ["--out", "-o"], path


def test_set_gives_a_name_its_value(having):
    found = having("--set")
    assert len(found) >= 12
    for path, p in found.items():
        assert p.metavar == "NAME=VALUE", path
        assert p.help.startswith(("Value of ", "Amount of ")), path
        assert "SPICE suffix; may be repeated" in p.help, path


def test_no_help_speaks_of_python(all_commands):
    for path, command in all_commands.items():
        for p in command.params:
            assert not re.search(r"\bNone\b|`[a-z]+\.[a-z_.A-Z]+`", p.help), (path, p.name, p.help)


def test_a_number_with_a_unit_shows_it_and_refuses_others(all_commands, capsys):
    """Where the help of a number ends in a unit, the option knows it."""
    found = 0
    for path, command in all_commands.items():
        for p in command.params:
            if p.metavar in SAID:
                found += 1
                wrong = "1A" if p.metavar != "SECONDS" else "1h"
                arguments = [p.opts[0], wrong, *(("--out", "x") if "out" in {q.name for q in command.params} else ())]
                assert run([*path, *arguments]) == 2, path
                assert f"invalid value for '{p.opts[0]}': '{wrong}': " in capsys.readouterr().err
            elif p.metavar == "FLOAT":
                assert not re.search(r"\b(ohm|volts|seconds|uS|deg C)\b(?!.*,)", p.help.lower().rstrip(".")[-12:]), (path, p.help)
    assert found > 25


def test_what_is_written_is_a_file_or_a_folder_and_says_which(all_commands):
    for path, command in all_commands.items():
        for p in command.params:
            if p.name in OUTPUTS:
                assert p.metavar in ("FILE", "FOLDER", "FILE|FOLDER"), (path, p.name)
