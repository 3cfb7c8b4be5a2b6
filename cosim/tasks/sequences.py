"""Labelled sequences of different lengths in one padded array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netlists.errors import InputError


@dataclass(frozen=True, eq=False)
class SequenceSet:
    """Sequences with one label each. Arrays are copied, made read-only, and zero after each sequence's end.

    Attributes
    ----------
    inputs : ndarray of float64 (sequences, steps, features)
    lengths : ndarray of int (sequences,)
        Valid steps of each sequence, 1..steps.
    labels : ndarray of int (sequences,)
        Class of each sequence, 0 or more.

    Raises
    ------
    InputError
        Shapes that do not match, types that are no numbers, lengths outside 1..steps, negative labels, values that are not finite.
    """

    inputs: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        given = np.asarray(self.inputs)
        if given.dtype.kind not in "fiu":
            raise InputError(f"inputs: have type {given.dtype}, must be real numbers")
        inputs = given.astype(np.float64)
        if inputs.ndim != 3 or 0 in inputs.shape:
            raise InputError(f"inputs: have shape {inputs.shape}, must be (sequences, steps, features) with none of them 0")
        for name in ("lengths", "labels"):
            values = np.asarray(getattr(self, name))
            if values.shape != (len(inputs),):
                raise InputError(f"{name}: have shape {values.shape}, must be ({len(inputs)},), one for each sequence")
            if not np.issubdtype(values.dtype, np.integer):
                raise InputError(f"{name}: have type {values.dtype}, must be whole numbers")
        lengths, labels = np.array(self.lengths, dtype=np.int64), np.array(self.labels, dtype=np.int64)
        if len(bad := np.flatnonzero((lengths < 1) | (lengths > inputs.shape[1]))):
            raise InputError(f"lengths[{bad[0]}]={lengths[bad[0]]}: must be 1..{inputs.shape[1]}, the steps that inputs hold")
        if len(bad := np.flatnonzero(labels < 0)):
            raise InputError(f"labels[{bad[0]}]={labels[bad[0]]}: classes count from 0")
        padding = np.arange(inputs.shape[1]) >= lengths[:, None]
        inputs[padding] = 0.0
        if len(endless := np.argwhere(~np.isfinite(inputs))):
            s, t, f = endless[0]
            raise InputError(f"inputs: sequence {s}, step {t}, feature {f} is {inputs[s, t, f]}: every value must be finite")
        for name, array in (("inputs", inputs), ("lengths", lengths), ("labels", labels)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def from_list(cls, sequences: Sequence[np.ndarray], labels: np.ndarray) -> SequenceSet:
        """Pads a list of arrays, each (steps, features), to the longest of them."""
        if len(sequences) == 0:
            raise InputError("sequences: the list is empty; at least one sequence is needed")
        arrays = [np.asarray(s, dtype=np.float64) for s in sequences]
        features = arrays[0].shape[-1]
        for i, a in enumerate(arrays):
            if a.ndim != 2 or a.shape[1] != features or len(a) == 0:
                raise InputError(f"sequence {i}: has shape {a.shape}, must be (steps, {features}) with at least one step")
        lengths = np.array([len(a) for a in arrays])
        inputs = np.zeros((len(arrays), lengths.max(), features))
        for padded, a in zip(inputs, arrays, strict=True):
            padded[: len(a)] = a
        return cls(inputs, lengths, labels)

    def __repr__(self) -> str:
        steps = f"{self.lengths.min()}..{self.lengths.max()} steps"
        return f"SequenceSet({len(self):,} sequences of {steps}, {self.n_features} features)"

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def n_features(self) -> int:
        return self.inputs.shape[2]

    def select(self, index: np.ndarray) -> SequenceSet:
        """The sequences at ``index`` (integers, any order)."""
        return SequenceSet(self.inputs[index], self.lengths[index], self.labels[index])

    def packing(self) -> tuple[np.ndarray, np.ndarray]:
        """Order by falling length, and how many of the ordered sequences still run at each step.

        With the sequences in this order, step ``t`` concerns the first ``active[t]`` rows and leaves the others' state
        as it was at their end: no mask, no work on padding.

        Returns
        -------
        order : ndarray of int (sequences,)
        active : ndarray of int (longest length,)
        """
        return by_length(self.lengths)


def by_length(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order of sequences by falling length, and how many of them run at each step."""
    return np.argsort(-lengths, kind="stable"), np.sum(lengths[:, None] > np.arange(lengths.max()), axis=0)
