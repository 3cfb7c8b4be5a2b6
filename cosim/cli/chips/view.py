"""``cosim view``: runs, waveforms, models and accuracies of a folder in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netlists.checks import Whole, check

from .. import options as o
from ..commands import kept
from ..output import answer, note

Port = Annotated[int, Whole(0, 65535)]


@kept("the page is gone with this command; --out keeps one")
def view(
    folder: Annotated[
        Path, typer.Argument(help="Folder that holds them, such as runs or results/demo; looked through with those below.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write the page to (.html); nothing is served then.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 0,
    json: o.Json = False,
) -> None:
    """Look at a folder in the browser: INL and single chips, yield against limits, waveforms with cursors, accuracies, models.

    The page needs no network and is served to this machine alone (127.0.0.1) until Ctrl-C; --out writes it as one file.

    Example: cosim view runs

    Example: cosim view results/demo --out demo.html
    """
    from ...explorer import look_into, page_text, serve, write_page

    check(Port, port, "port")
    o.check_ending("--out", out, (".html", ".htm"))
    found = look_into(folder)
    for line in found.left_out:
        note(f"warning: left out: {line}")
    said = ", ".join(f"{n} {kind}" for kind, n in found.counts.items() if n)
    if out is not None:
        write_page(found, out)
        answer({"out": str(out), **found.counts, "left_out": found.left_out}, f"{out}: {said}", json)
        return
    text = page_text(found)
    answer({"folder": str(folder), **found.counts, "left_out": found.left_out}, f"{folder}: {said}", json)
    serve(text, port, note)
