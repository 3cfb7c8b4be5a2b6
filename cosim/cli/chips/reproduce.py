"""``cosim reproduce``: one sample of a Monte Carlo run again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import ToolkitError

from .. import options as o
from ..output import answer


def reproduce(
    *,
    folder: Annotated[Path, typer.Argument(help="Folder of a `cosim characterize`, finished or not.")],
    sample: Annotated[int, typer.Option(help="Number of the sample; `cosim status` and the tables name those that failed.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for its deck.")] = Path(),
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="What ngspice may take.")] = 7200.0,
    json: o.Json = False,
) -> None:
    """Simulate one sample of a run again and write its deck: what was drawn for it, calibrated as it was. Failed samples, too.

    Example: cosim reproduce runs/sigmoid5 --sample 17
    """
    from characterization.run import reproduce as again

    found = again(folder, sample, out, timeout=timeout)
    data = {
        "sample": found.sample,
        "deck": str(found.deck),
        "command": found.command,
        "stored_status": found.stored_status,
        "status": found.status,
        "message": found.message,
        "levels": [x if math.isfinite(x) else None for x in found.levels.tolist()],
        "largest_difference_steps": found.largest_difference if math.isfinite(found.largest_difference) else None,
        "allowed_difference_steps": found.allowed_difference,
        "same": found.same,
    }
    lines = [f"sample {found.sample}: {found.status} (in the run: {found.stored_status})"]
    if math.isfinite(found.largest_difference):
        lines.append(
            f"  levels within {found.largest_difference:.2g} steps of the stored ones, {found.allowed_difference:.2g} allowed"
        )
    lines += [f"  {line}" for line in found.message.splitlines()[:12]]
    lines.append(f"deck: {found.deck}; run it with `{found.command}`")
    answer(data, "\n".join(lines), json)
    if not found.same:
        raise ToolkitError(f"sample {found.sample}: does not come out as in the run")
