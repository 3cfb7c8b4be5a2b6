"""Hold block models' files against fresh simulations: each block of its circuit, and the composed column of a wired tile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from characterization.compact.benches import (
    held_out_comparator,
    held_out_crossbar,
    held_out_integrator,
    held_out_mac,
    held_out_tile,
)
from netlists.errors import InputError
from netlists.files import read_json

from ..streams import part_sequences
from .compact_model import CompactModel
from .comparator import ComparatorModel
from .crossbar_model import CrossbarModel
from .fit_blocks import VECTORS
from .integrator import IntegratorModel
from .mac import MacModel

LARGER = 3.0
"""An error so many times that of the file says that the model is not what was fitted."""
SMALL = 1e-4
"""Volts below which an error is none: a 5-bit step is some 30 mV."""
LOST = 0.05
"""So much less of the codes or decisions than in the file says so, too."""
CHANCE = 0.01
"""Of a composed column's codes, as few as they are: p-value below which a smaller share of equal ones says so."""
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
    failures = _worse(found, before)
    # The file of a model that fails keeps the errors it is to be held against.
    if not failures:
        model.validated(**found).save(path)
    return {
        "schema": schema, "level": model.level, "seed": seed, "held_out": found, "before": before,
        "passed": not failures, "failures": failures,
    }  # fmt: skip


def _worse(found: dict[str, float], before: dict[str, float]) -> list[str]:
    """Names the errors that are worse than before, and how much."""
    failures = []
    for name, old in before.items():
        share = name.endswith(("equal", "within_1"))
        most = max(LARGER * old, SMALL if name.endswith("_v") else 0.0)
        if found[name] < old - LOST if share else found[name] > most:
            failures.append(f"{name}: {found[name]:.3g}, {old:.3g} when it was fitted")
    return failures


def validate_column(folder: str | Path, seed: int = 99) -> dict[str, Any]:
    """Simulates a wired tile anew, at the models' level, and holds the column that is composed of a folder's models against it.

    The fit looked at few of its codes, at level sky130 at 16: a share of equal ones fails where Fisher's exact test (one-sided,
    `CHANCE`) says that it has become smaller. What was found is stored in the file of the MAC column's model if the column passes.

    Returns
    -------
    dict
        As `validate_block`; ``schema`` is None.

    Raises
    ------
    InputError
        No model of the MAC column or the comparator, models of unlike levels, or nothing to compare with.
    SimulationError
        ngspice.
    """
    from scipy.stats import fisher_exact

    path = Path(folder) / "mac.json"
    mac, comparator = MacModel.load(path), ComparatorModel.load(Path(folder) / "comparator.json")
    integrator = Path(folder) / "integrator.json"
    settling = IntegratorModel.load(integrator).tau.value if integrator.exists() else 0.0
    if mac.level != comparator.level:
        raise InputError(f"{folder}: the MAC column's model is of level {mac.level}, the comparator's of {comparator.level}")
    before = {name.removeprefix("tile_"): v for name, v in mac.validation.items() if name.startswith("tile_")}
    if not {"codes", "codes_equal", "codes_within_1", "rms_v", "worst_v"} <= set(before):
        raise InputError(f"{path}: holds no errors of a composed column to compare with; fit it again (`fit_blocks`)")
    *_, part = part_sequences(seed, _PART + 2)
    rng = np.random.default_rng(part)
    found = held_out_tile(mac, comparator, rng, level=mac.level, settling=settling, vectors=VECTORS[mac.level][2])
    failures = _worse(found, {name: before[name] for name in ("rms_v", "worst_v")})
    for name in ("codes_equal", "codes_within_1"):
        counts = [(round(v[name] * v["codes"]), round((1 - v[name]) * v["codes"])) for v in (before, found)]
        if fisher_exact(counts, alternative="greater").pvalue < CHANCE:
            failures.append(f"{name}: {found[name]:.3g} of {found['codes']:.0f}, {before[name]:.3g} when it was fitted")
    if not failures:
        mac.validated(**{f"tile_{name}": v for name, v in found.items()}).save(path)
    return {
        "schema": None, "level": mac.level, "seed": seed, "held_out": found, "before": before,
        "passed": not failures, "failures": failures,
    }  # fmt: skip
