"""The ramp converter as a schematic, drawn from the program it shows."""

from __future__ import annotations

import schemdraw
from matplotlib.figure import Figure
from schemdraw import elements as e

from characterization.plan import RampPlan
from netlists.ramp import CALIBRATION

MARGIN, SCALE = 0.9, 0.5
"""Space for labels round the elements, in the drawing's units, and inches a unit."""


def draw_column(plan: RampPlan) -> Figure:
    """Draws memristor column, integrator, comparator, latch and counter of a plan."""
    program, circuit = plan.program(), plan.circuit
    g = program.conductance * 1e6
    ramp = program.step != CALIBRATION
    n_cal = int((~ramp).sum())
    with schemdraw.Drawing(show=False, fontsize=11) as d:
        for x, label, values in ((0.0, f"{n_cal} calibration cells", g[~ramp]), (5.0, f"{int(ramp.sum())} ramp cells", g[ramp])):
            d += e.Dot(open=True).at((x, 4.2)).label(f"V_cm {'+' if x == 0 else '-'} v_read", loc="top")
            d += e.Line().at((x, 4.2)).to((x, 3.8))
            d += e.Memristor().at((x, 3.8)).to((x, 1.8)).label(f"{values.min():.0f}..{values.max():.0f} uS", loc="bottom", ofst=0.3)
            d += e.Switch().at((x, 1.8)).to((x, 0.0)).label(f"select\n{label}", loc="bottom", ofst=0.3)
            d += e.Line().at((x, 0)).to((5.0 if x == 0 else 9.6, 0))
            d += e.Dot().at((x, 0))
        op = e.Opamp(leads=True).at((9.6, 0)).anchor("in1")
        d += op
        d += e.Dot().at((8.8, 0)).label("sum", loc="bottom")
        for height, element, label in (
            (2.0, e.Capacitor(), f"C_f {program.feedback_capacitance(circuit) * 1e12:.1f} pF"),
            (3.6, e.Switch(), "reset"),
        ):
            d += e.Line().at((8.8, height - 1.6 if height > 2 else 0)).to((8.8, height))
            d += element.at((8.8, height)).to((op.out[0] + 0.6, height)).label(label, loc="top")
            d += e.Line().at((op.out[0] + 0.6, height)).to((op.out[0] + 0.6, height - 1.6 if height > 2 else op.out[1]))
        d += e.Line().left(0.4).at(op.in2)
        d += e.Dot(open=True).label("V_cm", loc="left")
        d += e.Line().at(op.out).to((op.out[0] + 2.6, op.out[1])).label("V_ramp", loc="top", ofst=(0.5, 0.05))
        d += e.Dot().at((op.out[0] + 0.6, op.out[1]))
        # Flipped: the ramp is on the positive input, so a trip is a rising output.
        comparator = e.Opamp(leads=True).flip().at((op.out[0] + 2.6, op.out[1])).anchor("in2")
        d += comparator
        d += e.Line().left(0.8).at(comparator.in1)
        d += e.Dot(open=True).label("V_mac", loc="left")
        d += e.Line().right(0.5).at(comparator.out)
        d += (
            e.Ic(
                pins=[
                    e.IcPin(name="d", side="left", slot="1/1"),
                    e.IcPin(name="q", side="right", slot="1/1"),
                    e.IcPin(name=">", side="bottom"),
                ],
                edgepadW=0.6,
                edgepadH=0.6,
            )
            .anchor("d")
            .label("latch", loc="top")
        )
        latch = d.elements[-1]
        d += e.Line().right(0.5).at(latch.q)
        counter = (
            e.Ic(
                pins=[e.IcPin(name="stop", side="left", slot="1/1"), e.IcPin(name="code", side="right", slot="1/1")],
                edgepadW=1.2,
                edgepadH=0.6,
            )
            .anchor("stop")
            .label("counter", loc="top")
        )
        d += counter
        d += e.Line().right(0.5).at(counter.code)
        d += e.Dot(open=True).label(f"{plan.bits}-bit code\n= {plan.name}(x)", loc="right")
    return _figure(d)


def _figure(drawing: schemdraw.Drawing) -> Figure:
    """The drawing in a figure of its own, in which pyplot has no part."""
    box = drawing.get_bbox()
    x, y = (box.xmin - MARGIN, box.xmax + MARGIN), (box.ymin - MARGIN, box.ymax + MARGIN)
    figure = Figure(figsize=(SCALE * (x[1] - x[0]), SCALE * (y[1] - y[0])))
    axes = figure.add_axes((0, 0, 1, 1), aspect="equal", xlim=x, ylim=y)
    axes.set_axis_off()
    drawing.draw(show=False, canvas=axes)
    return figure
