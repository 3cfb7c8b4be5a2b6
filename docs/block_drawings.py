"""Pictures of the converter, its macro-models, the crossbar and its reduced network."""

from __future__ import annotations

import schemdraw
from schemdraw import elements as e
from transistor_drawings import Point, net, text, two, wire


def box(d: schemdraw.Drawing, corner: Point, size: Point, name: str) -> None:
    """A block as a rectangle with its name inside; ``corner`` is the lower left."""
    (x, y), (w, h) = corner, size
    wire(d, (x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y))
    text(d, (x + w / 2, y + h / 2), name, halign="center", size=10)


def controlled(d: schemdraw.Drawing, a: Point, b: Point, law: str, loc: str = "bottom") -> None:
    """Controlled current source from a to b with its law."""
    d += two(e.SourceControlledI(), a, b).label(law, loc=loc, fontsize=9)


def amplifier(d: schemdraw.Drawing, inverting: Point, name: str) -> tuple[Point, Point]:
    """Op-amp with its inverting input at a point; returns the other input and the output."""
    op = e.Opamp(leads=True).theta(0).at(inverting).anchor("in1")
    d += op
    text(d, (inverting[0] + 1.45, float(op.out[1])), name, halign="center", size=8)
    return (float(op.in2[0]), float(op.in2[1])), (float(op.out[0]), float(op.out[1]))


def converter(d: schemdraw.Drawing) -> None:
    """Ramp column, integrator, comparator, latch and counter, and where V_mac comes from."""
    for x, drive, cells in (
        (0.0, "com +- v_read", "calibration\ncells"),
        (4.2, "com - v_read", "ramp cells\nG_1 .. G_N\nN = 2^bits"),
    ):
        net(d, (x, 4.0), drive, "top")
        d += two(e.Memristor(), (x, 4.0), (x, 2.2))
        d += two(e.Switch(), (x, 2.2), (x, 0.6)).label("sel_m", loc="bottom", fontsize=9)
        wire(d, (x, 0.6), (x, 0.0), dots=((x, 0.0),) if x else ())
        text(d, (x + 0.6, 3.1), cells, size=9)
    wire(d, (0, 0), (9.4, 0))
    text(d, (6.6, 0.3), "sum", size=10)
    plus, out = amplifier(d, (9.4, 0), "integrator")
    wire(d, plus, (plus[0], plus[1] - 0.4))
    net(d, (plus[0], plus[1] - 0.4), "com", "bottom")
    for y, part, name in ((2.2, e.Capacitor, "C_f"), (3.8, e.Switch, "rst")):
        d += two(part(), (8.4, y), (out[0] + 0.3, y)).label(name, loc="top")
    wire(d, (8.4, 0), (8.4, 3.8), dots=((8.4, 0), (8.4, 2.2)))
    wire(d, (out[0] + 0.3, out[1]), (out[0] + 0.3, 3.8), dots=((out[0] + 0.3, out[1]), (out[0] + 0.3, 2.2)))
    x = out[0] + 2.2
    wire(d, out, (x, out[1]))
    text(d, (out[0] + 0.5, out[1] - 0.35), "V_ramp (shared)", size=9)
    # Flipped: the ramp is on the positive input, so a trip is a rising output.
    cmp = e.Opamp(leads=True).theta(0).flip().at((x, out[1])).anchor("in2")
    d += cmp
    text(d, (x + 1.45, float(cmp.out[1])), "comparator", halign="center", size=8)
    net(d, (float(cmp.in1[0]), float(cmp.in1[1])), "V_mac", "left")
    y = (float(cmp.out[0]), float(cmp.out[1]))
    for k, (name, below) in enumerate((("latch", "clk"), ("counter", "step"))):
        left = y[0] + 0.6 + 2.8 * k
        wire(d, (left - (0.6 if k == 0 else 0.8), y[1]), (left, y[1]))
        box(d, (left, y[1] - 0.8), (2.0, 1.6), name)
        wire(d, (left + 1.0, y[1] - 0.8), (left + 1.0, y[1] - 1.2))
        net(d, (left + 1.0, y[1] - 1.2), below, "bottom")
    wire(d, (y[0] + 5.4, y[1]), (y[0] + 6.0, y[1]))
    net(d, (y[0] + 6.0, y[1]), "code = g(x)", "right")


def ramp_cells(d: schemdraw.Drawing) -> None:
    """A cell with its switch, and the column seen through the cell that is selected."""
    net(d, (0, 3.4), "drv", "top")
    d += two(e.Memristor(), (0, 3.4), (0, 1.6)).label("1/g - r_on", loc="bottom", fontsize=9)
    controlled(d, (0, 1.6), (0, -0.2), "v(sel)/(v_dd r_on) * v(mid, sum)")
    net(d, (0, -0.2), "sum", "bottom")
    text(d, (0, -1.6), "ramp_cell_switch", halign="center", size=11)
    net(d, (8, 2.6), "sum", "top")
    controlled(d, (8, 2.6), (8, 0.6), "G_sel v(sum, drv)")
    net(d, (8, 0.6), "drv", "bottom")
    text(d, (8, -1.6), "ramp_cells_selected", halign="center", size=11)


def integrator(d: schemdraw.Drawing) -> None:
    """``integrator_macro``; the ideal one has C_f, the leak and the switch only."""
    wire(d, (-6.2, 0), (0, 0), dots=((-0.6, 0), (-2.4, 0), (-4.2, 0)))
    net(d, (-6.2, 0), "sum", "left")
    plus, out = amplifier(d, (0, 0), "opamp_macro")
    wire(d, plus, (plus[0], plus[1] - 0.4))
    net(d, (plus[0], plus[1] - 0.4), "com", "bottom")
    for x, part, name in ((-2.4, e.Capacitor, "c_in"), (-4.2, e.Resistor, "r_leak")):
        d += two(part(), (x, 0), (x, -1.8)).label(name, loc="bottom")
        net(d, (x, -1.8), "com", "bottom")
    right = out[0] + 0.4
    wire(d, out, (right + 1, out[1]), dots=((right, out[1]),))
    net(d, (right + 1, out[1]), "out", "right")
    d += two(e.Capacitor(), (-0.6, 2.0), (right, 2.0)).label("c_f", loc="top")
    controlled(d, (-0.6, 3.8), (right, 3.8), "v(rst)/(v_dd r_rst) * v(sum, out)", loc="top")
    wire(d, (-0.6, 0), (-0.6, 3.8), dots=((-0.6, 2.0),))
    wire(d, (right, out[1]), (right, 3.8), dots=((right, 2.0),))
    wire(d, (-2.4, 0), (-2.4, 1.0))
    d += two(e.Capacitor(), (-2.4, 1.0), (-2.4, 2.6)).label("c_inj", loc="top")
    net(d, (-2.4, 2.6), "rst", "top")


def opamp(d: schemdraw.Drawing) -> None:
    """``opamp_macro``: limited transconductor, second stage, R_z and C_c around it."""
    net(d, (-6.4, 1.6), "inp", "left")
    net(d, (-6.4, 0.4), "inn", "left")
    text(d, (-6.0, 1.0), "v_d = v(inp, inn) + v_os", size=9)
    controlled(d, (2.2, 0), (2.2, 2.2), "i_max tanh(gm1 v_d / i_max)", loc="top")
    d += two(e.Resistor(), (5.0, 2.2), (5.0, 0)).label("r1", loc="bottom")
    d += two(e.Capacitor(), (7.0, 2.2), (7.0, 0)).label("c_g2", loc="bottom")
    controlled(d, (11.2, 0), (11.2, 2.2), "gm2 v(g2)", loc="bottom")
    d += two(e.Resistor(), (14.0, 2.2), (14.0, 0)).label("r_o", loc="bottom")
    d += two(e.Capacitor(), (16.0, 2.2), (16.0, 0)).label("c_out", loc="bottom")
    wire(d, (2.2, 2.2), (7.0, 2.2), dots=((5.0, 2.2), (7.0, 2.2)))
    d += two(e.Resistor(), (7.0, 3.8), (9.0, 3.8)).label("r_z", loc="top")
    d += two(e.Capacitor(), (9.0, 3.8), (11.2, 3.8)).label("c_c", loc="top")
    wire(d, (7.0, 2.2), (7.0, 3.8))
    wire(d, (11.2, 3.8), (11.2, 2.2))
    wire(d, (11.2, 2.2), (17.0, 2.2), dots=((11.2, 2.2), (14.0, 2.2), (16.0, 2.2)))
    wire(d, (2.2, 0), (16.0, 0), dots=((5.0, 0), (7.0, 0), (11.2, 0), (14.0, 0)))
    net(d, (5.0, 0), "com", "bottom")
    text(d, (6.0, 2.5), "g2", size=10)
    net(d, (17.0, 2.2), "out", "right")


def comparator(d: schemdraw.Drawing) -> None:
    """``comparator_macro``: limited transconductor into one pole."""
    net(d, (-6.4, 1.6), "inp", "left")
    net(d, (-6.4, 0.4), "inn", "left")
    text(d, (-6.0, 1.0), "v_d = v(inp, inn) + v_os", size=9)
    controlled(d, (2.6, 0), (2.6, 2.2), "v_sat tanh(gain v_d / v_sat)\nper ohm", loc="top")
    d += two(e.Resistor(), (5.4, 2.2), (5.4, 0)).label("1 ohm", loc="bottom")
    d += two(e.Capacitor(), (8.0, 2.2), (8.0, 0)).label("tau / 1 ohm", loc="bottom")
    wire(d, (2.6, 2.2), (10.2, 2.2), dots=((5.4, 2.2), (8.0, 2.2)))
    wire(d, (2.6, 0), (8.0, 0), dots=((5.4, 0),))
    net(d, (5.4, 0), "com", "bottom")
    net(d, (10.2, 2.2), "out", "right")


def latch(d: schemdraw.Drawing) -> None:
    """``latch_macro``: tracking switch, holding node with regeneration, output."""
    net(d, (-0.4, 2.2), "d", "left")
    wire(d, (-0.4, 2.2), (0.2, 2.2))
    controlled(d, (0.2, 2.2), (3.2, 2.2), "v(clk)/(v_dd r_on) * v(d, hold)", loc="top")
    wire(d, (3.2, 2.2), (8.8, 2.2), dots=((4.6, 2.2), (7.0, 2.2)))
    controlled(d, (4.6, 0), (4.6, 2.2), "regeneration,\nclk low", loc="top")
    d += two(e.Capacitor(), (7.0, 2.2), (7.0, 0)).label("c_h", loc="bottom")
    wire(d, (4.6, 0), (7.0, 0))
    d += e.Dot().at((5.8, 0))
    net(d, (5.8, 0), "com", "bottom")
    text(d, (5.8, 2.5), "hold", halign="center", size=10)
    box(d, (8.8, 1.5), (5.4, 1.4), "(1 + tanh(10 v(hold, com))) / 2")
    wire(d, (14.2, 2.2), (14.8, 2.2))
    net(d, (14.8, 2.2), "q", "right")


def counter(d: schemdraw.Drawing) -> None:
    """``counter_macro``: two charges, one for the trip and one for the code."""
    for x, law, name in (
        (0.0, "20 step^2 q (1 - trip)", "trip"),
        (9.0, "step (1 - q) (1 - trip)", "code"),
    ):
        controlled(d, (x, 0), (x, 2.2), law, loc="top")
        d += two(e.Capacitor(), (x + 2.6, 2.2), (x + 2.6, 0)).label("t_cnt", loc="bottom")
        wire(d, (x, 2.2), (x + 3.6, 2.2), dots=((x + 2.6, 2.2),))
        wire(d, (x, 0), (x + 2.6, 0))
        d += e.Ground().at((x + 1.3, 0)).theta(0)
        net(d, (x + 3.6, 2.2), name, "right")


def crossbar(d: schemdraw.Drawing) -> None:
    """Two rows and two columns of a wired crossbar with drivers, cells, sense resistances and integrators."""
    xs, ys = (4.6, 9.4), (6.6, 3.0)
    for i, y in enumerate(ys):
        net(d, (-1.6, y), f"v_{i}", "left")
        d += two(e.Resistor(), (-1.6, y), (1.0, y)).label("r_driver", loc="top", fontsize=9)
        left = 1.0
        for x in xs:
            d += two(e.Resistor(), (left, y), (x, y)).label("r_row", loc="top", fontsize=9)
            d += e.Dot().at((x, y))
            left = x
        wire(d, (left, y), (left + 2.3, y))
        text(d, (left + 2.5, y), "...", size=12)
    for j, x in enumerate(xs):
        column = x + 1.7
        for i, y in enumerate(ys):
            d += two(e.Memristor(), (x, y), (x, y - 1.5)).label(f"G_{i}{j}", loc="top", fontsize=9)
            wire(d, (x, y - 1.5), (column, y - 1.5), dots=((column, y - 1.5),))
            below = ys[i + 1] - 1.5 if i == 0 else y - 3.6
            # The row passes over the column's wire without touching it.
            d += two(e.Resistor(), (column, y - 1.5), (column, y - 3.4 if i == 0 else below)).label(
                "r_col", loc="bottom", fontsize=9
            )
            if i == 0:
                wire(d, (column, y - 3.4), (column, below))
        wire(d, (column, ys[0] - 1.5), (column, ys[0] - 0.5))
        end = ys[1] - 3.6
        d += two(e.Resistor(), (column, end), (column, end - 1.8)).label("r_sense", loc="bottom", fontsize=9)
        net(d, (column, end - 1.8), f"terminal of column {j}\n(summing node)", "bottom")


def reduction(d: schemdraw.Drawing) -> None:
    """What is kept of the mesh: conductances between ports."""
    box(d, (-6.8, 0.0), (3.0, 3.0), "mesh:\n2 R C wire nodes")
    for k in range(2):
        wire(d, (-7.5, 0.8 + 1.4 * k), (-6.8, 0.8 + 1.4 * k))
        net(d, (-7.5, 0.8 + 1.4 * k), f"r{1 - k}", "left")
    for k in range(2):
        wire(d, (-6.3 + 0.9 * k, 0.0), (-6.3 + 0.9 * k, -0.6))
        net(d, (-6.3 + 0.9 * k, -0.6), f"c{k}", "bottom")
    wire(d, (-4.3, 0.0), (-4.3, -0.6))
    net(d, (-4.3, -0.6), "com", "bottom")
    text(d, (-2.7, 1.5), "=>", size=18)
    r, c = [(0.4, 2.8), (0.4, 0.4)], [(7.2, 2.8), (7.2, 0.4)]
    for i, at in enumerate(r):
        net(d, at, f"r{i}", "left")
    for j, at in enumerate(c):
        net(d, at, f"c{j}", "right")
    for i in range(2):
        d += two(e.RBox(), (0.4, r[i][1]), (7.2, c[i][1])).label(f"W_r{i},c{i}", loc="top" if i == 0 else "bottom", fontsize=9)
    # Off the middle, where they would lie on each other.
    d += two(e.RBox(), r[0], (3.5, 1.7059))
    wire(d, (3.5, 1.7059), c[1])
    d += two(e.RBox(), r[1], (3.5, 1.4941))
    wire(d, (3.5, 1.4941), c[0])
    d += two(e.RBox(), c[0], c[1]).label("W_c0,c1", loc="bottom", fontsize=9)
    d += two(e.RBox(), r[0], r[1]).label("W_r0,r1", loc="top", fontsize=9)
    d += two(e.RBox(), (7.2, 0.4), (7.2, -1.8)).label("W_c1,com", loc="bottom", fontsize=9)
    net(d, (7.2, -1.8), "com", "bottom")


def pwm_drivers(d: schemdraw.Drawing) -> None:
    """``pwm_driver_macro`` and ``pwm_driver_sky130``: the pair of rows of one signed input."""
    net(d, (-6.6, 1.6), "pos", "left")
    net(d, (-6.6, 0.4), "neg", "left")
    controlled(d, (0.0, 0), (0.0, 2.2), "v_read/v_dd * v(neg, pos)", loc="top")
    d += two(e.Resistor(), (1.8, 2.2), (1.8, 0)).label("1 ohm", loc="bottom")
    d += two(e.Capacitor(), (4.2, 2.2), (4.2, 0)).label("tau / 1 ohm", loc="bottom")
    wire(d, (0, 2.2), (7.0, 2.2), dots=((1.8, 2.2), (4.2, 2.2), (6.4, 2.2)))
    wire(d, (0, 0), (4.2, 0), dots=((1.8, 0),))
    net(d, (1.8, 0), "com", "bottom")
    wire(d, (6.4, 2.2), (6.4, 0.6), (7.0, 0.6))
    for y, factor, port in ((2.2, "x 1", "outp"), (0.6, "x -1", "outn")):
        box(d, (7.0, y - 0.5), (1.4, 1.0), factor)
        wire(d, (8.4, y), (9.0, y))
        net(d, (9.0, y), port, "right")
    text(d, (0.5, -1.7), "pwm_driver_macro", size=11)
    for k, (port, gates) in enumerate((("outp", ("pos", "idle", "neg")), ("outn", ("neg", "idle", "pos")))):
        x = 16.8 + 5.2 * k
        for y, source, gate in zip((2.4, 1.0, -0.4), ("vlo = com - v_read", "com", "vhi = com + v_read"), gates, strict=True):
            wire(d, (x - 1.6, y), (x - 1.4, y))
            d += two(e.Switch(), (x - 1.4, y), (x + 0.8, y)).label(gate, loc="top", fontsize=9)
            net(d, (x - 1.6, y), source if k == 0 else source.split(" ")[0], "left")
        wire(d, (x + 0.8, 2.4), (x + 0.8, -0.4), dots=((x + 0.8, 1.0),))
        wire(d, (x + 0.8, 1.0), (x + 1.3, 1.0))
        net(d, (x + 1.3, 1.0), port, "right")
    text(d, (15.4, -1.7), "pwm_driver_sky130, idle = NOR(pos, neg)", size=11)


def tile(d: schemdraw.Drawing) -> None:
    """One column of a tile, from input codes to output code."""
    box(d, (0, 0.2), (2.4, 2.4), "PWM driver\nof input i")
    for y, port in ((2.0, "pos_i"), (0.8, "neg_i")):
        wire(d, (-0.6, y), (0, y))
        net(d, (-0.6, y), port, "left")
    for y, cell in ((2.0, "G+_ij"), (0.8, "G-_ij")):
        wire(d, (2.4, y), (3.4, y))
        d += two(e.Memristor(), (3.4, y), (5.6, y)).label(cell, loc="top" if y > 1 else "bottom", fontsize=9)
    text(d, (2.5, 2.25), "outp", size=8)
    text(d, (2.5, 0.55), "outn", size=8)
    wire(d, (5.6, 2.0), (5.6, 0.8), dots=((5.6, 1.4),))
    d += two(e.Switch(), (5.6, 1.4), (8.2, 1.4)).label("hold", loc="top", fontsize=9)
    box(d, (8.2, 0.6), (2.4, 1.6), "integrator\nC_f,j")
    wire(d, (9.4, 0.6), (9.4, 0.2))
    net(d, (9.4, 0.2), "rst", "bottom")
    wire(d, (10.6, 1.4), (13.2, 1.4))
    text(d, (11.0, 1.75), "V_mac,j", size=10)
    box(d, (8.2, 3.6), (2.4, 1.6), "ramp column\nof the group")
    wire(d, (10.6, 4.4), (12.2, 4.4), (12.2, 2.4), (13.2, 2.4), dots=((12.2, 3.6),))
    wire(d, (12.2, 3.6), (13.4, 3.6))
    text(d, (13.6, 3.6), "V_ramp, to the group's other columns", size=9)
    for k, name in enumerate(("comparator", "latch", "counter")):
        box(d, (13.2 + 3.2 * k, 1.1), (2.6, 1.6), name)
        wire(d, (15.8 + 3.2 * k, 1.9), (16.4 + 3.2 * k, 1.9))
    net(d, (22.8, 1.9), "code_j", "right")
