"""``cosim netlist crossbar``: the deck of a wired crossbar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from characterization.plan import DEFAULT_PROFILE
from netlists.checks import Seed, check
from netlists.technology import check_level, load_profile

from .. import options as o
from ..output import answer

Columns = Annotated[int, typer.Option(help="Columns of the crossbar.", min=1)]


@dataclass(frozen=True)
class Wires:
    """Resistances around the cells as options give them, ohm."""

    r_wire: Annotated[float, typer.Option(metavar="OHM", help="Wire resistance of a segment, along rows and columns.")] = 1.0
    r_driver: Annotated[
        float,
        typer.Option(metavar="OHM", help="Output resistance of a row driver; at level sky130 it sets the driver's size."),
    ] = 0.0
    r_sense: Annotated[float, typer.Option(metavar="OHM", help="Resistance between a column's end and its terminal.")] = 0.0

    @property
    def of_crossbar(self) -> dict[str, Any]:
        """The fields of a crossbar."""
        return {"r_row": self.r_wire, "r_col": self.r_wire, "r_driver": self.r_driver, "r_sense": self.r_sense}


def crossbar(
    *,
    out: o.Out,
    rows: Annotated[int, typer.Option(help="Rows of the crossbar.", min=1)] = 32,
    columns: Columns = 32,
    profile: o.Profile = DEFAULT_PROFILE,
    level: Annotated[
        str, typer.Option(help="ideal (no wires, drivers and sense resistors), macro, or sky130 (access transistors).")
    ] = "macro",
    wires: Wires,
    curvature: Annotated[float, typer.Option(help="b of the cells' I = G (V + b V^3), 1/V^2.")] = 0.0,
    seed: o.Seed = o.SEED,
    json: o.Json = False,
) -> None:
    """Write a wired crossbar of random cells, driven by random voltages, that prints its column currents.

    Example: cosim netlist crossbar --rows 16 --columns 16 --out crossbar.cir && ngspice -b crossbar.cir
    """
    import numpy as np

    from netlists.array import AccessTransistor, ArraySolver, Crossbar, operating_point_deck
    from netlists.machine import require_memory
    from netlists.technology import RampCircuit

    o.check_ending("--out", out, o.DECKS, "as decks do")
    check_level(level)
    check(Seed, seed, "seed")
    # A cell takes its cards, its place in the solver's matrix and what that is factored into.
    require_memory(1000.0 * rows * columns, f"rows={rows}, columns={columns}")
    device, rng = load_profile(profile), np.random.default_rng(seed)
    around = wires.of_crossbar if level != "ideal" else dict.fromkeys(wires.of_crossbar, 0.0)
    array = Crossbar(rng.uniform(device.g_min, device.g_max, (rows, columns)), curvature=curvature, **around)
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
