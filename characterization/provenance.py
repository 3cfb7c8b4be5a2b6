"""Versions of the packages and of ngspice behind a figure."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from netlists.spice import find_executable_version, shared_instance

PACKAGES = ("nladc-cosim", "numpy", "scipy", "pandas", "pyarrow", "PySpice", "joblib")


def versions(*, with_ngspice: bool = True) -> dict[str, str | None]:
    """Versions of Python, of the packages that a figure depends on and, when asked, of ngspice."""
    out: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = None
    if with_ngspice:
        out["libngspice"] = str(shared_instance().ngspice_version)
        program = find_executable_version()
        out["ngspice"] = str(program) if program else None
    return out
