"""Commands around the data: which tasks there are, and getting them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from netlists.errors import InputError

from ..tasks.own.load import OwnData
from . import options as o
from .fields import Given, Options
from .output import answer


def tasks(context: typer.Context, json: o.Json = False) -> None:
    """List the tasks: whether their data is here, its size, its licence.

    Example: cosim tasks
    """
    if context.invoked_subcommand is not None:
        return
    from ..tasks import TASKS, is_here
    from ..tasks.cache import cache_folder, cached_bytes

    rows: list[dict[str, Any]] = []
    lines = [f"cache: {cache_folder()}"]
    for name, task in TASKS.items():
        here = is_here(name)
        state = "ships with this toolkit" if task.ships else "cached" if here else "not here"
        rows.append(
            {
                "name": name,
                "kind": task.kind,
                "state": state,
                "here": here,
                "bytes": cached_bytes(name),
                "summary": task.summary,
                "licence": task.licence,
                "fetching": task.fetching,
            }
        )
        size = f", {rows[-1]['bytes'] / 1e6:.1f} MB" if rows[-1]["bytes"] else ""
        lines += [f"{name:<20}{state}{size}: {task.summary}", f"{'':<20}licence: {task.licence}"]
        if not here:
            lines.append(f"{'':<20}get it: cosim tasks get {name} (takes {task.fetching})")
    answer({"cache": str(cache_folder()), "tasks": rows}, "\n".join(lines), json)


def get(
    name: Annotated[str, typer.Argument(help="Task.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="PATH", help="File or folder that was fetched before, or a data set of your own."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Fetch or make it anew even if it is in the cache.")] = False,
    json: o.Json = False,
) -> None:
    """Fetch or make a task's data, check it and put it into the cache.

    Example: cosim tasks get voices
    """
    from ..tasks import CharacterTask, get_task

    task = get_task(name, source, again=again)
    p = task.provenance
    if isinstance(task, CharacterTask):
        shape: dict[str, Any] = {"alphabet": task.alphabet}
        words = f"{len(task.alphabet)} different characters"
    else:
        steps, features = task.test.inputs.shape[1:]
        shape = {"steps": steps, "features": features, "classes": list(task.classes)}
        words = f"{steps} x {features}, {len(task.classes)} classes"
    items = ", ".join(f"{n} {split}" for split, n in p.items.items())
    text = [f"{name}: {items}; {words}", f"licence: {p.licence}", str(p)]
    answer({"name": name, "metric": task.metric} | shape | {"provenance": p.model_dump()}, "\n".join(text), json)


def make(
    *,
    source: Annotated[Path, typer.Argument(help="Folder of labelled recordings, a CSV manifest, or an .npz file to look at.")],
    out: Annotated[Path | None, typer.Option(help="Task file, .npz, for --data; without it the data is only looked at.")] = None,
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
