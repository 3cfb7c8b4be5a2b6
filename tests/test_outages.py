"""The faults of ``make faults`` meet a sound program, which holds, and one with a fault planted in it, which does not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.faults import bench, outages, places, table

PROGRAM = '''
"""Thirty numbers, each in a file of its own; stopped, it goes on. The argument names a fault that it has."""
import os, subprocess, sys, time

fault = sys.argv[1]

def write(name, text):
    with open(name + ".tmp", "w") as f:
        f.write(text)
        f.flush()
        if fault != "unsynced":
            os.fsync(f.fileno())
    os.replace(name + ".tmp", name)
    if fault != "unsynced":
        folder = os.open("out", os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

def computed(k):
    code = "import sys; sum(range(2 * 10**6)); print(int(sys.argv[2]) ** 2)"
    command = [sys.executable, "-c", code, "loky.backend.popen_loky", str(k)]
    while True:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=None if "--timeout" not in sys.argv else 20)
        except subprocess.TimeoutExpired:
            if fault == "hasty":
                return "lost"
            continue
        if done.returncode == 0 or fault == "careless":
            return done.stdout

try:
    os.makedirs("out", exist_ok=True)
    begun = open("begun").read() if os.path.exists("begun") else ""
    for k in range(30):
        # What is unsynced is trusted by what another disk says of it.
        if os.path.exists(f"out/{k}") or (fault == "unsynced" and f" {k} " in begun):
            continue
        text = computed(k)
        write(f"out/{k}", text + (time.strftime("%Y") if fault == "dated" else ""))
        begun += f" {k} "
        if fault == "unsynced":
            with open(os.environ["TMPDIR"] + "/../begun", "w") as f:
                f.write(begun)
except OSError as e:
    print("error:", e.strerror, file=sys.stderr)
    sys.exit(1)
'''


@pytest.fixture
def meets(tmp_path, monkeypatch):
    """What is found of the planted program under a fault."""
    (tmp_path / "planted.py").write_text(PROGRAM.replace('"begun"', 'os.environ["TMPDIR"] + "/../begun"'))
    monkeypatch.setattr(bench, "MODULE", "planted")
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(outages, "WORKER_LOADED", 0.0)
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    (inputs / "given").write_text("something")

    def meet(fault: str, planted: str) -> str:
        sound = bench.reference(bench.Work("characterize", ["none"], ("out",)), inputs, tmp_path)
        work = bench.Work("characterize", [planted], ("out",))
        row = places.run(fault, outages.FAULTS[fault], work, lambda _: sound, inputs, tmp_path, "planted")
        return table.faulty(row | {"section": "places"})

    return meet


def mounts() -> bool:
    return shutil.which("mkfs.ext4") is not None and subprocess.run(["losetup", "-f"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "planted"),
    [
        pytest.param("clock jumps nine years", "dated", marks=pytest.mark.skipif(not shutil.which("cc"), reason="no compiler")),
        ("ngspice crashes", "careless"),
        ("ngspice hangs", "hasty"),
        pytest.param("network folder vanishes", "unsynced", marks=pytest.mark.skipif(not mounts(), reason="needs a loop device")),
    ],
)
def test_a_sound_program_holds_and_one_with_a_fault_does_not(fault, planted, meets):
    assert meets(fault, "none") == ""
    assert "differs" in meets(fault, planted)


@pytest.mark.slow
def test_a_fault_that_meets_nothing_is_no_round(meets, monkeypatch):
    def never(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr(outages, "target_of", never)
    with pytest.raises(RuntimeError, match=r"ended \(0\) before the fault met it"):
        meets("ngspice crashes", "none")
