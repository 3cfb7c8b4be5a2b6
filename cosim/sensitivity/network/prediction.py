"""Whether the gradient foretells chips: its linear change of the loss beside what their codes do, chip by chip."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from cosim.chip import Hardware
from cosim.evaluation import draw_chips, evaluate, ideal_hardware
from cosim.tasks import SequenceSet
from netlists.checks import Whole, check

from .loss import LossGradient, chip_thresholds

if TYPE_CHECKING:
    import pandas as pd

NORMAL_95 = 1.959964


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation over chips and its 95 % interval (D. G. Bonett and T. A. Wright, Psychometrika 65, 2000)."""

    value: float
    low: float
    high: float
    chips: int

    @classmethod
    def of(cls, a: np.ndarray, b: np.ndarray) -> RankCorrelation:
        """Of two figures of the same chips; 0 where one of them does not vary."""
        from scipy.stats import spearmanr

        n = len(a)
        rho = float(spearmanr(a, b).statistic) if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0
        half = NORMAL_95 * np.sqrt((1 + rho**2 / 2) / (n - 3))
        z = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
        return cls(rho, float(np.tanh(z - half)), float(np.tanh(z + half)), n)

    def as_dict(self) -> dict[str, float]:
        """For tables and JSON."""
        return asdict(self)


def prediction_table(
    gradient: LossGradient, sequences: SequenceSet, hardware: Hardware, chips: int, seed: int, *, threads: int = 1
) -> pd.DataFrame:
    """Sets the linear model beside evaluated chips: their loss and accuracy minus those of converters as designed.

    The chips convert to codes, with the noise of their comparators; nothing of the surrogate is in their figures.

    Parameters
    ----------
    chips : int
        4 or more.

    Returns
    -------
    DataFrame
        A row a chip: ``chip``, ``predicted`` (change of the loss by the linear model, nats), ``loss`` and ``accuracy`` (changes of
        the cross entropy, nats, and of the accuracy, as evaluated).
    """
    import pandas as pd
    from scipy.special import log_softmax

    check(Annotated[int, Whole(4)], chips, "chips")
    network = gradient.network
    drawn = draw_chips(network, hardware, chips, seed, dtype=np.float64)

    def judged(on: Hardware, which: Any) -> tuple[np.ndarray, np.ndarray]:
        found = evaluate(network, sequences, on, which, seed, dtype=np.float64, threads=threads)
        log_p = np.take_along_axis(log_softmax(found.scores, axis=2), sequences.labels[None, :, None], axis=2)
        return -log_p[..., 0].mean(axis=1), found.accuracy

    losses, accuracies = judged(hardware, drawn)
    loss, accuracy = judged(ideal_hardware(hardware), None)
    predicted = [gradient.change(chip_thresholds(chip)) for chip in drawn]
    rows = {"chip": np.arange(chips), "predicted": predicted, "loss": losses - loss[0], "accuracy": accuracies - accuracy[0]}
    return pd.DataFrame(rows)
