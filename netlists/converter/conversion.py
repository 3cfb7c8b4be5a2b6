"""The conversion deck: codes that a ramp converter latches of held inputs."""

from __future__ import annotations

import numpy as np

from netlists.checks import Array, check
from netlists.ramp import Chips
from netlists.spice import Deck

from . import cards
from .cards import decision_noise
from .converter import Converter
from .counter import latch_and_counter, latch_clocks, latch_load


def conversion_deck(
    converter: Converter,
    chips: Chips,
    v_mac: np.ndarray,
    *,
    tight: bool = False,
) -> Deck:
    """Writes a deck that converts constant inputs to codes: a bank of comparators, latches and counters on each ramp.

    Parameters
    ----------
    v_mac : ndarray (n, m)
        Inputs of the m converters of each chip, volts. They share the chip's ramp and its comparator offset.
    tight : bool
        Shorter steps and tighter options, for a deck that did not converge or stood still.

    Returns
    -------
    Deck
        Saves ``code<i>_<j>``, 1 V a code; the counters start at 0, so the code is ``program.codes[0]`` plus the last
        value. At level ``sky130`` latch and counter are transistors too.

    Raises
    ------
    InputError
        Shapes or parameters that cannot be.
    """
    circuit, blocks = converter.circuit, converter.blocks
    digital = "sky130" if blocks.level == "sky130" else "macro"
    chips.check(converter.program)
    lines = cards.head(converter, f"{converter}: codes", f"latch_{digital}", f"counter_{digital}")
    v_mac = check(Array((len(chips), "m"), unit="V"), v_mac, "v_mac")
    lines += latch_clocks(converter, digital)
    own = cards.ramps(converter, chips.conductance, chips.opamp_offset, comparators=v_mac.shape[1])
    seen, noise = decision_noise(converter, chips)
    offsets = (circuit.comparator_offset + chips.comparator_offset).tolist()
    tags = []
    for i, row in enumerate(cards.held_input(blocks, circuit, v_mac).tolist()):
        lines += [*own[i], *noise[i : i + 1]]
        for j, v_in in enumerate(row):
            tags.append(tag := f"{i}_{j}")
            lines.append(f"Vmac{tag} mac{tag} 0 DC {v_in!r}")
            lines += cards.comparator(tag, f"{seen}{i}", f"mac{tag}", blocks, circuit, offset=offsets[i], clock="dclk")
            lines += latch_and_counter(tag, circuit, digital, load=latch_load(blocks))
    options, longest = cards.step_options(circuit, tight=tight)
    control = ["set numdgt=14", "run", "echo columns: chip converter v_mac_V code"]
    for tag, v in zip(tags, v_mac.ravel(), strict=True):
        control += [
            f"meas tran c find v(code{tag}) at={converter.stop - circuit.t_edge:.12g}",
            f'echo conversion {tag.replace("_", " ")} {float(v)!r} "$&c"',
        ]
    commands = "\n".join([*control, "quit"])
    return cards.transient([*lines, options], [f"v(code{t})" for t in tags], longest, converter.stop, blocks, commands)
