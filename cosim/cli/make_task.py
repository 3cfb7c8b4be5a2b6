"""``cosim tasks make``: a task of your own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError

from ..tasks.own.load import OwnData
from . import options as o
from .fields import Given, Options
from .output import answer


def make(
    *,
    source: Annotated[Path, typer.Argument(help="Folder of labelled recordings, a CSV manifest, or an .npz file to look at.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Task for --data, .npz; without it data is looked at.")] = None,
    classes: Annotated[str | None, typer.Option(metavar="A,B,...", help="Take these classes alone, in this order.")] = None,
    how: Annotated[Given[OwnData], Options(without=("classes",))],
    json: o.Json = False,
) -> None:
    """Make a task of your own data: what was seen, taken and left, clips of each class, and a file for --data.

    Example: cosim tasks make recordings/ --split speaker --seconds 1 --out mine.npz

    Example: cosim tasks make manifest.csv --scale none --out mine.npz
    """
    from ..tasks import load_own, save_arrays

    if out is not None and out.suffix != ".npz":
        raise InputError(f"--out {out}: a task is saved as .npz; give a name that ends so")
    chosen = None if classes is None else tuple(c.strip() for c in classes.split(",") if c.strip())
    task = load_own(source, how.make(classes=chosen))
    if out is not None:
        save_arrays(task, out)
    counts = task.counts()
    width = max(map(len, task.classes))
    lines = [repr(task), f"SHA-256 {task.sha256}", str(task.provenance.notes)]
    lines += [f"  {'class':<{width}}  " + "  ".join(f"{split:>10}" for split in counts)]
    lines += [f"  {c:<{width}}  " + "  ".join(f"{n[c]:>10}" for n in counts.values()) for c in task.classes]
    lines += [] if out is None else [f"{out}: for --data"]
    found = {"name": task.name, "sha256": task.sha256, "counts": counts, "account": task.provenance.account}
    answer(
        {"out": None if out is None else str(out)} | found | {"provenance": task.provenance.model_dump()}, "\n".join(lines), json
    )
