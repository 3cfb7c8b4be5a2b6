"""What a co-simulation runs: settings, checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from netlists.array import COMPENSATIONS
from netlists.checks import Bits, Choice, Count, Items, Ohms, PwmBits, Seed, Whole, checked
from netlists.converter import Blocks
from netlists.errors import InputError
from netlists.outside import UserSubcircuit

CALIBRATIONS = ("one-point", "per-column")
MODES = ("closed", "shadow")
LEVELS = ("macro", "sky130")
SCOPES = ("converter", "column", "tile")
ON_FAILURE = ("stop", "model")
SKY130_COLUMNS_A_GATE = 2
"""Columns of each gate that are simulated at level ``sky130`` if none are named."""


@checked
@dataclass(frozen=True)
class LoopSettings:
    """Everything that decides a co-simulation's numbers.

    Attributes
    ----------
    task : str
    bits : int
        Resolution of the ramps, 1..8.
    mode : {"closed", "shadow"}
        Whose codes make the next state: ngspice's, or the model's with ngspice beside it.
    level : {"macro", "sky130"}
        Level of circuit detail.
    scope : {"converter", "column", "tile"}
        What ngspice simulates: the conversion of a held V_mac; a column's integrator too, driven by the charge of its cells; or the
        tile, that is row drivers, every cell of the columns, integrators, ramps and converters with latches.
    latches : bool
        Latches and counters in ngspice too; some 20 times the time, level macro only. Without them the comparators' outputs at the
        latching instants decide.
    autozero : bool
        Whether the columns' integrators store their op-amps' offsets, in ngspice (scopes column and tile) and hence in the model;
        without it they integrate for the whole MAC.
    noise : bool
        Comparator noise at each decision, the same for ngspice and for the model.
    utterances : int
        Test sequences, drawn from the seed.
    gates : tuple of str or None
        Gates that are simulated; None: all.
    columns : tuple of int or None
        Columns of each matrix that are simulated; None: all of those gates, at level ``sky130`` `SKY130_COLUMNS_A_GATE` of each.
    pwm_bits : int
        Pulse widths of inputs and states, sign included.
    profile : str
        Device profile of weights and ramps: a built-in name or a .toml file.
    r_wire : float
        Wire resistance of a cell along rows and columns, ohm; it enters as the arrays' exact transfer matrices.
    array_rows, array_columns : int or None
        Cells along a column and along a row of an array; None: one array a matrix.
    compensate : {"none", "mean", "wires"}
        What makes good the loss in the wires (`cosim.chip.Arrays`).
    bias_rows : int or None
        Rows that share the bias of a matrix (`cosim.chip.Arrays`).
    calibration : {"one-point", "per-column"}
        Of the ramps by their own column, or also of every column by a pair of trimming cells in a row of its array
        (`characterization.chips.columns`).
    seed : int
        Decides the chip, the sequences and the noise.
    comparator : UserSubcircuit or None
        A comparator of one's own, in place of the level's, of the ramps and of every column.
    opamp : UserSubcircuit or None
        An op-amp of one's own in the integrators, of the ramps and, where they are simulated, of the columns; level macro only.
    """

    task: str
    bits: Bits = 5
    mode: Annotated[str, Choice(MODES)] = "closed"
    level: Annotated[str, Choice(LEVELS)] = "macro"
    scope: Annotated[str, Choice(SCOPES)] = "converter"
    latches: bool = False
    noise: bool = False
    utterances: Count = 20
    gates: Annotated[tuple[str, ...], Items(1, distinct=True)] | None = None
    columns: Annotated[tuple[Seed, ...], Items(1, distinct=True)] | None = None
    pwm_bits: PwmBits = 5
    profile: str = "taox-100-400"
    r_wire: Ohms = 0.0
    array_rows: Annotated[int, Whole(2)] | None = 64
    array_columns: Annotated[int, Whole(2)] | None = 64
    compensate: Annotated[str, Choice(COMPENSATIONS)] = "mean"
    autozero: bool = True
    bias_rows: Annotated[int, Whole(1, 64)] | None = None
    calibration: Annotated[str, Choice(CALIBRATIONS)] = "one-point"
    seed: Seed = 1
    comparator: UserSubcircuit | None = None
    opamp: UserSubcircuit | None = None

    def __post_init__(self) -> None:
        # Making the blocks checks that they fit together.
        Blocks(self.level, comparator=self.comparator, opamp=self.opamp)
        if self.level == "sky130" and (self.latches or self.scope != "converter"):
            asked = "latches=True" if self.latches else f"scope={self.scope!r}"
            raise InputError(f"{asked}: at level sky130 the comparators' decisions on held inputs are simulated; take level macro")
        if self.noise and self.scope == "tile":
            raise InputError("noise=True: the deck of a whole tile has none; take scope 'column' or 'converter'")
        if self.scope == "tile" and not self.latches:
            # They are in the tile's deck, whoever asks.
            object.__setattr__(self, "latches", True)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; without blocks of one's own as loops of before had it."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        for name in ("comparator", "opamp"):
            del data[name]
            if (own := getattr(self, name)) is not None:
                data[name] = json.loads(json.dumps(own.as_dict()))
        return data
