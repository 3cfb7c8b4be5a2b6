"""``cosim export``: a fitted converter, or a measured block, for other simulators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netlists.checks import Seed, Whole, check
from netlists.errors import InputError
from netlists.files import write_text
from netlists.machine import require_memory
from netlists.outside import BlockFile, is_block_file

from .. import options as o
from ..output import answer

Number = Annotated[int, Whole(0)]
KEYWORDS = {
    "always", "analog", "and", "assign", "begin", "branch", "buf", "case", "discipline", "else", "end", "endcase", "endfunction",
    "endmodule", "for", "function", "generate", "ground", "if", "initial", "inout", "input", "integer", "logic", "module", "nature",
    "not", "or", "output", "parameter", "real", "reg", "repeat", "string", "while", "wire", "xor",
}  # fmt: skip
"""Words of Verilog-A and SystemVerilog that somebody may want to call a module."""


def export(
    model: Annotated[Path, typer.Argument(help="Model file, or a block file of `cosim comparator` or `cosim opamp`.")],
    out: o.Out,
    chip: Annotated[int | None, typer.Option(help="Draw chips with --seed and take this one; the mean chip by default.")] = None,
    column: Annotated[int, typer.Option(help="Column of that chip: each has its comparator's offset.")] = 0,
    seed: o.Seed = o.SEED,
    corner: Annotated[float, typer.Option(help="Move every level of the mean chip by so many standard deviations.")] = 0.0,
    name: Annotated[str | None, typer.Option(help="Name of the subcircuit or module.")] = None,
    json: o.Json = False,
) -> None:
    """Write a fitted chip or corner, or the macro-model of a block, as subcircuit (.cir), Verilog-A (.va) or SystemVerilog (.sv).

    Example: cosim export models/sigmoid5.json --chip 3 --seed 1 --out sigmoid5_chip3.va

    Example: cosim export mycomp/block.json --out mycomp.va
    """
    from characterization.export import spice, systemverilog, veriloga
    from characterization.export.converter import of_corner, of_numbered_chip
    from characterization.ramp_model import RampModel

    writers = {".cir": spice.subcircuit, ".va": veriloga.module, ".sv": systemverilog.module}
    if out.suffix not in writers:
        raise InputError(
            f"--out {out}: must end in .cir (ngspice subcircuit), .va (Verilog-A) or .sv (SystemVerilog, real numbers)"
        )
    if name is not None and name.lower() in KEYWORDS:
        raise InputError(f"--name {name}: is a word of Verilog; give the module another name")
    if is_block_file(model):
        if chip is not None or column or seed != o.SEED or corner:
            raise InputError(f"{model}: is a block, of which --chip, --column, --seed and --corner choose nothing; leave them out")
        _export_block(BlockFile.load(model), out, name, json)
        return
    loaded = RampModel.load(model)
    if chip is None:
        if column:
            raise InputError(f"--column {column}: is of a drawn chip; give --chip as well")
        if seed != o.SEED:
            raise InputError(f"--seed {seed}: is of a drawn chip; give --chip as well")
        converter = of_corner(loaded, corner, name=name)
    elif corner:
        raise InputError(f"--corner {corner} --chip {chip}: give one of them")
    else:
        check(Seed, seed, "seed")
        check(Number, chip, "chip")
        check(Number, column, "column")
        require_memory(100.0 * len(loaded.x_ideal) * (column + 1.0), f"column={column}")
        converter = of_numbered_chip(loaded, seed, chip, column, name=name)
    text = writers[out.suffix](converter)
    write_text(out, text)
    data = {
        "out": str(out),
        "name": converter.name,
        "levels": len(converter.levels),
        "volts_per_unit": converter.volts_per_unit,
        "v_cm": converter.v_cm,
        "origin": converter.origin,
    }
    answer(data, f"{out}: {converter.name}, {len(converter.levels)} levels; {converter.origin}", json)


def _export_block(block: BlockFile, out: Path, name: str | None, json: bool) -> None:
    from characterization.export import block as written, systemverilog

    text = {".cir": written.subcircuit, ".va": written.module, ".sv": systemverilog.comparator}[out.suffix](block, name=name)
    write_text(out, text)
    data = {"out": str(out), "name": name or f"{block.own.name}_macro", "role": block.role, "statistics": dict(block.statistics)}
    answer(data, f"{out}: {data['name']}, macro-model of the {block.role} {block.own.name}; ports inp inn out com", json)
