"""No command replaces a file it reads, by whatever name the file is given."""

import os
from pathlib import Path

import pytest

from cosim.cli.app import application, run
from cosim.cli.commands import Command


def all_commands(group=None, path=()):
    """Names and commands."""
    group = group or application()
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from all_commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("deck", "my.cir", "own.toml", "m.npz", "run/manifest.json", "run/transitions.parquet"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    Path("link.cir").symlink_to("my.cir")
    Path("link.png").symlink_to("my.cir")
    os.link("my.cir", "same.cir")
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "simulate deck --out deck",
        "simulate my.cir --out ../{name}/my.cir",
        "simulate my.cir --out link.cir",
        "simulate link.cir --out my.cir",
        "simulate my.cir --out same.cir",
        "simulate my.cir --plot link.png",
        "netlist ramp --comparator my.cir:x --out my.cir",
        "netlist ramp --opamp ./my.cir:x --out link.cir",
        "netlist ramp --profile own.toml --out own.toml",
        "netlist crossbar --profile own.toml --out own.toml",
        "netlist column --profile own.toml --out own.toml",
        "netlist tile --profile own.toml --out own.toml",
        "export my.cir --out my.cir",
        "fit run --out run/manifest.json",
        "fit elsewhere --at run --out run/transitions.parquet",
        "figures run --table run/transitions.parquet",
        "train --hardware-aware m.npz m.npz --task vowels --out m.npz",
    ],
)
def test_a_command_keeps_what_it_reads(line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p: p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert run(line.format(name=folder.name).split()) == 2
    assert "is read by this command" in capsys.readouterr().err
    assert {p: p.read_text() for p in folder.rglob("*") if p.is_file()} == before


def test_a_file_may_be_written_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also one that is called as an option's value, or that lies in the folder of a run."""
    for _ in range(2):
        assert run(["netlist", "ramp", "--activation", "sigmoid", "--bits", "2", "--out", "sigmoid"]) == 0
    assert run(["fit", "run", "--out", "run/model.json"]) == 2
    assert "is read by this command" not in capsys.readouterr().err


def test_all_commands_are_held_to_it() -> None:
    checked = [type(command) for _, command in all_commands()]
    assert set(checked) == {Command}
    assert len(checked) > 25
