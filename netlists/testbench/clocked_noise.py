"""Test benches of the noise of a clocked comparator: currents of noise beside its own transistors and resistors in a transient.

ngspice's transients have no noise of devices, and its ``.noise`` needs an operating point that a clocked circuit does not have.
Here a transient gives the voltages of all nodes while an instance decides; instances whose nodes are held at them, one a moment,
give the noise of every element by ``.noise``; and instances with currents of that density beside their elements decide. Such a
record of noise is the same in every clock period, so that the trip point it leads to is found by bisection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from netlists.spice import Deck, pwl

from .clocked import EDGE, clocked_trip_deck
from .own import DECISION_PERIOD
from .run import OPTIONS, commands
from .tested import At, BlockOnBench

NOISE_FREQUENCIES = (1e3, 1e9)
"""Hertz at which the noise of an element is read off: 1/f there, white here."""
_INSTANCE = "xnz"
_LISTED = re.compile(rf"^\s*\d+\s*:\s*((\w)\.{_INSTANCE}\.\S+)\s+(.*)$", re.MULTILINE)
_OTHERS = "qjdzno"
"""Other elements that make noise; those of compiled models among them."""
_HOLD = 1e-3
"""Ohms through which a node is held: an inductor or a source of the block may hold it too."""
_SCALE = 1e-3
"""Amperes of a noise current for a volt of the source that drives it."""


@dataclass(frozen=True)
class ListedInstance:
    """What ngspice says is in an instance of a block.

    Attributes
    ----------
    noisy : tuple of (name, end, end)
        Transistors and resistors, and the two nodes that the noise of each joins.
    nodes : tuple of str
        Its inner nodes and its output.
    others : tuple of str
        Elements that make noise in another way, such as bipolar transistors.
    """

    noisy: tuple[tuple[str, str, str], ...]
    nodes: tuple[str, ...]
    others: tuple[str, ...]

    @classmethod
    def parse(cls, printed: str) -> ListedInstance:
        """Reads what the run of `listing_deck` printed."""
        noisy, others, nodes = [], [], {"out0": None}
        for name, letter, rest in _LISTED.findall(printed):
            at = rest.split()
            nodes |= {n: None for n in at if n.startswith(f"{_INSTANCE}.") and not set(n) & set(":=()")}
            if letter in "mr":
                noisy.append((name, at[0], at[2 if letter == "m" else 1]))
            elif letter in _OTHERS:
                others.append(name)
        # What joins a node to itself moves nothing, nor does what joins two ports that the bench holds.
        moving = (n for n in noisy if n[1] != n[2] and (n[1] in nodes or n[2] in nodes))
        return cls(tuple(moving), tuple(nodes), tuple(others))


def _one(block: BlockOnBench, at: At, title: str, clock: str, inp: float) -> str:
    card = block.card(_INSTANCE[1:], "inp0", "inn0", "out0", "vdd", "clk")
    return (
        f"{block.head(f'clocked comparator bench, {title}', at)}{OPTIONS}vdd vdd 0 {at.v_dd!r}\nvclk clk 0 {clock}\n"
        f"vn0 inn0 0 {at.v_cm!r}\nvp0 inp0 0 {inp!r}\n{card}"
    )


def listing_deck(block: BlockOnBench, at: At) -> Deck:
    """Bench whose run prints the expanded deck of one instance."""
    return Deck(_one(block, at, "elements", "0", at.v_cm), "listing e\nquit")


def voltages_deck(block: BlockOnBench, at: At, listed: ListedInstance, inp: float, step: float) -> tuple[Deck, list[str]]:
    """Bench of one instance with v(inp) at ``inp`` over two clock periods, and its tables of the clock and the inner nodes."""
    half = DECISION_PERIOD / 2
    clock = f"pulse(0 {at.v_dd!r} {half!r} {EDGE!r} {EDGE!r} {half - 2 * EDGE!r} {DECISION_PERIOD!r})"
    vectors = [f"v({n})" for n in ("clk", *listed.nodes)]
    parts = [vectors[j : j + 8] for j in range(0, len(vectors), 8)]
    tables = [(f"nodes{k}", part) for k, part in enumerate(parts)]
    run = f"tran {step!r} {2 * DECISION_PERIOD!r} 0 {step!r}"
    text = _one(block, at, "voltages", clock, inp)
    return Deck(text, commands(*(f"save {' '.join(part)}" for part in parts), run, *tables)), [name for name, _ in tables]


def density_deck(block: BlockOnBench, at: At, listed: ListedInstance, inp: float, volts: np.ndarray) -> Deck:
    """Bench of instances ``xm0``, ``xm1`` ... held at the voltages of moments; its plot has the noise of their elements.

    A node's current counts with the node's number: noise between two nodes shows as the difference of their numbers.

    Parameters
    ----------
    volts : ndarray (moments, 1 + nodes)
        Of the clock and of the ``nodes`` of ``listed``.
    """
    text = _one(block, at, "noise", "0", inp) + "rsum sum 0 1\nvac in 0 dc 0 ac 1\nrac in sum 1e6\n"
    for k, (clock, *inner) in enumerate(volts.tolist()):
        text += f"vclk{k} clk{k} 0 {clock!r}\n{block.card(f'm{k}', 'inp0', 'inn0', f'outm{k}', 'vdd', f'clk{k}')}"
        for j, (node, v) in enumerate(zip(listed.nodes, inner, strict=True)):
            held = f"outm{k}" if node == "out0" else node.replace(f"{_INSTANCE}.", f"xm{k}.", 1)
            text += f"vh{k}_{j} h{k}_{j} 0 {v!r}\nrh{k}_{j} h{k}_{j} {held} {_HOLD!r}\nfh{k}_{j} 0 sum vh{k}_{j} {j + 1}\n"
    low, high = NOISE_FREQUENCIES
    return Deck(text, commands(f"noise v(sum) vac lin 2 {low!r} {high!r} 1", "setplot noise1", "write bench.raw"))


def densities(listed: ListedInstance, plot: Mapping[str, np.ndarray], moments: int) -> tuple[np.ndarray, np.ndarray]:
    """White noise (A^2/Hz) and 1/f noise (A^2) of each element at each moment, (moments, elements), from `density_deck`'s plot.

    0 of an element that ngspice gives no noise of, such as a resistor with ``noisy=0``.
    """
    number = {node: j + 1 for j, node in enumerate(listed.nodes)}
    white, slow = np.zeros((2, moments, len(listed.noisy)))
    for j, (name, a, b) in enumerate(listed.noisy):
        between = number.get(a, 0) - number.get(b, 0)
        for k in range(moments):
            of_moment = name.replace(f".{_INSTANCE}.", f".xm{k}.", 1)
            # BSIM models put a dot there.
            found = [v for mark in "._" if (v := plot.get(f"onoise{mark}{of_moment}")) is not None]
            if not found:
                continue
            low, high = np.abs(found[0]) ** 2 / between**2
            white[k, j], slow[k, j] = high, max(low - high, 0.0) * NOISE_FREQUENCIES[0]
    return white, slow


def noise_grid(window: float, points: int = 16) -> np.ndarray:
    """Times within a clock period at which a record of noise has a value, seconds, shape (n,).

    Even from ``window`` before the clock rises to ``window`` after; before that ever wider, a sixth of the way to the edge: what
    answers slowly remembers noise of long ago, and needs it no finer.
    """
    edge, step = DECISION_PERIOD / 2, window / points
    back = [window]
    while back[-1] < 0.9 * edge:
        back.append(back[-1] + max(step, back[-1] / 6))
    early = edge - np.array([b for b in back[:0:-1] if b < 0.99 * edge])
    return np.concatenate([early, np.linspace(edge - window, edge + window, 2 * points + 1)])


def noisy_trip_deck(
    block: BlockOnBench,
    at: At,
    listed: ListedInstance,
    times: np.ndarray,
    currents: np.ndarray,
    before: float | None = None,
    *,
    start: float,
    span: float,
    bits: int,
) -> Deck:
    """`clocked_trip_deck` of instances that each have records of noise beside their elements.

    Parameters
    ----------
    times : ndarray (n,)
        Of the records, within a clock period, seconds.
    currents : ndarray (instances, elements, n)
        Amperes.
    before, start, span, bits
        As of `clocked_trip_deck`.
    """
    deck = clocked_trip_deck(block, at, [at.v_cm] * len(currents), before, start=start, span=span, bits=bits)
    t = np.concatenate([[0.0, times[0] - 1e-12], times, [times[-1] + 1e-12, DECISION_PERIOD]])
    cards = []
    for k, records in enumerate(currents):
        outer = {"inp0": f"inp{k}", "inn0": f"inn{k}", "out0": f"out{k}"}
        for j, ((_, *ends), record) in enumerate(zip(listed.noisy, records, strict=True)):
            nodes = " ".join(outer.get(n, n.replace(f"{_INSTANCE}.", f"x{k}.", 1)) for n in ends)
            wave = pwl(t, np.concatenate([[0.0, 0.0], record / _SCALE, [0.0, 0.0]]))
            cards.append(f"vnz{k}_{j} nz{k}_{j} 0 {wave} r=0\ngnz{k}_{j} {nodes} nz{k}_{j} 0 {_SCALE!r}\n")
    return replace(deck, circuit=deck.circuit + "".join(cards))
