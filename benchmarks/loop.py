"""How many conversions a loop makes: ``python benchmarks/loop.py [--json] [--repeats N] [--utterances N]``.

All conversions in ngspice of ``cosim loop --task vowels --mode shadow --jobs 1`` with ``results/demo/network.npz``: on comparators
that take them in turns, and with one for each, as in commit 57c999e; in decks of 64 too, to tell how many codes depend on that.
Conversions a second of processor time, in turns, medians; codes that differ.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np

import cosim.loop.simulators as simulators
from cosim.loop.chip import make_chip
from cosim.loop.datapath import StepConversion, Who, run_loop_network
from cosim.loop.run import choose_sequences
from cosim.loop.settings import LoopSettings
from cosim.network import Network
from cosim.tasks import load_task

NETWORK = Path(__file__).parent.parent / "results" / "demo" / "network.npz"


def main(repeats: int = 3, utterances: int = 4) -> dict[str, Any]:
    network, settings = Network.load(NETWORK), LoopSettings("vowels", mode="shadow", utterances=utterances)
    chip = make_chip(network, settings)
    some = choose_sequences(network.driven(load_task("vowels").test), settings)
    told: list[StepConversion] = []
    run_loop_network(network, chip, some.x, some.active, some.counters, Who(), told.append)
    steps, spice = [c.step for c in told], simulators.SpiceSimulator(chip)
    done: dict[str, list[simulators.Answer]] = {}
    seconds: dict[str, list[float]] = {"in_turns": [], "held": []}

    def timed(name: str) -> None:
        begun = time.process_time()
        done[name] = [spice.answer(step) for step in steps]
        seconds.setdefault(name, []).append(time.process_time() - begun)

    def held(name: str, size: int) -> None:
        with patch.object(simulators, "can_multiplex", lambda _: False), patch.object(simulators, "HELD_A_DECK", size):
            timed(name)

    spice.answer(steps[0])
    for _ in range(repeats):
        timed("in_turns")
        held("held", simulators.HELD_A_DECK)
    held("held_64", 64)

    def codes(name: str) -> np.ndarray:
        return np.concatenate([a.codes.ravel() for a in done[name]])

    n = len(codes("held"))
    return {
        "conversions": n,
        "a_second_in_turns": n / median(seconds["in_turns"]),
        "a_second_held": n / median(seconds["held"]),
        "ratio": median(b / a for a, b in zip(seconds["in_turns"], seconds["held"], strict=True)),
        "codes_that_differ": int(np.sum(codes("in_turns") != codes("held"))),
        "codes_that_differ_held_in_decks_of_64": int(np.sum(codes("held_64") != codes("held"))),
        "repeated": sum(a.repeated for a in done["in_turns"]),
        "foretold_wrong": sum(a.foretold_wrong for a in done["in_turns"]),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--utterances", type=int, default=4)
    args = parser.parse_args()
    found = main(args.repeats, args.utterances)
    print(json.dumps(found, indent=1) if args.json else "\n".join(f"{k}: {v:.5g}" for k, v in found.items()))
