"""What a recurrent cell is: which products sit on the crossbar, which ramp converts each column, and what stays digital.

A cell is written once, as its textbook equations on a `Datapath`. The same ``step`` then runs in floating point, on ideal ramps and
on drawn chips. All arrays have features first, sequences last: (features, sequences).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np

from netlists.checks import Array, Count, Positive, checked
from netlists.errors import InputError
from netlists.function import get_activation

State = dict[str, np.ndarray]
Weights = Annotated[np.ndarray, Array(("rows", "columns"))]
"""A matrix as networks keep it: float64, finite, read-only."""


@checked
@dataclass(frozen=True)
class Gate:
    """A group of columns whose ramp follows one activation.

    Attributes
    ----------
    name : str
    activation : str
        Name in `netlists.function.activations`; the ramp that converts these columns.
    full_scale : float
        Input and output of the ramp are in units of this. A linear ramp covers -1..1 by itself; 8 makes it -8..8.
    unbounded : bool
        Without a converter a ReLU goes on beyond the end of its ramp.
    """

    name: str
    activation: str
    full_scale: Positive = 1.0
    unbounded: bool = False

    def __post_init__(self) -> None:
        get_activation(self.activation)
        if self.unbounded and self.activation != "relu":
            raise InputError(f"unbounded=True: activation {self.activation!r} is the same without a ramp; it is for 'relu'")

    def exact(self, z: np.ndarray) -> np.ndarray:
        """The activation without a converter."""
        if self.unbounded:
            return np.maximum(z, 0.0)
        value = get_activation(self.activation).value
        return value(z) if self.full_scale == 1.0 else self.full_scale * value(z / self.full_scale)


@dataclass(frozen=True)
class Matrix:
    """One weight matrix: rows [parts, bias], columns the gates.

    Attributes
    ----------
    name : str
        Key of the weights among a layer's parameters.
    parts : tuple of (name, rows)
        What drives the rows, in order.
    gates : tuple of Gate
    width : int
        Columns of each gate.
    bias : bool
        Whether the last row is a bias, driven with 1.
    diagonal : tuple of str
        Parts of which row i meets column i of each gate only.
    absent : tuple of (part, gate)
        Parts that do not reach a gate.
    digital : bool
        The product is computed by the digital part, exactly; it takes no ramp.
    """

    name: str
    parts: tuple[tuple[str, int], ...]
    gates: tuple[Gate, ...]
    width: int
    bias: bool = True
    diagonal: tuple[str, ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    digital: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        return sum(n for _, n in self.parts) + self.bias, len(self.gates) * self.width

    def rows(self, part: str) -> slice:
        """Rows of one part."""
        start = 0
        for name, n in self.parts:
            if name == part:
                return slice(start, start + n)
            start += n
        raise InputError(f"part={part!r}: matrix {self.name} has {', '.join(name for name, _ in self.parts)}")

    def columns(self, gate: str) -> slice:
        """Columns of one gate."""
        index = [g.name for g in self.gates].index(gate)
        return slice(index * self.width, (index + 1) * self.width)

    def connected(self) -> np.ndarray:
        """Which crossings have a weight, bool of `shape`; training keeps the others at 0."""
        mask = np.ones(self.shape, bool)
        for part in self.diagonal:
            mask[self.rows(part)] = np.tile(np.eye(self.width, dtype=bool), len(self.gates))
        for part, gate in self.absent:
            mask[self.rows(part), self.columns(gate)] = False
        return mask


class Datapath(Protocol):
    """What computes a cell's products and activations: floating point, or a drawn chip."""

    def product(self, matrix: str, *parts: np.ndarray) -> Mapping[str, np.ndarray]:
        """Gates of a matrix after their activations, each (width, sequences), for parts (rows, sequences)."""
        ...

    def activate(self, activation: str, values: np.ndarray) -> np.ndarray:
        """An activation of a digital value, such as tanh(c)."""
        ...


@checked
@dataclass(frozen=True)
class Cell(ABC):
    """A recurrent cell of ``n_hidden`` units on ``n_in`` inputs."""

    kind: ClassVar[str]
    n_in: Count
    n_hidden: Count

    def __post_init__(self) -> None:
        for activation in self.digital_activations:
            get_activation(activation)
        assert self.matrices  # builds the gates, which check their activations

    @property
    @abstractmethod
    def matrices(self) -> tuple[Matrix, ...]:
        """Weight matrices, in the order of their columns on the chip."""

    @property
    @abstractmethod
    def state_sizes(self) -> dict[str, int]:
        """Rows of each state; the output is state ``h``."""

    @abstractmethod
    def step(self, x: np.ndarray, state: State, on: Datapath) -> State:
        """The next state for inputs (n_in, sequences)."""

    @property
    def digital_activations(self) -> tuple[str, ...]:
        """Activations of digital values; the hardware says what computes them."""
        return ()

    @property
    def state_range(self) -> float:
        """Largest magnitude of the output h, the full scale of its pulse widths."""
        return 1.0

    @property
    def n_out(self) -> int:
        return self.state_sizes["h"]

    def start(self, sequences: int, dtype: np.dtype | type) -> State:
        """States before the first step."""
        return {name: np.zeros((n, sequences), dtype) for name, n in self.state_sizes.items()}

    def matrix(self, name: str) -> Matrix:
        return next(m for m in self.matrices if m.name == name)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Weights to start training from: uniform within +-1/sqrt(n_hidden), biases 0, crossings without a weight 0."""
        bound = self.n_hidden**-0.5
        out = {}
        for m in self.matrices:
            out[m.name] = rng.uniform(-bound, bound, m.shape) * m.connected()
            if m.bias:
                out[m.name][-1] = 0.0
        return out

    def check_parameters(self, parameters: Mapping[str, np.ndarray], where: str) -> None:
        """Raises `InputError` for a name or a shape that does not fit, or a weight where none is."""
        if unfit := sorted(set(parameters) ^ {m.name for m in self.matrices}):
            what = "unknown" if unfit[0] in parameters else "missing"
            raise InputError(f"{where}.{unfit[0]}: {what}; {self.kind} has {', '.join(m.name for m in self.matrices)}")
        for m in self.matrices:
            w = parameters[m.name]
            if w.shape != m.shape:
                raise InputError(
                    f"{where}.{m.name}: has shape {w.shape}, must be {m.shape}: rows {_rows_text(m)}, columns {_columns_text(m)}"
                )
            if (m.diagonal or m.absent) and len(bad := np.argwhere((w != 0) & ~m.connected())):
                raise InputError(
                    f"{where}.{m.name}[{bad[0][0]}, {bad[0][1]}]={w[tuple(bad[0])]:g}: must be 0, {self.kind} has no weight there"
                )

    def describe(self) -> dict[str, Any]:
        """JSON-ready description, for `make_cell`."""
        return {"kind": self.kind} | asdict(self)


def build(kinds: Mapping[str, type[Cell]], description: Mapping[str, Any]) -> Cell:
    """A cell from what `Cell.describe` gave; `InputError` names an unknown kind or option."""
    options = dict(description)
    kind = options.pop("kind", None)
    if kind not in kinds:
        raise InputError(f"cell {kind!r}: unknown; allowed are {', '.join(kinds)}")
    known = [f.name for f in fields(kinds[kind])]
    if unknown := sorted(set(options) - set(known)):
        raise InputError(f"cell {kind}: unknown option {unknown[0]!r}; allowed are {', '.join(known)}")
    if missing := [name for name in ("n_in", "n_hidden") if name not in options]:
        raise InputError(f"cell {kind}: lacks {missing[0]!r}")
    return kinds[kind](**options)


def _rows_text(m: Matrix) -> str:
    return " + ".join([f"{n} {name}" for name, n in m.parts] + ["1 bias"] * m.bias)


def _columns_text(m: Matrix) -> str:
    return " + ".join(f"{m.width} {g.name}" for g in m.gates)
