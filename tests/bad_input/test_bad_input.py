"""What users type wrongly, over all commands: one clear line, the documented exit code, nothing left behind, no gigabyte.

The commands stand in ``commands.txt``, each with its exit code and with what the answer must say.
"""

import contextlib
import os
import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from characterization import RampPlan, characterize
from cosim.cli.app import COMMANDS, NETLISTS, run
from cosim.report import STUDIES

DEMO = Path(__file__).parents[2] / "results" / "demo"
GIB = 2**30


def cases():
    """Command line, exit code and what the answer says."""
    for line in Path(__file__).with_name("commands.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            command, _, answer = line.partition(" -> ")
            code, _, says = answer.partition(" ")
            yield command, int(code), says


LINES = list(cases())
CASES = [pytest.param(*line, id=line[0], marks=[pytest.mark.slow] * (k % 5 in (2, 4))) for k, line in enumerate(LINES)]


@pytest.fixture(scope="module")
def kit(tmp_path_factory, module_batches_here):
    """What the commands are given: sound files of each kind, and files that are broken, of another kind, or not there."""
    folder = tmp_path_factory.mktemp("kit")
    with contextlib.chdir(folder):
        shutil.copy(DEMO / "network.npz", "net.npz")
        shutil.copy(DEMO / "models" / "sigmoid3.json", "sigmoid.json")
        shutil.copy(DEMO / "models" / "tanh3.json", "tanh.json")
        shutil.copy(DEMO / "decks" / "sigmoid3.cir", "deck.cir")
        characterize(RampPlan("sigmoid", 2, seed=5), 4, "run", progress=False)
        Path("comp.cir").write_text(".subckt comp inp inn out com\nb1 out com v=tanh(1000*(v(inp)-v(inn)))\n.ends comp\n")
        Path("pins.cir").write_text(".subckt comp a b c d\nb1 c d v=tanh(1000*(v(a)-v(b)))\n.ends comp\n")
        Path("comp16.cir").write_text(Path("comp.cir").read_text(), encoding="utf-16")
        Path("deck16.cir").write_text(Path("deck.cir").read_text(), encoding="utf-16")
        Path("plan16.toml").write_text("[ramp]\nbits = 3\n", encoding="utf-16")
        Path("table16.csv").write_text("target_uS,measured_uS\n100,101\n", encoding="utf-16")
        Path("empty").touch()
        for suffix in ("cir", "csv", "json", "npz", "toml", "onnx", "pt", "h5", "keras", "safetensors"):
            Path(f"empty.{suffix}").touch()
            Path(f"binary.{suffix}").write_bytes(bytes(range(256)) * 8)
        Path("list.json").write_text("[1, 2]")
        Path("other.json").write_text('{"schema": "https://elsewhere/thing", "name": "x"}')
        Path("cut.json").write_text(Path("sigmoid.json").read_text()[:3000])
        Path("deep.json").write_text("[" * 100_000)
        Path("sick.json").write_text(Path("sigmoid.json").read_text().replace('"bits": 3', '"bits": "three"', 1))
        Path("plan.toml").write_text("[ramp]\nbits = 3\n")
        Path("sweep.toml").write_text("[ramp]\nbits = 3\n[sweep]\ncircuit.v_read = [0.15, 0.2]\n")
        Path("field.toml").write_text("[ramp]\nbit = 3\n")
        Path("text.toml").write_text('[ramp]\nbits = "three"\n')
        Path("broken.toml").write_text("[ramp\nbits = 3\n")
        Path("nan.csv").write_text("target_uS,measured_uS\n" + "nan,nan\n" * 8)
        Path("words.csv").write_text("target_uS,measured_uS\nlow,high\nlow,high\n")
        Path("columns.csv").write_text("a,b\n1,2\n3,4\n")
        Path("negative.csv").write_text("target_uS,measured_uS\n-100,-101\n-200,-205\n")
        Path("ragged.csv").write_text("target_uS,measured_uS\n1,2,3,4\n5\n")
        Path("nothing.cir").write_text("title\n.end\n")
        Path("shell.cir").write_text("title\nv1 a 0 1\n.op\n.control\nshell touch pwned\n.endc\n.end\n")
        Path("include.cir").write_text("title\n.include /etc/passwd\nv1 a 0 1\n.op\n.end\n")
        np.savez("arrays.npz", a=np.zeros(3))
        np.savez("x.npz", x=np.zeros((2, 3, 4)))
        x, y = np.zeros((40, 5, 2)), np.arange(40) % 2
        np.savez("nan.npz", train_inputs=x + np.nan, train_labels=y, test_inputs=x, test_labels=y)
        np.savez("short.npz", train_inputs=x, train_labels=y[:7], test_inputs=x, test_labels=y)
        Path("latin.toml").write_bytes(b"[ramp]\nbits = 3\n# f\xfcr \xb5S\n")
        Path("latin.csv").write_bytes(b"Ziel \xb5S,Messung \xb5S\n100,101\n")
        Path("good.csv").write_text("target_uS,measured_uS\n" + "".join(f"{g},{g + d}\n" for g in (100, 300) for d in range(-5, 6)))
        Path("limits.toml").write_text('[offset]\nmax = "big"\n')
        Path("limits2.toml").write_text("[offset]\nmaximum = 1\n")
        Path("novrd.csv").write_text("file,label\nnowhere.wav,yes\n")
        Path("netcut.npz").write_bytes(Path("net.npz").read_bytes()[:2000])
        Path("arr.npy").write_bytes(b"\x93NUMPY")
        np.savez("pick.npz", a=np.array([{"x": 1}], dtype=object))
        Path("loop").symlink_to("loop")
        Path("dangling").symlink_to("gone/away")
        os.mkfifo("pipe")
        Path("folder").mkdir()
        Path("locked").mkdir(mode=0o555)
    return folder


def everything(folder):
    """Names, sizes and times of change below a folder."""
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()} | {
        p: None for p in folder.rglob("*") if p.is_dir()
    }


@contextlib.contextmanager
def at_most_a_gigabyte():
    """No more address space than there is, and a GiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + GIB, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize(("command", "code", "says"), CASES)
def test_one_line_and_nothing_left_behind(command, code, says, kit, monkeypatch, capsys):
    monkeypatch.chdir(kit)
    before = everything(kit)
    with at_most_a_gigabyte():
        given = run(shlex.split(command)[1:])
    out, err = capsys.readouterr()
    assert given == code, err
    *notes, answer = err.splitlines()
    assert answer.startswith("error: ")
    assert says in answer
    # What a block of one's own is wired to, and what a table's columns are taken for, is said before what is wrong with it.
    assert all(line.startswith(("comparator comp: INP", "opamp comp: INP", "table16.csv: 1 rows, written:")) for line in notes), err
    assert out == ""
    assert "a fault of this toolkit" not in err
    assert everything(kit) == before


def test_there_are_enough_and_every_command_has_one():
    lines = [line.split()[1:] for line, *_ in LINES]
    assert len({" ".join(line) for line in lines}) >= 150
    tried = {line[0] for line in lines if line} | {" ".join(line[:2]) for line in lines}
    alone = {"doctor"}
    assert {*COMMANDS, *(f"netlist {n}" for n in NETLISTS), "tasks get", "tasks make"} - tried <= alone
    assert {name for name, entry in STUDIES.items() if entry.question} - {
        line[1] for line in lines if line[:1] == ["study"]
    } == set()


@pytest.mark.parametrize(
    ("command", "code"),
    [("", 2), ("characterize --bits 9 --out run2", 2), ("fit nowhere --out m.json", 2), ("evaluate --network folder --bits 5", 2)],
)
def test_a_process_of_its_own_ends_so_too(command, code, kit):
    before = everything(kit)
    done = subprocess.run([sys.executable, "-m", "cosim", *command.split()], cwd=kit, capture_output=True, text=True)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert done.stdout == "" or command == ""
    assert everything(kit) == before
