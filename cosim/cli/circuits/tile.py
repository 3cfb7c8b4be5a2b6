"""``cosim netlist column`` and ``cosim netlist tile``: decks of columns from their inputs to their codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from characterization.plan import DEFAULT_PROFILE
from netlists.array import COMPENSATIONS, Pwm, chosen_columns
from netlists.checks import Seed, check
from netlists.converter import Blocks, Tile, predict
from netlists.converter.tile_deck import tile_deck
from netlists.errors import InputError
from netlists.machine import require_memory
from netlists.ramp import compensate, program_ramp
from netlists.technology import load_profile

from .. import options as o
from ..output import answer
from ..ramp_options import Activation, Bits, BlockOptions, circuit_from
from .crossbar import Columns, Wires

_OF_OURS = {
    "comparator": "the closed form has one without offset",
    "opamp": "C_f, the ramps' program and the closed form are those of our op-amp; `cosim loop` programs for it",
}
"""What the closed form does not know of a block of the user's own."""
_SPREAD = 3.6
"""Weights are uniform within this over the root of the inputs: then the pre-activations have a standard deviation of about 1.2."""


@dataclass(frozen=True)
class TileOptions:
    """Columns of random weights, and one random input vector, as options describe them."""

    bits: Bits = 5
    profile: o.Profile = DEFAULT_PROFILE
    level: Annotated[str, typer.Option(help="Level of circuit detail: ideal, macro or sky130.")] = "macro"
    array: Annotated[
        str, typer.Option(help="The array: reduced (exact and fast), mesh (every wire segment) or ideal (no wires).")
    ] = "reduced"
    wires: Wires = field(default_factory=Wires)
    compensate: Annotated[
        str,
        typer.Option(
            "--compensate", help=f"What makes good the loss in the wires: {', '.join(COMPENSATIONS)} (targets of the cells)."
        ),
    ] = "mean"
    n_in: Annotated[int, typer.Option(help="Bits of an input, sign included.")] = 5
    t_unit: Annotated[float, typer.Option(metavar="SECONDS", help="Pulse length of one input code.")] = Pwm.t_unit
    seed: o.Seed = o.SEED
    own: BlockOptions = field(default_factory=BlockOptions)
    set_: o.Set = None

    def write(
        self, out: Path, inputs: int, columns: int, ramps: Sequence[tuple[str, Sequence[int]]], chosen: list[int] | None, json: bool
    ) -> None:
        """Writes the deck of a tile whose columns take the ``ramps`` of these activations, and says what it should print."""
        o.check_ending("--out", out, o.DECKS, "as decks do")
        circuit, device, pwm = circuit_from(self.set_), load_profile(self.profile), Pwm(self.n_in, self.t_unit)
        check(Seed, self.seed, "seed")
        # Pairs of rows; a cell takes its cards and its place in the solver's matrix, and the lines a matrix between them.
        require_memory(2000.0 * inputs * columns + 8.0 * (2 * inputs + columns) ** 2, f"inputs={inputs}, columns={columns}")
        own = self.own.read()
        blocks = Blocks(self.level, **own)
        groups = []
        for activation, columns_of_it in ramps:
            program = program_ramp(activation, self.bits, device)
            groups.append((program if self.level == "ideal" else compensate(program, circuit, device), columns_of_it))
        rng = np.random.default_rng(self.seed)
        weights = rng.uniform(-1, 1, (inputs, columns)) * _SPREAD / np.sqrt(inputs)
        lossless = self.array == "ideal"
        tile = Tile.from_weights(
            weights,
            device,
            groups,
            wires=self.wires.of_crossbar,
            compensate="none" if lossless else self.compensate,
            circuit=circuit,
            pwm=pwm,
        )
        codes = rng.integers(-pwm.max_code, pwm.max_code + 1, inputs)
        deck = tile_deck(tile, codes, blocks, self.array, columns=chosen)
        deck.write(out)
        converted = chosen_columns(tile.crossbar, chosen)
        expected = predict(tile, codes, level=self.level, array=self.array)
        data: dict[str, Any] = {
            "path": str(out),
            "sha256": deck.sha256,
            "command": deck.command(out),
            "level": self.level,
            "array": self.array,
            "inputs": codes.tolist(),
            "columns": converted,
            "c_f": tile.feedback_capacitance(self.level)[converted].tolist(),
            "compensate": "none" if lossless else self.compensate,
            "range_left": 1 / tile.wire_gain,
            "closed_form_v_mac": expected.v_mac[converted].tolist(),
            "closed_form_code": expected.code[converted].tolist(),
            "warnings": [f"{role} {block.name}: {_OF_OURS[role]}" for role, block in own.items()],
        }
        text = (
            f"{out}: {tile.inputs} inputs x {tile.columns} columns, {len(converted)} converted, level {self.level}, "
            f"array {self.array}; codes by closed form {' '.join(map(str, data['closed_form_code']))}; "
            f"run it with `{deck.command(out)}`"
        )
        answer(data, text, json)


Inputs = Annotated[int, typer.Option(help="Signed inputs; each has a pair of rows.", min=1)]


def column(
    *,
    out: o.Out,
    inputs: Inputs = 16,
    activation: Activation = "sigmoid",
    options: TileOptions,
    json: o.Json = False,
) -> None:
    """Write one column from its PWM inputs to its code: drivers, cells, integrator, ramp, comparator, latch, counter.

    Example: cosim netlist column --inputs 16 --out column.cir && ngspice -b column.cir
    """
    options.write(out, inputs, 1, [(activation, [0])], None, json)


def tile(
    *,
    out: o.Out,
    inputs: Inputs = 18,
    columns: Columns = 32,
    chosen: Annotated[
        str, typer.Option(help="Columns to convert, as 0,5,17 or 0-15; the others only load the rows. Default all.")
    ] = "",
    tanh_columns: Annotated[
        int, typer.Option(help="How many columns, the last ones, take the tanh ramp; default a quarter, as in an LSTM.")
    ] = -1,
    options: TileOptions,
    json: o.Json = False,
) -> None:
    """Write a tile's conversion of one random input vector: sigmoid and tanh ramps shared by the columns; prints V_mac and codes.

    Example: cosim netlist tile --inputs 72 --columns 128 --chosen 0-7,96-103 --out tile.cir && ngspice -b tile.cir
    """
    n_tanh = columns // 4 if tanh_columns == -1 else tanh_columns
    if not 0 <= n_tanh <= columns:
        raise InputError(f"tanh_columns={tanh_columns}: must be 0..{columns}")
    first = columns - n_tanh
    ramps = [(name, part) for name, part in (("sigmoid", range(first)), ("tanh", range(first, columns))) if part]
    wanted = [*o.columns_from(chosen, "--chosen", columns)] if chosen else None
    options.write(out, inputs, columns, ramps, wanted, json)
