"""What the models of analog blocks share: samples, fitted numbers with units, an offset that is drawn, ideal blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from characterization.ramp_model import Fitted
from netlists.checks import Array, checked

from .compact_model import CompactModel, source
from .distributions import Distribution, OffsetDraw

Measured = Annotated[np.ndarray, Array()]
"""Finite numbers of any shape; none at all where something was not measured."""


@checked
@dataclass(frozen=True, eq=False, kw_only=True)
class BlockSamples:
    """What a block model is fitted to.

    Attributes
    ----------
    level : str
        Level of circuit detail; ``none`` where no circuit was simulated.
    about : str
        Where the samples come from.
    """

    level: str = "none"
    about: str = ""


class BlockModel(CompactModel):
    """A block with fitted numbers and, for each instance of it, a drawn offset (V).

    A model states its numbers with their units (``UNITS``), which of them a perfect block has other than 0 (``PERFECT``), which
    samples its range is told by (``RANGES``), and its equation, as ``fit`` and ``apply``.
    """

    PERFECT: ClassVar[dict[str, float]] = {}
    RANGES: ClassVar[tuple[str, ...]]

    offset: Distribution

    @classmethod
    def ideal(cls) -> Self:
        """A block without any error."""
        return cls(offset=Distribution.given(0.0, 0.0), **cls.perfect())

    @classmethod
    def perfect(cls) -> dict[str, Any]:
        """Fitted numbers of a block without any error."""
        return {name: Fitted.given(cls.PERFECT.get(name, 0.0), unit) for name, unit in cls.UNITS.items()}

    @classmethod
    def of_samples(cls, samples: BlockSamples, offset: np.ndarray, rng: np.random.Generator, **parts: Any) -> Self:
        """A model of fitted parts, its offset fitted to ``offset`` (n,), volts, and the ranges and origin of its samples."""
        given = {name: a for name in cls.RANGES if (a := getattr(samples, name)).size}
        return cls(
            level=samples.level,
            offset=Distribution.fit(offset, rng) if len(offset) else Distribution.given(0.0, 0.0),
            ranges={name: (float(np.min(a)), float(np.max(a))) for name, a in given.items()},
            provenance=source(samples=samples.about),
            **parts,
        )

    def sample(self, n_chips: int, rng: np.random.Generator, *, n_columns: int = 1) -> OffsetDraw:
        """Draws the offsets of new chips; chip i does not depend on how many are drawn."""
        return self.offset.draw(n_chips, n_columns, rng)
