"""A model's own outputs, and how far a network is from them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cosim.tasks import SequenceSet
from netlists.errors import InputError

from ..head import Scaling
from ..network import Network

INPUTS = ("inputs", "x", "X", "arr_0")
SCORES = ("scores", "outputs", "logits", "y", "arr_0")
ROUNDING = 2e-6
"""Of a score in single precision, some sums behind it, as a part of the largest."""
SAME = 1e-4
"""Scores of sequences that differ by no more than this part of the largest are taken as the same."""


@dataclass(frozen=True, eq=False)
class OwnOutputs:
    """Inputs and what the model itself made of them.

    Attributes
    ----------
    inputs : ndarray (sequences, steps, features)
    lengths : ndarray of int (sequences,)
    scores : ndarray (sequences, classes), or (sequences, 1) of a model with one score
        As forward gives them, or their softmax, logarithm of it, or sigmoid; `kind` says which.
    """

    inputs: np.ndarray
    lengths: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        if self.inputs.ndim != 3 or self.scores.ndim != 2 or len(self.inputs) != len(self.scores) or not len(self.scores):
            raise InputError(
                f"check: inputs have shape {self.inputs.shape} and scores {self.scores.shape}; must be (sequences, steps, "
                "features) and (sequences, classes)"
            )
        for name, a in (("inputs", self.inputs), ("scores", self.scores)):
            if not np.isfinite(a).all():
                raise InputError(f"check: {name} have values that are not finite")

    @property
    def kind(self) -> str:
        """What the scores look like."""
        s = self.scores
        if s.shape[1] == 1:
            return "sigmoid" if np.all((s > 0) & (s < 1)) else "score"
        if np.all(s >= 0) and np.allclose(s.sum(axis=1), 1, atol=1e-4):
            return "softmax"
        if np.all(s <= 0) and np.allclose(np.exp(s).sum(axis=1), 1, atol=1e-4):
            return "log-softmax"
        return "scores"

    def distance(self, network: Network, most: int | None = None) -> float:
        """Largest difference between the network's scores and the model's, of the ``most`` first sequences or of all.

        Raises
        ------
        InputError
            The shapes do not fit.
        """
        from scipy.special import expit, log_softmax, softmax

        classes = 2 if self.scores.shape[1] == 1 else self.scores.shape[1]
        if network.n_classes != classes:
            raise InputError(f"check: scores have {self.scores.shape[1]} classes, the network has {network.n_classes}")
        x, n = self.inputs[:most], self.lengths[:most]
        own = network.scores(SequenceSet(x, n, np.zeros(len(x), int)))
        if self.scores.shape[1] == 1:
            own = own[:, 1:] - own[:, :1]
        form = {"softmax": lambda z: softmax(z, axis=1), "log-softmax": lambda z: log_softmax(z, axis=1), "sigmoid": expit}
        # Scores that happen to lie between 0 and 1 are no sigmoid yet.
        seen = [form[self.kind](own), own] if self.kind in form else [own]
        return min(float(np.max(np.abs(s - self.scores[:most]))) for s in seen)

    @property
    def size(self) -> float:
        """Largest magnitude of the scores."""
        return float(np.max(np.abs(self.scores)))

    @property
    def spread(self) -> float:
        """How far apart the sequences' scores are, the largest of any class: what a difference is held against.

        Of one sequence alone it is the scores' magnitude.

        Raises
        ------
        InputError
            All sequences have the same scores, as single precision sees them.
        """
        if len(self.scores) == 1:
            return self.size
        apart = float(np.max(np.ptp(self.scores, axis=0)))
        if apart <= SAME * self.size:
            raise InputError(
                f"check: all {len(self.scores)} sequences have the same scores ({apart:.2g} apart, the largest is "
                f"{self.size:.3g}), so that nothing can be told from them; give "
                "sequences that differ, and scores as they are before a softmax"
            )
        return apart

    @property
    def rounding(self) -> float:
        """What single precision leaves of the scores."""
        return ROUNDING * self.size


def read_outputs(inputs: Path, scores: Path) -> OwnOutputs:
    """Reads ``.npz`` or ``.npy`` files: ``inputs`` (with ``lengths``, if sequences end earlier) and ``scores``.

    One file may hold both. Inputs may be called x, scores outputs, logits or y; a file with one array needs no name.
    """
    x, lengths = _array(inputs, INPUTS), _optional(inputs, "lengths")
    y = _array(scores, SCORES if scores != inputs else SCORES[:-1])
    if y.ndim == 1:
        y = y[:, None]
    if x.ndim == 3 and lengths is None:
        lengths = np.full(len(x), x.shape[1])
    return OwnOutputs(x, np.zeros(0, int) if lengths is None else np.asarray(lengths), y)


def read_scaling(text: str) -> Scaling:
    """Scaling of ``MEAN,STD``: two numbers, for any number of features, or an ``.npz`` with ``mean`` and ``std`` (features,).

    Raises
    ------
    InputError
        Another text, arrays that are missing or do not fit, a std that is not above 0.
    """
    try:
        mean, std = (np.atleast_1d(float(t)) for t in text.split(","))
    except ValueError:
        if not Path(text).is_file():
            raise InputError(f"scaling={text!r}: must be two numbers MEAN,STD, or an .npz file with arrays mean and std") from None
        arrays = _open(Path(text))
        if missing := [n for n in ("mean", "std") if n not in arrays]:
            raise InputError(f"scaling={text!r}: has no array {missing[0]!r}; it has {', '.join(arrays)}") from None
        mean, std = (np.atleast_1d(arrays[n].astype(float).squeeze()) for n in ("mean", "std"))
    if np.any(std <= 0) or not np.isfinite(std).all():
        raise InputError(f"scaling={text!r}: every std must be a number above 0")
    return Scaling(mean, 1 / std)


def _open(path: Path) -> dict[str, np.ndarray]:
    try:
        loaded = np.load(path, allow_pickle=False)
        return {"arr_0": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as e:
        raise InputError(f"{path}: is not an .npz or .npy file of numbers ({e})") from None


def _array(path: Path, names: tuple[str, ...]) -> np.ndarray:
    arrays = _open(path)
    own = [n for n in names if n in arrays] or (list(arrays) if len(arrays) == 1 else [])
    if not own or arrays[own[0]].dtype.kind not in "fiu":
        raise InputError(f"{path}: has the arrays {', '.join(arrays) or 'none'}; one of numbers must be called {names[0]}")
    return np.asarray(arrays[own[0]], np.float64)


def _optional(path: Path, name: str) -> np.ndarray | None:
    return _open(path).get(name)
