"""What is looked at before chips with a user's own block are simulated: a block that nobody knows may be wrong in silence.

Its side (an output that is inverted, or never leaves one side), whether two instances of it are the same, what ngspice warns of,
and whether it remembers: levels measured with a V_mac that follows the ramp must be those of conversions, where it is constant.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

import numpy as np

from characterization.plan import RampPlan
from netlists.converter import Blocks, conversion_deck, read_codes
from netlists.errors import SimulationError
from netlists.outside import UserSubcircuit, cause
from netlists.ramp import Chips
from netlists.spice import simulate
from netlists.technology import MEASURED_STATISTICS, RampCircuit
from netlists.testbench import DECISION_PERIOD, DRIVE, HOLD, RAMP, sides_deck

from .sampling import nominal_chips
from .spice_program import program_from_spice
from .transitions import Measured, measure

SAME = 10e-6
"""How far the trip points of two instances of a block may lie apart, volts: what ngspice's time steps do."""
FINE = RAMP / 4000
"""Time step of the search for randomness, seconds: 50 uV of the input."""
DEAD, LOGIC, BEYOND = 0.01, 0.25, 0.1
"""Swings below which a comparator's output is none, and no logic level; how far it may leave the supply; parts of the supply."""
CHECK_LSB = 0.1
"""Distance from a level at which a conversion must give the codes on its two sides."""
CHECKED_LEVELS = 11
_OF_COMPARATOR = ("comparator_gain", "comparator_tau", "comparator_limit")
RANDOM = re.compile(
    r"\b(a?gauss|a?unif|sgauss|sunif|rnd|exponential|poisson|trnoise|trrandom)\s*\(|\blimit\s*\([^,()]*,[^,()]*\)", re.I
)
_MARK = re.compile(r"[(),]")


def without_randomness(own: UserSubcircuit) -> UserSubcircuit:
    """The block with the nominal value in the place of every random function of its text."""
    text = own.text
    # From the end: what stands inside of one has its value before, and no place moves that is still to come.
    for found in reversed(list(RANDOM.finditer(text))):
        start, at = found.start(), text.index("(", found.start())
        depth, first, end = 0, 0, len(text) - 1
        for mark in _MARK.finditer(text, at):
            depth += (mark[0] == "(") - (mark[0] == ")")
            if mark[0] == "," and depth == 1 and not first:
                first = mark.start()
            if not depth:
                end = mark.start()
                break
        nominal = text[at + 1 : first or end].strip() or "0"
        if not re.match(r"a?gauss|a?unif|limit", found[0], re.IGNORECASE):
            nominal = "0"
        text = f"{text[:start]}({nominal}){text[end + 1 :]}"
    return own if text == own.text else replace(own, text=text)


def examine(plan: RampPlan) -> tuple[RampPlan, tuple[str, ...]]:
    """Looks at the user's own blocks of a plan; the plan to simulate, and what a reader of its results must know.

    Returns
    -------
    plan : RampPlan
        The same, or with ``targets`` where transients program it, and with ``held`` where the comparator remembers more than levels
        with a moving V_mac show.
    warnings : tuple of str

    Raises
    ------
    SimulationError
        A block that cannot work in its place, or whose conversions follow no levels; says what to look at.
    """
    blocks = plan.blocks
    warnings: list[str] = []
    for role, own in (("comparator", plan.comparator), ("opamp", plan.opamp)):
        if own is not None:
            warnings += check_sides(role, own, blocks, plan.circuit)
    plan, more = programmed(plan)
    warnings += [*more, *_borrowed(plan)]
    if plan.comparator is not None:
        plan, more = _check_memory(plan)
        warnings += more
    return plan, tuple(warnings)


def programmed(plan: RampPlan) -> tuple[RampPlan, list[str]]:
    """The plan with the targets that its ``program_from`` asks for, and what was left, as a line."""
    wanted = plan.program_from == "spice" or (plan.program_from == "auto" and plan.opamp is not None)
    if not wanted or plan.targets is not None:
        return plan, []
    try:
        plan, error = program_from_spice(plan)
    except SimulationError as e:
        if plan.program_from == "spice":
            raise
        return plan, [
            f"opamp {plan.opamp.name if plan.opamp else ''}: programmed for our op-amp, as its own ramp gives no program: {e}"
        ]
    return plan, [
        f"ramp programmed by {len(error) - 1} nominal transients: largest error of a level {error[0]:.3g} LSB, then {error[-1]:.3g}"
    ]


def borrowed_figures(plan: RampPlan) -> dict[str, str]:
    """Sources of variation that are drawn with the figures of our blocks, and the user's own block that they stand for."""
    own = {"comparator_offset": plan.comparator, "comparator_noise": plan.comparator, "opamp_offset": plan.opamp}
    ours = {n: block.name for n, block in own.items() if block is not None}
    return {n: name for n, name in ours.items() if getattr(plan.variation, n) == MEASURED_STATISTICS[f"{n}_sigma"]}


def _borrowed(plan: RampPlan) -> list[str]:
    lines, ours, c = [], borrowed_figures(plan), plan.circuit
    texts = {"comparator_offset": "offset sigma", "comparator_noise": "noise", "opamp_offset": "offset sigma"}
    for role, block in (("comparator", "comparator_sky130"), ("opamp", "ota_sky130")):
        if names := [n for n in ours if n.startswith(role)]:
            figures = " and ".join(f"{texts[n]} {1e3 * getattr(plan.variation, n):.3g} mV" for n in names)
            verb = "are" if len(names) > 1 else "is"
            lines.append(
                f"{role} {ours[names[0]]}: {figures} {verb} of our {block}, not its own; measure it with `cosim {role}`, or give "
                "[variation] in a plan file"
            )
    for own, unused in ((plan.comparator, _OF_COMPARATOR), (plan.opamp, ("slew",))):
        if own is not None and (idle := [n for n in unused if getattr(c, n) != getattr(RampCircuit, n)]):
            lines.append(f"{', '.join(idle)}: of our blocks; {own.name} keeps its own, so that they change nothing")
    if plan.opamp is not None and plan.targets is None and (c.a0, c.gbw) == (RampCircuit.a0, RampCircuit.gbw):
        lines.append(
            f"opamp {plan.opamp.name}: the ramp is programmed for the gain {c.a0:.4g} and the GBW {c.gbw / 1e6:.4g} MHz of our "
            "op-amp; take program_from='spice' to program for it"
        )
    return lines


@lru_cache(maxsize=32)
def check_sides(role: str, own: UserSubcircuit, blocks: Blocks, circuit: RampCircuit, random: bool = False) -> tuple[str, ...]:
    """Simulates a block alone: what ngspice warned of; ``random`` lets two instances of it differ.

    Raises
    ------
    SimulationError
        It does not run, its output is inverted or stays on one side of analog ground, or two instances differ.
    """
    heard: list[str] = []
    what = "op-amp" if role == "opamp" else role
    deck = sides_deck(own, blocks, circuit)
    try:
        data = simulate(deck, ["in", "com", "y0", "y1"], heard=heard)
    except SimulationError as e:
        lines = deck.text.splitlines()
        why = cause(e.ngspice_message, lambda n: f"the line {lines[n - 1]!a}" if 0 < n <= len(lines) else "")
        raise SimulationError(
            f"{what} {own.name} alone cannot be simulated: {why or e}", e.ngspice_message if why else ""
        ) from None
    time, out = data["time"], np.array([data[name] - data["com"] for name in ("y0", "y1")])
    # A clocked comparator has decided just before its clock falls.
    at = np.array([HOLD, 2 * HOLD + RAMP, 3 * HOLD + 2 * RAMP])
    at = np.floor(at / DECISION_PERIOD) * DECISION_PERIOD - 1e-9 if "clk" in own.ports else at - 1e-9
    low, high, back = (float(np.interp(t, time, out[0])) for t in at)
    ends = f"{low + circuit.v_cm:.4g} V with v(inp) {DRIVE:g} V below v(inn), {high + circuit.v_cm:.4g} V with it as much above"
    swap = "say so with ports={'inp': its negative input, 'inn': its positive input} if that is how it is meant"
    if role == "opamp":
        if high - low <= 1e-3 * circuit.v_dd:
            way = "its inputs are swapped" if low - high > 1e-3 * circuit.v_dd else "its output does not follow its inputs"
            raise SimulationError(
                f"op-amp {own.name}: {way}: its output is at {ends}; {swap if low > high else 'look at its bias'}"
            )
    elif low > 0 > high:
        raise SimulationError(f"comparator {own.name}: its output is inverted: it is at {ends}; {swap}")
    elif not (low < 0 < high and back < 0):
        level = f"analog ground, {circuit.v_cm:g} V"
        if low < 0 < high:
            why = f"does not come back below {level}, within {HOLD:g} s: it latches, or remembers too long"
        else:
            why = f"is never {'above' if high < 0 else 'below'} {level}, which it is read against"
        look = "look at its supply, its bias pins and what its output refers to"
        raise SimulationError(f"comparator {own.name}: its output {why}; it is at {ends}: {look}")
    more = _swing(own.name, low, high, circuit) if role == "comparator" else []
    if not random and (line := _check_same(what, own, blocks, circuit, data)):
        moved = "it does not move the trip point, and what else it moves is drawn anew in each deck"
        more.append(f"{what} {own.name}: the line {line.strip()!a} is random: {moved}")
    said = [f"{what} {own.name}: ngspice: {line}" for line in dict.fromkeys(heard)]
    return (*said, *more)


def _swing(name: str, low: float, high: float, circuit: RampCircuit) -> list[str]:
    """What to say of levels of a comparator's output, less analog ground, that a latch does not take for logic levels."""
    swing, v_dd = high - low, circuit.v_dd
    ends = f"{low + circuit.v_cm:.4g} to {high + circuit.v_cm:.4g} V"
    if swing < DEAD * v_dd:
        raise SimulationError(
            f"comparator {name}: its output hardly moves: {swing:.3g} V around analog ground, {circuit.v_cm:g} V, at {DRIVE:g} V "
            "of input either way: look at its load and at units (1M is milli, 1MEG mega)"
        )
    if swing < LOGIC * v_dd:
        return [
            f"comparator {name}: its output goes from {ends} only, at a supply of {v_dd:g} V: it decides where it crosses analog "
            "ground, as if what reads it were as fine as that"
        ]
    if low + circuit.v_cm < -BEYOND * v_dd or high + circuit.v_cm > (1 + BEYOND) * v_dd:
        return [
            f"comparator {name}: its output goes from {ends}, beyond the supply, 0..{v_dd:g} V: it is read against analog ground, "
            f"{circuit.v_cm:g} V, not against the middle of its swing"
        ]
    return []


def _check_same(what: str, own: UserSubcircuit, blocks: Blocks, circuit: RampCircuit, data: dict[str, np.ndarray]) -> str:
    """The line of a block that is random, if one is; `SimulationError` where its trip point is, which each use would draw anew."""
    line = next((line for line in own.text.splitlines() if RANDOM.search(line)), None)
    if "clk" in own.ports:
        differ = line is not None
    else:
        # What is drawn once a deck is the same in both instances, and another in the next deck.
        differ = bool(np.ptp(_trips(data)) > SAME) if line is None else _is_random(own, blocks, circuit)
    if differ:
        where = f"in the line {line.strip()!a}" if line else "by the models that it takes"
        raise SimulationError(
            f"{what} {own.name}: is random {where}: every instance, transient and probe would draw another block. Take the random "
            f"part out; `cosim {'comparator' if what == 'comparator' else 'opamp'}` measures its spread"
        )
    return line or ""


def _trips(data: dict[str, np.ndarray]) -> np.ndarray:
    """Input at which each of the two instances is in the middle of its range, on the way up, volts."""
    time, out = data["time"], np.array([data[name] for name in ("y0", "y1")])
    up, middle = (time > HOLD) & (time < HOLD + RAMP), 0.5 * (out.min() + out.max())
    return np.array([np.interp(middle, row[up], data["in"][up]) for row in out])


def _is_random(own: UserSubcircuit, blocks: Blocks, circuit: RampCircuit) -> bool:
    """Whether trip points are not those of the block with the nominal value in the place of every random function."""
    trips = []
    for block in (own, without_randomness(own)):
        try:
            # A circuit without capacitors changes sides within a step, however long that is.
            data = simulate(sides_deck(block, blocks, circuit, step=FINE), ["in", "y0", "y1"])
        except SimulationError:
            return True
        trips.append(_trips(data))
    return bool(np.ptp(trips) > SAME)


def _check_memory(plan: RampPlan) -> tuple[RampPlan, list[str]]:
    name = plan.comparator.name if plan.comparator else ""
    chips = nominal_chips(plan)
    held = replace(plan, held=True)
    try:
        sampled = _levels(plan, chips, name)
    except SimulationError:
        # With a V_mac that follows the ramp it may have no levels where conversions have them.
        levels, found = _levels(held, chips, name), "cannot be measured with a V_mac that follows the ramp"
    else:
        if not (wrong := _unequal(plan, sampled)):
            return plan, []
        if not _unequal(plan, sampled, shared=False):
            return plan, [_kicks(name, len(wrong))]
        levels = _levels(held, chips, name)
        moved = float(np.max(np.abs(levels - sampled) / (plan.program().lsb * plan.program().volts_per_unit(plan.circuit))))
        found = (
            f"measured with a V_mac that follows the ramp are up to {moved:.3g} LSB from those of conversions (codes beside level "
            f"{wrong[0]} differ)"
        )
    kicks: list[str] = []
    if still := _unequal(held, levels):
        kicks, still = [_kicks(name, len(still))], _unequal(held, levels, shared=False)
    if still:
        where = f"level {still[0]} (and {len(still) - 1} others)"
        longer = f"a longer clock period (t_settle={plan.circuit.t_settle:g} s)"
        why, cure = "remembers earlier steps", f"take a faster comparator, or {longer}"
        if plan.blocks.is_clocked:
            why = "kicks the ramp at each decision, and the op-amp's output has not come back at the next"
            cure = (
                f"put a preamplifier or a buffer before its inputs, in a subcircuit around it, take {longer}, or its macro-model "
            )
            cure += "from `cosim comparator`"
        raise SimulationError(
            f"comparator {name}: {why}: beside {where} a conversion does not give the code of its side, so that no level tells "
            f"what it gives; {cure}"
        )
    return held, [
        f"comparator {name}: remembers earlier steps: levels {found}; every level is measured with a constant V_mac, which takes "
        "longer",
        *kicks,
    ]


def _kicks(name: str, wrong: int) -> str:
    """That conversions on a ramp of their own give the codes of the levels, and those that share a ramp do not."""
    return (
        f"comparator {name}: kicks the ramp: where many converters share one, codes beside {wrong} of the levels looked at are not "
        "those of a converter alone, of which all levels here are; put a buffer or a preamplifier between ramp and comparator"
    )


def _levels(plan: RampPlan, chips: Chips, name: str) -> np.ndarray:
    measured: Measured = measure(plan.converter, chips, held=plan.held)
    if measured.status[0] != "ok":
        found = f"{measured.status[0]} ({measured.message[0]})"
        look = "look at its delay against the clock period, its input range and its offset"
        raise SimulationError(f"comparator {name}: no levels on the nominal chip, so none on any: {found}; {look}")
    return measured.volts[0]


def _unequal(plan: RampPlan, levels: np.ndarray, *, shared: bool = True) -> list[int]:
    """Levels (from 1) beside which a conversion with constant V_mac gives another code than they say.

    All conversions ``shared`` one ramp, or had each its own.
    """
    program = plan.program()
    lsb = program.lsb * program.volts_per_unit(plan.circuit)
    # With memory every level is looked at, and what lies between: an early step may trip far from any level.
    some = len(levels) if plan.held else CHECKED_LEVELS
    k = np.unique(np.linspace(0, len(levels) - 1, some).round().astype(int))
    v_mac = [levels[k] - CHECK_LSB * lsb[k], levels[k] + CHECK_LSB * lsb[k], [levels[0] - lsb[0]], [levels[-1] + lsb[-1]]]
    if plan.held:
        v_mac.append((levels[1:] + levels[:-1]) / 2)
    inputs = np.concatenate(v_mac)
    chips, of_chips = nominal_chips(plan, 1 if shared else len(inputs)), inputs[None] if shared else inputs[:, None]
    names = [f"code0_{j}" if shared else f"code{j}_0" for j in range(len(inputs))]
    found = read_codes(program, simulate(conversion_deck(plan.converter, chips, of_chips), names), names)
    passed = np.sum(inputs[:, None] > levels, axis=1)
    return sorted({max(int(n), 1) for n in passed[found != program.codes[passed]]})
