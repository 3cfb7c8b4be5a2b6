"""Hold a block model's file against fresh simulations of its circuit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from characterization.compact.benches import held_out_comparator, held_out_crossbar, held_out_integrator, held_out_mac
from netlists.errors import InputError
from netlists.files import read_json

from ..streams import part_sequences
from .compact_model import CompactModel
from .comparator import ComparatorModel
from .crossbar_model import CrossbarModel
from .integrator import IntegratorModel
from .mac import MacModel

LARGER = 3.0
"""An error so many times that of the file says that the model is not what was fitted."""
SMALL = 1e-4
"""Volts below which an error is none: a 5-bit step is some 30 mV."""
LOST = 0.05
"""So much less of the codes or decisions than in the file says so, too."""
_PART = 7
"""Of the seed's parts: those before it made the samples of fits."""

CHECKS: dict[str, tuple[type[CompactModel], Callable[..., dict[str, float]]]] = {
    ComparatorModel.SCHEMA: (ComparatorModel, held_out_comparator),
    IntegratorModel.SCHEMA: (IntegratorModel, held_out_integrator),
    MacModel.SCHEMA: (MacModel, held_out_mac),
    CrossbarModel.SCHEMA: (CrossbarModel, lambda model, level, rng: held_out_crossbar(model, rng)),
}
"""Model and bench of each schema."""


def validate_block(path: str | Path, seed: int = 99) -> dict[str, Any]:
    """Simulates the block anew, at the model's level, and compares; what was found is stored in the file of a model that passes.

    Returns
    -------
    dict
        ``schema``, ``level``, ``seed``; ``held_out``: errors found now; ``before``: those of the file; ``passed``, ``failures``:
        errors more than `LARGER` times as large and not `SMALL`, or a share of codes or decisions more than `LOST` smaller.

    Raises
    ------
    InputError
        A file that is no block model, a model that was not fitted to a circuit, or has nothing to compare with.
    SimulationError
        ngspice.
    """
    schema = read_json(Path(path), "model file").get("schema")
    if schema not in CHECKS:
        raise InputError(f"{path}: field schema: {schema!r}, must be one of {', '.join(CHECKS)}")
    kind, bench = CHECKS[schema]
    model = kind.load(path)
    if model.level == "none":
        raise InputError(f"{path}: was not fitted to a circuit; there is nothing to simulate")
    *_, part = part_sequences(seed, _PART + 1)
    found = bench(model, model.level, np.random.default_rng(part))
    before = {name: model.validation[name] for name in found if name in model.validation}
    if not before:
        raise InputError(f"{path}: holds no held-out errors to compare with; fit it again (`fit_blocks`)")
    failures = []
    for name, old in before.items():
        share = name.endswith(("equal", "within_1"))
        most = max(LARGER * old, SMALL if name.endswith("_v") else 0.0)
        if found[name] < old - LOST if share else found[name] > most:
            failures.append(f"{name}: {found[name]:.3g}, {old:.3g} when it was fitted")
    # The file of a model that fails keeps the errors it is to be held against.
    if not failures:
        model.validated(**found).save(path)
    return {
        "schema": schema, "level": model.level, "seed": seed, "held_out": found, "before": before,
        "passed": not failures, "failures": failures,
    }  # fmt: skip
