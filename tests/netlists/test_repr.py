"""How objects show themselves: in one line that says what they are, and in a notebook as a table."""

import re

import pytest

from netlists import Blocks, Deck, RampCircuit, load_profile, program_ramp
from netlists.outside.subcircuit import UserSubcircuit
from netlists.spice.deck import subcircuit

PROFILE = load_profile("taox-100-400")
OWN = UserSubcircuit(
    "mine", subcircuit("comparator_ideal").replace("comparator_ideal", "mine"), ("inp", "inn", "out", "com"), ("v_os", "gain")
)
DECK = Deck(".title divider\n.subckt half a b\nr1 a b 1k\n.ends half\nv1 in 0 1\nx1 in out half\n+ \nR2 out 0 1k\n.TRAN 1n 1u\n")


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (DECK, "<Deck 'divider': .TRAN, 3 elements, 8 lines>"),
        (Deck("r1 is a title\n"), "<Deck 'r1 is a title': no analysis, 0 elements, 0 lines>"),
        (RampCircuit(), "RampCircuit()"),
        (RampCircuit(v_read=0.15, t_edge=2e-10), "RampCircuit(v_read=0.15, t_edge=2e-10)"),
        (Blocks("ideal", comparator=OWN), "Blocks(level='ideal', comparator='mine')"),
        (PROFILE, "<DeviceProfile taox-100-400: 100..400 uS, programming sigma 2.736 uS, read noise 0.1396 uS>"),
        (
            program_ramp("gelu", 3, PROFILE),
            "<RampProgram gelu, 3 bits, scheme pulse, profile taox-100-400: 7 thresholds, 13 cells in 13 clock periods>",
        ),
    ],
)
def test_a_line_says_what_it_is(shown, line):
    assert repr(shown) == line


def test_notebooks_get_a_row_a_threshold_and_a_row_a_figure():
    program = program_ramp("sigmoid", 3, PROFILE)
    table, figures = program._repr_html_(), PROFILE._repr_html_()
    assert table.count("<tr>") == 1 + len(program.x)
    assert f"<td>1</td><td>{program.x[0]:.4g}</td><td>1</td><td>{1e6 * program.conductance[program.step == 1][0]:.4g}</td>" in table
    assert re.search("<tr><td>g_min</td><td>0.0001</td><td>.+</td></tr>", figures)
