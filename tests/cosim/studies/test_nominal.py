"""The nominal chip's remainder: each imperfection is simulated without it."""

from characterization.plan.plan import RampPlan
from cosim.studies.demo.nominal import REMAINDER, remainder


def test_every_imperfection_moves_the_levels_and_without_all_the_equation_is_left():
    table = remainder(RampPlan("sigmoid", 2)).set_index("cause")
    assert (table.loc[[name for name, _ in REMAINDER], "max_lsb"] > 1e-6).all()
    alone = table.loc["ngspice minus V_cm + v_read / C_f sum(G w) alone", "max_lsb"]
    assert table.iloc[-1]["max_lsb"] < 0.2 * alone
