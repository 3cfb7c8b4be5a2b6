"""Characterizes, fits, checks and saves every block model of one level."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from characterization.compact.benches import (
    characterize_comparator,
    characterize_crossbar,
    characterize_integrator,
    characterize_mac,
    held_out_codes,
    held_out_comparator,
    held_out_crossbar,
    held_out_integrator,
    held_out_mac,
    held_out_tile,
)
from netlists.checks import Seed, check
from netlists.errors import InputError
from netlists.technology import load_profile

from ..streams import part_sequences
from .compact_model import CompactModel
from .comparator import ComparatorModel
from .crossbar_model import CrossbarModel
from .integrator import IntegratorModel
from .mac import MacModel

SWING = {"macro": 0.6, "sky130": 0.4}
"""Largest output the integrator is fitted to, volts: beyond it the transistor-level op-amp slews."""
VECTORS = {"macro": (24, 8, 40), "sky130": (10, 3, 4)}
"""Input vectors of the MAC column's fit, of its held-out error, and of the wired tile; one takes 10 s in transistors."""


def fit_blocks(
    level: str, out: str | Path, *, seed: int = 1, profile: str = "taox-100-400", blocks_folder: str | Path | None = None
) -> dict[str, CompactModel]:
    """Fits the models of one level and writes them to ``out`` as ``comparator.json``, ``integrator.json``...

    Level macro fits all four. Level sky130 fits all but the crossbar, which has no transistors, in some CPU-minutes; offsets and
    delays of its comparator are those of ``blocks_folder`` (``results/blocks``). The composed column of a wired tile is held
    against ngspice at the same level.

    Returns
    -------
    dict
        Models by name, each with its held-out errors.

    Raises
    ------
    InputError
        Another level, or level sky130 without ``blocks_folder``.
    """
    if level not in SWING:
        raise InputError(f"level={level!r}: block models are fitted at {', '.join(SWING)}")
    if level == "sky130" and blocks_folder is None:
        raise InputError("blocks_folder: level sky130 needs the offsets that `cosim blocks` measured; give results/blocks")
    if blocks_folder is not None and not Path(blocks_folder, "summary.json").is_file():
        raise InputError(f"blocks_folder={str(blocks_folder)!r}: has no summary.json; `cosim blocks` writes one")
    samples, fresh, deal = (np.random.default_rng(s) for s in part_sequences(check(Seed, seed, "seed"), 3))
    comparator = ComparatorModel.fit(characterize_comparator(level, samples, blocks_folder=blocks_folder), deal)
    comparator = comparator.validated(**held_out_comparator(comparator, level, fresh))
    swing = characterize_integrator(level, samples, swing=SWING[level], blocks_folder=blocks_folder)
    integrator = IntegratorModel.fit(swing, deal)
    integrator = integrator.validated(**held_out_integrator(integrator, level, fresh))
    models: dict[str, CompactModel] = {"comparator": comparator, "integrator": integrator}
    fitted, held, tiles = VECTORS[level]
    mac = MacModel.fit(characterize_mac(level, samples, vectors=fitted), deal)
    mac = mac.validated(**held_out_mac(mac, level, fresh, vectors=held))
    if level == "macro":
        device = load_profile(profile)
        crossbar = CrossbarModel.fit(characterize_crossbar(device, samples), device)
        models["crossbar"] = crossbar.validated(**held_out_crossbar(crossbar, fresh))
    settling = integrator.tau.value
    tile = held_out_tile(mac, comparator, fresh, level=level, settling=settling, vectors=tiles)
    models["mac"] = mac.validated(**{f"tile_{k}": v for k, v in tile.items()})
    if level == "macro":
        ramp = held_out_codes(comparator, fresh, settling=settling)
        models["comparator"] = comparator.validated(**{f"ramp_{k}": v for k, v in ramp.items()})
    for name, model in models.items():
        model.save(Path(out) / f"{name}.json")
    return models
