"""An option means the same wherever it stands: one default, one help, one kind, in every command that has it."""

import pytest

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


def test_out_is_a_file_or_a_folder_and_says_which(having):
    for path, p in having("--out").items():
        assert p.metavar in ("FILE", "FOLDER"), path
        assert p.opts == ["--out", "-o"], path


def test_set_gives_a_name_its_value(having):
    found = having("--set")
    assert len(found) >= 12
    for path, p in found.items():
        assert p.metavar == "NAME=VALUE", path
        assert p.help.startswith(("Value of ", "Amount of ")), path
        assert "SPICE suffix; may be repeated" in p.help, path
