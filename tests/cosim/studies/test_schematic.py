"""The demo's schematic: nothing in it but the plan, and no label outside of it."""

import pytest

from characterization.plan import RampPlan
from cosim.report.pictures import save_figure
from cosim.studies.demo.schematic import draw_column


def test_two_drawings_of_a_plan_are_the_same_files(tmp_path):
    for name in ("one", "other", "tanh"):
        save_figure(draw_column(RampPlan("tanh" if name == "tanh" else "sigmoid", 5)), tmp_path / name)
    for kind in ("png", "svg"):
        one, other, tanh = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("one", "other", "tanh"))
        assert one == other != tanh
        assert b"dc:date" not in one


@pytest.mark.parametrize("activation", ["sigmoid", "softsign"])
def test_no_label_is_cut_off(activation):
    figure = draw_column(RampPlan(activation, 8))
    figure.canvas.draw()
    labels = [text for text in figure.axes[0].texts if text.get_text()]
    assert len(labels) > 10
    for text in labels:
        box = text.get_window_extent()
        assert all(figure.bbox.contains(*corner) for corner in (box.p0, box.p1)), text
