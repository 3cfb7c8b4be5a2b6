"""What differs between chips, columns and conversions: scale, shape and correlation of every source of variation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from netlists.check_rules import Choice, Number
from netlists.checks import checked
from netlists.errors import InputError
from netlists.technology import MEASURED_STATISTICS, Pvt, comparator_noise_at, described
from netlists.technology.noise import OPAMP_NOISE

from .shapes import NORMAL, Shape

CORRELATED = ("opamp_offset", "conductance_gain", "comparator_offset")
"""Sources between which a correlation can be given."""

Correlated = Annotated[str, Choice(CORRELATED)]

_MISMATCH = "foundry mismatch of the SKY130 block, by `cosim blocks` (results/blocks)"


def _source(default: float, unit: str, level: str, text: str, origin: str) -> Any:
    return field(
        default=default, metadata={"unit": unit, "level": level, "meaning": text, "source": origin, "check": Number(0, unit=unit)}
    )


@checked
@dataclass(frozen=True)
class Variation:
    """Standard deviations of what differs between chips, columns and conversions.

    Programming error, stuck cells and read noise belong to the device profile. Each source's metadata holds its
    unit, the level it belongs to (one draw per chip, column, cell or decision), its meaning and where it comes from;
    `describe` lists them. That a source is normal, or has another shape, is an assumption.

    Attributes
    ----------
    opamp_offset : float
        Integrator op-amp input offset, volts, one draw a chip.
    comparator_offset : float
        Comparator input offset, volts, one draw a column.
    comparator_noise : float
        Comparator input-referred noise, volts rms, one draw a decision.
    opamp_noise : float
        Noise of an op-amp at unity gain, volts rms: a decision compares the outputs of two, the ramp's and the column's, which
        add up to its root of two. Normal; its bandwidth is far beyond a step, so that it is drawn a decision.
    conductance_gain : float
        Common relative error of all conductances of a chip, one draw a chip: a read-out of write-verify that is off, or a
        drift of all cells. It stays when cells are written again.
    programming_length : float
        Correlation length of the programming error along the column, cells: ``exp(-distance / length)`` between two
        cells; 0 is none. Calibration cells that are written again are independent.
    opamp_offset_shape, comparator_offset_shape, comparator_noise_shape, conductance_gain_shape : Shape
        Shape of each distribution.
    correlations : tuple of (source, source, coefficient)
        Correlation coefficients between two of `CORRELATED`, of the normal numbers that the shapes are made from. With
        ``comparator_offset`` they hold for the comparator of every column; what two columns share is what they share
        with the chip.
    """

    opamp_offset: float = _source(MEASURED_STATISTICS["opamp_offset_sigma"], "V", "chip", "op-amp input offset", _MISMATCH)
    comparator_offset: float = _source(
        MEASURED_STATISTICS["comparator_offset_sigma"], "V", "column", "comparator input offset", _MISMATCH
    )
    comparator_noise: float = _source(
        MEASURED_STATISTICS["comparator_noise_sigma"], "V", "decision", "comparator input-referred noise", "as the offsets, .noise"
    )
    opamp_noise: float = _source(
        OPAMP_NOISE,
        "V",
        "decision",
        "noise of an op-amp at unity gain; a decision compares the outputs of two",
        "ota_sky130, .noise",
    )
    conductance_gain: float = _source(0.0, "1", "chip", "common relative error of all conductances", "assumption")
    programming_length: float = _source(0.0, "cells", "column", "correlation length of the programming error", "assumption")
    opamp_offset_shape: Shape = NORMAL
    comparator_offset_shape: Shape = NORMAL
    comparator_noise_shape: Shape = NORMAL
    conductance_gain_shape: Shape = NORMAL
    correlations: tuple[tuple[Correlated, Correlated, Annotated[float, Number(above=-1, below=1)]], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "correlations", self._checked())
        matrix = self.correlation_matrix()
        if np.linalg.eigvalsh(matrix).min() < 1e-9:
            raise InputError(
                f"variation correlations={self.correlations}: contradict each other (the matrix is not positive definite)"
            )

    def _checked(self) -> tuple[tuple[str, str, float], ...]:
        """The correlations as in the order of `CORRELATED`."""
        rows: dict[tuple[str, str], float] = {}
        for first, second, rho in self.correlations:
            a, b = sorted((first, second), key=CORRELATED.index)
            if a == b or (a, b) in rows:
                raise InputError(f"variation correlations: {a}, {b}: must be two sources, each pair once")
            rows[a, b] = rho
        return tuple((a, b, rows[a, b]) for a, b in sorted(rows, key=lambda pair: [CORRELATED.index(n) for n in pair]))

    @property
    def decision_noise(self) -> float:
        """Noise of a decision, volts rms: the comparator's and that of two op-amps."""
        return float(np.sqrt(self.comparator_noise**2 + 2 * self.opamp_noise**2))

    def correlation_matrix(self) -> np.ndarray:
        """Correlation matrix of `CORRELATED`, shape (3, 3)."""
        matrix = np.eye(len(CORRELATED))
        for a, b, rho in self.correlations:
            i, j = CORRELATED.index(a), CORRELATED.index(b)
            matrix[i, j] = matrix[j, i] = rho
        return matrix

    @classmethod
    def none(cls) -> Variation:
        """Nothing varies."""
        return cls(0.0, 0.0, 0.0, 0.0)

    @classmethod
    def measured(cls, conditions: Pvt) -> Variation:
        """The defaults, with the comparator noise measured at these conditions; offsets were measured at nominal ones only."""
        return cls(comparator_noise=comparator_noise_at(conditions))

    @classmethod
    def describe(cls) -> list[dict[str, Any]]:
        """One row per source: name, default, unit, level, meaning, source of the default."""
        return described(cls, "unit", "level", "meaning", "source")
