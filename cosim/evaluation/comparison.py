"""What hardware does to a network: floating point, converters as designed, and drawn chips, side by side on the same test items.

Two kinds of uncertainty are kept apart: what another test set of this size could say, and what other chips could say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Annotated, Any, Generic, TypeVar

import numpy as np

from characterization.streams import part_sequences
from cosim.chip import (
    Hardware,
    PulseCount,
    RowsDriven,
    Saturation,
    describe_split_biases,
    describe_wire_losses,
    saturation,
    split_biases,
    wire_losses,
)
from cosim.compiled import chosen_engine
from cosim.network import Network
from cosim.tasks import CharacterTask, Task, load_data
from netlists.checks import Seed, Whole, check

from .change import Change
from .classes import ClassFigures
from .effort import weigh_chips
from .ideal import converter_bits, ideal_hardware
from .models import check_ramps
from .scores import scored
from .statistics import (
    AccuracyInterval,
    BitsInterval,
    ChipInterval,
    chip_interval,
)

Interval = TypeVar("Interval", AccuracyInterval, BitsInterval)


@dataclass(frozen=True)
class Comparison(Generic[Interval]):
    """One network on one test set: accuracies, or bits per character of a text.

    Attributes
    ----------
    task, metric : str
    items : str
        What the test set consists of.
    total : int
        How many.
    bits : tuple of int
        Of the converters; empty if activations are exact.
    float_, ideal : AccuracyInterval or BitsInterval
        Exact activations; converters exactly as designed, on exact weights and inputs. The interval is the test set's.
    chips : list of float
        Each drawn chip.
    over_chips : ChipInterval
        Mean over the chips and its 95 % interval, on this test set.
    pooled : AccuracyInterval or BitsInterval
        The mean over chips with the interval that the size of the test set alone leaves.
    ideal_to_float, chips_to_float, chips_to_ideal : Change
        Paired differences on the same test items.
    seed : int
        That the chips were drawn with.
    data_sha256 : str
        Digest of the task's data.
    saturation : Saturation or None
        Inputs beyond the range of the pulse widths; None without pulse widths.
    delta : RowsDriven or None
        Pulses with delta inputs and without, counted over the test set; None without delta inputs or pulse widths.
    figures : mapping of str to ClassFigures
        Balanced accuracy, F1 and confusion of "float", "ideal" and "chips"; empty for a text.
    engine : str
        That computed: "numba" or "numpy".
    warnings : tuple of str
        What of the conditions of use lies outside those that the ramps were fitted at.
    wires : tuple of dict
        What the wires leave of each matrix (`cosim.chip.wire_losses`).
    bias_rows : mapping of str to int
        Rows of each bias that has several (`cosim.chip.split_biases`).
    """

    task: str
    metric: str
    items: str
    total: int
    bits: tuple[int, ...]
    float_: Interval
    ideal: Interval
    chips: list[float]
    over_chips: ChipInterval
    pooled: Interval
    ideal_to_float: Change
    chips_to_float: Change
    chips_to_ideal: Change
    seed: int
    warnings: tuple[str, ...] = ()
    wires: tuple[dict[str, Any], ...] = ()
    bias_rows: Mapping[str, int] = field(default_factory=dict)
    data_sha256: str = ""
    saturation: Saturation | None = None
    delta: RowsDriven | None = None
    figures: Mapping[str, ClassFigures] = field(default_factory=dict)
    engine: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; ``ci95`` is the interval of the mean over chips, None for a single chip."""
        return {
            "task": self.task,
            "metric": self.metric,
            "bits": list(self.bits),
            "float": self.float_.value,
            "ideal": self.ideal.value,
            "chips": self.chips,
            "mean": self.over_chips.mean,
            "ci95": self.over_chips.limits,
            "chip_deviation": self.over_chips.deviation,
            f"test_{self.items}": self.total,
            "test_set_ci95": {
                name: [i.low, i.high] for name, i in (("float", self.float_), ("ideal", self.ideal), ("mean", self.pooled))
            },
            "paired": {
                "ideal_minus_float": self.ideal_to_float.as_dict(),
                "mean_minus_float": self.chips_to_float.as_dict(),
                "mean_minus_ideal": self.chips_to_ideal.as_dict(),
            },
            "seed": self.seed,
            "warnings": list(self.warnings),
            "wires": list(self.wires),
            "bias_rows": dict(self.bias_rows),
            "data_sha256": self.data_sha256,
            "engine": self.engine,
            "saturation": None if self.saturation is None else self.saturation.as_dict(),
            "delta": None if self.delta is None else self.delta.after.beside(self.delta.before),
            "classes": {name: f.as_dict() for name, f in self.figures.items()},
        }

    def report(self) -> str:
        """A few lines for reading."""
        o = self.over_chips
        exact, ideal, real = self._labels()
        lines = [
            f"{self.task}: {self.metric}",
            self._line(exact, self.float_),
            self._line(ideal, self.ideal),
            f"    minus float         {self.ideal_to_float.report()}",
            self._line(real, self.pooled, o.mean),
        ]
        if o.low is not None:
            lines.append(
                f"    over chips          95 % interval of the mean {o.low:.4f}..{o.high:.4f}, chip to chip sd {o.deviation:.4f}"
            )
        lines.append(f"    minus float         {self.chips_to_float.report()}")
        lines.append(f"    minus {'ideal' if self.bits else 'exact'}         {self.chips_to_ideal.report()}")
        if self.figures:
            for title, each in (("balanced accuracy", "balanced_accuracy"), ("macro F1", "macro_f1")):
                lines.append(f"  {title:<22}" + ", ".join(f"{n} {getattr(f, each):.4f}" for n, f in self.figures.items()))
        if self.delta is not None:
            lines += [f"  {line}" for line in self.delta.report()]
        about = (*describe_split_biases(self.bias_rows), *describe_wire_losses(self.wires))
        return "\n".join(lines + [f"  {line}" for line in about])

    def _labels(self) -> tuple[str, str, str]:
        """What is compared: floating point, converters as designed, drawn chips."""
        bits = "/".join(map(str, dict.fromkeys(self.bits)))
        ideal, hardware = (f"ideal {bits}-bit", f"{bits}-bit") if bits else ("exact activations", "hardware")
        n = self.over_chips.chips
        return "float", ideal, f"{hardware}, {n} chip{'s' if n > 1 else ''}"

    def _line(self, label: str, i: AccuracyInterval | BitsInterval, value: float | None = None) -> str:
        value = i.value if value is None else value
        return f"  {label:<22}{value:.4f}  (95 % interval for {self.total} test {self.items} {i.low:.4f}..{i.high:.4f})"

    def _repr_html_(self) -> str:
        """A table for notebooks: value, interval over test sets, difference from floating point."""
        changes = ("", *(f"{c.value:+.4f} ({c.low:+.4f} to {c.high:+.4f})" for c in (self.ideal_to_float, self.chips_to_float)))
        rows = [("", self.metric, f"95 %, {self.total} test {self.items}", "minus float")]
        for label, i, change in zip(self._labels(), (self.float_, self.ideal, self.pooled), changes, strict=True):
            rows.append((label, f"{i.value:.4f}", f"{i.low:.4f} to {i.high:.4f}", change))
        lines = ["".join(f"<td>{escape(text)}</td>" for text in row) for row in rows]
        return f"<table><caption>{escape(self.task)}</caption>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def compare(
    network: Network,
    task: Task | CharacterTask | str | None,
    hardware: Hardware,
    *,
    chips: int = 16,
    seed: int = 1,
    characters: int | None = None,
    engine: str | None = None,
    threads: int | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Comparison[Any]:
    """Judge a network on a task's test set in floating point, on ideal converters and on drawn chips.

    Parameters
    ----------
    task : Task, CharacterTask, str or None
        A text is judged by bits per character, with intervals by resampling blocks of it. None: the task that the network was
        trained on.
    chips : int
        Chips to draw, 1 or more; chip i depends on the seed and i alone. Hardware without anything random is one chip.
    characters : int or None
        Only so many characters from the start of the test text; None: all.
    engine, threads
        As for `cosim.evaluation.evaluator.evaluate`.
    tell : callable
        Takes a line about long work before it begins.

    Raises
    ------
    InputError
        A network or hardware that does not fit the task or was trained on another, ramps that the network does not need or that
        it lacks, characters of a task without text, chips below 1, a negative seed.

    Examples
    --------
    >>> from cosim import load_models
    >>> network = Network.load("nets/vowels.npz")
    >>> ramps = load_models(["models/sigmoid5.json", "models/tanh5.json"])
    >>> result = compare(network, "vowels", Hardware(ramps=ramps), chips=4, seed=1)
    >>> round(result.float_.value, 2), round(result.over_chips.mean, 2)
    (0.98, 0.97)
    """
    engine = chosen_engine(engine)
    check(Annotated[int, Whole(1, 10**6)], chips, "chips")
    check(Seed, seed, "seed")
    data = load_data(network.task_name(task)) if task is None or isinstance(task, str) else task
    notes = network.check_data(data)
    check_ramps(network, hardware)
    if hardware.pwm is not None:
        hardware = replace(hardware, pwm=hardware.pwm.fitted(network, data))
    clipped = saturation(network, data if isinstance(data, CharacterTask) else data.test, hardware.pwm)
    varied = hardware.random or hardware.drawn_chips() is not None
    drawn = chips if varied else 1
    if line := weigh_chips(f"chips={chips}", network, data, drawn, threads, hardware=hardware, characters=characters):
        tell(line)
    resampling = part_sequences(seed, 4)[3]
    on = scored(data, characters, resampling)
    how: dict[str, Any] = {"engine": engine, "threads": threads}
    exact = on.judge(network, Hardware(), 1, None, **how)[0]
    ideal = on.judge(network, ideal_hardware(hardware), 1, None, **how)[0]
    driven = None if hardware.delta is None or hardware.pwm is None else RowsDriven(PulseCount(), PulseCount())
    real = on.judge(network, hardware, drawn, seed, **how, count=None if driven is None else driven.after)
    uncounted: tuple[str, ...] = ()
    if driven is not None:
        on.judge(network, replace(hardware, delta=None), 1, seed, **how, count=driven.before, kept=False)
    elif hardware.delta is not None:
        uncounted = ("delta: the pulses that it saves are counted where there are pulse widths; give pwm",)
    each = real.mean(axis=1, dtype=np.float64).tolist()
    return Comparison(
        task=data.name,
        metric=data.metric,
        items=on.items,
        total=real.shape[1],
        bits=converter_bits(hardware),
        float_=on.interval(exact[None]),
        ideal=on.interval(ideal[None]),
        chips=each,
        over_chips=chip_interval(each),
        pooled=on.interval(real),
        ideal_to_float=on.change(ideal[None], exact),
        chips_to_float=on.change(real, exact),
        chips_to_ideal=on.change(real, ideal),
        seed=seed,
        warnings=(
            *notes,
            *network.warnings,
            *(clipped.warnings if clipped else ()),
            *on.warnings(),
            *hardware.warnings,
            *uncounted,
        ),
        wires=tuple(wire_losses(network, hardware)),
        bias_rows=split_biases(network, hardware),
        data_sha256=data.sha256,
        saturation=clipped,
        delta=driven,
        figures=on.figures(),
        engine=engine,
    )


def float_score(
    network: Network, task: Task | CharacterTask, *, seed: int = 1, threads: int | None = None
) -> AccuracyInterval | BitsInterval:
    """Score of a network on a task's test set in floating point; `compare` with the same seed has the same."""
    on = scored(task, None, part_sequences(seed, 4)[3])
    return on.interval(on.judge(network, Hardware(), 1, None, threads=threads))
