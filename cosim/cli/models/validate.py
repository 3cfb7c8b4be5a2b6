"""``cosim validate``: models against fresh simulations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from netlists.errors import InputError

from .. import options as o
from ..output import answer, note


def validate(
    model: Annotated[Path, typer.Argument(help="Model file of a ramp or a block, or a folder of block models.")],
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

    Of a folder of block models each is held against its block, and the column that is composed of them against a wired tile.

    Example: cosim validate models/sigmoid5.json --seed 99

    Example: cosim validate models/blocks
    """
    from characterization.compact import BLOCKS
    from netlists.files import read_json

    if model.is_dir():
        files = [path for name in (*BLOCKS, "crossbar") if (path := model / f"{name}.json").exists()]
        if not files:
            raise InputError(f"{model}: holds none of {', '.join(f'{n}.json' for n in BLOCKS)}; `cosim fit --blocks` makes them")
        _blocks(files, seed, json, column=model)
        return
    found = read_json(model, "model file")
    if not isinstance(found, dict):
        raise InputError(f"{model}: is no model file: must be a table of fields, got {type(found).__name__}")
    if str(found.get("schema", "")).rpartition("/")[2] in ("ramp-model", ""):
        _ramp(model, samples, seed, conversions, o.workers(jobs), quiet, json)
    else:
        _blocks([model], seed, json)


def _ramp(path: Path, samples: int, seed: int, conversions: int, jobs: int, quiet: bool, json: bool) -> None:
    from characterization.ramp_model import RampModel, validation

    loaded = RampModel.load(path)
    result = validation.validate(loaded, samples, seed, jobs=jobs, conversions=conversions, progress=not quiet)
    loaded = loaded.model_copy(update={"validation": result})
    loaded.save(path)
    text = "\n".join([loaded.report(), *(f"  {line}" for line in validation.test_lines(result))])
    _end(result, result["failures"], text, json)


def _blocks(paths: list[Path], seed: int, json: bool, column: Path | None = None) -> None:
    """Validates files of block models and, of a folder, the column that is composed of them."""
    from characterization.compact import validate_block, validate_column

    found = {path.stem: validate_block(path, seed) for path in paths}
    warnings = []
    if column is not None:
        if {"mac", "comparator"} <= set(found):
            found["column"] = validate_column(column, seed)
        else:
            warnings.append(f"{column}: the composed column is not validated: it takes mac.json and comparator.json")
    for warning in warnings:
        note(f"warning: {warning}")
    failures = [f"{name}: {failure}" for name, v in found.items() for failure in v["failures"]]
    lines = [
        f"{name}, level {v['level']}: {error} {value:.4g} ({v['before'].get(error, float('nan')):.4g} in the file)"
        for name, v in found.items()
        for error, value in v["held_out"].items()
    ]
    _end({"models": found, "passed": not failures, "failures": failures, "warnings": warnings}, failures, "\n".join(lines), json)


def _end(data: dict[str, Any], failures: list[str], text: str, json: bool) -> None:
    for failure in failures:
        note(f"error: {failure}")
    answer(data, text, json)
    if failures:
        raise typer.Exit(1)
