"""Cards of a converter, each written once: every deck (transitions, conversion, replay, tile, benches) is put together from these.

A block's card takes `Blocks` and `RampCircuit`; what the ramp program decides too, such as clocks and select lines, takes a
`Converter`. Elements of one kind differ by a tag, which their nodes bear too: comparator ``Xcmp3`` has the output ``y3``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netlists.array import continued
from netlists.errors import InputError
from netlists.ramp import Chips
from netlists.spice import Deck, pulses, pwl, pwl_texts, stairs, time_functions
from netlists.technology import RampCircuit

from .autozero import AutoZero
from .blocks import SUPPLY, Blocks, autozero_values, comparator_values, integrator_values
from .converter import Converter

# Against reltol=1e-6 with 50 ps steps these move no transition level by more than 2e-3 LSB (tests). With abstol=1e-12 ngspice 39
# stops advancing in decks of many latches: the cells carry tens of microamperes, so 1e-10 costs nothing. No `minbreak`, which would
# let ngspice pass an edge before which a step happens to end by less than 0.1 ps, where it else stands for ever: clocks lose edges.
OPTIONS = ".options reltol=1e-3 abstol=1e-10 trtol=7"
# For stepped waveforms (`is_stepped`): no farther from the fine reference than OPTIONS are, at a third of the time points. Steps
# double from a tick's on, up to STEPPED_STEP, and the error that ngspice estimates hardly ever shortens them: what is right between
# ticks is known. A little damping (xmu) keeps the trapezoidal rule from ringing in such steps.
STEPPED_OPTIONS = ".options reltol=5e-3 abstol=1e-9 vntol=1e-5 trtol=1000 xmu=0.415"
SHORT_EDGE = 0.02
"""Edge times gbw: longer edges move a level by more than 0.005 LSB (5-bit sigmoid)."""
# When a chip did not converge: both smaller errors allowed and a method that damps what the trapezoidal rule lets ring.
TIGHT_OPTIONS = ".options reltol=1e-4 abstol=1e-10 trtol=7 method=gear itl4=100"
# No simple part of a pulse: a step that ends a rounding error away from a clock edge makes ngspice 39 lose that edge.
STEPPED_STEP = 0.5497787144
SETTLES = 1.5
"""gbw times t_settle above which what the op-amp still has to settle at a long step is too little to matter (0.01 LSB below it)."""
# A latch that decides within a time step ends on either side: ngspice 44 takes steps there that are 30 times those of a decision.
CLOCKED_STEP = 0.25


def is_stepped(blocks: Blocks, circuit: RampCircuit) -> bool:
    """Whether a deck without latches has waveforms that change abruptly at the clock's ticks, with the area of ``t_edge`` pulses.

    The blocks with equations of their own only integrate them, where edges are short against the op-amp's 1 / (2 pi gbw).
    Transistors and a user's blocks see the edges as they are; so does an op-amp that rings as it drives comparators.
    """
    short = circuit.t_edge * circuit.gbw < SHORT_EDGE
    short = blocks.level == "ideal" or (short and not circuit.comparators)
    return blocks.linear and blocks.opamp is None and blocks.cells == "selected" and short


def rise_time(circuit: RampCircuit, stepped: bool) -> float:
    """Rise time of select pulses and staircases, seconds: in stepped decks shorter than any time step after a tick."""
    return circuit.t_edge / 100 if stepped else circuit.t_edge


def step_options(circuit: RampCircuit, *, stepped: bool = False, tight: bool = False) -> tuple[str, float]:
    """The ``.options`` card and the longest time step, seconds."""
    if tight:
        return TIGHT_OPTIONS, circuit.t_pulse / 16
    if not stepped:
        return OPTIONS, circuit.t_pulse / 4
    return STEPPED_OPTIONS, STEPPED_STEP * circuit.t_pulse / (1 if circuit.gbw * circuit.t_settle > SETTLES else 3)


def transient(lines: Sequence[str], saved: Sequence[str], step: float, stop: float, blocks: Blocks, control: str = "") -> Deck:
    """The deck of these cards, with ``.save`` of expressions such as ``v(ramp)``, on lines that ngspice keeps, and ``.tran``."""
    if blocks.is_clocked:
        step *= CLOCKED_STEP
    save = continued([f".save {saved[0]}", *saved[1:]])
    text = "\n".join([*lines, save, f".tran {float(step)!r} {float(stop)!r} 0 {float(step)!r}"]) + "\n"
    return Deck(text, control, blocks.settings)


def supplies(blocks: Blocks, circuit: RampCircuit) -> list[str]:
    """Analog ground and, where a block has supply ports, the supply."""
    return [f"Vcom com 0 DC {circuit.v_cm!r}", *([f"Vdd {SUPPLY} 0 DC {circuit.v_dd!r}"] if blocks.supplied else [])]


def reset(node: str, circuit: RampCircuit, at: float) -> str:
    """Reset clock that has fallen two edges before ``at``, seconds."""
    falls = np.array([0.0, at - 3 * circuit.t_edge, at - 2 * circuit.t_edge])
    return f"V{node} {node} 0 {pwl(falls, np.array([circuit.v_dd, circuit.v_dd, 0.0]))}"


def sources(
    names: Sequence[str], waves: tuple[np.ndarray, np.ndarray], *, stepped: bool = False, nodes: Sequence[str] | None = None
) -> list[str]:
    """Voltage sources ``V<name>`` with waveforms of the same breakpoints: (points,), (names, points).

    ``nodes`` are the two that each stands between; default a node of its name, and ground.
    """
    kind, texts = ("B", [f"v={w}" for w in time_functions(*waves)]) if stepped else ("V", pwl_texts(*waves))
    between = [f"{name} 0" for name in names] if nodes is None else nodes
    return [f"{kind}{name} {pair} {text}" for name, pair, text in zip(names, between, texts, strict=True)]


def head(converter: Converter, title: str, *parts: str) -> list[str]:
    """Title, models and subcircuits (of the converter's blocks and ``parts``), supplies, reset and what selects cells."""
    blocks, circuit = converter.blocks, converter.circuit
    return [
        f".title {title}",
        *blocks.models(),
        blocks.text("cells", "integrator", "comparator", *parts),
        *supplies(blocks, circuit),
        reset("rst", circuit, circuit.t_reset),
        *decision_clock(converter),
        *([*drive_lines(circuit), *select_lines(converter)] if blocks.cells == "switch" else []),
    ]


def ramps(
    converter: Converter,
    conductance: np.ndarray,
    opamp_offset: np.ndarray,
    tags: Sequence[str] | None = None,
    *,
    stepped: bool = False,
    rst: str = "rst",
    lines: str = "",
    comparators: int = 0,
) -> list[list[str]]:
    """Memristor column and integrator of each chip; the ramp of tag ``<t>`` is node ``ramp<t>``, its summing node ``sum<t>``.

    Parameters
    ----------
    conductance, opamp_offset : ndarray (n, cells), (n,)
        Siemens; volts, added to the circuit's.
    tags : sequence of str (n,), optional
        Default ``0``, ``1``...
    rst : str
        Node of the reset clock.
    lines : str
        Tag of the lines that select cells with switches (`select_lines`), and of the drive lines of selected cells.
    comparators : int
        Comparators on each ramp in the deck; one capacitor stands for the rest of the circuit's (`Blocks.missing_load`).
    """
    program, circuit, blocks = converter.program, converter.circuit, converter.blocks
    start, stop = converter.select
    tags = [str(i) for i in range(len(conductance))] if tags is None else tags
    cards: list[list[str]] = [[] for _ in tags]
    if blocks.cells == "selected":
        for kind, use in _cells_of_lines(converter):
            waves = pulses(start[use], stop[use], 1e3 * conductance[:, use], rise_time(circuit, stepped))
            selected = sources([f"sel{kind}{t}" for t in tags], waves, stepped=stepped)
            drive = _drive_line(converter, f"drv{kind}{lines}", use, stepped=stepped)
            for own, t, card in zip(cards, tags, selected, strict=True):
                own += [*drive, card, f"Xcells{kind}{t} sel{kind}{t} drv{kind}{lines} sum{t} ramp_cells_selected"]
                drive = []
    else:
        for own, t, row in zip(cards, tags, conductance, strict=True):
            own += switch_cells(converter, row, t, lines)
    c_f, load = program.feedback_capacitance(circuit), blocks.missing_load(circuit, comparators)
    # The macro-model's output has a capacitor already.
    inside = blocks.level == "macro" and blocks.opamp is None
    for own, t, offset in zip(cards, tags, (circuit.opamp_offset + opamp_offset).tolist(), strict=True):
        nodes = f"sum{t} ramp{t} com {rst}"
        own.append(integrator(f"Xint{t}", nodes, blocks, circuit, c_f=c_f, offset=offset, load=load if inside else 0.0))
        if load and not inside:
            own.append(f"Cload{t} ramp{t} com {load!r}")
    return cards


def _cells_of_lines(converter: Converter) -> list[tuple[str, np.ndarray]]:
    """Kind of each drive line of selected cells, and the cells on it: all on one, unless cells of one slot pull both ways."""
    slot, up = converter.program.slot, converter.program.polarity == 1
    if np.intersect1d(slot[up], slot[~up]).size:
        return [("p", np.flatnonzero(up)), ("n", np.flatnonzero(~up))]
    return [("", np.arange(len(slot)))]


def _drive_line(converter: Converter, name: str, cells: np.ndarray, *, stepped: bool) -> list[str]:
    """Drive line of selected cells, which changes sides in the settling time before the first cell that pulls the other way."""
    circuit, (start, _) = converter.circuit, converter.select
    cells = cells[np.argsort(start[cells], kind="stable")]
    sign = converter.program.polarity[cells]
    turns = 1 + np.flatnonzero(np.diff(sign))
    volts = circuit.v_cm - circuit.v_read * sign[np.append(0, turns)]
    if not len(turns):
        return [f"V{name} {name} 0 DC {float(volts[0])!r}"]
    at = start[cells[turns]] - (circuit.t_settle - circuit.t_edge) / 2
    corners = np.append(0.0, np.stack([at, at + rise_time(circuit, stepped)], axis=1))
    return sources([name], (corners, np.repeat(volts, 2)[None, :-1]), stepped=stepped)


def decision_noise(converter: Converter, chips: Chips, *, stepped: bool = False) -> tuple[str, list[str]]:
    """Name of the nodes that comparators see as the ramps, and the noise source in series with each, if there is any."""
    if chips.comparator_noise is None:
        return "ramp", []
    n = range(len(chips))
    waves = stairs(converter.clock.step_start, chips.comparator_noise, rise_time(converter.circuit, stepped))
    return "rampn", sources([f"noise{i}" for i in n], waves, stepped=stepped, nodes=[f"rampn{i} ramp{i}" for i in n])


def switch_cells(converter: Converter, conductance: np.ndarray, tag: str = "", lines: str = "") -> list[str]:
    """Every cell of a ramp column with its switch, between a drive line and ``sum<tag>``."""
    return [
        f"Xcell{tag}_{m} {'drvp' if sign == 1 else 'drvn'} sum{tag} sel{lines}{m} ramp_cell_switch g={g!r} "
        f"v_dd={converter.circuit.v_dd!r}"
        for m, (g, sign) in enumerate(zip(conductance.tolist(), converter.program.polarity, strict=True))
    ]


def drive_lines(circuit: RampCircuit) -> list[str]:
    """Drive lines of cells with switches: ``drvp`` of those that lift the ramp, ``drvn`` of those that lower it."""
    return [f"Vdrv{p} drv{p} 0 DC {circuit.v_cm + sign * circuit.v_read!r}" for p, sign in (("p", -1), ("n", 1))]


def select_lines(converter: Converter, tag: str = "") -> list[str]:
    """Gates ``sel<tag><m>`` of the cells with switches, shared by all chips of a deck."""
    # A switch conducts as soon as its line leaves 0, for the whole of both edges: the edges are steep, the pulse one edge shorter.
    edge, height = converter.circuit.t_edge / 10, np.array([converter.circuit.v_dd])
    (start, stop), cells = converter.select, range(converter.program.n_cells)
    return [f"Vsel{tag}{m} sel{tag}{m} 0 {pwl(*pulses(start[[m]], stop[[m]] - edge, height, edge))}" for m in cells]


def instance(name: str, nodes: str, block: str, values: Mapping[str, float]) -> str:
    """A subcircuit's card with its parameters."""
    return " ".join([name, nodes, block, *(f"{key}={float(value)!r}" for key, value in values.items())])


def _built_in(name: str, nodes: str, block: str, level: str, values: Mapping[str, float], supply: str = SUPPLY) -> str:
    return instance(name, f"{nodes} {supply} 0" if level == "sky130" else nodes, f"{block}_{level}", values)


def integrator(
    name: str,
    nodes: str,
    blocks: Blocks,
    circuit: RampCircuit,
    *,
    c_f: float,
    offset: float,
    load: float = 0.0,
    supply: str = SUPPLY,
) -> str:
    """Integrator card; ``nodes`` are sum, out, com, rst, ``offset`` and ``load`` as for `integrator_values`."""
    values = integrator_values(blocks.level, circuit, c_f=c_f, offset=offset, load=load)
    return _integrator(name, nodes, "integrator", blocks, values, supply)


def _integrator(name: str, nodes: str, kind: str, blocks: Blocks, values: Mapping[str, float], supply: str) -> str:
    if blocks.opamp is None:
        return _built_in(name, nodes, kind, blocks.level, values, supply)
    return instance(name, f"{nodes} {supply if 'vdd' in blocks.opamp.interface else '0'} 0", f"{kind}_user", values)


def comparator(
    tag: str, inp: str, inn: str, blocks: Blocks, circuit: RampCircuit, *, offset: float, supply: str = SUPPLY, clock: str = ""
) -> list[str]:
    """The comparator ``<tag>`` with its whole offset, volts; its output is node ``y<tag>``, ``clock`` the node of its clock."""
    own = blocks.comparator
    if own is None:
        values = comparator_values(blocks.level, circuit, offset=offset)
        return [_built_in(f"Xcmp{tag}", f"{inp} {inn} y{tag} com", "comparator", blocks.level, values, supply)]
    # Its own parameters stay as they are: the offset is a source in series.
    given = {"inp": f"inp{tag}", "inn": inn, "out": f"y{tag}", "com": "com", "vdd": supply, "vss": "0"}
    nodes = own.nodes(given | ({"clk": clock} if clock else {}))
    return [f"Vos{tag} inp{tag} {inp} DC {offset!r}", instance(f"Xcmp{tag}", " ".join(nodes), own.name_of_instance, {})]


def held_input(blocks: Blocks, circuit: RampCircuit, volts: np.ndarray) -> np.ndarray:
    """Voltages that stand for held V_mac at the comparators' inputs: the offset that follows V_mac is in them."""
    v = np.asarray(volts, float)
    return v - circuit.comparator_shift(v - circuit.v_cm) if blocks.shifted else v


def seen_input(tag: str, blocks: Blocks, circuit: RampCircuit, node: str) -> tuple[str, list[str]]:
    """The same for a V_mac at ``node``: the node that the comparator sees, and the card that makes it."""
    slope, bend, knee = circuit.comparator_slope, circuit.comparator_bend, circuit.comparator_knee
    if not blocks.shifted or slope == bend == 0.0:
        return node, []
    v, middle = f"(v({node})-v(com))", max(knee, 0.0) ** 2
    shift = f"{slope!r}*{v}+{bend!r}*(uramp({knee!r}-{v})^2-{middle!r})"
    return f"shifted{tag}", [f"Bshift{tag} shifted{tag} 0 v=v({node})-({shift})"]


def decision_clock(converter: Converter, tag: str = "") -> list[str]:
    """Clock ``dclk<tag>`` of a comparator that has one: it rises in the middle of the settling time and falls after the latch."""
    circuit = converter.circuit
    if not converter.blocks.is_clocked:
        return []
    latch = converter.clock.latch
    high = np.full(len(latch), circuit.v_dd)
    wave = pulses(latch - circuit.t_settle / 2, latch + circuit.t_aperture / 2, high, circuit.t_edge / 2)
    return [f"Vdclk{tag} dclk{tag} 0 {pwl(*wave)}"]


def pwm_driver(name: str, nodes: str, blocks: Blocks, circuit: RampCircuit, *, tau: float, width: float = 0.0) -> str:
    """Row driver card; ``nodes`` are pos, neg, outp, outn, com.

    Level ``sky130`` takes its rails from ``vlo`` and ``vhi`` and has gates of ``width`` micrometres; ``tau`` is for ``macro``.
    """
    if blocks.level == "sky130":
        return _built_in(name, f"{nodes} vlo vhi", "pwm_driver", blocks.level, {"w": width})
    values = {"v_read": circuit.v_read, "v_dd": circuit.v_dd}
    return _built_in(name, nodes, "pwm_driver", blocks.level, values | ({"tau": tau} if blocks.level == "macro" else {}))


def row_rails(circuit: RampCircuit) -> list[str]:
    """Rails that the row drivers of level ``sky130`` switch between."""
    return [f"Vlo vlo com DC {-circuit.v_read!r}", f"Vhi vhi com DC {circuit.v_read!r}"]


def hold_switch(name: str, nodes: str, blocks: Blocks, circuit: RampCircuit, *, r_on: float, width: float = 0.0) -> str:
    """Card of a hold switch; ``nodes`` are col, sum, clk. Level ``sky130`` is a transmission gate of ``width`` micrometres."""
    if blocks.level == "sky130":
        return _built_in(name, nodes, "transmission_gate", blocks.level, {"w": width})
    values = {"r_on": r_on, "v_dd": circuit.v_dd}
    return _built_in(
        name, nodes, "hold_switch", blocks.level, values | ({"c_inj": circuit.c_inject} if blocks.level == "macro" else {})
    )


def column_integrator(
    j: int,
    blocks: Blocks,
    circuit: RampCircuit,
    *,
    c_f: float,
    offset: float,
    r_hold: float,
    rst: str,
    width: float = 0.0,
    autozero: AutoZero | None = None,
) -> list[str]:
    """Hold switch and integrator of column ``j``, from its terminal ``c<j>`` to ``mac<j>``; ``offset`` adds to the circuit's.

    An auto-zero takes clock ``az`` too (`autozero_clock`). At level ``ideal`` it leaves nothing of the offset.
    """
    offset = circuit.opamp_offset + offset
    switch = hold_switch(f"Xhold{j}", f"c{j} s{j} hold", blocks, circuit, r_on=r_hold, width=width)
    if autozero is None or blocks.level == "ideal":
        offset = offset if autozero is None else 0.0
        return [switch, integrator(f"Xmac{j}", f"s{j} mac{j} com {rst}", blocks, circuit, c_f=c_f, offset=offset)]
    values = integrator_values(blocks.level, circuit, c_f=c_f, offset=offset) | autozero_values(blocks.level, autozero)
    card = _integrator(f"Xmac{j}", f"s{j} mac{j} com {rst} az", "autozero_integrator", blocks, values, SUPPLY)
    return [switch, card]


def autozero_clock(circuit: RampCircuit, autozero: AutoZero, at: float) -> str:
    """Clock ``az`` that has fallen ``t_guard`` before a reset does that ends at ``at`` (`reset`).

    Raises
    ------
    InputError
        A guard time that leaves no auto-zero.
    """
    if autozero.t_guard + 4 * circuit.t_edge >= at:
        raise InputError(f"t_guard={autozero.t_guard:g} s: must be shorter than the reset, t_reset = {at:g} s, and its edges")
    return reset("az", circuit, at - autozero.t_guard)


def hold_clock(circuit: RampCircuit, closed: float, opened: float) -> str:
    """Clock ``hold`` of the switches between columns and integrators."""
    wave = pulses(np.array([closed]), np.array([opened]), np.array([circuit.v_dd]), circuit.t_edge)
    return f"Vhold hold 0 {pwl(*wave)}"
