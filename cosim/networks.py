"""LSTM networks as they sit on a crossbar: one weight matrix with a row for each input, state and bias; saved without pickle."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.special import expit

from characterization.provenance import write_atomic
from netlists.errors import InputError

from .tasks import SequenceSet

INPUT, FORGET, CANDIDATE, OUTPUT = range(4)
"""Order of the gates among the columns: i, f, a, o. The candidate a goes through tanh, the others through sigmoid."""

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, RuntimeError)
"""What NumPy and zipfile raise on bytes that are not a sound archive."""

Activate = Callable[[np.ndarray], np.ndarray]


def gate(which: int, n_hidden: int) -> slice:
    """Columns of one gate, ``which`` being `INPUT`, `FORGET`, `CANDIDATE` or `OUTPUT`."""
    return slice(which * n_hidden, (which + 1) * n_hidden)


def float_gates(z: np.ndarray) -> np.ndarray:
    """Exact activations of all gates; ``z`` and the result have shape (..., 4 * n_hidden)."""
    n = z.shape[-1] // 4
    out = expit(z)
    out[..., gate(CANDIDATE, n)] = np.tanh(z[..., gate(CANDIDATE, n)])
    return out


def lstm_step(gates: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What happens off the crossbar: ``c' = f * c + i * a``, ``h' = o * tanh(c')``.

    Parameters
    ----------
    gates : ndarray (..., 4 * n_hidden), after their activations
    c : ndarray (..., n_hidden)

    Returns
    -------
    c', tanh(c'), h' : ndarrays (..., n_hidden)
    """
    i, f, a, o = (gates[..., gate(k, c.shape[-1])] for k in (INPUT, FORGET, CANDIDATE, OUTPUT))
    c = f * c + i * a
    tanh_c = np.tanh(c)
    return c, tanh_c, o * tanh_c


class EpochRecord(BaseModel):
    """One epoch of training: mean training loss (nats), and loss and accuracy on the validation sequences if there are any."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    epoch: int
    loss: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


class NetworkMetadata(BaseModel):
    """Where a network comes from.

    Attributes
    ----------
    schema_version : int
    cell : str
    task : str
    seed : int or None
        Seed of the generator that the training used.
    versions : dict
        Versions of Python and of the packages that took part.
    settings : dict
        Settings of the training.
    epochs : tuple of EpochRecord
    best_epoch : int or None
        Epoch whose weights were kept.
    seconds : float or None
        Wall time of the training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    schema_version: Literal[1] = 1
    cell: Literal["lstm"] = "lstm"
    task: str = ""
    seed: int | None = None
    versions: dict[str, str | None] = {}
    settings: dict[str, int | float | str | None] = {}
    epochs: tuple[EpochRecord, ...] = ()
    best_epoch: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, eq=False)
class LSTMNetwork:
    """One LSTM layer without peepholes and a linear readout of its last state. Arrays are copied and read-only.

    Attributes
    ----------
    weights : ndarray of float64 (n_in + n_hidden + 1, 4 * n_hidden)
        Rows [x; h; bias], columns the gates i, f, a, o.
    readout : ndarray of float64 (n_hidden + 1, n_classes)
        Rows [h; bias]; digital.
    metadata : NetworkMetadata

    Raises
    ------
    InputError
        Shapes that do not fit together, or a weight that is not finite.
    """

    weights: np.ndarray
    readout: np.ndarray
    metadata: NetworkMetadata = field(default_factory=NetworkMetadata)

    def __post_init__(self) -> None:
        for name in ("weights", "readout"):
            array = np.asarray(getattr(self, name))
            if array.ndim != 2 or 0 in array.shape:
                raise InputError(f"{name}: has shape {array.shape}, must be a matrix")
            if array.dtype.kind not in "fiu":
                raise InputError(f"{name}: has type {array.dtype}, must be real numbers")
            array = np.array(array, dtype=np.float64)
            if len(bad := np.argwhere(~np.isfinite(array))):
                raise InputError(f"{name}[{bad[0][0]}, {bad[0][1]}]={array[tuple(bad[0])]}: must be finite")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        rows, columns = self.weights.shape
        if columns % 4 or rows < columns // 4 + 2:
            raise InputError(
                f"weights: has shape {self.weights.shape}, must be (n_in + n_hidden + 1, 4 * n_hidden) with n_in of at least 1"
            )
        if len(self.readout) != self.n_hidden + 1:
            raise InputError(f"readout: has {len(self.readout)} rows, must have n_hidden + 1 = {self.n_hidden + 1}")

    @property
    def n_hidden(self) -> int:
        return self.weights.shape[1] // 4

    @property
    def n_in(self) -> int:
        return len(self.weights) - self.n_hidden - 1

    @property
    def n_classes(self) -> int:
        return self.readout.shape[1]

    def check(self, sequences: SequenceSet) -> None:
        """Raise `InputError` unless the sequences' features and labels fit this network."""
        if sequences.n_features != self.n_in:
            raise InputError(f"sequences: have {sequences.n_features} features, the network takes {self.n_in}")
        if sequences.labels.max() >= self.n_classes:
            raise InputError(f"sequences: have label {sequences.labels.max()}, the network has {self.n_classes} classes")

    def last_state(self, sequences: SequenceSet, activate: Activate = float_gates) -> np.ndarray:
        """State h after the last valid step of each sequence, shape (sequences, n_hidden).

        Parameters
        ----------
        sequences : SequenceSet
        activate : callable
            Turns pre-activations (running sequences, 4 * n_hidden) of one step into gates; exact by default, a model of the
            converters otherwise. It sees the sequences in the order of `SequenceSet.packing`.
        """
        w_x, w_h, bias = np.split(self.weights, (self.n_in, self.n_in + self.n_hidden))
        order, active = sequences.packing()
        x = sequences.inputs[order]
        c = np.zeros((len(order), self.n_hidden))
        h = np.zeros_like(c)
        for t, n in enumerate(active):
            gates = activate(x[:n, t] @ w_x + h[:n] @ w_h + bias)
            c[:n], _, h[:n] = lstm_step(gates, c[:n])
        out = np.empty_like(h)
        out[order] = h
        return out

    def scores(self, sequences: SequenceSet, activate: Activate = float_gates) -> np.ndarray:
        """Class scores of each sequence, shape (sequences, n_classes); the largest is the answer."""
        self.check(sequences)
        return self.last_state(sequences, activate) @ self.readout[:-1] + self.readout[-1]

    def save(self, path: str | Path) -> Path:
        """Write an ``.npz`` file without pickle; under the final name there is never half a file.

        Raises
        ------
        InputError
            The name does not end in .npz.
        ToolkitError
            The folder or the file cannot be written.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise InputError(f"{path}: a network is saved as .npz; give a name that ends so")
        text = np.array(self.metadata.model_dump_json())

        def write(temporary: Path) -> None:
            # An open file, because savez adds .npz to a name that does not end so.
            with open(temporary, "wb") as file:
                np.savez(file, weights=self.weights, readout=self.readout, metadata=text)

        return write_atomic(path, write)

    @classmethod
    def load(cls, path: str | Path) -> LSTMNetwork:
        """Read a network that `save` wrote.

        Raises
        ------
        InputError
            No such file, not an ``.npz`` archive, damaged, or a field that is missing, unknown or wrong; names file and field.
        """
        fields = _read_arrays(path)
        for name in sorted(set(fields) ^ {"weights", "readout", "metadata"}):
            what = "unknown field" if name in fields else "lacks the field"
            raise InputError(f"{path}: {what} {name!r}; a network has weights, readout and metadata")
        text = fields["metadata"]
        if text.shape != () or text.dtype.kind != "U":
            raise InputError(f"{path}: metadata has shape {text.shape} and type {text.dtype}, must be one string")
        try:
            return cls(fields["weights"], fields["readout"], NetworkMetadata.model_validate_json(str(text)))
        except ValidationError as e:
            first = e.errors()[0]
            where = ".".join(map(str, ("metadata", *first["loc"])))
            raise InputError(f"{path}: {where}: {first['msg']}, got {first['input']!r:.80}") from None
        except InputError as e:
            raise InputError(f"{path}: {e}") from None


def _read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` archive; `InputError` names the file if it is none."""
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError(f"{path}: is not an .npz archive; make one with `cosim train`")
        with archive:
            return {name: archive[name] for name in archive.files}
    except InputError:
        raise
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror or e}); make a network with `cosim train`") from None
    except DAMAGED as e:
        raise InputError(f"{path}: is not a network or is damaged ({e}); make one with `cosim train`") from None
