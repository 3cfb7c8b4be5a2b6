"""Delta inputs: a row is driven only when its input has changed by more than a threshold since it was last driven.

The rule of delta networks (Neil et al., arXiv 1612.05571): a row remembers the value that it last stood for; a pulse of the
difference brings the column's charge up to date. The sums are those of the remembered values. It asks of the circuit that the
integrators keep their charge from one step to the next, without leak and without an offset that they integrate (assumption):
what noise a pulse leaves stays, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netlists.checks import NonNegative, checked


@checked
@dataclass(frozen=True)
class DeltaInputs:
    """When a row is driven.

    Attributes
    ----------
    threshold : float
        Of inputs, in their units: a row is driven when it has changed by more. 0: whenever it has changed at all.
    state_threshold : float or None
        The same for states and for the outputs of a layer below; None: as for inputs. Public code of the method's authors takes
        0 to 64/256 for both.
    """

    threshold: NonNegative = 0.0
    state_threshold: NonNegative | None = None

    def of(self, part: str, layer: int = 0) -> float:
        """The threshold of a matrix's part in a layer: inputs of the network, or states."""
        return self.threshold if (part == "x" and layer == 0) or self.state_threshold is None else self.state_threshold

    def within(self, part: str, layer: int, full_scale: float, max_code: int) -> float:
        """The threshold of a part whose rows carry codes, halfway between two of them: rounding decides of no pulse."""
        step = full_scale / max_code
        return (math.floor(self.of(part, layer) / step * (1 + 1e-9)) + 0.5) * step


def keep_rows(values: np.ndarray, held: np.ndarray, threshold: float) -> np.ndarray:
    """Drives the rows that have changed: ``held`` takes their values in place; returns the pulses' differences.

    Parameters
    ----------
    values, held : ndarray (rows, lanes)
    """
    difference = values - held
    driven = np.abs(difference) > threshold
    difference[~driven] = 0.0
    np.copyto(held, values, where=driven)
    return difference
