"""Latch and counter of the converter at transistor level: truth tables in transients, beside the macro blocks."""

import re

import numpy as np
import pytest

from netlists.spice.deck import Deck, subcircuits
from netlists.spice.waveforms import pulses, pwl, stairs
from netlists.technology import pdk
from netlists.technology.pdk import Conditions
from netlists.testbench.run import commands, header, run_bench

BLOCKS = ("inverter_sky130", "nand2_sky130", "latch_sky130", "toggle_sky130", "counter_sky130")
OPTIONS = ".options reltol=1e-3 abstol=1e-10 trtol=7\n"
EDGE = 5e-11
CONDITIONS = [
    Conditions(),
    pytest.param(Conditions("ss", -40.0, 1.62), marks=pytest.mark.slow),
    pytest.param(Conditions("ff", 125.0, 1.98), marks=pytest.mark.slow),
]
BITS = ("b0", "b1", "b2", "b3", "b4")


def run(circuit: str, conditions: Conditions, vectors: list[str], stop: float, *more: str) -> dict[str, np.ndarray]:
    """Transient of a deck with supply ``vdd``; vectors by name, and ``time``."""
    text = header("digital", conditions, *BLOCKS, *more) + OPTIONS + f"vdd vdd 0 {conditions.v_dd!r}\n{circuit}"
    control = commands("run", ("out", [f"v({name})" for name in vectors]))
    table = run_bench(Deck(text + f".tran 20p {float(stop)!r} 0 50p\n", control), ["out"])["out"]
    return dict(zip(["time", *vectors], table.T, strict=True))


def at(result: dict[str, np.ndarray], name: str, times: np.ndarray) -> np.ndarray:
    return np.interp(times, result["time"], result[name])


def train(starts: np.ndarray, width: float, height: float) -> str:
    return pwl(*pulses(starts, starts + width, np.full(len(starts), height), EDGE))


def counter(tag: str, q: str, conditions: Conditions) -> str:
    """A transistor counter and the macro one on the same step pulses; the macro's signals are 0..1 V."""
    v = conditions.v_dd
    bits = " ".join(f"{b}{tag}" for b in BITS)
    return (
        f"x{tag} {q} step rst {bits} code{tag} vdd 0 counter_sky130 v_dd={v!r}\n"
        f"eq{tag} q1{tag} 0 {q} 0 {1 / v!r}\nxm{tag} q1{tag} step1 macro{tag} counter_macro t_cnt=1n\n"
    )


@pytest.mark.parametrize("name", BLOCKS)
def test_headers_name_the_ports_and_parameters_of_the_subcircuit(name):
    text = subcircuits(name)
    head, card = re.search(rf"(\* {name} -.*?)^\.subckt {name} ([^\n]*)$", text, re.DOTALL | re.MULTILINE).groups()
    ports, _, params = card.partition(" params: ")
    for word in [*ports.split(), *(p.partition("=")[0] for p in params.split())]:
        assert re.search(rf"\b{word}\b", head), f"{name}: {word} is not in the header"


def test_every_transistor_has_an_allowed_size():
    text = subcircuits(*BLOCKS)
    found = re.findall(r" ([np]mos_sky130) w=([\d.]+) l=([\d.]+)", text)
    # An inverter has its width from outside, 0.65 um unless told.
    widths = [float(w) for w in re.findall(r"inverter_sky130 (?:params: )?w=([\d.]+)", text)]
    sizes = [(d, float(w)) for d, w, _ in found] + [("nmos_sky130", w) for w in widths] + [("pmos_sky130", 2 * w) for w in widths]
    assert len(found) > 20
    assert len(widths) >= 3
    assert {length for _, _, length in found} == {"0.15"}
    for device, w in sizes:
        pdk.check_geometry(device, w=w * 1e-6, length=0.15e-6)


@pytest.mark.parametrize("conditions", CONDITIONS, ids=lambda c: c.corner)
def test_the_latch_follows_while_clk_is_high_and_holds_what_it_saw_when_clk_fell(conditions):
    v = conditions.v_dd
    period, n = 4e-9, 12
    # d moves 1.2 ns before and 0.5 ns after each falling edge, by a drawn pattern.
    before, after = np.random.default_rng(3).integers(0, 2, (2, n))
    fall = period * (np.arange(n) + 0.5)
    moves, values = np.stack([fall - 1.2e-9, fall + 0.5e-9], axis=1).ravel(), np.stack([before, after], axis=1).ravel()
    clk = pwl(*pulses(fall, fall + period / 2, np.full(n, 0.0), EDGE, base=v))
    circuit = (
        f"vclk clk 0 {clk}\nvd d 0 {pwl(*stairs(moves, values * v, EDGE))}\nx1 d clk q com vdd 0 latch_sky130\ncl q 0 10f\n"
        f"x2 d clk qm com latch_macro v_dd={v!r}\n"
    )
    got = run(circuit, conditions, ["q", "qm"], n * period, "latch_macro")
    # Open before the edge; held 1.4 ns after it, while d may have moved; open again 0.7 ns after clk rises.
    instants = np.concatenate([fall - 0.2e-9, fall + 1.4e-9, fall[:-1] + period / 2 + 0.7e-9])
    want = np.concatenate([before, before, after[:-1]])
    assert {(a, b) for a, b in zip(before, after, strict=True)} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    np.testing.assert_allclose(at(got, "q", instants), want * v, atol=0.1 * v)
    np.testing.assert_array_equal(at(got, "qm", instants) > 0.5, want == 1)


def test_an_edge_of_clk_toggles_and_reset_wins_whatever_clk_is():
    v = 1.8
    t0, period = 1e-9, 2e-9
    rise = t0 + period * np.arange(9)
    # A short reset in a low phase of clk and one in a high phase: each finds q high, and is over before the next rising edge.
    resets = np.array([rise[2] + 1.3e-9, rise[5] + 0.45e-9])
    times, levels = pulses(resets, resets + 4e-10, np.zeros(2), EDGE, base=v)
    clr = pwl(np.concatenate([[0.0, 0.5e-9, 0.5e-9 + EDGE], times[1:]]), np.concatenate([[0.0, 0.0, v], levels[1:]]))
    circuit = f"vclk clk 0 {train(rise, 1e-9, v)}\nvclr clr 0 {clr}\nx1 clk clr q qn vdd 0 toggle_sky130\n"
    got = run(circuit, Conditions(), ["q", "qn"], rise[-1] + period)
    instants = np.sort(np.concatenate([[0.9e-9], rise + 0.9e-9, resets + 0.38e-9, resets - 0.01e-9]))
    want = []
    for t in instants:
        since = max([0.0, *resets[resets < t]])
        want.append(np.sum((rise > since) & (rise < t)) % 2)
    want = np.array(want)
    assert 0 < want.sum() < len(want)
    np.testing.assert_allclose(at(got, "q", instants), want * v, atol=0.05 * v)
    np.testing.assert_allclose(at(got, "qn", instants), (1 - want) * v, atol=0.05 * v)


@pytest.mark.slow
def test_the_counter_counts_every_pulse_from_0_to_31_as_the_macro_counter_does():
    v, period, t0 = 1.8, 2e-9, 1e-9
    start = t0 + period * np.arange(32)
    circuit = (
        f"vrst rst 0 PWL(0 {v} 0.5n {v} 0.55n 0)\nvstep step 0 {train(start, 1e-9, v)}\nestep step1 0 step 0 {1 / v!r}\n"
        f"vq q 0 0\n{counter('a', 'q', Conditions())}"
    )
    bits = [f"{b}a" for b in BITS]
    got = run(circuit, Conditions(), ["codea", "macroa", *bits], t0 + 32 * period, "counter_macro")
    instants = np.append(start, start[-1] + period) - 0.05e-9
    count = np.arange(33)
    np.testing.assert_allclose(at(got, "codea", instants), count % 32, atol=0.05)
    np.testing.assert_allclose(at(got, "macroa", instants), count, atol=0.05)
    for i, b in enumerate(bits):
        np.testing.assert_allclose(at(got, b, instants), v * ((count >> i) & 1), atol=0.1 * v)


@pytest.mark.parametrize("trips", [(2,), pytest.param((0, 1), marks=pytest.mark.slow)])
def test_the_first_pulse_with_q_high_stops_the_count_until_reset(trips):
    v, period, t0, n = 1.8, 2e-9, 1e-9, 7
    start = t0 + period * np.arange(n)
    again = start[3] + 1.3e-9  # reset, long enough after pulse 3, gone before pulse 4
    circuit = f"vrst rst 0 PWL(0 {v} 0.5n {v} 0.55n 0 {again} 0 {again + EDGE} {v} {again + 4e-10} {v} {again + 4.5e-10} 0)\n"
    circuit += f"vstep step 0 {train(start, 1e-9, v)}\nestep step1 0 step 0 {1 / v!r}\n"
    for k in trips:
        # q is high at pulse k only, and low again for all that follow.
        circuit += f"vq{k} q{k} 0 {train(np.array([start[k] - 0.5e-9]), 2e-9, v)}\n{counter(str(k), f'q{k}', Conditions())}"
    got = run(circuit, Conditions(), [f"{name}{k}" for k in trips for name in ("code", "macro")], t0 + n * period, "counter_macro")
    after = start + 1.2e-9
    for k in trips:
        first = np.minimum(np.arange(1, 5), k)
        np.testing.assert_allclose(at(got, f"code{k}", after[:4]), first, atol=0.05)
        np.testing.assert_allclose(at(got, f"macro{k}", after[:4]), first, atol=0.1)
        # After the reset all of them count from 0: the stop is cleared as well.
        np.testing.assert_allclose(at(got, f"code{k}", np.append(start[4] - 0.05e-9, after[4:])), np.arange(4), atol=0.05)


@pytest.mark.parametrize("conditions", CONDITIONS, ids=lambda c: c.corner)
@pytest.mark.slow
def test_comparator_latch_and_counter_give_the_code_of_a_staircase(conditions):
    v, period, n = conditions.v_dd, 12e-9, 6
    ramp = 0.7 + 0.06 * np.arange(n)
    mac = 0.7 + 0.06 * 2.5
    start = 1e-9 + period * np.arange(n)
    latch = start + period - 2e-9
    t, clk = pulses(latch - 3e-9, latch, np.full(n, v), EDGE)
    clk = pwl(np.append(0.0, t[3:]), np.append(v, clk[3:]))  # open from the beginning, as in a conversion
    circuit = (
        f"vrst rst 0 PWL(0 {v} 0.5n {v} 0.55n 0)\nvstep step 0 {train(latch + 0.5e-9, 1e-9, v)}\nestep step1 0 step 0 {1 / v!r}\n"
        f"vramp ramp 0 {pwl(*stairs(start, ramp, EDGE))}\nvmac mac 0 {mac}\nvclk clk 0 {clk}\n"
        "xcmp ramp mac y com vdd 0 comparator_sky130\nxlat y clk q com vdd 0 latch_sky130\n"
        f"{counter('a', 'q', conditions)}"
    )
    got = run(circuit, conditions, ["codea", "macroa"], start[-1] + period, "comparator_sky130", "counter_macro")
    want = np.minimum(np.arange(1, n + 1), np.sum(ramp < mac))
    assert want[-1] == 3
    np.testing.assert_allclose(at(got, "codea", latch + 1.9e-9), want, atol=0.05)
    np.testing.assert_allclose(at(got, "macroa", latch + 1.9e-9), want, atol=0.1)
