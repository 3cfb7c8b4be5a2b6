"""What a machine can hold, and what work says of itself beforehand."""

import shutil
from collections import namedtuple

import pytest

from characterization.plan import RampPlan
from characterization.run import characterize
from netlists import machine
from netlists.errors import InputError

Usage = namedtuple("Usage", "total used free")


def test_work_beyond_the_disk_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(10**9, 0, 10**6))
    machine.require_disk(1e6, tmp_path / "not" / "there", "samples=1")
    with pytest.raises(InputError, match=r"samples=100000: would take about 0\.0.* GiB in .*run; 0\.000931 GiB are free there"):
        characterize(RampPlan("sigmoid", 2), 100_000, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_memory_beyond_the_machine_is_refused(tmp_path):
    with pytest.raises(InputError, match="jobs=1000000: would take about"):
        characterize(RampPlan("sigmoid", 2), 4, tmp_path / "run", jobs=10**6, progress=False)


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (59, ""),
        (90, "estimate: 2 min, 1.0 GiB of memory, 3 MiB on disk"),
        (9000, "estimate: 2.5 h, 1.0 GiB of memory, 3 MiB on disk"),
    ],
)
def test_long_work_says_what_it_takes(seconds, line):
    assert machine.foretell(seconds, 2**30, 3 * 2**20) == line


def test_work_beyond_the_hours_that_are_allowed_is_refused(monkeypatch):
    """The rule of every long command: what it asks for, what is allowed, and how to allow more."""
    month = 3600 * machine.MOST_HOURS
    assert machine.weigh("chips=7", seconds=month) == "estimate: 720.0 h"
    with pytest.raises(InputError, match=rf"chips=7: would take about 720 h; 720 h are allowed \({machine.HOURS}=HOURS in the"):
        machine.weigh("chips=7", seconds=month + 1)
    monkeypatch.setenv(machine.HOURS, "0.5")
    assert machine.weigh("chips=7", seconds=1800) == "estimate: 30 min"
    with pytest.raises(InputError, match=r"chips=7: would take about 0\.501 h; 0\.5 h are allowed"):
        machine.weigh("chips=7", seconds=1802)
    monkeypatch.setenv(machine.HOURS, "soon")
    with pytest.raises(InputError, match=f"{machine.HOURS}='soon': must be a number of hours above 0"):
        machine.weigh("chips=7")
