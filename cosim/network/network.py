"""Recurrent networks as they sit on crossbars: layers of cells, a digital readout, and where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np

from cosim.network.cells import LSTM, Weights
from cosim.tasks import CharacterTask, SequenceSet, Task, is_path
from netlists.checks import Choice, Items, check, checked
from netlists.errors import InputError

from .files import FOREIGN, read_arrays, write_arrays
from .formats import Formats, check_formats, formats_text
from .forward import ExactPath, padded, run_network
from .head import POOLINGS, DenseLayer, Scaling
from .layer import DIRECTIONS, Layer
from .metadata import NetworkMetadata
from .notes import class_notes, reach_notes
from .ramps import Ramps, check_ramp_names

TEST_ALONE = "keywords-test"
"""A task without training data, which no network was trained on."""


@checked
@dataclass(frozen=True, eq=False)
class Network:
    """Layers of cells between digital parts: scaling of the inputs, pooling over time and a readout.

    Arrays are copied and read-only.

    Examples
    --------
    >>> import numpy as np
    >>> from cosim.network import Layer, Network
    >>> from cosim.network.cells import GRU
    >>> cell = GRU(n_in=3, n_hidden=4)
    >>> weights = cell.initial_parameters(np.random.default_rng(1))
    >>> Network((Layer(cell, weights),), readout=np.zeros((5, 2)))
    Network(gru 3 -> 4, 2 classes, 138 weights)

    Attributes
    ----------
    layers : tuple of Layer
    readout : ndarray of float64 (n_out + 1, n_classes)
        Rows [outputs of the top layer, or of the last hidden layer; bias].
    embedding : ndarray of float64 (symbols, n_in) or None
        Input vector of each symbol, for networks that read symbols.
    metadata : NetworkMetadata
    pooling : {"h_n", "last", "mean", "max"}
        What of the top layer's outputs is read; see `POOLINGS`.
    hidden : tuple of DenseLayer
        Layers between the pooled outputs and the readout.
    scaling : Scaling or None
        Of the features, before they drive rows; None: as they are.
    formats : mapping of str to FixedPoint
        Learned formats of weights, which are numbers of them, and of inputs and states, whose range pulse widths take. Empty: none.
    ramps : mapping of str to Staircase
        Fitted or learned ramps of gates, by ``layer.direction.matrix.gate``; hardware with ramps takes them in place of its own.

    Raises
    ------
    InputError
        Shapes that do not fit together, a weight that is not finite, or one where a cell has none.
    """

    layers: Annotated[tuple[Layer, ...], Items(1)]
    readout: Weights
    embedding: Weights | None = None
    metadata: NetworkMetadata = field(default_factory=NetworkMetadata)
    pooling: Annotated[str, Choice(POOLINGS)] = "h_n"
    hidden: tuple[DenseLayer, ...] = ()
    scaling: Scaling | None = None
    formats: Formats = field(default_factory=dict)
    ramps: Ramps = field(default_factory=dict)

    def __post_init__(self) -> None:
        for i, (below, layer) in enumerate(zip(self.layers, self.layers[1:], strict=False), 1):
            if layer.cell.n_in != below.n_out:
                raise InputError(f"layers[{i}]: takes {layer.cell.n_in} inputs, the layer below has {below.n_out} outputs")
        width = self.layers[-1].n_out
        for name, weights in [*((f"hidden[{i}]", h.weights) for i, h in enumerate(self.hidden)), ("readout", self.readout)]:
            if len(weights) != width + 1:
                raise InputError(f"{name}: has {len(weights)} rows, must have n_out + 1 = {width + 1}")
            width = weights.shape[1]
        if self.scaling is not None and len(self.scaling.gain) != self.n_in:
            raise InputError(f"scaling: has {len(self.scaling.gain)} features, the first layer takes {self.n_in} inputs")
        if self.formats:
            check_formats(self.formats, [(x.cell, len(x.directions)) for x in self.layers])
        if self.ramps:
            check_ramp_names(self.ramps, [(x.cell, len(x.directions)) for x in self.layers])
        if self.embedding is not None and self.embedding.shape[1] != self.n_in:
            raise InputError(f"embedding: has {self.embedding.shape[1]} columns, the first layer takes {self.n_in} inputs")

    def __repr__(self) -> str:
        cells = ", ".join(f"{layer.cell.kind} {layer.cell.n_in} -> {layer.n_out}" for layer in self.layers)
        task = f", task {self.metadata.task}" if self.metadata.task else ""
        return f"Network({cells}, {self.n_classes} classes{task}, {self.n_weights:,} weights)"

    def _repr_html_(self) -> str:
        head = "<tr><th>layer</th><th>cell</th><th>inputs</th><th>units</th><th>outputs</th><th>weights</th></tr>"
        rows: list[tuple[object, ...]] = [
            (i, layer.cell.kind, layer.cell.n_in, layer.cell.n_hidden, layer.n_out, f"{layer.n_weights:,}")
            for i, layer in enumerate(self.layers)
        ]
        rows.append(("readout", "", len(self.readout) - 1, "", self.n_classes, f"{self.readout.size:,}"))
        body = "".join(f"<tr>{''.join(f'<td>{value}</td>' for value in row)}</tr>" for row in rows)
        return f"<p>{self!r}</p><table>{head}{body}</table>"

    @property
    def n_in(self) -> int:
        return self.layers[0].cell.n_in

    @property
    def n_classes(self) -> int:
        return self.readout.shape[1]

    @property
    def n_weights(self) -> int:
        """Weights of all layers and the readout, biases included."""
        dense = self.readout.size + sum(h.weights.size for h in self.hidden)
        return sum(layer.n_weights for layer in self.layers) + dense

    @property
    def bidirectional(self) -> bool:
        return any(layer.backward is not None for layer in self.layers)

    def check(self, sequences: SequenceSet) -> None:
        """Raises `InputError` unless the sequences' features and labels fit this network."""
        if sequences.n_features != self.n_in:
            raise InputError(f"sequences: have {sequences.n_features} features, the network takes {self.n_in}")
        if sequences.labels.max() >= self.n_classes:
            raise InputError(f"sequences: have label {sequences.labels.max()}, the network has {self.n_classes} classes")

    @property
    def plain_head(self) -> bool:
        """Whether the scores are a linear function of the last outputs, and the inputs drive rows as they are."""
        return self.pooling == "h_n" and not self.hidden and self.scaling is None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user must know: what was taken for an imported network's forward, what floating point leaves out."""
        origin, out = self.metadata.imported, []
        if origin is not None and not origin.checked:
            out.append(
                f"network {origin.source}: imported, UNCHECKED; taken as {origin.convention}; "
                "nobody held it against the model's own outputs"
            )
        if self.ramps:
            bits = ", ".join(map(str, sorted({r.bits for r in self.ramps.values()})))
            out.append(f"network: has ramps of its own, {bits} bits; in floating point the exact activations stand in their place")
        return tuple(out)

    def rows(self, inputs: np.ndarray) -> np.ndarray:
        """What drives the first layer's rows, for features (..., n_in)."""
        return inputs if self.scaling is None else self.scaling.apply(inputs)

    def driven(self, sequences: SequenceSet) -> SequenceSet:
        """The sequences as they drive the first layer's rows."""
        return sequences if self.scaling is None else SequenceSet(self.rows(sequences.inputs), sequences.lengths, sequences.labels)

    def read(self, pooled: np.ndarray) -> np.ndarray:
        """Class scores (sequences, n_classes) of what is read of the top layer (n_out, sequences)."""
        x = pooled.T
        for layer in self.hidden:
            x = layer.apply(x)
        return x @ self.readout[:-1] + self.readout[-1]

    def with_layers(self, layers: Sequence[Layer]) -> Network:
        """The network with other layers and everything else as it is."""
        head = (self.metadata, self.pooling, self.hidden, self.scaling, self.formats, self.ramps)
        return Network(tuple(layers), self.readout, self.embedding, *head)

    def with_ramps(self, ramps: Ramps) -> Network:
        """The network with these ramps; none: those of the hardware."""
        return Network.of(
            self.layers,
            self.readout,
            self.embedding,
            self.metadata,
            pooling=self.pooling,
            hidden=self.hidden,
            scaling=self.scaling,
            formats=self.formats,
            ramps=ramps,
        )

    def scores(self, sequences: SequenceSet) -> np.ndarray:
        """Class scores of each sequence in floating point, shape (sequences, n_classes); the largest is the answer."""
        self.check(sequences)
        order, active = sequences.packing()
        x = np.zeros((len(active), self.n_in, padded(len(order))))
        x[:, :, : len(order)] = self.rows(sequences.inputs[order, : len(active)]).transpose(1, 2, 0)
        paths = [[ExactPath(layer.cell, p) for p in layer.directions] for layer in self.layers]
        last = run_network(paths, x, active, np.zeros(x.shape[2], np.uint32), self.pooling)
        out = np.empty((len(order), self.n_classes))
        out[order] = self.read(last[:, : len(order)])
        return out

    def arrays(self) -> dict[str, np.ndarray]:
        """What `save` writes: the weights by name, and texts for the cells and the metadata."""
        out = {"readout": self.readout, "metadata": np.array(self.metadata.text())}
        out["cells"] = np.array(json.dumps([layer.cell.describe() for layer in self.layers]))
        if self.embedding is not None:
            out["embedding"] = self.embedding
        for i, layer in enumerate(self.layers):
            for direction, parameters in zip(DIRECTIONS, layer.directions, strict=False):
                out |= {f"layers.{i}.{direction}.{name}": w for name, w in parameters.items()}
        if not self.plain_head:
            out["head"] = np.array(json.dumps({"pooling": self.pooling, "hidden": [h.activation for h in self.hidden]}))
            out |= {f"hidden.{i}": h.weights for i, h in enumerate(self.hidden)}
            if self.scaling is not None:
                out["scaling"] = np.stack([self.scaling.offset, self.scaling.gain])
        if self.formats:
            out["formats"] = np.array(formats_text(self.formats))
        return out | {f"ramps.{name}": np.array([*r.thresholds, *r.values]) for name, r in self.ramps.items()}

    @property
    def sha256(self) -> str:
        """Digest of everything that makes its answers."""
        digest = hashlib.sha256()
        for name, a in sorted(self.arrays().items()):
            if name != "metadata":
                digest.update(name.encode() + (str(a).encode() if a.dtype.kind == "U" else np.ascontiguousarray(a).tobytes()))
        return digest.hexdigest()

    def task_name(self, name: str | None = None) -> str:
        """Task to judge the network on: the one that is named, or the path of own data, else the one it was trained on.

        Raises
        ------
        InputError
            Neither is known, or the network was trained on another.
        """
        trained = self.metadata.task
        if name and is_path(name):
            return name
        if not (name or trained):
            raise InputError("task=None: the network does not say what task it was trained on; name one")
        if trained and name and trained != name and name != TEST_ALONE:
            raise InputError(f"task={name!r}: the network was trained on task {trained!r}, not on {name!r}")
        return name or trained

    def check_data(self, task: Task | CharacterTask) -> tuple[str, ...]:
        """What a reader of its score on a task's data must know.

        Raises
        ------
        InputError
            The network was trained on another task, or on other training data of the same name.
        """
        about, now, notes = self.metadata, task.train_sha256, self._notes(task)
        if now is None:
            other = about.task and about.task != task.name
            return (
                (*notes, f"network: was trained on task {about.task!r}, judged on the test set {task.name!r}") if other else notes
            )
        if about.task and about.task != task.name:
            raise InputError(f"task={task.name!r}: the network was trained on task {about.task!r}, not on {task.name!r}")
        if about.data_sha256 is not None and about.data_sha256 != now:
            raise InputError(
                f"task={task.name!r}: the network was trained on other data of this name (SHA-256 {about.data_sha256[:12]}, this "
                f"is {now[:12]}); give the data that it was trained on, or a test set alone"
            )
        return notes

    def _notes(self, task: Task | CharacterTask) -> tuple[str, ...]:
        if isinstance(task, CharacterTask) or self.embedding is not None:
            return ()
        self.check(task.test)
        return (*class_notes(self, task), *reach_notes(self, task.test))

    def save(self, path: str | Path) -> Path:
        """Writes an ``.npz`` file without pickle; under the final name there is never half a file.

        Raises
        ------
        InputError
            The name does not end in .npz.
        ToolkitError
            The folder or the file cannot be written.
        """
        return write_arrays(path, self.arrays())

    @staticmethod
    def of(
        layers: Sequence[Layer],
        readout: np.ndarray,
        embedding: np.ndarray | None = None,
        metadata: NetworkMetadata | None = None,
        *,
        pooling: str = "h_n",
        hidden: Sequence[DenseLayer] = (),
        scaling: Scaling | None = None,
        formats: Formats | None = None,
        ramps: Ramps | None = None,
    ) -> Network:
        """A network of layers, an `LSTMNetwork` if it is one plain LSTM layer on features."""
        cell = layers[0].cell
        if pooling == "last" and layers[-1].backward is None:
            pooling = "h_n"
        head = (pooling, tuple(hidden), scaling, formats or {}, ramps or {})
        made = Network(tuple(layers), readout, embedding, metadata or NetworkMetadata(), *head)
        own = made.formats or made.ramps
        plain = not own and len(layers) == 1 and embedding is None and layers[0].backward is None and made.plain_head
        if plain and cell == LSTM(cell.n_in, cell.n_hidden):
            return LSTMNetwork(layers[0].forward["weights"], readout, made.metadata)
        return made

    @staticmethod
    def load(path: str | Path) -> Network:
        """Reads a network that `save` wrote.

        Examples
        --------
        >>> import tempfile, numpy as np
        >>> from cosim.network import LSTMNetwork, Network
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Network.load(LSTMNetwork(np.ones((6, 8)), np.ones((3, 4))).save(f"{folder}/small.npz"))
        Network(lstm 3 -> 2, 4 classes, 60 weights)

        Raises
        ------
        InputError
            No such file, not an ``.npz`` archive, damaged, or a field that is missing, unknown or wrong; names file and field.
        """
        if (path := Path(path)).suffix in FOREIGN and path.exists():
            raise InputError(f"{path}: is a file of another framework; make a network of it first: `import_network({str(path)!r})`")
        # It makes networks.
        from .fields import network_of

        fields = read_arrays(path)
        if "metadata" not in fields and fields and path.suffix == ".npz":
            raise InputError(
                f"{path}: has the arrays {', '.join(fields)}, not those of a network; if they are of another framework: "
                f"`import_network({str(path)!r})`"
            )
        try:
            return network_of(fields)
        except InputError as e:
            raise InputError(f"{path}: {e}") from None


class LSTMNetwork(Network):
    """One LSTM layer and its readout, from two matrices.

    Parameters
    ----------
    weights : ndarray (n_in + n_hidden + 1, 4 * n_hidden)
        Rows [x; h; bias], columns the gates i, f, a, o.
    readout : ndarray (n_hidden + 1, n_classes)
        Rows [h; bias].
    """

    def __init__(self, weights: np.ndarray, readout: np.ndarray, metadata: NetworkMetadata | None = None) -> None:
        weights = check(Weights, weights, "weights")
        rows, columns = weights.shape
        if columns % 4 or rows < columns // 4 + 2:
            raise InputError(
                f"weights: has shape {weights.shape}, must be (n_in + n_hidden + 1, 4 * n_hidden) with n_in of at least 1"
            )
        layer = Layer(LSTM(rows - columns // 4 - 1, columns // 4), {"weights": weights})
        super().__init__((layer,), readout, None, metadata or NetworkMetadata())

    @property
    def weights(self) -> np.ndarray:
        return self.layers[0].forward["weights"]

    @property
    def n_hidden(self) -> int:
        return self.layers[0].cell.n_hidden

    def arrays(self) -> dict[str, np.ndarray]:
        """What `save` writes: two matrices and the metadata."""
        return {"weights": self.weights, "readout": self.readout, "metadata": np.array(self.metadata.text())}

    @staticmethod
    def load(path: str | Path) -> LSTMNetwork:
        """Reads a network of one LSTM layer; errors as `Network.load`, and for any other network."""
        network = Network.load(path)
        if not isinstance(network, LSTMNetwork):
            kinds = ", ".join(layer.cell.kind for layer in network.layers)
            raise InputError(f"{path}: is a network of {kinds}; this takes one LSTM layer")
        return network
