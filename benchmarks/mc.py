"""Speed of Monte Carlo on the ramp column, a plain PySpice loop in the same run: ``python benchmarks/mc.py [--json] [--long]``.

A sample is one 5-bit sigmoid ramp column at level macro: one transient that yields all its transition levels. The loop is
what a user of PySpice writes: build the circuit, ``simulator``, ``transient``, one column at a time, one process, with a PWL
source for each waveform, the same subcircuits and ngspice's usual tolerances (reltol 1e-3, trtol 7, steps of at most a quarter
pulse). All ways measure the same drawn chips; they take turns, and each figure is the median of its repeats.

``ratio_vs_bare_ngspice`` is in seconds of processor time: one process that draws chips and measures them as `characterize` does,
against `bare_ngspice`, which only loads, runs and reads decks of the same chips, written beforehand.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import subprocess
import time
from statistics import median

import joblib
import numpy as np
import psutil
from bare_ngspice import PLAIN_BLOCKS, bare_loop, levels as bare_levels
from comparator_offset import comparator_offsets

from characterization.chips import draw, measure, probe_span
from characterization.plan import RampPlan
from netlists.converter import Converter, comparator_values, integrator_values
from netlists.ramp import Chips, RampProgram, timing, transition_levels
from netlists.spice import pulses, pwl, shared_instance, stairs, subcircuits
from netlists.spice.shared_library import Circuit

BATCH = 16
JOBS = 2
PLAN = RampPlan("sigmoid", 5, seed=1)
PROGRAM = PLAN.program()
BARE_BATCHES = (16, 27)
"""Chips a deck of the bare loop; the faster counts (``python bare_ngspice.py`` tries others)."""
AGREEMENT_LSB = 5e-3
"""Levels of ours and the bare loop must agree to this."""
LOOP_LSB = 1e-2
"""The same for the plain loops, whose own time steps leave 7e-3 LSB of a fine transient."""


def chips_of(first: int, n: int) -> Chips:
    return draw(PLAN, np.arange(first, first + n)).chips()


def plain_loop(chips: Chips, program: RampProgram, cells: str) -> np.ndarray:
    """Transition levels (n, levels), volts, by the loop a user would write with PySpice."""
    # PySpice then runs in the instance that finds the library and does not take titles for errors.
    shared_instance()
    c, clock = PLAN.circuit, timing(program, PLAN.circuit)
    start = clock.slot_start[program.slot]
    stop = start + program.width * c.t_pulse
    guess, span = transition_levels(program, c, chips), probe_span(c)
    levels = np.empty(guess.shape)
    block = "ramp_cells_selected" if cells == "selected" else "ramp_cell_switch"
    for i in range(len(chips)):
        circuit = Circuit("ramp column")
        circuit.raw_spice = PLAIN_BLOCKS.read_text() + (subcircuits(block) if cells == "switch" else "")
        circuit.V("com", "com", circuit.gnd, f"DC {c.v_cm}")
        off = c.t_reset - c.t_edge
        circuit.V(
            "rst", "rst", circuit.gnd, pwl(np.array([0, off - 2 * c.t_edge, off - c.t_edge]), np.array([c.v_dd, c.v_dd, 0.0]))
        )
        if cells == "selected":
            lines = []
            for name, sign in (("selp", 1), ("seln", -1)):
                use = np.flatnonzero(program.polarity == sign)
                lines.append(name if len(use) else circuit.gnd)
                if len(use):
                    wave = pulses(start[use], stop[use], 1e3 * chips.conductance[i, use], c.t_edge)
                    circuit.V(name, name, circuit.gnd, pwl(*wave))
            circuit.X("cells", block, *lines, "sum", "com", v_read=c.v_read)
        else:
            circuit.V("drvp", "drvp", circuit.gnd, f"DC {c.v_cm - c.v_read}")
            circuit.V("drvn", "drvn", circuit.gnd, f"DC {c.v_cm + c.v_read}")
            for m, g in enumerate(chips.conductance[i]):
                # A switch conducts during both edges and ngspice resolves neither: they must be steep for the charge to be right.
                edge = c.t_edge / 100
                wave = pulses(start[[m]], stop[[m]] - edge, np.array([c.v_dd]), edge)
                circuit.V(f"sel{m}", f"sel{m}", circuit.gnd, pwl(*wave))
                drive = "drvp" if program.polarity[m] == 1 else "drvn"
                circuit.X(f"cell{m}", block, drive, "sum", f"sel{m}", g=float(g), v_dd=c.v_dd)
        offset = c.opamp_offset + float(chips.opamp_offset[i])
        values = integrator_values("macro", c, c_f=program.feedback_capacitance(c), offset=offset)
        circuit.X("int", "integrator_macro", "sum", "ramp", "com", "rst", **values)
        circuit.V("mac", "mac", circuit.gnd, pwl(*stairs(clock.step_start[: len(program.x)], guess[i], c.t_edge)))
        values = comparator_values("macro", c, offset=c.comparator_offset + float(chips.comparator_offset[i]))
        for probe, shift in (("a", -span), ("b", span)):
            circuit.V(f"probe{probe}", f"mac{probe}", "mac", f"DC {shift}")
            circuit.X(f"cmp{probe}", "comparator_macro", "ramp", f"mac{probe}", f"y{probe}", "com", **values)
        simulator = circuit.simulator()
        simulator.options(reltol=1e-3, abstol=1e-10, trtol=7)
        simulator.save(["v(ya)", "v(yb)", "v(com)"])
        analysis = simulator.transient(step_time=c.t_pulse / 4, end_time=clock.stop, max_time=c.t_pulse / 4)
        t, com = np.array(analysis.time), np.array(analysis["com"])
        a, b = (np.interp(clock.latch[: len(program.x)], t, np.array(analysis[y]) - com) for y in ("ya", "yb"))
        levels[i] = guess[i] + span * (a + b) / (a - b)
    return levels


def our_batch(first: int, n: int) -> tuple[np.ndarray, float, float, int, int]:
    """Draw and measure one batch: levels, seconds inside ngspice's `run`, seconds in all, process, its memory in bytes."""
    start = time.perf_counter()
    program = PROGRAM
    ngspice = shared_instance()
    inside = 0.0
    run = type(ngspice).run

    def timed_run() -> None:
        nonlocal inside
        before = time.perf_counter()
        run(ngspice)
        inside += time.perf_counter() - before

    ngspice.run = timed_run
    measured = measure(Converter(program, PLAN.circuit), chips_of(first, n))
    del ngspice.run
    if set(measured.status) != {"ok"}:
        raise SystemExit(f"samples from {first} on: {measured.status}, {measured.message}")
    total = time.perf_counter() - start
    return measured.volts, inside, total, os.getpid(), psutil.Process().memory_info().rss


def ours(first: int, n: int, jobs: int, batch: int = BATCH) -> list[tuple[np.ndarray, float, float, int, int]]:
    work = [joblib.delayed(our_batch)(k, min(batch, first + n - k)) for k in range(first, first + n, batch)]
    return joblib.Parallel(n_jobs=jobs, batch_size=1)(work)


def measure_speed(repeats: int, samples: int) -> dict[str, float]:
    program = PROGRAM
    lsb = program.lsb * program.volts_per_unit(PLAN.circuit)
    loop = max(8, samples // 16)
    rates: dict[str, list[float]] = {name: [] for name in ("loop", "fast_cell", "one_process", "two_processes", "share")}
    agreement = 0.0
    ours(0, JOBS * BATCH, JOBS)
    ours(0, BATCH, 1)
    for _ in range(repeats):
        levels = {}
        for name, cells in (("loop", "switch"), ("fast_cell", "selected")):
            start = time.perf_counter()
            levels[name] = plain_loop(chips_of(0, loop), program, cells)
            rates[name].append(loop / (time.perf_counter() - start))
        for name, jobs in (("one_process", 1), ("two_processes", JOBS)):
            start = time.perf_counter()
            found = ours(0, samples if jobs > 1 else samples // JOBS, jobs)
            rates[name].append(sum(len(f[0]) for f in found) / (time.perf_counter() - start))
            levels[name] = np.concatenate([f[0] for f in found])[:loop]
        rates["share"].append(sum(f[1] for f in found) / sum(f[2] for f in found))
        agreement = max(agreement, *(float(np.abs((levels["loop"] - v) / lsb).max()) for v in levels.values()))
    if not agreement < LOOP_LSB:
        raise SystemExit(f"the ways measure different levels: {agreement:.2g} LSB apart, at most {LOOP_LSB:g} allowed")
    rate = {name: median(values) for name, values in rates.items()}
    return {
        "samples_per_s": rate["two_processes"],
        "ratio_vs_pyspice_loop": median(np.divide(rates["two_processes"], rates["loop"]).tolist()),
        "ratio_vs_pyspice_fast_cell": median(np.divide(rates["two_processes"], rates["fast_cell"]).tolist()),
        "ngspice_share": rate["share"],
        "ratio_two_processes": median(np.divide(rates["two_processes"], rates["one_process"]).tolist()),
        "samples_per_s_one_process": rate["one_process"],
        "samples_per_s_pyspice_loop": rate["loop"],
        "samples_per_s_pyspice_fast_cell": rate["fast_cell"],
        "agreement_lsb": agreement,
    }


def against_bare(repeats: int, samples: int) -> dict[str, float]:
    """Samples a second of processor time, ours and the bare loop's, and how far apart their levels are."""
    converter, lsb = PLAN.converter, PROGRAM.lsb * PROGRAM.volts_per_unit(PLAN.circuit)
    drawn = {b: [chips_of(k, min(b, samples - k)) for k in range(0, samples, b)] for b in BARE_BATCHES}
    loops = {b: bare_loop(converter, batches) for b, batches in drawn.items()}
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    apart = 0.0
    for _ in range(repeats):
        start = time.process_time()
        ours = np.concatenate([our_batch(k, min(BATCH, samples - k))[0] for k in range(0, samples, BATCH)])
        rates["ours"].append(samples / (time.process_time() - start))
        best = 0.0
        for b, loop in loops.items():
            start = time.process_time()
            found = loop.run()
            best = max(best, samples / (time.process_time() - start))
            volts = np.concatenate([bare_levels(converter, *one) for one in zip(drawn[b], found, strict=True)])
            apart = max(apart, float(np.abs((ours - volts) / lsb).max()))
        rates["bare"].append(best)
    if not apart < AGREEMENT_LSB:
        raise SystemExit(f"the bare loop measures other levels: {apart:.2g} LSB apart, at most {AGREEMENT_LSB:g} allowed")
    return {
        "ratio_vs_bare_ngspice": median(np.divide(rates["ours"], rates["bare"]).tolist()),
        "samples_per_cpu_s": median(rates["ours"]),
        "samples_per_cpu_s_bare_ngspice": median(rates["bare"]),
        "agreement_bare_lsb": apart,
    }


def batch_effect(n: int = 64) -> float:
    """Largest change of a level, LSB, when chips are measured in decks of another size."""
    program = PROGRAM
    lsb = program.lsb * program.volts_per_unit(PLAN.circuit)
    levels = [np.concatenate([f[0] for f in ours(0, n, 1, batch)]) for batch in (1, 8, BATCH, 27)]
    return max(float(np.abs((a - levels[2]) / lsb).max()) for a in levels)


def memory(samples: int) -> dict[str, float]:
    """Growth of the workers' memory over a long run, after its first fifth, and the largest memory of this process."""
    seen: dict[int, list[tuple[int, int]]] = {}
    parent = 0
    for first in range(0, samples, 512):
        for levels, _, _, process, rss in ours(first, min(512, samples - first), JOBS):
            done = seen.setdefault(process, [])
            done.append(((done[-1][0] if done else 0) + len(levels), rss))
        parent = max(parent, psutil.Process().memory_info().rss)
    growth = []
    for done in seen.values():
        count, rss = np.array(done, float).T
        late = count > count[-1] / 5
        if late.sum() > 2:
            growth.append(np.polyfit(count[late], rss[late], 1)[0] * 1e4 / 2**20)
    return {"rss_growth_mb_per_10000_samples": float(max(growth)), "parent_rss_mb": parent / 2**20, "memory_samples": samples}


def startup() -> float:
    """Seconds from the start of Python to the first measured sample."""
    code = (
        "import numpy as np\n"
        "from characterization.plan.plan import RampPlan\n"
        "from characterization.chips.sampling import draw\n"
        "from characterization.chips.transitions import measure\n"
        "plan = RampPlan('sigmoid', 5, seed=1)\n"
        "assert measure(plan.converter, draw(plan, np.arange(1)).chips()).status == ['ok']\n"
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def offsets_per_second() -> float:
    """Samples a second in workers that run already: the start of the pool is not in it, the parsing of the models is."""
    ours(0, JOBS * BATCH, JOBS)
    start = time.perf_counter()
    found = comparator_offsets(1024, seed=1, jobs=JOBS)
    return len(found) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--samples", type=int, default=256, help="samples of each repeat")
    parser.add_argument("--long", action="store_true", help="memory over 100,000 samples instead of 4,000 (minutes)")
    arguments = parser.parse_args()
    figures: dict[str, float] = {
        "startup_to_first_sample_s": median(startup() for _ in range(3)),
        **measure_speed(arguments.repeats, arguments.samples),
        **against_bare(arguments.repeats, arguments.samples // JOBS),
        "batch_effect_lsb": batch_effect(),
        **memory(100_000 if arguments.long else 4_000),
        "sky130_comparator_offset_samples_per_s": offsets_per_second(),
        "batch": BATCH,
        "repeats": arguments.repeats,
        "cores": os.cpu_count() or 0,
    }
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        print(f"{name:42s} {value:.4g}")


if __name__ == "__main__":
    main()
