"""``cosim fit``: the compact model of a ramp, or those of the blocks around it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError
from netlists.files import check_place

from .. import options as o
from ..output import answer


def fit(
    run: Annotated[Path | None, typer.Argument(help="Folder of a run, as `cosim characterize` writes it.")] = None,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE|FOLDER", help="File to write (.json); with --blocks the folder for theirs.")],
    at: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="A run of the same chips (same seed) at another read voltage, temperature or supply; may be repeated. "
            "The model then has a table of what that changes.",
        ),
    ] = None,
    blocks: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="In place of a run: the columns' blocks, simulated (minutes) at level macro or sky130."),
    ] = None,
    measured: Annotated[
        Path | None, typer.Option("--measured", metavar="FOLDER", help="Of level sky130: what `cosim blocks` measured.")
    ] = None,
    seed: o.Seed = o.SEED,
    json: o.Json = False,
) -> None:
    """Fit the compact model of a ramp to a Monte Carlo run, or those of comparator, integrator and MAC column to their circuits.

    Example: cosim fit runs/sigmoid5 --out models/sigmoid5.json

    Example: cosim fit --blocks macro --out models/blocks

    Example: cosim fit runs/sigmoid5 --at runs/sigmoid5-0.15V --at runs/sigmoid5-0.25V --out models/sigmoid5.json
    """
    if (run is None) == (blocks is None):
        raise InputError("run: give the folder of a run, or --blocks LEVEL in its place")
    if blocks is None:
        o.check_ending("--out", out, (".json",), "as models do")
    check_place(out, folder=blocks is not None)
    if blocks is not None:
        if at:
            raise InputError("--at: is of a ramp's run, and --blocks has none")
        from characterization.compact.fit_blocks import fit_blocks

        models = fit_blocks(blocks, out, seed=seed, blocks_folder=measured)
        held_out = {name: m.validation for name, m in models.items()}
        answer({"out": str(out), "held_out": held_out}, "\n".join([str(out), *(m.report() for m in models.values())]), json)
        return
    if measured is not None:
        raise InputError(f"--measured {measured}: is of --blocks sky130")
    assert run is not None
    from characterization.ramp_model import RampModel, fit_conditions
    from characterization.run import load_run

    own = load_run(run)
    model = RampModel.fit(own)
    if at:
        model = fit_conditions(model, [own, *(load_run(folder) for folder in at)])
    model.save(out)
    answer(
        {"out": str(out), "samples": model.samples, "failed": model.failed, "warnings": list(model.warnings)}
        | {name: getattr(model, name).model_dump() for name in ("comparator_offset", "comparator_noise", "read_noise")}
        | {"conditions": {table.quantity: table.values.tolist() for table in model.conditions}},
        f"{out}\n{model.report()}",
        json,
    )
