"""``cosim status``: how far a Monte Carlo run is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import options as o
from ..output import answer

if TYPE_CHECKING:
    from characterization.run import RunStatus


def status(
    folder: Annotated[Path, typer.Argument(help="Folder of a `cosim characterize`, running or not.")],
    json: o.Json = False,
) -> None:
    """How far a Monte Carlo run is: samples, failures, rate, who works on it, damaged chunks. Changes nothing.

    Example: cosim status runs/sigmoid5
    """
    from characterization.run import run_status

    found = run_status(folder)
    answer(asdict(found), describe(found), json)


def describe(s: RunStatus) -> str:
    """The status for reading."""
    failed = ", ".join(f"{n} {status}" for status, n in s.failed.items()) or "none"
    last = "" if s.rate is None else f"; {s.rate:.3g} samples/s when it last ran"
    lines = [
        f"{s.folder}: {s.state}",
        f"  plan      {s.plan}",
        f"  samples   {s.done} of {s.samples} done, {s.left} left{last}",
        f"  failed    {failed}",
        f"  time      {s.wall_seconds:.0f} s of work; last change {s.age_seconds:.0f} s ago",
        f"  chunks    {s.chunks}, {s.bytes / 2**20:.2f} MiB, checksums verified",
    ]
    if s.holder:
        lines.append(f"  in use by {s.holder}")
    lines += [f"  damaged   {name} {why}" for name, why in s.damaged.items()]
    if s.damaged or s.state == "stopped":
        lines.append("  the same `cosim characterize` goes on from here; damaged chunks are simulated again")
    return "\n".join(lines)
