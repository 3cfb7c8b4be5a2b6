"""No command replaces a file it reads, by whatever name the file is given."""

import os
from pathlib import Path

import pytest

from cosim.cli.app import run
from cosim.cli.commands import Command

NETWORK = Path(__file__).parents[3] / "results" / "demo" / "network.npz"


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
        "write-verify own.toml --picture own.toml",
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


def test_all_commands_are_held_to_it(all_commands) -> None:
    checked = [type(command) for command in all_commands.values()]
    assert set(checked) == {Command}
    assert len(checked) > 25


def test_every_option_says_what_it_is(all_commands) -> None:
    for path, command in all_commands.items():
        assert "Example: cosim" in command.help, path
        for parameter in command.params:
            assert parameter.help, (path, parameter.name)


@pytest.mark.parametrize(
    ("line", "broken", "kept"),
    [
        ("train --out n.npz", "networks.train.load_data", ": all but about the last minute is in the checkpoint OUT."),
        ("characterize --out r", "chips.characterize.run_characterize", ": finished samples are kept; the same command goes on"),
        ("netlist tile --out t.cir", "circuits.tile.tile_deck", ""),
    ],
)
def test_an_interruption_says_what_is_kept(line, broken, kept, folder, monkeypatch, capsys) -> None:
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"cosim.cli.{broken}", interrupt)
    assert run(line.split()) == 130
    assert capsys.readouterr().err.startswith(f"interrupted{kept}" if kept else "interrupted\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train --out n.npz --lr 2", "--lr=2.0: must be a finite number above 0"),
        ("characterize --out r --calibration-cells 40", "--calibration-cells=40: must be a whole number 1..32"),
        ("evaluate --network NETWORK --bits 4 --weights taox-100-400 --array-rows 1", "--array-rows=1: must be a whole number 2.."),
        ("netlist ramp --out r --set v_read=nan", "v_read=nan: "),
        ("evaluate --network NETWORK --bits 4 --pwm-bits 0", "--pwm-bits=0: "),
    ],
)
def test_messages_name_the_option_that_gave_the_value(line, message, folder, capsys) -> None:
    assert run(line.replace("NETWORK", str(NETWORK)).split()) == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_models_of_blocks_go_into_a_folder_again_and_that_of_a_ramp_into_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("characterization.compact.fit_blocks.fit_blocks", lambda *_, **__: {})
    (tmp_path / "there").mkdir()
    for name in ("new/", "there", "there/"):
        assert run(["fit", "--blocks", "macro", "--out", f"{tmp_path}/{name}"]) == 0, capsys.readouterr().err
    (tmp_path / "file.json").touch()
    for words, said in (
        (["--blocks", "macro", "--out", str(tmp_path / "file.json")], "the folder cannot be created"),
        (["run", "--out", str(tmp_path / "there")], "must end in .json, as models do"),
    ):
        assert run(["fit", *words]) in (1, 2)
        assert said in capsys.readouterr().err
