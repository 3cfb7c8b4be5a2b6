"""What Table 1 of Yang et al. 2025 implies, and a model of few constants that is fitted to its 5-bit column.

The table prints area, power, throughput and two efficiencies for two networks at 5 and 8 bits: 18 figures, but with

    TOPS/W = TOPS / power        TOPS/mm2 = TOPS / area        TOPS = 2 rows columns / time of a step

only 5 of each network are independent: two times, two powers and an area. Each printed figure is an interval of half a
unit of its last digit to either side; `implied` narrows those five with all of them.

The model, per time step of a network of R x C weights and L weight layers at b bits:

    time   = 2 L 2^b t_clock + t_fixed          every layer waits for 2^b input pulses and 2^b ramp steps
    energy = P_column C time + e_weight R C 2^b t_clock / 1 ns
    area   = a_column C + a_weight R C

t_fixed is fitted for each network, the other four constants are common: six constants for the six independent figures of
the 5-bit column. Those at 8 bits are then predicted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netlists.errors import InputError

T_CLOCK = 1e-9
"""1 GHz: Table 1."""
QUANTITIES = ("area", "power", "tops", "tops_per_watt", "tops_per_mm2")
UNITS = {"area": "mm2", "power": "mW", "tops": "TOPS", "tops_per_watt": "TOPS/W", "tops_per_mm2": "TOPS/mm2"}
BITS = (5, 8)


@dataclass(frozen=True)
class PublishedChip:
    """A network of the table.

    Attributes
    ----------
    key, name : str
    rows, columns, hidden : int
        72 = 40 features + 32 units, and 633 = embedding 128 + projection 504 + bias 1: its memory sizes, 1.125 and 623 kB, are
        one bit for each of rows x columns.
    layers : int
        Weight layers that work one after the other. Derived from the published networks: LSTM and classifier; LSTM, projection
        and classifier.
    limit : float
        How near a figure has to come.
    printed : dict of (quantity, bits) to (value, half a unit of the last digit)
        The area under both bits.
    """

    key: str
    name: str
    rows: int
    columns: int
    hidden: int
    layers: int
    limit: float
    printed: dict[tuple[str, int], tuple[float, float]]

    @property
    def operations(self) -> int:
        """Of a time step."""
        return 2 * self.rows * self.columns

    def steps(self, bits: int) -> int:
        """Clock periods of a time step that follow the resolution: input pulses and ramps of all layers."""
        return 2 * self.layers * 2**bits


def _printed(**figures: tuple[tuple[float, float], float] | tuple[tuple[float, float], tuple[float, float]]) -> dict:
    out = {}
    for quantity, (values, half) in figures.items():
        halves = half if isinstance(half, tuple) else (half, half)
        for bits, value, h in zip(BITS, values, halves, strict=True):
            out[quantity, bits] = (value, h)
    return out


KWS = PublishedChip(
    "kws", "keyword spotting", 72, 128, 32, 2, 0.15,
    _printed(
        area=((0.003, 0.003), 0.0005), power=((3.7, 4.6), 0.05), tops=((0.11, 0.02), 0.005),
        tops_per_watt=((31.0, 4.0), 0.05), tops_per_mm2=((39.48, 6.1), (0.005, 0.05)),
    ),
)  # fmt: skip
LM = PublishedChip(
    "lm", "character language model", 633, 8064, 2016, 3, 0.10,
    _printed(
        area=((0.71, 0.71), 0.005), power=((406.5, 766.8), 0.05), tops=((19.5, 5.5), 0.05),
        tops_per_watt=((47.9, 7.2), 0.05), tops_per_mm2=((27.6, 7.8), 0.05),
    ),
)  # fmt: skip
CHIPS = (KWS, LM)


@dataclass(frozen=True)
class Implied:
    """What the printed figures of one network leave open, SI units; low, middle (geometric) and high of each.

    Attributes
    ----------
    time, power : dict of bits to (low, middle, high)
        Seconds of a time step, watts.
    area : (low, middle, high)
        Square metres.
    contradiction : float
        By how much some printed figures have to be off beyond rounding, as a part: 0 if they agree.
    """

    time: dict[int, tuple[float, float, float]]
    power: dict[int, tuple[float, float, float]]
    area: tuple[float, float, float]
    contradiction: float


def implied(chip: PublishedChip, bits: tuple[int, ...] = BITS) -> Implied:
    """Intervals of time, power and area that the printed figures of some resolutions allow.

    In logarithms every figure bounds a sum of unknowns: a linear program. Its first solution is the least slack with which
    there is any; the bounds are those at that slack.
    """
    from scipy.optimize import linprog

    names = [*(("tops", b) for b in bits), *(("power", b) for b in bits), ("area", 0)]
    rows, limits = [], []
    for (quantity, b), (value, half) in chip.printed.items():
        if b not in bits:
            continue
        parts = {
            "area": {("area", 0): 1},
            "power": {("power", b): 1},
            "tops": {("tops", b): 1},
            "tops_per_watt": {("tops", b): 1, ("power", b): -1},
            "tops_per_mm2": {("tops", b): 1, ("area", 0): -1},
        }[quantity]
        # mW against TOPS/W.
        offset = np.log(1e-3) if quantity == "tops_per_watt" else 0.0
        row = [float(parts.get(n, 0)) for n in names]
        rows += [[*row, -1.0], [*(-r for r in row), -1.0]]
        limits += [np.log(value + half) + offset, -np.log(value - half) - offset]
    n = len(names)
    free: list[tuple[float | None, float | None]] = [(None, None)] * n
    slack = float(linprog([0.0] * n + [1.0], rows, limits, bounds=[*free, (0, None)]).fun)
    bounds = [*free, (0.0, slack + 1e-9)]
    ends = {}
    for i, name in enumerate(names):
        unit = [float(j == i) for j in range(n)] + [0.0]
        low, high = (s * linprog([s * u for u in unit], rows, limits, bounds=bounds).fun for s in (1, -1))
        ends[name] = np.exp([low, (low + high) / 2, high])
    time = {b: _triple(chip.operations / (1e12 * ends["tops", b][::-1])) for b in bits}
    power = {b: _triple(1e-3 * ends["power", b]) for b in bits}
    return Implied(time, power, _triple(1e-6 * ends["area", 0]), float(np.expm1(slack)) if slack > 1e-9 else 0.0)


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    low, middle, high = (float(v) for v in values)
    return low, middle, high


@dataclass(frozen=True)
class TableModel:
    """The model of the module's heading, SI units.

    Attributes
    ----------
    t_fixed : dict of str to float
        By network, seconds.
    p_column : float
        Watts.
    e_weight : float
        Joules a weight and clock period of 1 ns of a phase.
    a_column, a_weight : float
        Square metres.
    """

    t_fixed: dict[str, float]
    p_column: float
    e_weight: float
    a_column: float
    a_weight: float

    def time(self, chip: PublishedChip, bits: int) -> float:
        """Of a time step, seconds."""
        return chip.steps(bits) * T_CLOCK + self.t_fixed[chip.key]

    def energy(self, chip: PublishedChip, bits: int) -> float:
        """Of a time step, joules."""
        return self.p_column * chip.columns * self.time(chip, bits) + self.e_weight * chip.rows * chip.columns * 2**bits

    def figures(self, chip: PublishedChip, bits: int) -> dict[str, float]:
        """The five quantities in the table's units."""
        time, energy = self.time(chip, bits), self.energy(chip, bits)
        area = 1e6 * chip.columns * (self.a_column + chip.rows * self.a_weight)
        tops = 1e-12 * chip.operations / time
        return {
            "area": area,
            "power": 1e3 * energy / time,
            "tops": tops,
            "tops_per_watt": 1e-12 * chip.operations / energy,
            "tops_per_mm2": tops / area,
        }


def fit(bits: int = 5) -> TableModel:
    """The six constants from one column of the table (the middles of what it implies by itself).

    Raises
    ------
    InputError
        The table has no such column.
    """
    if bits not in BITS:
        raise InputError(f"bits={bits}: Table 1 has columns of {' and '.join(map(str, BITS))} bits")
    alone = {c.key: implied(c, (bits,)) for c in CHIPS}
    times = {c.key: alone[c.key].time[bits][1] for c in CHIPS}
    fixed = {c.key: times[c.key] - c.steps(bits) * T_CLOCK for c in CHIPS}
    energy = [times[c.key] * alone[c.key].power[bits][1] for c in CHIPS]
    p_column, e_weight = np.linalg.solve([[c.columns * times[c.key], c.rows * c.columns * 2**bits] for c in CHIPS], energy)
    area = [alone[c.key].area[1] for c in CHIPS]
    a_column, a_weight = np.linalg.solve([[c.columns, c.rows * c.columns] for c in CHIPS], area)
    return TableModel(fixed, float(p_column), float(e_weight), float(a_column), float(a_weight))


def compare(model: TableModel, fitted_bits: int) -> list[dict[str, object]]:
    """A row for each printed figure: printed, model, deviation, limit, whether fitted or predicted, whether within."""
    out: list[dict[str, object]] = []
    for chip in CHIPS:
        for bits in BITS:
            ours = model.figures(chip, bits)
            for quantity in QUANTITIES:
                if quantity == "area" and bits != BITS[0]:
                    continue
                out.append(row(chip, quantity, bits, ours[quantity], "fitted" if bits == fitted_bits else "predicted"))
    return out


def row(chip: PublishedChip, quantity: str, bits: int, ours: float, how: str) -> dict[str, object]:
    """One printed figure beside another value."""
    printed, half = chip.printed[quantity, bits]
    deviation = ours / printed - 1
    return {
        "network": chip.name,
        "quantity": quantity,
        "unit": UNITS[quantity],
        "bits": "5 and 8" if quantity == "area" else str(bits),
        "printed": printed,
        "rounding": half / printed,
        "ours": ours,
        "deviation": deviation,
        "limit": chip.limit,
        "within": bool(abs(deviation) <= chip.limit),
        "how": how,
    }


def constants(model: TableModel) -> Mapping[str, float]:
    """The fitted constants by name, with their units."""
    return {
        "t_fixed, keyword spotting (s)": model.t_fixed["kws"],
        "t_fixed, language model (s)": model.t_fixed["lm"],
        "P_column (W)": model.p_column,
        "e_weight (J a weight and ns)": model.e_weight,
        "a_column (m2)": model.a_column,
        "a_weight (m2)": model.a_weight,
    }
