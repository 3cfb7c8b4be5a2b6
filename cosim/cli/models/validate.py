"""``cosim validate``: a model against fresh simulations."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import options as o
from ..output import answer, note


def validate(
    model: o.ModelFile,
    samples: Annotated[int, typer.Option(help="Fresh SPICE samples.")] = 512,
    seed: Annotated[int, typer.Option(help="Must differ from the seed the model was fitted with.")] = 99,
    conversions: Annotated[
        int, typer.Option(help="Chips that also convert 16 inputs each to codes in SPICE; about 0.4 s a chip at 5 bits.")
    ] = 16,
    jobs: o.Jobs = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Hold a model against fresh SPICE samples, and store the result in the model file. Exit code 1 where it is rejected.

    Example: cosim validate models/sigmoid5.json --seed 99
    """
    from characterization.ramp_model import RampModel, validation

    loaded = RampModel.load(model)
    result = validation.validate(loaded, samples, seed, jobs=o.workers(jobs), conversions=conversions, progress=not quiet)
    loaded = loaded.model_copy(update={"validation": result})
    loaded.save(model)
    for failure in result["failures"]:
        note(f"error: {failure}")
    answer(result, "\n".join([loaded.report(), *(f"  {line}" for line in validation.test_lines(result))]), json)
    if not result["passed"]:
        raise typer.Exit(1)
