"""The ramp converter as a SPICE deck: memristor column, integrator, comparators, sampled V_mac or a bank of V_mac.

Two decks share every block:

`transition_deck`  one ramp per chip and a pair of comparators whose V_mac is sampled: in the clock period of
                   ramp step k it sits at a guess of transition level k, a little above and a little below. The
                   two comparator outputs at the latching instant bracket the level and give it by interpolation.
                   With ``held`` each probe of each level has a comparator and a constant V_mac of its own, as a
                   conversion has: for comparators that remember more than a clock period. Clocked ones then have a ramp of
                   their own too, as each kicks the ramp that it sees.
`conversion_deck`  one ramp per chip, a bank of comparators with constant V_mac, latches and counters: codes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netlists.checks import Array, Number, check
from netlists.ramp import Chips, tick_times
from netlists.spice import Deck, stairs, ticks

from . import cards
from .cards import decision_noise, is_stepped
from .converter import Converter


def transition_deck(
    converter: Converter,
    chips: Chips,
    guess: np.ndarray,
    *,
    span: float,
    save: Sequence[str] = (),
    control: bool = True,
    tight: bool = False,
    held: bool = False,
    paired: bool = True,
) -> Deck:
    """Writes a deck that measures every transition level of every chip in one transient.

    Parameters
    ----------
    chips : Chips
        They share the converter's program, circuit and blocks.
    guess : ndarray (n, thresholds)
        Where V_mac sits in the clock period of step k, volts.
    span : float
        Half distance of the two probes around the guess, volts.
    save : sequence of str
        More nodes to save, such as ``ramp0``.
    control : bool
        Write the commands for plain ``ngspice -b`` too; `netlists.spice.engine.simulate` does not need them.
    tight : bool
        Waveforms with their edges, shorter time steps and `TIGHT_OPTIONS`: for a chip that did not converge.
    held : bool
        A comparator with constant V_mac for each probe of each level; with a ramp of its own if it is clocked.
    paired : bool
        False: the first chip alone has two comparators; each other has one, with V_mac at the guess and the output
        ``y<chip>``. For linear comparators, whose gain the first chip's two tell for all. No ``control``, no ``held``.

    Returns
    -------
    Deck
        Saves the outputs of `probe_nodes`: of comparators with V_mac at ``guess -+ span``. In plain
        ``ngspice -b`` it prints each level in volts and in input units, and whether the probes enclosed it.

    Raises
    ------
    InputError
        Shapes or parameters that cannot be.

    Examples
    --------
    >>> from netlists import Converter, load_profile, program_ramp
    >>> from netlists.ramp import transition_levels
    >>> converter = Converter(program_ramp("sigmoid", 2, load_profile("taox-100-400")))
    >>> chips = Chips.nominal(converter.program)
    >>> transition_deck(converter, chips, transition_levels(converter.program, converter.circuit, chips), span=1e-3)
    <Deck 'ramp converter, sigmoid, 2 bits, level macro: transition levels': .tran, 12 elements, 90 lines>
    """
    program, circuit, blocks, clock = converter.program, converter.circuit, converter.blocks, converter.clock
    n, stepped = len(chips), is_stepped(blocks, circuit) and not tight
    chips.check(program)
    lines = cards.head(converter, f"{converter}: transition levels")
    guess = check(Array((n, len(program.x)), unit="V"), guess, "guess")
    span = check(Number(above=0, unit="V"), span, "span")
    if stepped:
        lines.append(f"Vtick tick 0 {ticks(tick_times(program, circuit), clock.stop)}")
    probes = 2 * len(program.x) if held else 2
    alone = held and blocks.is_clocked
    of_ramps = chips.repeated(probes) if alone else chips
    own = cards.ramps(converter, of_ramps.conductance, of_ramps.opamp_offset, stepped=stepped, comparators=1 if alone else probes)
    seen, noise = decision_noise(converter, of_ramps, stepped=stepped)
    made = ((f"{seen}{j}", [*own[j], *noise[j : j + 1]]) for j in range(len(of_ramps)))
    offsets = (circuit.comparator_offset + chips.comparator_offset).tolist()
    if not held:
        # After the last transition V_mac stays: the step that ends the conversion is not measured.
        held_at = cards.held_input(blocks, circuit, guess)
        waves = stairs(clock.step_start[: len(program.x)], held_at, cards.rise_time(circuit, stepped))
        inputs = cards.sources([f"mac{i}" for i in range(n)], waves, stepped=stepped)
    for i in range(n):
        if not alone:
            ramp, cards_of_ramp = next(made)
            lines += cards_of_ramp
        for k, at in enumerate(cards.held_input(blocks, circuit, guess[i]).tolist() if held else [0.0]):
            mac = f"mac{i}_{k}" if held else f"mac{i}"
            lines.append(f"V{mac} {mac} 0 DC {at!r}" if held else inputs[i])
            if not paired and i:
                lines += cards.comparator(f"{i}", ramp, mac, blocks, circuit, offset=offsets[i])
                continue
            for probe, shift in (("a", -span), ("b", span)):
                tag = f"{probe}{i}_{k}" if held else f"{probe}{i}"
                lines.append(f"Vprobe{tag} mac{tag} {mac} DC {shift!r}")
                if alone:
                    ramp, cards_of_ramp = next(made)
                    lines += cards_of_ramp
                lines += cards.comparator(tag, ramp, f"mac{tag}", blocks, circuit, offset=offsets[i], clock="dclk")
    nodes = [*dict.fromkeys(probe_nodes(n, len(program.x), held=held, paired=paired).transpose(1, 2, 0).ravel().tolist())]
    options, longest = cards.step_options(circuit, stepped=stepped, tight=tight)
    commands = _transition_control(converter, guess, span, probe_nodes(n, len(program.x), held=held)) if control else ""
    saved = [f"v({node})" for node in (*nodes, "com", *save)]
    # Where levels are all that is read, nothing happens after the last one.
    stop = clock.stop if control or save else float(clock.latch[len(program.x) - 1] + circuit.t_aperture)
    return cards.transient([*lines, options], saved, longest, stop, blocks, commands)


def probe_nodes(n: int, levels: int, *, held: bool = False, paired: bool = True) -> np.ndarray:
    """Names of the comparator outputs that bracket each level, below and above: shape (2, n, levels).

    Not ``paired``, all chips but the first have the same one in both places.
    """
    names = [[[f"y{p}{i}_{k}" if held else f"y{p}{i}" for k in range(levels)] for i in range(n)] for p in "ab"]
    if not paired:
        names = [[names[p][0], *([f"y{i}"] * levels for i in range(1, n))] for p in range(2)]
    return np.array(names)


def _transition_control(converter: Converter, guess: np.ndarray, span: float, nodes: np.ndarray) -> str:
    program, circuit = converter.program, converter.circuit
    scale = program.volts_per_unit(circuit)
    lines = [
        "set numdgt=14",
        "run",
        "echo t_CHIP_K is transition level K in volts, x_CHIP_K in input units, bracketed_CHIP_K whether the probes enclose it",
    ]
    for i in range(len(guess)):
        for k in range(1, len(program.x) + 1):
            at = f"{converter.clock.latch[k - 1]:.12g}"
            lines += [
                *(f"meas tran {p} find v({nodes[side, i, k - 1]}) at={at}" for side, p in enumerate("ab")),
                *(f"let {probe} = {probe} - {circuit.v_cm!r}" for probe in "ab"),
                f"let t_{i}_{k} = {float(guess[i, k - 1])!r} + {span!r} * (a + b) / (a - b)",
                f"let x_{i}_{k} = (t_{i}_{k} - {circuit.v_cm!r}) / {scale!r}",
                f"let bracketed_{i}_{k} = (a gt 0) * (b lt 0)",
                f"print t_{i}_{k} x_{i}_{k} bracketed_{i}_{k}",
            ]
    return "\n".join([*lines, "quit"])
