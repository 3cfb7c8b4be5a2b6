"""Draw chips: sample i is a function of (seed, i) alone, and each source of variation has its own stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.devices import DeviceProfile
from netlists.program import CALIBRATION, RampProgram
from netlists.ramp_column import Chips

from .plan import RampPlan

_SOURCES = (
    "programming",
    "stuck",
    "opamp_offset",
    "comparator_offset",
    "column_offset",
    "reprogramming",
    "read_noise",
    "comparator_noise",
)


def stream(seed: int, sample: int, source: str) -> np.random.Generator:
    """The random stream of one source in one sample; taking a source out changes no other."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(sample, _SOURCES.index(source))))


@dataclass(frozen=True)
class DrawnChips:
    """What was drawn for each sample, shapes (n, ...); SI units.

    ``column_offset`` is the offset of another column's comparator on the same ramp; ``read_noise`` (standard normal,
    one a cell) and ``comparator_noise`` (volts) belong to one conversion by that column.
    """

    samples: np.ndarray
    conductance: np.ndarray
    opamp_offset: np.ndarray
    comparator_offset: np.ndarray
    column_offset: np.ndarray
    read_noise: np.ndarray
    comparator_noise: np.ndarray

    def chips(self, conductance: np.ndarray | None = None) -> Chips:
        """The chips without noise, seen by the comparator that calibrates."""
        return Chips(self.conductance if conductance is None else conductance, self.opamp_offset, self.comparator_offset)

    def conversions(self, conductance: np.ndarray, profile: DeviceProfile) -> Chips:
        """One noisy conversion of each chip, seen by another column's comparator."""
        g = np.maximum(conductance + profile.read_sigma_at(conductance) * self.read_noise, 0.1 * profile.g_hrs)
        return Chips(g, self.opamp_offset, self.column_offset, self.comparator_noise)


def draw(plan: RampPlan, program: RampProgram, samples: np.ndarray) -> DrawnChips:
    """Draw the chips with the given sample numbers, shape (n,)."""
    profile, v = plan.profile, plan.variation
    cells, steps = program.n_cells, program.n_steps
    rows: list[tuple] = []
    for i in np.asarray(samples, int):
        rng = {s: stream(plan.seed, int(i), s) for s in _SOURCES if s != "reprogramming"}
        g = profile.stuck(profile.programmed(program.conductance, rng["programming"]), rng["stuck"])
        rows.append(
            (
                g,
                v.opamp_offset * rng["opamp_offset"].standard_normal(),
                v.comparator_offset * rng["comparator_offset"].standard_normal(),
                v.comparator_offset * rng["column_offset"].standard_normal(),
                rng["read_noise"].standard_normal(cells),
                v.comparator_noise * rng["comparator_noise"].standard_normal(steps),
            )
        )
    columns = [np.array(c) for c in zip(*rows, strict=True)]
    return DrawnChips(np.asarray(samples, int), *columns)


def reprogram(plan: RampPlan, program: RampProgram, drawn: DrawnChips, targets: np.ndarray) -> np.ndarray:
    """Conductances after the calibration cells in ``targets`` were written again.

    Parameters
    ----------
    targets : ndarray (n, cells)
        New targets of calibration cells; NaN for cells that keep their state. Stuck cells do not move.

    Returns
    -------
    ndarray (n, cells), siemens
    """
    out = drawn.conductance.copy()
    stuck = stuck_cells(plan, program, drawn.samples)
    cal = np.flatnonzero(program.step == CALIBRATION)
    for row, i in enumerate(drawn.samples):
        rng = stream(plan.seed, int(i), "reprogramming")
        written = plan.profile.programmed(np.where(np.isnan(targets[row]), program.conductance, targets[row])[cal], rng)
        use = ~np.isnan(targets[row][cal]) & ~stuck[row, cal]
        out[row, cal[use]] = written[use]
    return out


def stuck_cells(plan: RampPlan, program: RampProgram, samples: np.ndarray) -> np.ndarray:
    """Which cells of the samples are stuck, shape (n, cells): the same draws as in `draw`."""
    unknown = np.full(program.n_cells, np.nan)
    return ~np.isnan([plan.profile.stuck(unknown, stream(plan.seed, int(i), "stuck")) for i in samples])
