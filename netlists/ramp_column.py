"""The ramp converter as a SPICE deck: memristor column, integrator, comparators, sampled V_mac or a bank of V_mac.

Two decks share every block:

`transition_deck`  one ramp per chip and a pair of comparators whose V_mac is sampled: in the clock period of
                   ramp step k it sits at a guess of transition level k, a little above and a little below. The
                   two comparator outputs at the latching instant bracket the level and give it by interpolation.
`conversion_deck`  one ramp per chip, a bank of comparators with constant V_mac, latches and counters: codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import converter_cards as cards
from .converter_cards import Converter, is_stepped
from .deck import Deck
from .errors import InputError
from .level_blocks import MACRO, Blocks
from .parameters import RampCircuit
from .program import RampProgram
from .ramp_clock import tick_times
from .waveforms import stairs, ticks


@dataclass(frozen=True)
class Chips:
    """The drawn values of n chips; what a Monte Carlo sample changes in the deck.

    Attributes
    ----------
    conductance : ndarray (n, cells)
        Siemens, in the order of ``RampProgram.conductance``.
    opamp_offset, comparator_offset : ndarray (n,)
        Volts, added to those of the `RampCircuit`.
    comparator_noise : ndarray (n, n_steps) or None
        Input-referred noise voltage of the decision at each ramp step, volts.
    """

    conductance: np.ndarray
    opamp_offset: np.ndarray
    comparator_offset: np.ndarray
    comparator_noise: np.ndarray | None = None

    @classmethod
    def nominal(cls, program: RampProgram, n: int = 1) -> Chips:
        """``n`` chips that are exactly as programmed."""
        return cls(np.tile(program.conductance, (n, 1)), np.zeros(n), np.zeros(n))

    def __len__(self) -> int:
        return len(self.conductance)

    def check(self, program: RampProgram) -> None:
        """Raise `InputError` naming the array that has the wrong shape or a value that is not possible."""
        n = len(self)
        shapes = {"conductance": (n, program.n_cells), "opamp_offset": (n,), "comparator_offset": (n,)}
        if self.comparator_noise is not None:
            shapes["comparator_noise"] = (n, program.n_steps)
        for name, shape in shapes.items():
            a = np.asarray(getattr(self, name))
            if a.shape != shape:
                raise InputError(f"{name}: has shape {a.shape}, must be {shape}")
            bad = np.argwhere(~np.isfinite(a) | ((a <= 0) if name == "conductance" else False))
            if len(bad):
                where = ", ".join(map(str, bad[0]))
                raise InputError(
                    f"{name}[{where}]={a[tuple(bad[0])]}: must be finite" + (" and above 0" if name == "conductance" else "")
                )


def _decision_noise(converter: Converter, chips: Chips, *, stepped: bool = False) -> tuple[str, list[str]]:
    """Name of the nodes that comparators see as the ramps, and the noise source in series with each, if there is any."""
    if chips.comparator_noise is None:
        return "ramp", []
    n = range(len(chips))
    waves = stairs(converter.clock.step_start, chips.comparator_noise, cards.rise_time(converter.circuit, stepped))
    return "rampn", cards.sources([f"noise{i}" for i in n], waves, stepped=stepped, nodes=[f"rampn{i} ramp{i}" for i in n])


def transition_deck(
    program: RampProgram,
    circuit: RampCircuit,
    chips: Chips,
    guess: np.ndarray,
    *,
    span: float,
    blocks: Blocks = MACRO,
    title: str | None = None,
    save: Sequence[str] = (),
    control: bool = True,
    tight: bool = False,
) -> Deck:
    """Deck that measures every transition level of every chip in one transient.

    Parameters
    ----------
    guess : ndarray (n, thresholds)
        Where V_mac sits in the clock period of step k, volts.
    span : float
        Half distance of the two probes around the guess, volts.
    blocks : Blocks
        Which block stands in each place.
    save : sequence of str
        More nodes to save, such as ``ramp0``.
    control : bool
        Write the commands for plain ``ngspice -b`` too; `netlists.engine.simulate` does not need them.
    tight : bool
        Waveforms with their edges, shorter time steps and `TIGHT_OPTIONS`: for a chip that did not converge.

    Returns
    -------
    Deck
        Saves ``ya<i>`` and ``yb<i>``: the comparator outputs with V_mac at ``guess -+ span``. In plain
        ``ngspice -b`` it prints each level in volts and in input units, and whether the probes enclosed it.

    Raises
    ------
    InputError
        Shapes, level, cell style or parameters that cannot be.
    """
    converter = Converter(program, circuit, blocks)
    clock, n, stepped = converter.clock, len(chips), is_stepped(blocks) and not tight
    title = title or f"ramp converter, {program.activation}, {program.bits} bits, level {blocks.level}: transition levels"
    chips.check(program)
    lines = cards.head(converter, title)
    guess = np.asarray(guess, float)
    if guess.shape != (n, len(program.x)) or not np.all(np.isfinite(guess)):
        raise InputError(f"guess: must be finite with shape {(n, len(program.x))}, got shape {guess.shape}")
    if not span > 0:
        raise InputError(f"span={span}: must be above 0 (volts)")
    if stepped:
        lines.append(f"Vtick tick 0 {ticks(tick_times(program, circuit), clock.stop)}")
    own = cards.ramps(converter, chips.conductance, chips.opamp_offset, stepped=stepped)
    seen, noise = _decision_noise(converter, chips, stepped=stepped)
    # After the last transition V_mac stays: the step that ends the conversion is not measured.
    waves = stairs(clock.step_start[: len(program.x)], guess, cards.rise_time(circuit, stepped))
    inputs = cards.sources([f"mac{i}" for i in range(n)], waves, stepped=stepped)
    offsets = (circuit.comparator_offset + chips.comparator_offset).tolist()
    for i in range(n):
        lines += [*own[i], inputs[i], *noise[i : i + 1]]
        for probe, shift in (("a", -span), ("b", span)):
            lines.append(f"Vprobe{probe}{i} mac{probe}{i} mac{i} DC {shift!r}")
            lines += cards.comparator(f"{probe}{i}", f"{seen}{i}", f"mac{probe}{i}", blocks, circuit, offset=offsets[i])
    nodes = [*(f"y{probe}{i}" for i in range(n) for probe in "ab"), "com", *save]
    options, longest = cards.step_options(circuit, stepped=stepped, tight=tight)
    commands = _transition_control(converter, n, guess, span) if control else ""
    return cards.transient([*lines, options], [f"v({node})" for node in nodes], longest, clock.stop, blocks, commands)


def _transition_control(converter: Converter, n: int, guess: np.ndarray, span: float) -> str:
    program, circuit = converter.program, converter.circuit
    scale = program.volts_per_unit(circuit)
    lines = [
        "set numdgt=14",
        "run",
        "echo t_CHIP_K is transition level K in volts, x_CHIP_K in input units, bracketed_CHIP_K whether the probes enclose it",
    ]
    for i in range(n):
        for k in range(1, len(program.x) + 1):
            at = f"{converter.clock.latch[k - 1]:.12g}"
            lines += [
                f"meas tran a find v(ya{i}) at={at}",
                f"meas tran b find v(yb{i}) at={at}",
                f"let a = a - {circuit.v_cm!r}",
                f"let b = b - {circuit.v_cm!r}",
                f"let t_{i}_{k} = {float(guess[i, k - 1])!r} + {span!r} * (a + b) / (a - b)",
                f"let x_{i}_{k} = (t_{i}_{k} - {circuit.v_cm!r}) / {scale!r}",
                f"let bracketed_{i}_{k} = (a gt 0) * (b lt 0)",
                f"print t_{i}_{k} x_{i}_{k} bracketed_{i}_{k}",
            ]
    return "\n".join([*lines, "quit"])


def conversion_deck(
    program: RampProgram,
    circuit: RampCircuit,
    chips: Chips,
    v_mac: np.ndarray,
    *,
    blocks: Blocks = MACRO,
) -> Deck:
    """Deck that converts constant inputs to codes: a bank of comparators, latches and counters on each ramp.

    Parameters
    ----------
    v_mac : ndarray (n, m)
        Inputs of the m converters of each chip, volts. They share the chip's ramp and its comparator offset.

    Returns
    -------
    Deck
        Saves ``code<i>_<j>``, 1 V a code; the counters start at 0, so the code is ``program.codes[0]`` plus the last
        value. At level ``sky130`` latch and counter are transistors too.

    Raises
    ------
    InputError
        Shapes, level, cell style or parameters that cannot be.
    """
    converter, digital = Converter(program, circuit, blocks), "sky130" if blocks.level == "sky130" else "macro"
    title = f"ramp converter, {program.activation}, {program.bits} bits, level {blocks.level}: codes"
    chips.check(program)
    lines = cards.head(converter, title, f"latch_{digital}", f"counter_{digital}")
    v_mac = np.asarray(v_mac, float)
    if v_mac.ndim != 2 or len(v_mac) != len(chips) or not np.all(np.isfinite(v_mac)):
        raise InputError(f"v_mac: must be finite with shape ({len(chips)}, m), got shape {v_mac.shape}")
    lines += cards.latch_clocks(converter, digital)
    own = cards.ramps(converter, chips.conductance, chips.opamp_offset)
    seen, noise = _decision_noise(converter, chips)
    offsets = (circuit.comparator_offset + chips.comparator_offset).tolist()
    tags = []
    for i, row in enumerate(v_mac.tolist()):
        lines += [*own[i], *noise[i : i + 1]]
        for j, v_in in enumerate(row):
            tags.append(tag := f"{i}_{j}")
            lines.append(f"Vmac{tag} mac{tag} 0 DC {v_in!r}")
            lines += cards.comparator(tag, f"{seen}{i}", f"mac{tag}", blocks, circuit, offset=offsets[i])
            lines += cards.latch_and_counter(tag, circuit, digital)
    options, longest = cards.step_options(circuit)
    control = ["set numdgt=14", "run", "echo columns: chip converter v_mac_V code"]
    for tag, v in zip(tags, v_mac.ravel(), strict=True):
        control += [
            f"meas tran c find v(code{tag}) at={converter.stop - circuit.t_edge:.12g}",
            f'echo conversion {tag.replace("_", " ")} {float(v)!r} "$&c"',
        ]
    commands = "\n".join([*control, "quit"])
    return cards.transient([*lines, options], [f"v(code{t})" for t in tags], longest, converter.stop, blocks, commands)
