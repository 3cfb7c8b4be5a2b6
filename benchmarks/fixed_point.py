"""Accuracy with binary points that are learned against points that stay: ``python benchmarks/fixed_point.py [TASK] [SEEDS]``."""

from __future__ import annotations

import sys

import numpy as np

from cosim.chip import Hardware, PwmInputs
from cosim.evaluation import evaluate
from cosim.tasks import load_task
from cosim.training import TrainingSettings, train_task


def main(name: str = "vowels", seeds: str = "2") -> None:
    """Prints a row for each resolution: mean accuracy over trainings, formats that stay and formats that are learned."""
    task = load_task(name)
    print("| bits | fixed (%) | learned (%) | exponents learned: weights, inputs, states |\n|---|---|---|---|")
    for bits in (3, 4, 5):
        found: dict[bool, list[float]] = {False: [], True: []}
        exponents = []
        for seed in range(1, int(seeds) + 1):
            for learned in found:
                how = TrainingSettings(epochs=40, standardize=True, fixed_point_bits=bits, fixed_point_learned=learned)
                network = train_task(task, seed=seed, settings=how)
                answers = evaluate(network, task.test, Hardware(pwm=PwmInputs(bits)), dtype=np.float64)
                found[learned].append(float(answers.accuracy[0]))
            exponents.append("/".join(str(f.exponent) for f in network.formats.values()))
        means = (f"{100 * np.mean(found[k]):.1f} ({', '.join(f'{100 * a:.1f}' for a in found[k])})" for k in found)
        print(f"| {bits} | {' | '.join(means)} | {', '.join(exponents)} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
