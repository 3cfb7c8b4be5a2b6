"""Commands around the data: which tasks there are, and getting them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options as o
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
            lines.append(f"{'':<20}get it: cosim tasks get {name} (takes {task.fetching.replace('source=', '--from ')})")
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
