"""Samples for a crossbar model: cells drawn from a profile, their I-V curve from ngspice; and the array against ngspice."""

from __future__ import annotations

import numpy as np

from characterization.compact.crossbar_model import CrossbarModel, CrossbarSamples
from netlists.spice import simulate
from netlists.technology import DeviceProfile
from netlists.testbench import array_read_deck, cell_iv_deck

from .errors import rms


def characterize_crossbar(
    profile: DeviceProfile, rng: np.random.Generator, *, cells: int = 512, reads: int = 16
) -> CrossbarSamples:
    """Program ``cells`` cells across the range, read each ``reads`` times, and sweep one in ngspice.

    Programming and reading are draws of the profile's own statistics: they check the fit. Put measured arrays in their place.
    """
    target = rng.uniform(profile.g_min, profile.g_max, cells)
    programmed = profile.programmed(target, rng)
    seen = np.stack([profile.read(programmed, rng) for _ in range(reads)], axis=1)
    run = simulate(cell_iv_deck(0.5 * (profile.g_min + profile.g_max), profile.iv_curvature), ["te", "s"])
    use = np.abs(run["te"]) > 0.02
    about = f"{cells} cells drawn from profile {profile.name}, {reads} reads each; I-V of memristor_static"
    return CrossbarSamples(target, programmed, seen, run["te"][use], run["s"][use], level="macro", about=about)


def held_out_crossbar(
    model: CrossbarModel, rng: np.random.Generator, *, inputs: int = 12, columns: int = 6, vectors: int = 6
) -> dict[str, float]:
    """Error of effective weights against ngspice on the full mesh of a programmed array, curved cells included.

    Returns
    -------
    dict
        ``rms_relative``, ``worst_relative``: of column sums, rows off or driven either way at random, relative to the rms sum;
        ``ideal_rms_relative``: the same for the trained weights, which is what the model explains.
    """
    weights = rng.uniform(-1, 1, (inputs, columns))
    chip = model.program(weights, rng)
    effective = model.effective_weights(chip)
    signs = rng.integers(-1, 2, (vectors, inputs))
    mesh = model.crossbar(chip.conductance[0], curvature=model.profile.iv_curvature)
    names = [f"s{j}" for j in range(columns)]
    found = []
    for row in signs:
        drive = model.v_read * np.stack([row, -row], axis=1).ravel()
        run = simulate(array_read_deck(mesh, drive), names)
        found.append([run[n][-1] for n in names])
    sums = np.array(found) / (model.v_read * chip.scale)
    size = rms(sums)
    error, ideal = model.apply(signs, effective)[0] - sums, signs @ weights - sums
    return {
        "rms_relative": rms(error) / size,
        "worst_relative": float(np.abs(error).max()) / size,
        "ideal_rms_relative": rms(ideal) / size,
    }
