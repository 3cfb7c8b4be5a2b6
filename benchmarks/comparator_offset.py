"""Input offsets of a small SKY130 comparator under foundry mismatch, from a slow ramp: as many instances a second as can be had.

The five transistors are called straight from the models, one finger each: ngspice's parsing of the models takes most of the
time, and each layer of parameters around a transistor multiplies it. The comparators of a deck share one bias diode, whose
own mismatch moves only their common tail current. The blocks that the converter is built
of have their own bench, `characterization.transistors.comparator.measure_offsets`.
"""

from __future__ import annotations

import numpy as np

from characterization.processes import in_workers
from characterization.streams import offset_seed
from netlists.checks import is_whole
from netlists.errors import InputError, SimulationError
from netlists.spice import Deck, simulate_draws
from netlists.technology import SETTINGS, Conditions, lib_card

DECK = 128
"""Instances of a deck; a sample is a function of (seed, its number) as long as this does not change."""
DRAWS = 8
"""Times that a worker draws a parsed deck anew before it takes the next one; parsing the models takes longer than a transient."""
T_RAMP = 1e-6
SPAN = 0.05
"""The ramp goes from this far below the reference to as far above, volts: more than six sigma."""
LONGEST_STEP = T_RAMP / 25

# Assumption: sizes of a small comparator; its offset has the sigma of a few millivolts that the field reports at this size.
BLOCK = """.subckt ota5 inp inn out bn vdd vss
xt tail bn vss vss sky130_fd_pr__nfet_01v8 w=4 l=0.5
x1 d1 inp tail vss sky130_fd_pr__nfet_01v8_lvt w=4 l=0.35
x2 out inn tail vss sky130_fd_pr__nfet_01v8_lvt w=4 l=0.35
x3 d1 d1 vdd vdd sky130_fd_pr__pfet_01v8 w=4 l=0.5
x4 out d1 vdd vdd sky130_fd_pr__pfet_01v8 w=4 l=0.5
.ends ota5
"""


def offset_deck(n: int, conditions: Conditions | None = None) -> Deck:
    """``n`` comparators on one ramp; the seed of ngspice's generator decides the mismatch that each draws.

    Returns
    -------
    Deck
        Saves ``inp``, ``ref`` and the outputs ``out0``, ``out1``, ...
    """
    at = conditions or Conditions()
    outputs = [f"v(out{k})" for k in range(n)]
    cards = [
        ".title SKY130 five-transistor comparators with mismatch on a ramp",
        lib_card(at.corner, mismatch=True),
        ".options reltol=1e-3",
        BLOCK.rstrip(),
        f".temp {at.temperature!r}",
        f"vdd vdd 0 {at.v_dd!r}",
        f"vref ref 0 {at.v_cm!r}",
        f"vin inp ref pwl(0 {-SPAN!r} {T_RAMP!r} {SPAN!r})",
        "irb vdd bn 10u",
        "xb bn bn 0 0 sky130_fd_pr__nfet_01v8 w=4 l=0.5",
        *(f"x{k} inp ref out{k} bn vdd 0 ota5" for k in range(n)),
        ".save v(inp) v(ref)",
        *(f".save {' '.join(outputs[j : j + 16])}" for j in range(0, n, 16)),
        f".tran {LONGEST_STEP!r} {T_RAMP!r} 0 {LONGEST_STEP!r}",
    ]
    return Deck("\n".join(cards) + "\n", settings=SETTINGS)


def comparator_offsets(n: int, *, seed: int, jobs: int = 1, conditions: Conditions | None = None) -> np.ndarray:
    """Offsets (n,) of comparators with mismatch, volts, as they add to the positive input; the comparator's delay is in them.

    Parameters
    ----------
    n : int
        Samples, 1 or more; more samples do not change the first ones.
    seed : int
        0 or more. Sample i is a function of (seed, i) and of ngspice's own generator.
    jobs : int
        Processes.

    Raises
    ------
    InputError
        Bad counts or seed.
    SimulationError
        If ngspice fails, or an output does not pass through its middle.
    ToolkitError
        If ngspice or the models are missing.
    """
    import joblib

    for name, value, low in (("n", n, 1), ("seed", seed, 0), ("jobs", jobs, 1)):
        if not is_whole(value) or value < low:
            raise InputError(f"{name}={value!r}: must be a whole number, {low} or more")
    at = conditions or Conditions()
    decks = range(-(-n // DECK))
    # As few parses as workers, as long as each has no more than `DRAWS` draws to make.
    size = max(1, min(DRAWS, -(-len(decks) // jobs)))
    groups = [decks[k : k + size] for k in range(0, len(decks), size)]
    return np.concatenate(list(in_workers((joblib.delayed(_offsets)(seed, group, at) for group in groups), jobs)))[:n]


def _offsets(seed: int, numbers: range, at: Conditions) -> np.ndarray:
    """Offsets of the decks with the given numbers, one after the other."""
    seeds = [offset_seed(seed, k) for k in numbers]
    found = simulate_draws(offset_deck(DECK, at), ["inp", "ref", *(f"out{k}" for k in range(DECK))], seeds)
    return np.concatenate([_trip_points(data, f"deck {k} (seed {seed})", at) for k, data in zip(numbers, found, strict=True)])


def _trip_points(data: dict[str, np.ndarray], which: str, at: Conditions) -> np.ndarray:
    # The trip point: where the output passes the middle of its own range.
    out = np.array([data[f"out{k}"] for k in range(DECK)])
    above = out - 0.5 * (out[:, :1] + out[:, -1:])
    if np.any(out[:, -1] - out[:, 0] < 0.1 * at.v_dd):
        raise SimulationError(f"comparators of {which} do not trip within {SPAN:g} V")
    after = np.argmax(above > 0, axis=1)
    row = np.arange(DECK)
    share = above[row, after - 1] / (above[row, after - 1] - above[row, after])
    ramp = data["inp"] - data["ref"]
    return -(ramp[after - 1] + share * (ramp[after] - ramp[after - 1]))
