"""Clients of package registries end with the command that started them."""

import subprocess
import sys

import psutil
import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="the life line is Linux's")
def test_a_client_ends_with_its_parent(tmp_path, until):
    client = tmp_path / "client"
    client.write_text("#!/bin/sh\nexec sleep 1000000\n")
    client.chmod(0o755)
    code = (
        f"from pathlib import Path\nfrom cosim.tasks.fetch import run_client\nrun_client([{str(client)!r}], Path('.'), 'task', '')"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    children: list[psutil.Process] = []

    def started() -> bool:
        children[:] = psutil.Process(parent.pid).children()
        return any(c.name() == "sleep" for c in children)

    until(started, parent)
    parent.kill()
    parent.wait()
    assert psutil.wait_procs(children)[1] == []
