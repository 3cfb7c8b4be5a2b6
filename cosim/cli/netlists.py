"""Commands that write the array's decks: netlist crossbar, netlist column, netlist tile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from characterization.plan import DEFAULT_PROFILE
from netlists.array import AccessTransistor, ArraySolver, Crossbar, Pwm, chosen_columns, operating_point_deck
from netlists.converter import Tile, predict
from netlists.converter.tile_deck import tile_deck
from netlists.errors import InputError
from netlists.ramp import RampProgram, compensate, program_ramp
from netlists.technology import DeviceProfile, RampCircuit, check_level, load_profile

from . import options as o
from .app import answer, netlist_app

Rows = Annotated[int, typer.Option(help="Rows of the crossbar.", min=1)]
Inputs = Annotated[int, typer.Option(help="Signed inputs; each has a pair of rows.", min=1)]
Columns = Annotated[int, typer.Option(help="Columns of the crossbar.", min=1)]
Chosen = Annotated[str, typer.Option(help="Columns to convert, as 0,5,17 or 0-15; the others only load the rows. Default all.")]
TanhColumns = Annotated[
    int, typer.Option(help="How many columns, the last ones, take the tanh ramp; default a quarter, as in an LSTM.")
]
TileLevel = Annotated[str, typer.Option(help="Level of circuit detail: ideal, macro or sky130.")]
CrossbarLevel = Annotated[
    str, typer.Option(help="ideal (no wires, drivers and sense resistors), macro, or sky130 (access transistors).")
]
Array = Annotated[str, typer.Option(help="The array: reduced (exact and fast), mesh (every wire segment) or ideal (no wires).")]
Wire = Annotated[float, typer.Option(help="Wire resistance of a segment, along rows and columns, ohm.")]
Driver = Annotated[float, typer.Option(help="Output resistance of a row driver, ohm; at level sky130 it sets the driver's size.")]
Sense = Annotated[float, typer.Option(help="Resistance between a column's end and its terminal, ohm.")]
Curvature = Annotated[float, typer.Option(help="b of the cells' I = G (V + b V^3), 1/V^2.")]
InputBits = Annotated[int, typer.Option(help="Bits of an input, sign included.")]
UnitTime = Annotated[float, typer.Option(help="Pulse length of one input code, s.")]
Seed = Annotated[int, typer.Option(help="Seed of the random weights and inputs.")]

_SPREAD = 3.6
"""Weights are uniform within this over the root of the inputs: then the pre-activations have a standard deviation of about 1.2."""


def columns_from(text: str, columns: int) -> list[int] | None:
    """Column numbers of ``0,5,17`` or ``0-15``; None for an empty text."""
    if not text:
        return None
    chosen: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdigit() and (last.isdigit() if dash else True)):
            raise InputError(f"--chosen {text!r}: must be column numbers and ranges such as 0,5,17 or 0-15")
        if int(last or first) >= columns:
            raise InputError(f"--chosen {text!r}: the tile has columns 0..{columns - 1}")
        chosen += range(int(first), int(last or first) + 1)
    return chosen


@netlist_app.command("crossbar")
def crossbar(
    out: o.Out,
    rows: Rows = 32,
    columns: Columns = 32,
    profile: o.Profile = DEFAULT_PROFILE,
    level: CrossbarLevel = "macro",
    r_wire: Wire = 1.0,
    r_driver: Driver = 0.0,
    r_sense: Sense = 0.0,
    curvature: Curvature = 0.0,
    seed: Seed = 0,
    json: o.Json = False,
) -> None:
    """Write a wired crossbar of random cells, driven by random voltages, that prints its column currents.

    Example: cosim netlist crossbar --rows 16 --columns 16 --out crossbar.cir && ngspice -b crossbar.cir
    """
    check_level(level)
    device, rng = load_profile(profile), np.random.default_rng(seed)
    wires: dict[str, Any] = {"r_row": r_wire, "r_col": r_wire, "r_driver": r_driver, "r_sense": r_sense}
    if level == "ideal":
        wires = dict.fromkeys(wires, 0.0)
    array = Crossbar(rng.uniform(device.g_min, device.g_max, (rows, columns)), curvature=curvature, **wires)
    v_read = RampCircuit().v_read
    voltage = rng.uniform(-v_read, v_read, rows)
    access = AccessTransistor() if level == "sky130" else None
    deck = operating_point_deck(array, voltage, access=access)
    deck.write(out)
    current = ArraySolver(array).column_currents(voltage)
    data = {
        "path": str(out),
        "sha256": deck.sha256,
        "level": level,
        "rows": rows,
        "columns": columns,
        "solver_currents": current.tolist(),
    }
    text = (
        f"{out}: {rows} x {columns} crossbar, {level}; column currents by the array solver "
        f"{current.min():.4g}..{current.max():.4g} A; run it with `ngspice -b {out}`"
    )
    answer(data, text, json)


@netlist_app.command("column")
def column(
    out: o.Out,
    inputs: Inputs = 16,
    activation: o.Activation = "sigmoid",
    bits: o.Bits = 5,
    profile: o.Profile = DEFAULT_PROFILE,
    level: TileLevel = "macro",
    array: Array = "reduced",
    r_wire: Wire = 1.0,
    r_driver: Driver = 0.0,
    r_sense: Sense = 0.0,
    n_in: InputBits = 5,
    t_unit: UnitTime = Pwm.t_unit,
    seed: Seed = 0,
    set_: o.Set = None,
    json: o.Json = False,
) -> None:
    """Write one column from its PWM inputs to its code: drivers, cells, integrator, ramp, comparator, latch, counter.

    Example: cosim netlist column --inputs 16 --out column.cir && ngspice -b column.cir
    """
    circuit, device = o.circuit_from(set_), load_profile(profile)
    groups = [(_program(activation, bits, device, circuit, level), [0])]
    tile, codes = _random_tile(inputs, 1, groups, device, circuit, Pwm(n_in, t_unit), r_wire, r_driver, r_sense, seed)
    _write(out, tile, codes, level, array, None, json)


@netlist_app.command("tile")
def tile(
    out: o.Out,
    inputs: Inputs = 18,
    columns: Columns = 32,
    chosen: Chosen = "",
    tanh_columns: TanhColumns = -1,
    bits: o.Bits = 5,
    profile: o.Profile = DEFAULT_PROFILE,
    level: TileLevel = "macro",
    array: Array = "reduced",
    r_wire: Wire = 1.0,
    r_driver: Driver = 0.0,
    r_sense: Sense = 0.0,
    n_in: InputBits = 5,
    t_unit: UnitTime = Pwm.t_unit,
    seed: Seed = 0,
    set_: o.Set = None,
    json: o.Json = False,
) -> None:
    """Write a tile's conversion of one random input vector: sigmoid and tanh ramps shared by the columns; prints V_mac and codes.

    Example: cosim netlist tile --inputs 72 --columns 128 --chosen 0-7,96-103 --out tile.cir && ngspice -b tile.cir
    """
    circuit, device = o.circuit_from(set_), load_profile(profile)
    n_tanh = columns // 4 if tanh_columns == -1 else tanh_columns
    if not 0 <= n_tanh <= columns:
        raise InputError(f"tanh_columns={tanh_columns}: must be 0..{columns}")
    groups = [
        (_program(name, bits, device, circuit, level), range(a, b))
        for name, a, b in (("sigmoid", 0, columns - n_tanh), ("tanh", columns - n_tanh, columns))
        if b > a
    ]
    made, codes = _random_tile(inputs, columns, groups, device, circuit, Pwm(n_in, t_unit), r_wire, r_driver, r_sense, seed)
    _write(out, made, codes, level, array, columns_from(chosen, columns), json)


def _program(activation: str, bits: int, device: DeviceProfile, circuit: RampCircuit, level: str) -> RampProgram:
    check_level(level)
    program = program_ramp(activation, bits, device)
    return program if level == "ideal" else compensate(program, circuit, device)


def _random_tile(
    inputs: int,
    columns: int,
    groups: list[Any],
    device: DeviceProfile,
    circuit: RampCircuit,
    pwm: Pwm,
    r_wire: float,
    r_driver: float,
    r_sense: float,
    seed: int,
) -> tuple[Tile, np.ndarray]:
    """Tile of random weights and one random input vector."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(-1, 1, (inputs, columns)) * _SPREAD / np.sqrt(inputs)
    wires = {"r_row": r_wire, "r_col": r_wire, "r_driver": r_driver, "r_sense": r_sense}
    made = Tile.from_weights(weights, device, groups, wires=wires, circuit=circuit, pwm=pwm)
    return made, rng.integers(-pwm.max_code, pwm.max_code + 1, inputs)


def _write(out: Path, tile: Tile, inputs: np.ndarray, level: str, array: str, columns: list[int] | None, json: bool) -> None:
    deck = tile_deck(tile, inputs, level, array, columns=columns)
    deck.write(out)
    chosen = chosen_columns(tile.crossbar, columns)
    expected = predict(tile, inputs, level=level, array=array)
    data = {
        "path": str(out),
        "sha256": deck.sha256,
        "level": level,
        "array": array,
        "inputs": inputs.tolist(),
        "columns": chosen,
        "c_f": tile.feedback_capacitance(level)[chosen].tolist(),
        "closed_form_v_mac": expected.v_mac[chosen].tolist(),
        "closed_form_code": expected.code[chosen].tolist(),
    }
    text = (
        f"{out}: {tile.inputs} inputs x {tile.columns} columns, {len(chosen)} converted, level {level}, array {array}; "
        f"codes by closed form {' '.join(map(str, data['closed_form_code']))}; run it with `ngspice -b {out}`"
    )
    answer(data, text, json)
