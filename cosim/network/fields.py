"""Makes a network of the fields of its file, and says which of them is missing, unknown or damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from cosim.network.cells import LSTM, make_cell
from netlists.errors import InputError

from .files import parse, text
from .formats import check_weights, formats_of
from .head import DenseLayer, Scaling
from .layer import DIRECTIONS, Layer
from .metadata import NetworkMetadata
from .network import LSTMNetwork, Network
from .ramps import ramp_of


def network_of(fields: Mapping[str, np.ndarray]) -> Network:
    """The network of a file's fields, an `LSTMNetwork` where there are two matrices alone.

    Raises
    ------
    InputError
        A field that is missing, unknown or wrong, by name.
    """
    return _of_cells(fields) if "cells" in fields else _lstm_network(fields)


def _lstm_network(fields: Mapping[str, np.ndarray]) -> LSTMNetwork:
    _only(fields, {"weights", "readout", "metadata"})
    metadata = parse(NetworkMetadata, text(fields, "metadata"), "metadata")
    if metadata.cell != LSTM.kind:
        raise InputError(f"metadata.cell: must be 'lstm' in a file of two matrices, got {metadata.cell!r}")
    return LSTMNetwork(fields["weights"], fields["readout"], metadata)


def _of_cells(fields: Mapping[str, np.ndarray]) -> Network:
    try:
        descriptions = json.loads(text(fields, "cells"))
        cells = [make_cell(d) for d in descriptions]
    except (json.JSONDecodeError, TypeError, AttributeError, ValueError) as e:
        raise InputError(f"cells: {e}") from None
    names = {f"layers.{i}.{d}.{m.name}": (i, d, m.name) for i, c in enumerate(cells) for d in DIRECTIONS for m in c.matrices}
    optional = {n for n, (_, d, _) in names.items() if d == "backward"} | {"embedding"}
    head = _head(fields)
    dense = {f"hidden.{i}" for i in range(len(head["hidden"]))}
    stairs = {n for n in fields if n.startswith("ramps.")}
    _only(fields, {"readout", "metadata", "cells", *names, *dense}, optional | stairs | {"head", "scaling", "formats"})
    parameters: list[dict[str, dict[str, np.ndarray]]] = [{} for _ in cells]
    for name, (i, direction, matrix) in names.items():
        if name in fields:
            parameters[i].setdefault(direction, {})[matrix] = fields[name]
    layers = [Layer(cell, p.get("forward", {}), p.get("backward")) for cell, p in zip(cells, parameters, strict=True)]
    metadata = parse(NetworkMetadata, text(fields, "metadata"), "metadata")
    hidden = tuple(DenseLayer(fields[f"hidden.{i}"], a) for i, a in enumerate(head["hidden"]))
    scaling = Scaling(*fields["scaling"]) if "scaling" in fields else None
    formats = formats_of(text(fields, "formats")) if "formats" in fields else {}
    for name, f in formats.items():
        place = name.split(".")
        if len(place) == 3 and (w := fields.get(f"layers.{place[0]}.{DIRECTIONS[int(place[1])]}.{place[2]}")) is not None:
            check_weights(name, f, w)
    ramps = {name.removeprefix("ramps."): ramp_of(name, fields[name]) for name in sorted(stairs)}
    more = (metadata, head["pooling"], hidden, scaling, formats, ramps)
    return Network(tuple(layers), fields["readout"], fields.get("embedding"), *more)


def _head(fields: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Pooling and the hidden layers' activations."""
    if "head" not in fields:
        return {"pooling": "h_n", "hidden": []}
    try:
        head = json.loads(text(fields, "head"))
        return {"pooling": head["pooling"], "hidden": [str(a) for a in head["hidden"]]}
    except (json.JSONDecodeError, TypeError, KeyError) as e:
        raise InputError(f"head: is damaged ({e})") from None


def _only(fields: Mapping[str, np.ndarray], allowed: Set[str], optional: Set[str] = frozenset()) -> None:
    """Raises `InputError` for a field that is unknown or missing."""
    for name in sorted(set(fields) - allowed - optional):
        raise InputError(f"unknown field {name!r}; a network has {', '.join(sorted(allowed | optional))}")
    for name in sorted(allowed - optional - set(fields)):
        raise InputError(f"lacks the field {name!r}; a network has {', '.join(sorted(allowed - optional))}")
