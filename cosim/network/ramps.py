"""Ramps that a network brings along: by gate, fitted to its pre-activations or learned with its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from netlists.errors import InputError
from netlists.function import Staircase

from .cells import Cell, Gate

Ramps = Mapping[str, Staircase]
"""By ``layer.direction.matrix.gate``; thresholds and values in units of the gate's full scale."""


def ramp_gates(layers: Sequence[tuple[Cell, int]]) -> Iterator[tuple[str, Gate]]:
    """Names of all ramps that layers with so many directions can have, and their gates."""
    for i, (cell, directions) in enumerate(layers):
        for d in range(directions):
            for m in cell.matrices:
                if not m.digital:
                    yield from ((f"{i}.{d}.{m.name}.{gate.name}", gate) for gate in m.gates)


def check_ramp_names(ramps: Ramps, layers: Sequence[tuple[Cell, int]]) -> None:
    """Raises `InputError` for a ramp of a gate that is not there."""
    names = [name for name, _ in ramp_gates(layers)]
    if unknown := sorted(set(ramps) - set(names)):
        raise InputError(f"ramps: {unknown[0]} is unknown; the network has {', '.join(names)}")


def ramp_of(name: str, numbers: np.ndarray) -> Staircase:
    """A ramp from its numbers in a file, thresholds first; `InputError` if it is damaged."""
    if numbers.ndim != 1 or numbers.dtype.kind != "f":
        raise InputError(f"{name}: has shape {numbers.shape} and type {numbers.dtype}, must be thresholds and values in a row")
    half = len(numbers) // 2
    try:
        return Staircase(tuple(numbers[:half].tolist()), tuple(numbers[half:].tolist()))
    except InputError as e:
        raise InputError(f"{name}: {e}") from None
