"""Pictures of the transistor-level blocks, their sizes taken from the ``.subckt`` text.

A picture names every transistor of its block; `Transistors.done` fails if the text has one that was not drawn.
"""

from __future__ import annotations

import re
from itertools import pairwise

import schemdraw
from schemdraw import elements as e

from netlists.spice import subcircuit

Point = tuple[float, float]
HALF = 5 / 6
"""Half the length of a transistor symbol, drawing units."""
GATE = 0.92
"""Distance of the gate from the channel's axis."""


def wire(d: schemdraw.Drawing, *points: Point, dots: tuple[Point, ...] = ()) -> None:
    """Straight lines through points, with dots where nets join."""
    for a, b in pairwise(points):
        d += e.Line().at(a).to(b)
    for p in dots:
        d += e.Dot().at(p)


def net(d: schemdraw.Drawing, at: Point, name: str, loc: str) -> None:
    """A net that leaves the picture or goes on elsewhere in it, by name; ``loc`` is left, right, top or bottom."""
    d += e.Dot(open=True).at(at).label(name, loc=loc)


def two(element: e.Element2Term, a: Point, b: Point) -> e.Element2Term:
    """Two-terminal element from a to b; unlike ``at`` and ``to``, also right for sources, which stand upright by default."""
    return element.endpoints(a, b)


def text(d: schemdraw.Drawing, at: Point, words: str, *, halign: str = "left", size: float = 9) -> None:
    """Words at a point."""
    d += e.Label().at(at).label(words, loc="center", halign=halign, valign="center", fontsize=size)


def rail(d: schemdraw.Drawing, left: Point, right: float, name: str) -> None:
    """Supply line with its name at the left end."""
    wire(d, left, (right, left[1]))
    text(d, (left[0] - 0.1, left[1]), name, halign="right", size=11)


class Transistors:
    """Transistors of one block, placed by hand, sized by the block's text."""

    def __init__(self, d: schemdraw.Drawing, block: str) -> None:
        self.d = d
        own = re.search(rf"^\.subckt {block}\b.*?^\.ends", subcircuit(block), re.MULTILINE | re.DOTALL)
        assert own is not None
        cards = re.findall(r"^(x\w+) (.+?) (\w+_sky130) (w=.*)$", own.group(0), re.MULTILINE)
        self.cards = {
            name: (nodes.split(), model, dict(p.split("=") for p in params.split())) for name, nodes, model, params in cards
        }
        self.left = set(self.cards)

    def size(self, name: str) -> str:
        """Name, threshold and W/L of a transistor as the picture shows them, um."""
        _, model, p = self.cards[name]
        fingers = f"\nnf {p['nf']}" if "nf" in p else ""
        return f"{name}{' lvt' if 'lvt' in model else ''}\n{p['w']}/{p['l']}{fingers}"

    def place(self, name: str, center: Point, gate: str = "left") -> tuple[Point, Point, Point]:
        """Draw a transistor upright, its name on the side without gate; returns its upper end, lower end and gate."""
        self.left.remove(name)
        x, y = center
        kind = e.AnalogPFet if self.cards[name][1].startswith("p") else e.AnalogNFet
        fet = kind(offset_gate=False)
        self.d += (fet.reverse() if gate == "left" else fet).theta(0).at((x, y + HALF))
        side = 1 if gate == "left" else -1
        text(self.d, (x + side * 0.15, y), self.size(name), halign="left" if side > 0 else "right", size=8)
        return (x, y + HALF), (x, y - HALF), (x + (GATE if gate == "right" else -GATE), y)

    def done(self) -> None:
        """Raise unless every transistor of the block is in the picture."""
        if self.left:
            raise ValueError(f"not in the picture: {', '.join(sorted(self.left))}")


def ota(d: schemdraw.Drawing) -> None:
    """``ota_sky130``: two-stage Miller OTA."""
    t = Transistors(d, "ota_sky130")
    rail(d, (-0.6, 7.0), 10.6, "vdd")
    rail(d, (-0.6, 0.0), 10.6, "vss")
    d += two(e.SourceI(), (0, 7), (0, 4)).label("i_ref", loc="bottom")
    top, low, gate = t.place("xb", (0, 1), gate="right")
    wire(d, (0, 4), top, dots=((0, 2.3),))
    wire(d, (0, 2.3), (GATE, 2.3), gate, dots=(gate,))
    wire(d, low, (0, 0))
    tail, low, tail_gate = t.place("xt", (3.75, 1))
    wire(d, gate, tail_gate)
    text(d, (1.6, 1.25), "bias")
    wire(d, low, (3.75, 0))
    d1, s1, inn = t.place("x1", (2.5, 3.2))
    d2, s2, inp = t.place("x2", (5, 3.2), gate="right")
    wire(d, s1, (2.5, 2.1), (5, 2.1), s2)
    wire(d, tail, (3.75, 2.1), dots=((3.75, 2.1),))
    net(d, inn, "inn", "left")
    net(d, inp, "inp", "right")
    up3, m1, g3 = t.place("x3", (2.5, 5.8), gate="right")
    up4, m2, g4 = t.place("x4", (5, 5.8))
    wire(d, up3, (2.5, 7))
    wire(d, up4, (5, 7))
    wire(d, g3, g4)
    wire(d, d1, m1)
    wire(d, d2, m2)
    wire(d, (3.75, 5.8), (3.75, 4.6), (2.5, 4.6), dots=((3.75, 5.8), (2.5, 4.6)))
    up6, out, g6 = t.place("x6", (9, 5.8))
    wire(d, up6, (9, 7))
    wire(d, (5, 4.6), (7.4, 4.6), (7.4, 5.8), g6, dots=((5, 4.6), (7.4, 4.6)))
    text(d, (6.2, 4.85), "d2", halign="center")
    top7, low, g7 = t.place("x7", (9, 1))
    net(d, g7, "bias", "left")
    wire(d, low, (9, 0))
    wire(d, out, top7)
    d += e.Capacitor().at((7.4, 4.6)).to((7.4, 3.2)).label("c_c", loc="bottom")
    d += e.Resistor().at((7.4, 3.2)).to((9, 3.2)).label("r_z", loc="bottom")
    wire(d, (9, 3.2), (10.2, 3.2), dots=((9, 3.2),))
    net(d, (10.2, 3.2), "out", "right")
    t.done()


def integrator(d: schemdraw.Drawing) -> None:
    """``integrator_sky130``: the OTA with C_f and a transmission gate as its reset switch."""
    t = Transistors(d, "integrator_sky130")
    op = e.Opamp(leads=True).at((0, 0)).anchor("in1")
    d += op
    out = (float(op.out[0]) + 0.4, float(op.out[1]))
    text(d, (1.5, out[1]), "ota_sky130", halign="center", size=8)
    wire(d, (-3.2, 0), (0, 0), dots=((-0.4, 0), (-2, 0)))
    net(d, (-3.2, 0), "sum", "left")
    d += e.Capacitor().at((-2, 0)).to((-2, -1.8)).label("c_in", loc="bottom")
    net(d, (-2, -1.8), "com", "bottom")
    d += two(e.SourceV(), (0, -3.2), (0, float(op.in2[1]))).label("v_os", loc="top")
    net(d, (0, -3.2), "com", "bottom")
    wire(d, (-0.4, 0), (-0.4, 4.3))
    wire(d, (out[0] - 0.4, out[1]), (out[0] + 1, out[1]), dots=(out,))
    net(d, (out[0] + 1, out[1]), "out", "right")
    wire(d, out, (out[0], 4.3))
    d += e.Capacitor().at((-0.4, 2)).to((out[0], 2)).label("c_f", loc="top")
    d += e.Dot().at((-0.4, 2))
    d += e.Dot().at((out[0], 2))
    # The transmission gate: both transistors lie on one channel, gates up and down.
    middle = (-0.4 + out[0]) / 2
    for name, kind, side, gate in (("xsn", e.AnalogNFet, 1, "rst"), ("xsp", e.AnalogPFet, -1, "nrst")):
        t.left.remove(name)
        d += kind(offset_gate=False).theta(90 * side).at((middle - side * HALF, 4.3))
        net(d, (middle, 4.3 + side * GATE), gate, "top" if side > 0 else "bottom")
        text(d, (middle + side * 1.0, 4.3 + side * 0.85), t.size(name), halign="left" if side > 0 else "right", size=8)
    wire(d, (-0.4, 4.3), (middle - HALF, 4.3))
    wire(d, (middle + HALF, 4.3), (out[0], 4.3))
    inverter(d, t, ("xip", "xin"), x=9, low=-1.9, high=4.3, inp="rst", out="nrst")
    t.done()


def inverter(
    d: schemdraw.Drawing, t: Transistors, names: tuple[str, str], *, x: float, low: float, high: float, inp: str, out: str
) -> None:
    """P over N between two supply rails, which it draws too; ports by name."""
    middle = (low + high) / 2
    up, p, gp = t.place(names[0], (x, middle + 1.3))
    n, down, gn = t.place(names[1], (x, middle - 1.3))
    wire(d, up, (x, high))
    wire(d, down, (x, low))
    wire(d, p, n, dots=((x, middle),))
    wire(d, gp, gn, dots=((x - GATE, middle),))
    wire(d, (x - GATE - 0.35, middle), (x - GATE, middle))
    wire(d, (x, middle), (x + 0.45, middle))
    net(d, (x - GATE - 0.35, middle), inp, "left")
    net(d, (x + 0.45, middle), out, "right")
    for y, name, loc in ((high, "vdd", "top"), (low, "vss", "bottom")):
        net(d, (x, y), name, loc)


def comparator(d: schemdraw.Drawing) -> None:
    """``comparator_sky130``: two input pairs, mirrors that add their currents at y, two inverters."""
    t = Transistors(d, "comparator_sky130")
    high, low = 7.4, 0.0
    rail(d, (-0.8, high), 19.8, "vdd")
    rail(d, (-0.8, low), 19.8, "vss")

    def top(name: str, x: float, gate: str = "left") -> tuple[Point, Point]:
        up, drain, g = t.place(name, (x, 6.2), gate=gate)
        wire(d, up, (x, high))
        return drain, g

    def bottom(name: str, x: float, gate: str = "left") -> tuple[Point, Point]:
        drain, down, g = t.place(name, (x, 1.2), gate=gate)
        wire(d, down, (x, low))
        return drain, g

    def diode(drain: Point, gate: Point, name: str, bend: float) -> Point:
        """Join gate and drain; returns the joint."""
        joint = (drain[0], drain[1] + bend)
        wire(d, drain, joint, (gate[0], joint[1]), gate, dots=(joint,))
        text(d, ((joint[0] + gate[0]) / 2, joint[1] + 0.32 * (1 if bend > 0 else -1)), name, halign="center", size=10)
        return joint

    # Bias of the N pair, the N pair with its loads.
    d += two(e.SourceI(), (0, high), (0, 4.4)).label("i_ref", loc="bottom")
    drain, gate = bottom("xbn", 0, "right")
    wire(d, (0, 4.4), diode(drain, gate, "bn", 0.4))
    tail, tail_gate = bottom("xtn", 3.6)
    wire(d, gate, tail_gate, dots=(gate,))
    up, s1, g1 = t.place("x1", (2.4, 3.7))
    dn, s2, g2 = t.place("x2", (4.8, 3.7), gate="right")
    wire(d, s1, (2.4, 2.5), (4.8, 2.5), s2)
    wire(d, tail, (3.6, 2.5), dots=((3.6, 2.5),))
    net(d, g1, "g", "bottom")
    net(d, g2, "inn", "bottom")
    wire(d, diode(*top("xpu", 2.4, "left"), "up", -0.35), up)
    wire(d, diode(*top("xpd", 4.8, "right"), "dn", -0.35), dn)
    # Bias of the P pair, the P pair with its loads.
    drain, gate = top("xbp", 7.6, "right")
    d += two(e.SourceI(), (7.6, 3.0), (7.6, low)).label("i_ref", loc="bottom")
    wire(d, diode(drain, gate, "bp", -0.4), (7.6, 3.0))
    tail, tail_gate = top("xtp", 11.2)
    wire(d, gate, tail_gate, dots=(gate,))
    s3, lo, g3 = t.place("x3", (10, 3.7))
    s4, li, g4 = t.place("x4", (12.4, 3.7), gate="right")
    wire(d, s3, (10, 4.9), (12.4, 4.9), s4)
    wire(d, tail, (11.2, 4.9), dots=((11.2, 4.9),))
    net(d, g3, "g", "top")
    net(d, g4, "inn", "top")
    wire(d, diode(*bottom("xnl", 10, "left"), "lo", 0.35), lo)
    wire(d, diode(*bottom("xni", 12.4, "right"), "li", 0.35), li)
    # Mirrors that hand one pair's current to the other's side, and the output node.
    drain, gate = top("xpl", 15.4)
    net(d, gate, "dn", "left")
    net(d, drain, "lo", "bottom")
    drain, gate = bottom("xnu", 15.4)
    net(d, gate, "li", "left")
    net(d, drain, "up", "top")
    y_high, gate = top("xpy", 18.2)
    net(d, gate, "up", "left")
    y_low, gate = bottom("xny", 18.2)
    net(d, gate, "lo", "left")
    wire(d, y_high, y_low, dots=((18.2, 3.7),))
    wire(d, (18.2, 3.7), (18.8, 3.7))
    net(d, (18.8, 3.7), "y", "right")
    inverter(d, t, ("xp1", "xn1"), x=22, low=low, high=high, inp="y", out="ny")
    inverter(d, t, ("xp2", "xn2"), x=25.4, low=low, high=high, inp="ny", out="out")
    d += two(e.SourceV(), (-0.6, -1.6), (1.6, -1.6)).label("v_os", loc="bottom")
    net(d, (-0.6, -1.6), "inp", "left")
    net(d, (1.6, -1.6), "g", "right")
    t.done()


def strongarm(d: schemdraw.Drawing) -> None:
    """``strongarm_sky130``: clocked comparator."""
    t = Transistors(d, "strongarm_sky130")
    high = 9.0
    rail(d, (-2.4, high), 12.4, "vdd")
    rail(d, (-2.4, 0.0), 12.4, "vss")
    tail, down, clk = t.place("xt", (5, 1.1))
    wire(d, down, (5, 0))
    net(d, clk, "clk", "left")
    p, s1, g1 = t.place("x1", (3.4, 3.2))
    q, s2, g2 = t.place("x2", (6.6, 3.2), gate="right")
    wire(d, s1, (3.4, 2.2), (6.6, 2.2), s2)
    wire(d, tail, (5, 2.2), dots=((5, 2.2),))
    net(d, g1, "g", "left")
    net(d, g2, "inn", "right")
    u, s3, g3 = t.place("x3", (3.4, 5.3), gate="right")
    v, s4, g4 = t.place("x4", (6.6, 5.3))
    wire(d, p, s3, dots=((3.4, 4.2),))
    wire(d, q, s4, dots=((6.6, 4.2),))
    up5, d5, g5 = t.place("x5", (3.4, 7.7), gate="right")
    up6, d6, g6 = t.place("x6", (6.6, 7.7))
    for up, low_end, high_end in ((up5, u, d5), (up6, v, d6)):
        wire(d, up, (up[0], high))
        wire(d, low_end, high_end)
    # Each side's gates hang on the other side's output.
    wire(d, g3, g5, dots=((g3[0], 6.7),))
    wire(d, g4, g6, dots=((g4[0], 6.3),))
    wire(d, (3.4, 6.3), (g4[0], 6.3), dots=((3.4, 6.3),))
    wire(d, (6.6, 6.7), (g3[0], 6.7), dots=((6.6, 6.7),))
    for name, x, node, gate in (
        ("xr3", -1.4, "p", "left"),
        ("xr1", 1.2, "u", "left"),
        ("xr2", 8.8, "v", "right"),
        ("xr4", 11.4, "q", "right"),
    ):
        up, drain, g = t.place(name, (x, 7.7), gate=gate)
        wire(d, up, (x, high))
        side = {"p": (3.4, 4.2), "u": (3.4, 6.3), "v": (6.6, 6.7), "q": (6.6, 4.2)}[node]
        wire(d, drain, (x, side[1]), side)
        text(
            d,
            (side[0] + (0.15 if side[0] < 5 else -0.15), side[1] + (0.0 if node in "pq" else -0.22)),
            node,
            halign="left" if side[0] < 5 else "right",
            size=10,
        )
        net(d, g, "clk", gate)
    inverter(d, t, ("xp1", "xn1"), x=16, low=2.2, high=7.4, inp="u", out="outp")
    inverter(d, t, ("xp2", "xn2"), x=19.6, low=2.2, high=7.4, inp="v", out="outn")
    d += two(e.SourceV(), (14.6, 0.6), (16.8, 0.6)).label("v_os", loc="bottom")
    net(d, (14.6, 0.6), "inp", "left")
    net(d, (16.8, 0.6), "g", "right")
    t.done()


def access(d: schemdraw.Drawing) -> None:
    """The cell without and with its access transistor (``access_sky130``)."""
    wire(d, (0, 3.4), (0, 3.0))
    net(d, (0, 3.4), "drv", "top")
    d += e.Memristor().at((0, 3.0)).to((0, 1.0)).label("1/g", loc="bottom")
    wire(d, (0, 1.0), (0, -0.4))
    net(d, (0, -0.4), "sum", "bottom")
    text(d, (0, -1.7), "0T1R", halign="center", size=11)
    net(d, (5, 3.4), "drv", "top")
    wire(d, (5, 3.4), (5, 3.0))
    d += e.Memristor().at((5, 3.0)).to((5, 1.4)).label("1/g - r_on", loc="bottom")
    d += e.AnalogNFet(offset_gate=False).reverse().theta(0).at((5, 1.4))
    net(d, (5 - GATE, 1.4 - HALF), "sel", "left")
    text(d, (5.2, 1.4 - HALF), "w/l, r_on\nbody: vss", size=9)
    wire(d, (5, 1.4 - 2 * HALF), (5, -0.4))
    net(d, (5, -0.4), "sum", "bottom")
    text(d, (5, -1.7), "1T1R, access_sky130", halign="center", size=11)
