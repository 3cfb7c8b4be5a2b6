"""Study of a reconstructed attractor: an almost-linear RNN learns Lorenz-63 and runs by itself, in float and on hardware."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from characterization.resume import Parts
from cosim.chip import Arrays, Hardware, PwmInputs
from cosim.network import Layer, Network
from cosim.network.cells import ALRNN
from cosim.report import Results, Study, Takes, Work
from cosim.tasks import lorenz_exponent, lorenz_trajectory
from cosim.training import DynamicsSettings, train_dynamics
from netlists.technology import load_profile

from .generate import generate
from .invariants import divergence_rate, network_exponent, spectrum_distance, state_space_divergence
from .pictures import draw_attractors, draw_invariants
from .settings import LorenzSettings

SYSTEM, FLOAT, RAMPS, FINE_PULSES, MEMRISTORS = "the system itself", "float", "ramps and pulses", "ramps, fine pulses", "memristors"
FORCED = 50
"""Steps of data that a network is given before it runs by itself."""
EXPONENT_TIME = 200.0


def compute(settings: LorenzSettings, work: Work) -> Results:
    """Integrates the system, trains, lets each network run by itself on each hardware, and holds it against the system."""
    s, parts = settings, work.parts()
    work.options.say("trajectories of the system")
    found = parts.arrays("system", lambda: _trajectories(s))
    train, judge, another = (found[name] for name in ("train", "judge", "another"))
    rows = [_row(SYSTEM, None, 0, 0, another, judge, s) | {"exponent": float(found["exponent"])}]
    shown = {SYSTEM: judge}
    for number in work.options.bar(range(s.trainings), "trainings", "training"):
        network = _trained(train, number, s, parts)
        for name, bits, hardware in _conditions(s):
            for chip in range(s.chips if name == MEMRISTORS else 1):
                # Chips of all conditions are the same: their differences are those of the conditions.
                own = partial(_generated, network, judge, hardware, chip, s)
                points = parts.array(f"generated-{number}-{name.replace(' ', '-').replace(',', '')}-{bits}-{chip}", own)
                row = _row(name, bits, number, chip, points, judge, s)
                if name == FLOAT:
                    row["exponent"] = network_exponent(network, judge[:FORCED], s.generated, s.dt)
                rows.append(row)
                if number == 0 and chip == 0:
                    shown[name if bits is None else f"{name}, {bits} bits"] = points
    table = pd.DataFrame(rows)
    cells = [_trained(train, k, s, parts).layers[0].cell.describe() for k in range(s.trainings)]
    return Results(
        summary={"scales": [{name: c[name] for name in ("full_scale", "state_full_scale")} for c in cells]},
        tables={"invariants.csv": table},
        pictures={"attractors": partial(draw_attractors, shown), "invariants": partial(draw_invariants, table)},
        float_format="%.6g",
    )


def _trajectories(s: LorenzSettings) -> dict[str, np.ndarray]:
    """Three trajectories, scaled by mean and deviation of the one that trains, and the system's exponent."""
    first, *others = (lorenz_trajectory(s.points, s.dt, s.seed + k) for k in range(3))
    mean, deviation = first.mean(axis=0), first.std(axis=0)
    names = zip(("train", "judge", "another"), (first, *others), strict=True)
    return {name: (x - mean) / deviation for name, x in names} | {"exponent": np.array(lorenz_exponent(EXPONENT_TIME, s.seed))}


def _trained(points: np.ndarray, number: int, s: LorenzSettings, parts: Parts) -> Network:
    how = DynamicsSettings(n_hidden=s.n_hidden, n_relu=s.n_relu, updates=s.updates, forcing=s.forcing)

    def fresh() -> dict[str, np.ndarray]:
        network = train_dynamics(points, how, seed=s.seed + number, task="lorenz")
        cell = network.layers[0].cell.describe()
        scales = np.array([cell["full_scale"], cell["state_full_scale"]])
        return dict(network.layers[0].forward) | {"readout": network.readout, "scales": scales}

    found = parts.arrays(f"network-{number}", fresh)
    return _network(found, points.shape[1], s)


def _network(found: dict[str, np.ndarray], observed: int, s: LorenzSettings) -> Network:
    cell = ALRNN(observed, s.n_hidden, s.n_relu, *found["scales"].tolist())
    return Network((Layer(cell, {"weights": found["weights"], "decay": found["decay"]}),), found["readout"])


def _conditions(s: LorenzSettings) -> list[tuple[str, int | None, Hardware | None]]:
    """Name, resolution and hardware of each; rectified units go through ramps of their own on all hardware."""

    def hardware(bits: int, pulses: int, arrays: Arrays | None = None) -> Hardware:
        return Hardware(bits=bits, state_unit="ramp", pwm=PwmInputs(pulses), arrays=arrays)

    out: list[tuple[str, int | None, Hardware | None]] = [(FLOAT, None, None)]
    out += [(RAMPS, bits, hardware(bits, min(bits, 8))) for bits in s.bits]
    out.append((FINE_PULSES, s.alone_bits, hardware(s.alone_bits, s.pwm_bits)))
    return [*out, (MEMRISTORS, s.alone_bits, hardware(s.alone_bits, s.pwm_bits, Arrays(load_profile(s.profile))))]


def _generated(network: Network, judge: np.ndarray, hardware: Hardware | None, chip: int, s: LorenzSettings) -> np.ndarray:
    return generate(network, judge[:FORCED], s.generated, hardware, chip=chip, seed=s.seed)


def _row(
    name: str, bits: int | None, training: int, chip: int, points: np.ndarray, judge: np.ndarray, s: LorenzSettings
) -> dict[str, Any]:
    """Invariants of a trajectory against those of the system; NaN of one that escapes."""
    row: dict[str, Any] = {"on": name, "bits": bits, "training": training, "chip": chip, "steps": len(points)}
    if len(points) < s.generated and name != SYSTEM:
        return row | dict.fromkeys(("exponent", "rate", "divergence", "spectrum"), float("nan"))
    return row | {
        "exponent": float("nan"),
        "rate": divergence_rate(points, s.dt),
        "divergence": state_space_divergence(judge, points),
        "spectrum": spectrum_distance(judge, points),
    }


def describe(summary: dict[str, Any]) -> str:
    """Writes where the numbers are, for reading."""
    scales = ", ".join(f"{x['full_scale']:.3g}" for x in summary["scales"])
    return f"{len(summary['scales'])} trainings; a step adds up to {scales}"


def _work(s: LorenzSettings) -> float:
    """Seconds: trainings, and what each network generates."""
    judged = (s.points + s.generated) / 20_000 * 50 * (2 + len(s.bits) + s.chips)
    return s.trainings * max(s.n_hidden / 20, 1) * (0.12 * s.updates + judged)


STUDY = Study("lorenz", LorenzSettings, compute, describe, Takes(3500.0, _work, lambda s: 48.0 * s.n_hidden**2))
