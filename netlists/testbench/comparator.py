"""Test benches of the transistor-level comparators: what is connected, driven and written. Nothing is evaluated here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netlists.checks import Array, Count, check
from netlists.spice import Deck, pulses, pwl
from netlists.technology import Conditions

from .run import OPTIONS, commands, header, table
from .tested import COMPARATOR, At, BlockOnBench

Overdrives = Array(("n",), above=0, unit="V")


def comparator_ac_deck(conditions: At, common_modes: Sequence[float] = (0.4, 0.9, 1.4), block: BlockOnBench = COMPARATOR) -> Deck:
    """Comparator at its trip point (output fed back to the negative input at DC): trip point, gain, noise, supply current.

    Returns
    -------
    Deck
        Tables ``trip`` (per common mode: v(inn) - v(inp), which is the input offset; supply current), ``ac`` (the outputs),
        ``noise0``, ``noise1``... (output noise density, V/sqrt(Hz)), ``idle`` (for each common mode: supply current at 50 mV
        below and above the trip point).
    """
    text = block.head("comparator bench, small signal", conditions) + OPTIONS
    for k, v in enumerate(common_modes):
        text += (
            f"vdd{k} vdd{k} 0 {conditions.v_dd!r}\nvin{k} inp{k} 0 dc {v!r} ac 1\n"
            f"{block.card(f'{k}', f'inp{k}', f'inn{k}', f'out{k}', f'vdd{k}')}l{k} out{k} inn{k} 1e9\nc{k} inn{k} 0 1e9\n"
        )
        for side, shift in (("l", -0.05), ("h", 0.05)):
            text += (
                f"vd{side}{k} vd{side}{k} 0 {conditions.v_dd!r}\nvi{side}{k} in{side}{k} 0 {v + shift!r}\n"
                f"{block.card(f'i{side}{k}', f'in{side}{k}', f'inp{k}', f'o{side}{k}', f'vd{side}{k}')}"
            )
    n = range(len(common_modes))
    steps: list[str | tuple[str, Sequence[str]]] = [
        "op",
        ("trip", [f"v(inn{k},inp{k}) i(vdd{k})" for k in n]),
        ("idle", [f"i(vdl{k}) i(vdh{k})" for k in n]),
        "ac dec 20 100 100g",
        ("ac", [f"v(out{k})" for k in n]),
    ]
    for k in n:
        steps += [f"noise v(out{k}) vin{k} dec 20 100 100g", "setplot previous", (f"noise{k}", ["onoise_spectrum"])]
    return Deck(text, commands(*steps))


def comparator_sweep_deck(
    conditions: At, common_modes: Sequence[float], block: BlockOnBench, *, span: float = 0.05, points: int = 200
) -> Deck:
    """Comparator at each common mode of its negative input, the other swept ``span`` volts around it, upwards and downwards.

    Parameters
    ----------
    points : int
        Steps of a sweep to each side: a trip point that jumps is known to half of one.

    Returns
    -------
    Deck
        Tables ``up`` and ``down``: the outputs, a column for each common mode, over v(inp) - v(inn).
    """
    text = block.head("comparator bench, sweeps", conditions) + OPTIONS + f"vs s 0 0\nvdd vdd 0 {conditions.v_dd!r}\n"
    for k, v in enumerate(common_modes):
        text += f"vn{k} inn{k} 0 {v!r}\nep{k} inp{k} inn{k} s 0 1\n{block.card(f'{k}', f'inp{k}', f'inn{k}', f'out{k}', 'vdd')}"
    outs, step = [f"v(out{k})" for k in range(len(common_modes))], span / points
    sweeps = f"dc vs {-span!r} {span!r} {step!r}", f"dc vs {span!r} {-span!r} {-step!r}"
    return Deck(text, commands(sweeps[0], ("up", outs), sweeps[1], ("down", outs)))


def comparator_input_deck(conditions: At, block: BlockOnBench = COMPARATOR, *, span: float = 0.5, rise: float = 1e-6) -> Deck:
    """Comparator whose positive input rises in ``rise`` seconds, ``span`` volts around analog ground, where the other is held.

    Returns
    -------
    Deck
        Table ``input``: voltage of the positive input and the current of its source.
    """
    low, high = conditions.v_cm - span, conditions.v_cm + span
    text = block.head("comparator bench, input charge", conditions) + OPTIONS
    text += (
        f"vdd vdd 0 {conditions.v_dd!r}\nvref ref 0 {conditions.v_cm!r}\n"
        f"vin inp 0 pwl(0 {low!r} 5n {low!r} {5e-9 + rise!r} {high!r})\n{block.card('0', 'inp', 'ref', 'out', 'vdd')}c0 out 0 20f\n"
    )
    step = rise / 500
    return Deck(text, commands(f"tran {step!r} {5e-9 + rise!r} 0 {step!r}", ("input", ["v(inp)", "i(vin)"])))


def comparator_step_deck(
    conditions: At,
    overdrives: Sequence[float],
    *,
    offset: float = 0.0,
    hysteresis: float = 0.0,
    start: float = 0.1,
    common_mode: float = 0.9,
    c_load: float = 20e-15,
    c_hold: float = 1e-12,
    stop: float = 30e-9,
    block: BlockOnBench = COMPARATOR,
) -> Deck:
    """Comparator driven from ``start`` on one side of its trip point to each overdrive on the other; and kickback.

    Parameters
    ----------
    overdrives : sequence of float
        Volts beyond the trip point, above 0.
    offset : float
        v(inn) - v(inp) at the trip point, from `comparator_ac_deck`: overdrives count from there.
    hysteresis : float
        Distance of the trip points upwards and downwards around it, volts: overdrives count from that of their direction.
    c_load : float
        Load of the output, farads (assumption: the counter's latch).
    c_hold : float
        Capacitor that holds the negative input in the kickback circuit, farads (assumption: a held V_mac).
    stop : float
        Length of the transient, seconds.

    Returns
    -------
    Deck
        Tables ``rise`` and ``fall`` (outputs, one column per overdrive; input step at 5 ns in 20 ps) and ``kick`` (held
        input while the other input steps by 0.2 V through it in 1 ns at 5 ns and back at 15 ns; the output; supply current).
    """
    overdrives = check(Overdrives, overdrives, "overdrives").tolist()
    text = block.head("comparator bench, steps", conditions) + OPTIONS
    text += f"vdd vdd 0 {conditions.v_dd!r}\nvref ref 0 {common_mode!r}\n"
    for name, sign in (("r", 1), ("f", -1)):
        for k, od in enumerate(overdrives):
            v0, v1 = common_mode - offset - sign * start, common_mode - offset + sign * (od + hysteresis / 2)
            text += (
                f"v{name}{k} in{name}{k} 0 pwl(0 {v0!r} 4.99n {v0!r} 5.01n {v1!r})\n"
                f"{block.card(f'{name}{k}', f'in{name}{k}', 'ref', f'out{name}{k}', 'vdd')}c{name}{k} out{name}{k} 0 {c_load!r}\n"
            )
    text += (
        f"vddk vddk 0 {conditions.v_dd!r}\nvk ink 0 pwl(0 {common_mode - 0.1!r} 5n {common_mode - 0.1!r} 6n {common_mode + 0.1!r} "
        f"15n {common_mode + 0.1!r} 16n {common_mode - 0.1!r})\nckh held 0 {c_hold!r}\nrkh held ref 1e9\n"
        f"{block.card('k', 'ink', 'held', 'outk', 'vddk')}ck outk 0 {c_load!r}\n"
    )
    cols = range(len(overdrives))
    rise, fall = ([f"v(out{side}{k})" for k in cols] for side in "rf")
    kick = ["v(held)", "v(outk)", "i(vddk)"]
    return Deck(text, commands(f"tran 20p {stop!r} 0 {stop / 600!r}", ("rise", rise), ("fall", fall), ("kick", kick)))


def feedback_mismatch_deck(block: BlockOnBench, conditions: At, n: int, seed: int, *, common_mode: float = 0.9) -> Deck:
    """``n`` comparators or op-amps, each with its own mismatch, with the output tied to the negative input.

    Parameters
    ----------
    seed : int
        Of ngspice's own draws (``.options seed``).

    Returns
    -------
    Deck
        Tables of `mismatch_tables`: one row, v(inn) - v(inp) of each, which is its input offset, after the scale.
    """
    check(Count, n, "n")
    text = block.head("mismatch bench", conditions, mismatch=True, seed=seed) + OPTIONS
    text += f"vdd vdd 0 {conditions.v_dd!r}\nvin inp 0 {common_mode!r}\n"
    for k in range(n):
        text += block.card(f"{k}", "inp", f"t{k}", f"t{k}", "vdd")
    return Deck(text, table("trip", [f"v(t{k},inp)" for k in range(n)], "op"))


def sweep_mismatch_deck(
    block: BlockOnBench, conditions: At, n: int, seed: int, *, common_mode: float = 0.9, span: float = 0.1
) -> Deck:
    """``n`` comparators, each with its own mismatch, whose positive input is swept ``span`` volts around the negative one.

    For those that ngspice finds no operating point of in the loop of `feedback_mismatch_deck`.

    Returns
    -------
    Deck
        Tables of `mismatch_tables`: the outputs less analog ground over v(inp) - v(inn).
    """
    check(Count, n, "n")
    text = block.head("mismatch bench, sweep", conditions, mismatch=True, seed=seed) + OPTIONS
    text += f"vdd vdd 0 {conditions.v_dd!r}\nvn inn 0 {common_mode!r}\nvs s 0 0\nep inp inn s 0 1\n"
    for k in range(n):
        text += block.card(f"{k}", "inp", "inn", f"t{k}", "vdd")
    return Deck(text, table("trip", [f"v(t{k},com)" for k in range(n)], f"dc vs {-span!r} {span!r} {span / 250!r}"))


def strongarm_step_deck(
    conditions: Conditions, overdrives: Sequence[float], *, common_mode: float = 0.9, c_load: float = 10e-15, c_hold: float = 1e-12
) -> Deck:
    """StrongARM latch: one decision at each overdrive, both ways, and kickback on held inputs.

    Returns
    -------
    Deck
        Tables ``high`` and ``low`` (v(outp) - v(outn), one column per overdrive; clock rises at 2 ns in 50 ps and falls at
        7 ns), ``kick`` (the two held inputs, 10 mV apart, and the supply current of that latch; two clock periods of 10 ns).
    """
    overdrives = check(Overdrives, overdrives, "overdrives").tolist()
    v_dd = conditions.v_dd
    text = header("SKY130 StrongARM bench: steps", conditions, "strongarm_sky130") + OPTIONS
    text += f"vdd vdd 0 {v_dd!r}\nvref ref 0 {common_mode!r}\nvclk clk 0 pulse(0 {v_dd!r} 2n 50p 50p 4.95n 10n)\n"
    for name, sign in (("h", 1), ("l", -1)):
        for k, od in enumerate(overdrives):
            text += (
                f"v{name}{k} in{name}{k} ref {sign * od!r}\n"
                f"x{name}{k} in{name}{k} ref p{name}{k} n{name}{k} clk vdd 0 strongarm_sky130\n"
                f"cp{name}{k} p{name}{k} 0 {c_load!r}\ncn{name}{k} n{name}{k} 0 {c_load!r}\n"
            )
    text += (
        f"vddk vddk 0 {v_dd!r}\nvkp kp ref 10m\nrkp kp hp 1e9\nrkn ref hn 1e9\nchp hp 0 {c_hold!r}\nchn hn 0 {c_hold!r}\n"
        f"xk hp hn pk nk clk vddk 0 strongarm_sky130\ncpk pk 0 {c_load!r}\ncnk nk 0 {c_load!r}\n"
    )
    cols = range(len(overdrives))
    high, low = ([f"v(p{side}{k},n{side}{k})" for k in cols] for side in "hl")
    kick = ["v(hp)", "v(hn)", "i(vddk)"]
    return Deck(text, commands("tran 10p 22n 0 20p", ("high", high), ("low", low), ("kick", kick)))


def strongarm_mismatch_deck(
    conditions: Conditions,
    n: int,
    seed: int,
    *,
    common_mode: float = 0.9,
    span: float = 0.064,
    bits: int = 10,
    period: float = 3e-9,
) -> Deck:
    """``n`` StrongARM latches with foundry mismatch; each finds its own trip point by successive approximation.

    After each decision the input of each latch moves by ``span / 2**j`` against it: the steps are charges put on a
    capacitor by a current whose sign is the decision; an ideal buffer keeps kickback from it. The
    last input is within ``span / 2**bits`` of the trip point.

    Returns
    -------
    Deck
        Tables of `mismatch_tables`: v(inp) - v(inn) of each latch over time; the last row is minus its input offset.
    """
    check(Count, n, "n")
    v_dd, edge = conditions.v_dd, 50e-12
    text = header("SKY130 StrongARM bench: mismatch", conditions, "strongarm_sky130", mismatch=True, seed=seed) + OPTIONS
    text += f"vdd vdd 0 {v_dd!r}\nvref ref 0 {common_mode!r}\n"
    text += f"vclk clk 0 pulse(0 {v_dd!r} {period / 2!r} {edge} {edge} {period / 2 - edge!r} {period!r})\n"
    # The step of decision j is applied in the second half of the clock's high time, once the decision is there.
    start = (np.arange(bits) + 0.75) * period
    stop = start + 0.15 * period
    height = span / 2.0 ** np.arange(1, bits + 1) / (stop - start)
    text += f"vstep step 0 {pwl(*pulses(start, stop, height * 1e-9, edge))}\n"
    for k in range(n):
        text += (
            f"x{k} in{k} ref p{k} n{k} clk vdd 0 strongarm_sky130\ne{k} in{k} ref z{k} 0 1\n"
            f"b{k} z{k} 0 i={{1e-3*v(step)*tanh(10*(v(p{k})-v(n{k})))}}\nc{k} z{k} 0 1p\nr{k} z{k} 0 1e12\n"
        )
    end = bits * period + edge
    return Deck(text, table("trip", [f"v(in{k},ref)" for k in range(n)], f"tran 0.1n {end:.12g}"))
