"""Writes ``ramp_converter.cir``, the subcircuit behind ``ramp_converter.sym``: ports ``mac ramp y com``, one ramp a transient.

python make_converter.py --activation tanh --bits 3
"""

import argparse
import re
from pathlib import Path

from characterization import RampPlan, nominal_deck

RENAMED = {"ramp0": "ramp", "maca0": "mac", "ya0": "y"}
"""Nodes of a deck of transition levels, and the symbol's ports."""


def converter(activation: str, bits: int) -> str:
    """Text of the subcircuit, with the ones it needs: reset, selected cells, integrator and comparator of the deck's one chip."""
    # One line a card: long ones go over continuation lines.
    text = nominal_deck(RampPlan(activation, bits)).text.replace("\n+", " ")
    definitions = text[text.index("* ramp_cells") : text.index("Vcom ")]
    inside = [line for line in text.splitlines() if re.match(r"Vrst|Vtick|[BV]drv|Bsel|Xcells|Xint|Xcmpa", line)]
    cards = [re.sub(r"\S+", lambda word: RENAMED.get(word[0], word[0]), line) for line in inside]
    head = f"* ramp_converter - {activation}, {bits} bits, level macro: y is above com while the ramp is above mac\n"
    return f"{head}{definitions}.subckt ramp_converter mac ramp y com\n" + "\n".join(cards) + "\n.ends ramp_converter\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--activation", default="sigmoid")
    parser.add_argument("--bits", type=int, default=2)
    given = parser.parse_args()
    Path(__file__).with_name("ramp_converter.cir").write_text(converter(given.activation, given.bits))
