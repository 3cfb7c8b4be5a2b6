"""A user's op-amp, measured: figures at every condition, mismatch, and a two-stage macro-model fitted to its responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from characterization.chips import check_sides, without_randomness
from characterization.processes import in_workers
from netlists.converter import Blocks
from netlists.errors import SimulationError
from netlists.machine import weigh
from netlists.outside import OpampMacro, UserSubcircuit
from netlists.technology import RampCircuit, TwoStageOpamp
from netlists.testbench import BenchConditions, BlockOnBench

from .comparator import SAMPLE_SECONDS, measure_offsets
from .ota import measure_ota
from .own_block import MISMATCH_CHUNK, Say, is_random, short_error

C_LOAD, C_F, C_IN = 1e-12, 7e-12, 300e-15
"""Loads of the bench: output, feedback capacitor, summing node, farads."""
HIGHEST = 3e9
"""Responses are fitted up to here, hertz."""
IDEAL_OUTPUT = 1.0
"""Output resistance below which there is no second stage to fit, ohms."""
GOOD_FIT = 0.1
"""Largest error of the fitted gain and output impedance up to the unity-gain frequency; beyond it a single pole is taken."""


@dataclass(frozen=True)
class MeasuredOpamp:
    """Rows of what was measured of an op-amp: a row a condition, an instance, a frequency at nominal conditions."""

    figures: list[dict[str, Any]]
    offsets: list[dict[str, Any]]
    response: list[dict[str, float]]
    mismatch: dict[str, Any] | None
    warnings: tuple[str, ...]


def opamp_at(block: BlockOnBench, at: BenchConditions) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Figures of an op-amp at one condition, and the tables of its bench."""
    tables: dict[str, np.ndarray] = {}
    found = asdict(measure_ota(at, c_load=C_LOAD, c_f=C_F, c_in=C_IN, block=block, tables=tables))
    z = tables["z"]
    figures = vars(at) | {n: float(v) for n, v in found.items() if n not in ("corner", "temperature", "v_dd", "gm", "gain_db")}
    figures["slew"] = min(figures.pop("slew_rise"), figures.pop("slew_fall"))
    figures["r_out"] = float(abs(z[0, 1] + 1j * z[0, 2]))
    return figures, tables


def measure_own_opamp(
    own: UserSubcircuit,
    nominal: BenchConditions,
    others: Sequence[BenchConditions],
    *,
    samples: int,
    seed: int,
    jobs: int = 1,
    say: Say = lambda text: None,
) -> MeasuredOpamp:
    """Measures an op-amp of the user's at nominal and other conditions, and the offsets of ``samples`` instances.

    Raises
    ------
    SimulationError
        It does not work at nominal conditions. Where it fails elsewhere, the row says so by NaN and a warning.
    """
    import time

    from joblib import delayed

    fixed = without_randomness(own)
    warnings = list(check_sides("opamp", fixed, Blocks(opamp=fixed), RampCircuit(v_dd=nominal.v_dd, v_cm=nominal.v_cm)))
    block, began = BlockOnBench.of(fixed), time.monotonic()
    figures, tables = opamp_at(block, nominal)
    took = time.monotonic() - began
    weigh(f"samples={samples}", seconds=SAMPLE_SECONDS * samples if is_random(own) else 0.0)
    say(f"nominal figures in {took:.0f} s; {len(others)} more conditions take about {took * len(others) / jobs:.0f} s")
    rows = [figures]
    for at, (found, failure) in zip(others, in_workers((delayed(_tried)(block, at) for at in others), jobs), strict=True):
        if found is None:
            warnings.append(f"op-amp {own.name} fails at {at}: {failure}")
        rows.append(found or vars(at) | {n: np.nan for n in figures if n not in vars(at)})
    mismatch, offsets = None, []
    if is_random(own):
        say(f"offsets of {samples} instances")
        statistics, values = measure_offsets(
            BlockOnBench.of(own), samples, np.random.default_rng(seed), nominal, common_mode=nominal.v_cm, chunk=MISMATCH_CHUNK
        )
        mismatch = {n: v for n, v in asdict(statistics).items() if n not in ("seeds", "block")} | {"seed": seed}
        mismatch["draws"] = f"ngspice's draws of {'the mismatch models' if own.pdk else 'the random functions in its text'}"
        offsets = [{"sample": i, "offset": float(v)} for i, v in enumerate(values)]
    else:
        warnings.append(f"op-amp {own.name}: neither its text nor its models have mismatch, so its offset sigma is not known")
    response = [
        {"frequency": float(a[0]), "gain_re": float(a[1]), "gain_im": float(a[2]), "z_re": float(z[1]), "z_im": float(z[2])}
        for a, z in zip(tables["ac"], tables["z"], strict=True)
    ]
    return MeasuredOpamp(rows, offsets, response, mismatch, tuple(warnings))


def _tried(block: BlockOnBench, at: BenchConditions) -> tuple[Any, str]:
    try:
        return opamp_at(block, at)[0], ""
    except SimulationError as e:
        return None, short_error(e)


def two_stage_response(macro: TwoStageOpamp, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain with the bench's loads, and output impedance without them, of a two-stage macro-model."""
    s = 2j * np.pi * frequency
    miller = 1 / (macro.r_z + 1 / (s * macro.c_c))
    a = 1 / macro.r1 + s * macro.c1 + miller
    feedback, forward = -miller, macro.gm2 - miller

    def solve(c_load: float, first: float, second: float) -> np.ndarray:
        out = 1 / macro.r_o + s * (macro.c_out + c_load) + miller
        return (a * second - forward * first) / (a * out - feedback * forward)

    return solve(C_LOAD + C_F * C_IN / (C_F + C_IN), -macro.gm1, 0.0), solve(0.0, 0.0, 1.0)


def fit_opamp(measured: MeasuredOpamp) -> tuple[TwoStageOpamp | OpampMacro, dict[str, float]]:
    """The macro-model of a measured op-amp: two stages, or one pole where two stages do not give its responses.

    Returns
    -------
    macro : TwoStageOpamp or OpampMacro
    fit : dict
        ``worst``: largest relative error of the two-stage model's gain and output impedance up to the unity-gain frequency.
    """
    from scipy.optimize import least_squares

    f = measured.figures[0]
    one_pole = OpampMacro(f["gain"], f["gbw"], f["slew"], -f["offset"])
    if f["r_out"] < IDEAL_OUTPUT:
        return one_pole, {"worst": 0.0}
    table = {n: np.array([r[n] for r in measured.response]) for n in measured.response[0]}
    use = table["frequency"] <= HIGHEST
    frequency = table["frequency"][use]
    gain, z = (table[f"{n}_re"][use] + 1j * table[f"{n}_im"][use] for n in ("gain", "z"))
    near = int(np.argmin(np.abs(frequency - f["gbw"] / 3)))
    gm2, c_c = 1 / abs(z[near]), 1e-12
    gm1 = 2 * np.pi * f["gbw"] * c_c
    start = {"gm1": gm1, "r1": f["gain"] / (gm1 * gm2 * f["r_out"]), "c1": 0.3e-12, "c_c": c_c, "r_z": 1 / gm2, "gm2": gm2}
    start |= {"r_o": f["r_out"], "c_out": 0.3e-12}

    def model(logs: np.ndarray) -> TwoStageOpamp:
        values = dict(zip(start, np.exp(logs).tolist(), strict=True))
        return TwoStageOpamp(**values, i_1=f["slew"] * values["c_c"], offset=-f["offset"])

    def residual(logs: np.ndarray) -> np.ndarray:
        ratios = [np.log(found / true) for found, true in zip(two_stage_response(model(logs), frequency), (gain, z), strict=True)]
        return np.concatenate([part for r in ratios for part in (r.real, r.imag)])

    try:
        x0 = np.log(list(start.values()))
        found = least_squares(residual, x0, bounds=(x0 - 7, x0 + 7), x_scale=1.0)
        macro = model(found.x)
        below = frequency <= f["gbw"]
        pairs = zip(two_stage_response(macro, frequency[below]), (gain[below], z[below]), strict=True)
        worst = max(float(np.max(np.abs(ours / true - 1))) for ours, true in pairs)
    except ValueError:
        worst = np.inf
    if worst <= GOOD_FIT:
        return macro, {"worst": worst}
    return one_pole, {"worst": worst}
