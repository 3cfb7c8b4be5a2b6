"""Which answers of a network are right, with any amounts of error sources; each is computed once, and kept on disk."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import joblib
import numpy as np

from characterization.processes import in_workers
from characterization.resume import Parts
from cosim.chip import Arrays
from cosim.evaluation import evaluate
from cosim.network import Network
from cosim.report import RunOptions
from netlists.errors import InputError

from ..tasks import SequenceSet
from .chips import ChipBuilder
from .sources import NAMES, Amounts, check_amounts


class AnswerBench:
    """Keeps which test sequences a network answers correctly on chips, each answer computed once.

    Parameters
    ----------
    network : Network
    data : SequenceSet
    chips : int
        The same chips, and the same noise, whatever errors they have.
    parts : Parts or None
        Where answers are kept on disk; None: in memory alone.
    threads : int or None
    """

    def __init__(
        self, network: Network, data: SequenceSet, chips: int, parts: Parts | None = None, threads: int | None = None
    ) -> None:
        network.check(data)
        self.network, self.data, self.chips, self.parts, self.threads = network, data, chips, parts, threads
        self._known: dict[str, np.ndarray] = {}

    def kept(self, key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The answers of a key, bool (chips, sequences), or (1, sequences) where one chip stands for all."""
        if key not in self._known:
            if self.parts is None:
                self._known[key] = compute()
            else:
                (row,) = self.parts.rows(key, lambda: [_packed(compute())])
                self._known[key] = _unpacked(row)
        return self._known[key]


class BudgetBench(AnswerBench):
    """A network's answers with any amounts of the error sources.

    Parameters
    ----------
    builder : ChipBuilder
    data, chips, parts, threads
        As for `AnswerBench`.
    amounts : mapping
        Amount of each source in the budget, by name; those of 0 are left out.
    """

    def __init__(
        self,
        builder: ChipBuilder,
        data: SequenceSet,
        chips: int,
        amounts: Amounts,
        parts: Parts,
        threads: int | None = None,
    ) -> None:
        check_amounts(amounts, builder.profile)
        for name, amount in amounts.items():
            if amount > (largest := builder.largest(name)):
                raise InputError(
                    f"{name}={amount:g}: must be {largest:.4g} at most: beyond it C_f cannot make good the mean column"
                )
        super().__init__(builder.network, data, chips, parts, threads)
        self.builder = builder
        self.amounts = {name: float(amounts[name]) for name in NAMES if amounts.get(name)}
        self.names = tuple(self.amounts)

    def coalition(self, mask: int) -> np.ndarray:
        """Answers (chips, sequences) with source i of `names` on where bit i of the mask is set."""
        return self._answers(f"on-{mask:x}", self._on(mask))

    def prepare(self, masks: Iterable[int], run: RunOptions) -> None:
        """Computes coalitions in worker processes, those of the same arrays one after the other: their cells are drawn once."""
        groups: dict[Arrays | None, list[int]] = {}
        for mask in dict.fromkeys(masks):
            groups.setdefault(self.builder.hardware(self._on(mask)).arrays, []).append(mask)
        longest_first = sorted(groups.values(), key=len, reverse=True)
        assert self.parts is not None
        # What a builder has drawn stays in its process.
        own = BudgetBench(replace(self.builder), self.data, self.chips, self.amounts, self.parts, threads=1)
        calls = [joblib.delayed(_all_answers)(own, group) for group in longest_first]
        with run.bar(range(sum(map(len, longest_first))), "set", "sets of sources") as bar:
            for done in in_workers(calls, run.jobs):
                bar.update(done)

    def _on(self, mask: int) -> dict[str, float]:
        return {name: self.amounts[name] for i, name in enumerate(self.names) if mask >> i & 1}

    def alone(self, name: str, amount: float) -> np.ndarray:
        """Answers (chips, sequences) with one source on, by any amount."""
        return self._answers(f"{name}={amount:.12g}", {name: amount})

    @property
    def everything(self) -> int:
        return 2 ** len(self.names) - 1

    def _answers(self, key: str, amounts: Amounts) -> np.ndarray:
        def correct() -> np.ndarray:
            # Where nothing is drawn, one chip stands for all.
            numbers = range(self.chips if self.builder.random(amounts) else 1)
            chips, hardware = self.builder.chips(amounts, numbers)
            return evaluate(self.network, self.data, hardware, chips, threads=self.threads).correct

        return np.broadcast_to(self.kept(key, correct), (self.chips, len(self.data)))


def _all_answers(bench: BudgetBench, masks: list[int]) -> int:
    for mask in masks:
        bench.coalition(mask)
    return len(masks)


def _packed(answers: np.ndarray) -> dict[str, Any]:
    return {"shape": list(answers.shape), "bits": base64.b64encode(np.packbits(answers).tobytes()).decode()}


def _unpacked(row: dict[str, Any]) -> np.ndarray:
    chips, items = row["shape"]
    bits = np.unpackbits(np.frombuffer(base64.b64decode(row["bits"]), np.uint8), count=chips * items)
    return bits.reshape(chips, items).astype(bool)
