"""Imports a network: what the file holds, what was said of its forward, and a check against the model's own outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from netlists.errors import InputError, ToolkitError

from ..head import Scaling
from ..network import Network
from ..notes import reach
from .convention import READS, Convention, build
from .oracle import OwnOutputs
from .reading import read_stored
from .stored import Stored

TOLERANCE = 1e-4
"""Largest difference of scores that single precision may leave, as a part of what lies between the sequences' scores."""
SHOWN = 6
FEW = 8
"""Sequences on which most conventions can be told to be wrong; those that are not are held against all."""


class CheckFailed(ToolkitError):
    """The network does not give the model's own outputs."""


@dataclass(frozen=True, eq=False)
class Imported:
    """An imported network.

    Attributes
    ----------
    network : Network
    stored : Stored
        What the file holds.
    convention : str
        What was taken for its forward.
    difference : float or None
        Largest difference from the model's own scores; None: nothing was checked.
    tried : mapping of str to float
        Difference of every convention that was tried.
    """

    network: Network
    stored: Stored
    convention: str
    difference: float | None
    tried: Mapping[str, float]

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.network.warnings

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "form": self.stored.form,
            "layers": [layer.describe() for layer in self.stored.layers],
            "readout": [d.name for d in self.stored.dense],
            "left": list(self.stored.left),
            "convention": self.convention,
            "checked": self.difference is not None or self.stored.says_all,
            "difference": self.difference,
            "tried": dict(self.tried),
            "sha256": self.network.sha256,
            "warnings": list(self.warnings),
        }


def import_network(
    path: str | Path,
    said: Convention | None = None,
    *,
    check: OwnOutputs | None = None,
    tolerance: float = TOLERANCE,
    **options: Any,
) -> Imported:
    """Reads a network of PyTorch, Keras, TensorFlow, Flax or ONNX from a file.

    Parameters
    ----------
    said : Convention or None
        What forward does; what neither this nor the file says is found by the check, or asked for.
    check : OwnOutputs or None
        The model's own outputs. An ONNX graph is held against itself, run by ONNX's reference evaluator.
    tolerance : float
        Largest difference, as a part of what lies between the scores of the sequences.
    options
        As for `stored_torch`: kind, prefix, readout, embedding, ignore; and state, a dictionary of a checkpoint.

    Raises
    ------
    InputError
        A file that cannot be read, layers that are not known here, something about forward that must be said, outputs that cannot
        tell conventions apart.
    CheckFailed
        No convention that agrees with what was said gives the model's outputs.
    """
    said, path = said or Convention(), Path(path)
    stored = read_stored(path, **options)
    if path.suffix == ".onnx" and check is None:
        check = _of_graph(path, stored)
        against = "the graph itself, run by ONNX's reference evaluator"
    else:
        against = "the model's own outputs"
    if check is None:
        says = f"the file's own description of the model ({stored.form})" if stored.says_all else ""
        network = build(stored, said, source=path.name, checked_against=says)
        return Imported(network, stored, said.describe(stored), None, {})
    largest = max(tolerance * check.spread, check.rounding)

    def distance(convention: Convention) -> float:
        network = build(stored, convention, source=path.name)
        few = check.distance(network, FEW)
        return few if few > largest or len(check.scores) <= FEW else check.distance(network)

    tried = {c.describe(stored): (distance(c), c) for c in said.alternatives(stored)}
    name, (difference, convention) = min(tried.items(), key=lambda item: item[1][0])
    if difference > largest:
        lines = sorted((d, n) for n, (d, _) in tried.items())[:SHOWN]
        table = "\n".join(f"  {d:.3g}: {n}" for d, n in lines)
        unsaid = replace(said, pooling=None, activation=None, hidden_activation=None, scaling=None)
        others = [c for c in unsaid.alternatives(stored) if c.describe(stored) not in tried]
        if fits := next((c for c in others if distance(c) <= largest), None):
            table += f"\nBut this gives them: {fits.describe(stored)}"
        raise CheckFailed(
            f"{path}: the network does not give {against} for {len(check.scores)} sequences (they look like {check.kind}, the "
            f"largest is {check.size:.3g}). Largest difference of each convention that was tried:\n{table}\n"
            "forward does something else: say what (scaling of inputs, activations, other layers), or give the inputs as the "
            "layers see them"
        )
    limit = min(largest, max(10 * difference, check.rounding))
    _one_alone([c for d, c in tried.values() if d <= limit], convention)
    text = f"{against}, {len(check.scores)} sequences, largest difference {difference:.2g} of {check.size:.3g}"
    full_scale = _relu_scale(stored, convention, check)
    network = build(stored, replace(convention, full_scale=full_scale), source=path.name, checked_against=text)
    return Imported(network, stored, name, difference, {n: d for n, (d, _) in tried.items()})


def _one_alone(fit: list[Convention], taken: Convention) -> None:
    """Raises `InputError` if other conventions give the model's outputs as well, of which ``taken`` would be a guess."""
    for name in ("pooling", "activation", "hidden_activation", "scaling"):
        own = getattr(taken, name)
        others = [o for c in fit if not _same(o := getattr(c, name), own)]
        if others:
            words = [str(o.said) if isinstance(o, Scaling) else READS.get(str(o), str(o)) for o in (own, *others)]
            raise InputError(
                f"{name}=None: the check cannot tell what forward does: {'; '.join(dict.fromkeys(words))}: each gives the model's "
                "outputs; say which, or give sequences on which they differ, of several steps"
            )


def _same(a: object, b: object) -> bool:
    if isinstance(a, Scaling) and isinstance(b, Scaling):
        return np.array_equal(a.offset, b.offset) and np.array_equal(a.gain, b.gain)
    return a == b


def _of_graph(path: Path, stored: Stored) -> OwnOutputs:
    from .onnx_file import run_onnx, steps_of

    n_in = stored.layers[0].forward.n_in
    x = np.random.default_rng(0).normal(0, 1, (8, steps_of(path, n_in), n_in))
    return OwnOutputs(x, np.full(len(x), x.shape[1]), run_onnx(path, x))


def _relu_scale(stored: Stored, convention: Convention, check: OwnOutputs) -> float:
    """Full scale of ReLU ramps that covers the largest state on the check's inputs."""
    from cosim.tasks import SequenceSet

    network = build(stored, convention, source="")
    if not any(getattr(layer.cell, "unbounded", False) for layer in network.layers):
        return convention.full_scale
    outputs = reach(network, SequenceSet(check.inputs, check.lengths, np.zeros(len(check.inputs), int)))
    largest = max(float(o.max(initial=0.0)) for o in outputs)
    return max(largest, 1e-6) / 3.0


def names_of(text: Sequence[str] | None) -> list[str] | None:
    """Names given one by one or parted by commas."""
    return None if not text else [n.strip() for t in text for n in t.split(",") if n.strip()]
