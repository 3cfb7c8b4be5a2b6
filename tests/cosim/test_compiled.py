"""Compiled functions where no cache can be written: slower to start, and no traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import cosim
from cosim.compiled import compiled


def test_without_a_place_for_a_cache_a_function_is_compiled_anew(monkeypatch):
    real = numba.njit

    def njit(*functions, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*functions, **options)

    monkeypatch.setattr(numba, "njit", njit)
    assert compiled()(lambda x: x + 1)(1) == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or shutil.which("unshare") is None, reason="needs mounts")
@pytest.mark.parametrize("command", ["--help", "doctor"])
def test_a_package_that_is_read_only_and_no_home(command):
    package = Path(cosim.__file__).parents[1]
    read_only = f'mount --bind "{package}" "{package}" && mount -o remount,bind,ro "{package}" && exec "$@"'
    if subprocess.run(["unshare", "-m", "sh", "-c", read_only, "sh", "true"], capture_output=True).returncode:
        pytest.skip("needs root")
    line = ["unshare", "-m", "sh", "-c", read_only, "sh", sys.executable, "-m", "cosim", command]
    away = {"PATH": os.environ["PATH"], "PYTHONPATH": str(package), "HOME": "/nowhere"}
    done = subprocess.run(line, capture_output=True, text=True, env=away)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
