"""Draw chips: sample i is a function of (seed, i) alone, and each source of variation has its own stream.

Every source starts as a standard normal number (the programming error as a uniform one per cell) that is then
correlated, bent to its shape and scaled. With method ``random`` these numbers come from the streams. With ``sobol`` and
``latin-hypercube`` those that make a chip come from its point in the unit cube: offsets and gain in the first
dimensions, where such points are spread best, then one dimension per cell for the programming error. Stuck cells, writing
again and the noise of a conversion stay random: rare events and many small ones gain nothing from even spreading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from characterization.plan import RampPlan, Variation, unit_points
from characterization.streams import SampleSource, sample_stream
from netlists.errors import InputError
from netlists.ramp import Chips
from netlists.technology import DeviceProfile

_CHIP = (
    SampleSource.OPAMP_OFFSET,
    SampleSource.CONDUCTANCE_GAIN,
    SampleSource.COMPARATOR_OFFSET,
    SampleSource.COLUMN_OFFSET,
)
"""Normal numbers of a chip, in the order of their dimensions in the unit cube; the programming error follows."""

Generators = Callable[[SampleSource], list[np.random.Generator]]
"""The generators of a source: one for each sample, or a single one for all."""


@dataclass(frozen=True)
class DrawnChips:
    """What was drawn for each sample, shapes (n, ...); SI units.

    ``conductance`` is what write-verify left, ``stuck`` tells which cells do not move. The circuit `seen` differs by
    ``conductance_gain`` (a relative error of each chip) and ``wire`` (cells,), the resistance in series with each cell, ohms.
    ``column_offset`` is the offset of another column's comparator on the same ramp; ``read_noise`` (standard normal,
    one a cell) and ``comparator_noise`` (volts, both op-amps' included) belong to one conversion by that column.
    ``comparator_share`` is what the
    correlations of the plan give to the normal number of every comparator of a chip.
    """

    samples: np.ndarray
    conductance: np.ndarray
    stuck: np.ndarray
    opamp_offset: np.ndarray
    comparator_offset: np.ndarray
    column_offset: np.ndarray
    read_noise: np.ndarray
    comparator_noise: np.ndarray
    conductance_gain: np.ndarray
    wire: np.ndarray
    comparator_share: np.ndarray

    def seen(self, conductance: np.ndarray) -> np.ndarray:
        """What the circuit sees of cells with these conductances (n, cells), siemens: gain error, then the wire."""
        return through_wire(conductance * (1 + self.conductance_gain[:, None]), self.wire)

    def chips(self, conductance: np.ndarray | None = None) -> Chips:
        """The chips without noise, seen by the comparator that calibrates."""
        g = self.conductance if conductance is None else conductance
        return Chips(self.seen(g), self.opamp_offset, self.comparator_offset)

    def conversions(self, conductance: np.ndarray, profile: DeviceProfile) -> Chips:
        """One noisy conversion of each chip, seen by another column's comparator."""
        g = np.maximum(conductance + profile.read_sigma_at(conductance) * self.read_noise, 0.1 * profile.g_hrs)
        return Chips(self.seen(g), self.opamp_offset, self.column_offset, self.comparator_noise)

    @property
    def decision_shifts(self) -> np.ndarray:
        """Sources in series with the comparators' inputs, noisy conversion minus `chips`, by level (n, levels), volts."""
        return (self.column_offset - self.comparator_offset)[:, None] + self.comparator_noise[:, :-1]


def through_wire(conductance: np.ndarray, resistance: np.ndarray) -> np.ndarray:
    """Conductance of cells with a resistance (ohms) in series: ``1 / (1 / G + R)``; without resistance the same bits."""
    return conductance / (1 + conductance * resistance)


def wire_resistance(plan: RampPlan) -> np.ndarray:
    """Resistance of the wire between the column's end and each cell, shape (cells,), ohms."""
    return plan.wire_resistance * np.arange(1, plan.program().n_cells + 1)


def nominal_chips(plan: RampPlan, n: int = 1) -> Chips:
    """``n`` chips exactly as programmed, seen through the plan's wire."""
    chips = Chips.nominal(plan.program(), n)
    return Chips(through_wire(chips.conductance, wire_resistance(plan)), chips.opamp_offset, chips.comparator_offset)


def draw(plan: RampPlan, samples: np.ndarray) -> DrawnChips:
    """Draws the chips with the given sample numbers, shape (n,).

    Raises
    ------
    InputError
        A sample beyond the plan's Latin hypercube or Sobol sequence.
    """
    samples = np.asarray(samples, int)

    def generators(source: SampleSource) -> list[np.random.Generator]:
        return [sample_stream(plan.seed, int(i), source) for i in samples]

    points = None
    if plan.sampling.method != "random":
        points = unit_points(plan.sampling, plan.seed, len(_CHIP) + plan.program().n_cells, samples)
    return _drawn(plan, samples, generators, points)


def draw_population(plan: RampPlan, n: int, rng: np.random.Generator) -> DrawnChips:
    """``n`` chips of the plan's distribution from one generator: fast, for closed forms; they have no sample number (-1)."""
    return _drawn(plan, np.full(n, -1), lambda source: [rng], None)


def _drawn(plan: RampPlan, samples: np.ndarray, generators: Generators, points: np.ndarray | None) -> DrawnChips:
    program, profile, v = plan.program(), plan.profile, plan.variation
    n, cells, steps = len(samples), program.n_cells, program.n_steps
    normal, share = _correlated(v, _chip_normals(v, n, generators, points), n)
    uniform = uniform_numbers(generators(SampleSource.PROGRAMMING), (n, cells)) if points is None else points[:, len(_CHIP) :]
    uniform = _along_column(uniform, v.programming_length)
    g = profile.programmed(np.broadcast_to(program.conductance, (n, cells)), prepared(uniform))
    where = _stuck(profile, generators, (n, cells))
    reading = normal_numbers(generators(SampleSource.READ_NOISE), (n, cells))
    decisions = v.comparator_noise * v.comparator_noise_shape.of_normal(
        normal_numbers(generators(SampleSource.COMPARATOR_NOISE), (n, steps))
    )
    if v.opamp_noise:
        decisions = decisions + np.sqrt(2) * v.opamp_noise * normal_numbers(generators(SampleSource.OPAMP_NOISE), (n, steps))
    return DrawnChips(
        samples,
        np.where(np.isnan(where), g, where),
        ~np.isnan(where),
        v.opamp_offset * v.opamp_offset_shape.of_normal(normal[SampleSource.OPAMP_OFFSET]),
        v.comparator_offset * v.comparator_offset_shape.of_normal(normal[SampleSource.COMPARATOR_OFFSET]),
        v.comparator_offset * v.comparator_offset_shape.of_normal(normal[SampleSource.COLUMN_OFFSET]),
        reading,
        decisions,
        _gain(v, normal[SampleSource.CONDUCTANCE_GAIN]),
        wire_resistance(plan),
        share,
    )


def column_offsets(plan: RampPlan, drawn: DrawnChips, normal: np.ndarray) -> np.ndarray:
    """Comparator offsets of all columns, volts, from their own normal numbers (n, columns); the first is that of the draw."""
    v = plan.variation
    own = float(np.linalg.cholesky(v.correlation_matrix())[2, 2])
    out = v.comparator_offset * v.comparator_offset_shape.of_normal(drawn.comparator_share[:, None] + own * normal)
    return np.concatenate([drawn.column_offset[:, None], out[:, 1:]], axis=1)


def reprogram(
    plan: RampPlan,
    drawn: DrawnChips,
    targets: np.ndarray,
    conductance: np.ndarray | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Conductances after the calibration cells in ``targets`` were written again.

    Parameters
    ----------
    targets : ndarray (n, cells)
        New targets of calibration cells; NaN for cells that keep their state. Stuck cells do not move.
    conductance : ndarray (n, cells), optional
        Conductances before, siemens; the drawn ones by default.
    rng : Generator, optional
        For chips of `draw_population`; numbered samples have their own streams.

    Returns
    -------
    ndarray (n, cells), siemens
    """
    program = plan.program()
    out = (drawn.conductance if conductance is None else conductance).copy()
    cal = program.calibration_cells
    rows = np.flatnonzero(~np.isnan(targets[:, cal]).all(axis=1))
    if len(rows):
        generators = [rng] if rng else [sample_stream(plan.seed, int(i), SampleSource.REPROGRAMMING) for i in drawn.samples[rows]]
        place = np.ix_(rows, cal)
        out[place] = write(plan, out[place], targets[place], drawn.stuck[place], generators)
    return out


def write(
    plan: RampPlan, conductance: np.ndarray, targets: np.ndarray, stuck: np.ndarray, generators: list[np.random.Generator]
) -> np.ndarray:
    """Conductances (n, cells) after the cells with a target were written, siemens; stuck cells do not move.

    Parameters
    ----------
    conductance, targets : ndarray (n, cells)
        Siemens; targets are NaN for cells that stay.
    stuck : ndarray of bool (n, cells)
    generators : list of Generator
        One a chip, whose draws do not depend on the others; or a single one for all.
    """
    asked = ~np.isnan(targets)
    # Drawn for every cell, so that a chip's draws do not depend on which of its cells are written.
    uniform = uniform_numbers(generators, targets.shape)
    written = plan.profile.programmed(np.where(asked, targets, conductance), prepared(uniform))
    return np.where(asked & ~stuck, written, conductance)


def stuck_cells(plan: RampPlan, samples: np.ndarray) -> np.ndarray:
    """Which cells of the samples are stuck, shape (n, cells): the same draws as in `draw`."""
    shape = (len(samples), plan.program().n_cells)
    return ~np.isnan(_stuck(plan.profile, lambda source: [sample_stream(plan.seed, int(i), source) for i in samples], shape))


def _stuck(profile: DeviceProfile, generators: Generators, shape: tuple[int, int]) -> np.ndarray:
    """Conductance of each stuck cell, NaN for those that are not."""
    unknown = np.full(shape, np.nan)
    if not profile.stuck_off_rate + profile.stuck_on_rate + profile.stuck_rate:
        return unknown
    return profile.stuck(unknown, prepared(uniform_numbers(generators(SampleSource.STUCK), shape)))


def _chip_normals(v: Variation, n: int, generators: Generators, points: np.ndarray | None) -> dict[SampleSource, np.ndarray]:
    """The chip's normal numbers, (n,) each, before they are correlated."""
    from scipy.special import ndtri

    if points is None:
        return {source: normal_numbers(generators(source), (n, 1))[:, 0] for source in _CHIP if source in _wanted(v)}
    return dict(zip(_CHIP, ndtri(points[:, : len(_CHIP)]).T, strict=True))


def _wanted(v: Variation) -> set[SampleSource]:
    """Normal numbers that the variation uses; a gain that does not vary takes no time."""
    return set(_CHIP) if v.conductance_gain or v.correlations else set(_CHIP) - {SampleSource.CONDUCTANCE_GAIN}


def _correlated(v: Variation, normal: dict[SampleSource, np.ndarray], n: int) -> tuple[dict[SampleSource, np.ndarray], np.ndarray]:
    """The chip's normal numbers with the correlations of the plan, and what every comparator's has of the chip, (n,).

    The comparators of two columns depend on the chip in the same way, and each has a rest of its own.
    """
    if not v.correlations:
        return {SampleSource.CONDUCTANCE_GAIN: np.zeros(n), **normal}, np.zeros(n)
    # Term by term: a matrix product would round differently for another number of samples.
    factor = np.linalg.cholesky(v.correlation_matrix())
    opamp = normal[SampleSource.OPAMP_OFFSET]
    gain = factor[1, 0] * opamp + factor[1, 1] * normal[SampleSource.CONDUCTANCE_GAIN]
    shared = factor[2, 0] * opamp + factor[2, 1] * normal[SampleSource.CONDUCTANCE_GAIN]
    correlated = {
        SampleSource.OPAMP_OFFSET: opamp,
        SampleSource.CONDUCTANCE_GAIN: gain,
        SampleSource.COMPARATOR_OFFSET: shared + factor[2, 2] * normal[SampleSource.COMPARATOR_OFFSET],
        SampleSource.COLUMN_OFFSET: shared + factor[2, 2] * normal[SampleSource.COLUMN_OFFSET],
    }
    return correlated, shared


def _along_column(uniform: np.ndarray, length: float) -> np.ndarray:
    """Uniform numbers (n, cells) whose normal quantiles are correlated as ``exp(-distance / length)``."""
    from scipy.special import ndtr, ndtri

    if length == 0:
        return uniform
    normal = ndtri(np.maximum(uniform, 2.0**-54))
    rho = np.exp(-1 / length)
    # First-order autoregression: cell by cell, the exponential correlation is exact.
    for cell in range(1, normal.shape[1]):
        normal[:, cell] = rho * normal[:, cell - 1] + np.sqrt(1 - rho**2) * normal[:, cell]
    return ndtr(normal)


def _gain(v: Variation, normal: np.ndarray) -> np.ndarray:
    gain = v.conductance_gain * v.conductance_gain_shape.of_normal(normal)
    if np.any(gain <= -1):
        raise InputError(
            f"variation conductance_gain={v.conductance_gain:g}: drew {gain.min():.3g}, which leaves no conductance; "
            "take a smaller one or a bounded shape"
        )
    return gain


def normal_numbers(generators: list[np.random.Generator], shape: tuple[int, int]) -> np.ndarray:
    """Standard normal numbers, a row a generator, or all from a single one."""
    if len(generators) == 1:
        return generators[0].standard_normal(shape)
    return np.array([g.standard_normal(shape[1]) for g in generators]).reshape(shape)


def uniform_numbers(generators: list[np.random.Generator], shape: tuple[int, int]) -> np.ndarray:
    """Numbers in 0..1, a row a generator, or all from a single one."""
    if len(generators) == 1:
        return generators[0].uniform(size=shape)
    return np.array([g.uniform(size=shape[1]) for g in generators]).reshape(shape)


class _Prepared:
    """In place of the generator of a device profile: hands out uniform numbers that were drawn, or placed, before."""

    def __init__(self, uniform: np.ndarray) -> None:
        self._numbers = uniform

    def uniform(self, size: tuple[int, ...]) -> np.ndarray:
        """The prepared numbers; they have shape ``size``."""
        return self._numbers.reshape(size)


def prepared(uniform: np.ndarray) -> np.random.Generator:
    """In place of a generator, numbers in 0..1 that a device profile is to use."""
    return cast(np.random.Generator, _Prepared(uniform))
