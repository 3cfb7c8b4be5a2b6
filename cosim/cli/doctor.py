"""``cosim doctor``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import typer

from netlists.errors import ToolkitError

from . import options as o
from .output import answer

KLU_VERSION = 44
"""First ngspice of the versions known here whose ``.options klu`` works."""

WORKER_MEMORY = 256 * 2**20


def doctor(json: o.Json = False) -> None:
    """Say which versions were found, what is missing and how to get it.

    Example: cosim doctor
    """
    checks = examine()
    lines = [
        f"{'ok' if c.ok else 'MISSING' if c.required else 'no':<8}{c.name:<20}{c.found}{'  -> ' + c.remedy if c.remedy else ''}"
        for c in checks
    ]
    missing = [c.name for c in checks if c.required and not c.ok]
    lines.append(f"missing: {', '.join(missing)}" if missing else "everything needed is here")
    answer({"ok": not missing, "checks": [vars(c) for c in checks]}, "\n".join(lines), json)
    if missing:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, whether it will do, and what to do if not."""

    name: str
    found: str
    ok: bool
    remedy: str = ""
    required: bool = True


def examine() -> list[Check]:
    """Look at Python, packages, both ngspice runners, data and workers; changes nothing."""
    from characterization.provenance import PACKAGES
    from netlists.spice import INSTALL_HINT, MINIMUM_VERSION, find_executable_version, find_library, shared_instance

    python_ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    checks = [Check("python", sys.version.split()[0], python_ok, "" if python_ok else "use Python 3.11, 3.12 or 3.13")]
    for name in PACKAGES:
        try:
            checks.append(Check(name, version(name), True))
        except PackageNotFoundError:
            checks.append(Check(name, "missing", False, f"pip install {name}"))
    program = find_executable_version()
    good = program is not None and program >= MINIMUM_VERSION
    checks.append(
        Check(
            "ngspice program", str(program or "missing"), good, "" if good else f"needs {MINIMUM_VERSION} or newer: {INSTALL_HINT}"
        )
    )
    try:
        library = shared_instance()
        checks.append(Check("ngspice library", f"{library.ngspice_version} ({find_library()})", True))
        checks.append(
            Check("XSPICE code models", "yes" if library.has_xspice else "no", bool(library.has_xspice), "", required=False)
        )
        klu = (library.ngspice_version or 0) >= KLU_VERSION
        checks.append(Check("KLU solver", "yes" if klu else f"no (comes with ngspice {KLU_VERSION})", klu, "", required=False))
    except ToolkitError as e:
        checks.append(Check("ngspice library", "missing or unusable", False, str(e)))
    vowels = find_spec("aeon") is not None
    checks.append(Check("task vowels", "ships with aeon" if vowels else "missing", vowels, "" if vowels else "pip install aeon"))
    return [*checks, *_workers()]


def _workers() -> list[Check]:
    """What runs of many samples can use."""
    import joblib
    import psutil

    from netlists.spice import environment

    memory = psutil.virtual_memory()
    enough = memory.available > WORKER_MEMORY * joblib.cpu_count()
    try:
        dask = f"dask {version('distributed')}, fsspec {version('fsspec')}"
    except PackageNotFoundError:
        dask = ""
    return [
        Check(
            "workers", f"{joblib.cpu_count()} cores usable, OMP_THREAD_LIMIT={environment()['OMP_THREAD_LIMIT']} for ngspice", True
        ),
        Check(
            "memory",
            f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
            enough,
            "" if enough else "a worker takes 0.2 GiB at level macro: lower --jobs",
            required=False,
        ),
        Check(
            "cluster (--cluster)",
            dask or "not installed",
            bool(dask),
            "" if dask else "pip install 'nladc-cosim[cluster]'",
            required=False,
        ),
    ]
