"""One network on one test set with any amounts of the error sources; every answer is computed once and kept on disk."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from characterization.resume import Parts
from cosim.evaluation import evaluate
from netlists.errors import InputError

from ..tasks import SequenceSet
from .chips import ChipBuilder
from .sources import NAMES, Amounts, check_amounts


class BudgetBench:
    """Whether chips with some sources answer test sequences correctly.

    Parameters
    ----------
    builder : ChipBuilder
    data : SequenceSet
    chips : int
        The same chips, and the same noise, whatever sources are on.
    amounts : mapping
        Amount of each source in the budget, by name; those of 0 are left out.
    parts : Parts
        Where answers are kept.
    threads : int or None
    """

    def __init__(
        self,
        builder: ChipBuilder,
        data: SequenceSet,
        chips: int,
        amounts: Mapping[str, float],
        parts: Parts,
        threads: int | None = None,
    ) -> None:
        check_amounts(amounts, builder.profile)
        for name, amount in amounts.items():
            if amount > (largest := builder.largest(name)):
                raise InputError(
                    f"{name}={amount:g}: must be {largest:.4g} at most: beyond it C_f cannot make good the mean column"
                )
        builder.network.check(data)
        self.builder, self.data, self.chips, self.parts, self.threads = builder, data, chips, parts, threads
        self.amounts = {name: float(amounts[name]) for name in NAMES if amounts.get(name)}
        self.names = tuple(self.amounts)
        self._known: dict[str, np.ndarray] = {}

    def coalition(self, mask: int) -> np.ndarray:
        """Answers (chips, sequences) with source i of `names` on where bit i of the mask is set."""
        on = {name: self.amounts[name] for i, name in enumerate(self.names) if mask >> i & 1}
        return self._kept(f"on-{mask:x}", on)

    def alone(self, name: str, amount: float) -> np.ndarray:
        """Answers (chips, sequences) with one source on, by any amount."""
        return self._kept(f"{name}={amount:.12g}", {name: amount})

    @property
    def everything(self) -> int:
        return 2 ** len(self.names) - 1

    def _kept(self, key: str, amounts: Amounts) -> np.ndarray:
        if key not in self._known:
            (row,) = self.parts.rows(key, lambda: [_packed(self._correct(amounts))])
            self._known[key] = _unpacked(row)
        answers = self._known[key]
        return np.broadcast_to(answers, (self.chips, answers.shape[1]))

    def _correct(self, amounts: Amounts) -> np.ndarray:
        # Where nothing is drawn, one chip stands for all.
        numbers = range(self.chips if self.builder.random(amounts) else 1)
        chips, hardware = self.builder.chips(amounts, numbers)
        return evaluate(self.builder.network, self.data, hardware, chips, threads=self.threads).correct


def _packed(answers: np.ndarray) -> dict[str, Any]:
    return {"shape": list(answers.shape), "bits": base64.b64encode(np.packbits(answers).tobytes()).decode()}


def _unpacked(row: dict[str, Any]) -> np.ndarray:
    chips, items = row["shape"]
    bits = np.unpackbits(np.frombuffer(base64.b64decode(row["bits"]), np.uint8), count=chips * items)
    return bits.reshape(chips, items).astype(bool)
