"""Study of error sources: what each of them alone does to a trained network, at several resolutions, on the same test sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from characterization.provenance import versions
from characterization.ramp_model import RampDraw
from characterization.streams import error_source_stream
from cosim.budget import AnswerBench, budget_profile
from cosim.chip import Arrays, Hardware, LinearAdc, PwmInputs, split_biases
from cosim.evaluation import accuracy_change, accuracy_interval, evaluate
from cosim.network import LSTMNetwork
from cosim.report import BEFORE, IDEAL, MEASURED, Results, Study, StudySettings, Takes, Words, Work, new_figure
from cosim.tasks import SequenceSet, Task, load_task
from cosim.training import TrainingSettings, train_task
from netlists.errors import InputError
from netlists.technology import DeviceProfile, load_profile

BITS = (5, 4, 3)
THRESHOLD_NOISE = (0.5, 1.0)
PROFILE, DRIFTING_PROFILE = "taox-100-400", "hfox-wan-1-40"
TRAININGS: dict[str, dict[str, dict[str, Any]]] = {
    "voices": {
        "plain": {"weight_decay": 1.0},
        "with noise": {"weight_decay": 0.1, "preactivation_noise": 0.5},
    },
    "keywords-synthetic": {
        "plain": {"weight_decay": 0.5},
        "with noise": {"weight_decay": 0.1, "preactivation_noise": 0.5},
    },
}
"""Ways to train on each task. The plain ones have the decay with the best validation accuracy of those tried: voices
0.1, 0.3, 1; keywords 0.3, 0.5, 1."""
OTHER_TRAININGS: dict[str, dict[str, Any]] = {"plain": {"weight_decay": 0.1}, "with noise": TRAININGS["voices"]["with noise"]}
COMMON: dict[str, Any] = {"n_hidden": 32, "epochs": 20, "learning_rate": 5e-3}


Build = Callable[[int, int, int, np.random.Generator], Hardware]
"""From a resolution, the units of the network's layer, a number of chips and a generator: hardware."""


class SingleError(NamedTuple):
    """One error source by one amount: its name and amount in words, hardware with it alone, the same hardware without it."""

    name: str
    amount: str
    hardware: Build
    reference: Build


class TaskNetwork(NamedTuple):
    """A network, the task that it was trained on, and how, in a word and in settings."""

    task: str
    training: str
    network: LSTMNetwork
    settings: dict[str, Any]


class ErrorSourcesSettings(StudySettings):
    """What the study asks."""

    tasks: Words = Field(("voices",), min_length=1, description="classification tasks")
    networks: str = Field(
        "", description="folder of trained networks TASK-TRAINING.npz, one LSTM layer each; none: they are trained here"
    )
    chips: int = Field(16, ge=2, description="chips of each source: one says nothing about spread")
    seed: int = Field(1, ge=0, description="of the trainings and of the chips")


def trained(settings: ErrorSourcesSettings, work: Work, data: Mapping[str, Task]) -> Iterator[TaskNetwork]:
    """Networks of each task: those of a folder, or trained here and saved in ``networks/``.

    Raises
    ------
    InputError
        The folder has none for a task, or one that is no single LSTM layer.
    """
    for name, task in data.items():
        if settings.networks:
            files = sorted(Path(settings.networks).glob(f"{name}-*.npz"))
            if not files:
                raise InputError(f"networks={settings.networks!r}: holds no {name}-*.npz")
            for file in files:
                network = LSTMNetwork.load(file)
                yield TaskNetwork(
                    name, file.stem.removeprefix(f"{name}-").replace("-", " "), network, dict(network.metadata.settings)
                )
            continue
        for training, options in TRAININGS.get(name, OTHER_TRAININGS).items():
            work.options.say(f"{name}: training, {training}")
            how = TrainingSettings(**COMMON, **options)
            new = train_task(task, seed=settings.seed, settings=how, progress=work.options.progress)
            assert isinstance(new, LSTMNetwork)
            new.save(work.out / "networks" / f"{name}-{training.replace(' ', '-')}.npz")
            yield TaskNetwork(name, training, new, asdict(how))


def error_sources() -> list[SingleError]:
    """The sources in the order of the table, the smaller amount first."""
    cells, drifting = load_profile(PROFILE), load_profile(DRIFTING_PROFILE)
    out = [
        *(_ramps("comparator offset", f"{s:g} units rms", offset=s) for s in (0.04, 0.2)),
        *(_ramps("conversion noise", f"{s:g} units rms", noise=s) for s in (0.05, 0.2)),
        *(_ideal("threshold noise", f"{s:g} LSB rms", threshold_noise=s) for s in THRESHOLD_NOISE),
        *(_ideal("programming error", f"{k * 2.73:.3g} uS rms", arrays=Arrays(only_programming(cells, k))) for k in (1, 4)),
        *(_ideal("read noise", f"{k * 0.14:.3g} uS rms", arrays=Arrays(only_reading(cells, k))) for k in (1, 10)),
    ]
    wires: dict[str, dict[str, Any]] = {"64 x 64 arrays": {"max_rows": 64, "max_columns": 64}, "one array": {}}
    perfect = cells.without_variation()
    out += [
        _ideal("IR drop", f"1 ohm a cell, {name}", arrays=Arrays(perfect, r_row=1.0, r_col=1.0, compensate="none", **size))
        for name, size in wires.items()
    ]
    relaxing = replace(drifting, program_sigma=0.0, read_sigma=0.0)
    out += [_ideal("drift", name, arrays=Arrays(relaxing, drift_time=t)) for name, t in (("1 hour", 3600.0), ("1 day", 86400.0))]
    out += [_ideal("pulse widths", f"{n} bits", pwm=PwmInputs(n)) for n in (5, 4, 3)]
    out += [SingleError("V_read, conventional", f"{v} V", _adc(v), _adc(0.2)) for v in (0.15, 0.25)]
    out += [SingleError("V_read, ramp in memory", f"{v} V", _offset_at(v), _offset_at(0.2)) for v in (0.15, 0.25)]
    return out


def only_programming(profile: DeviceProfile, factor: float = 1.0) -> DeviceProfile:
    """A profile whose cells have a programming error and nothing else, ``factor`` times as large."""
    return replace(budget_profile(profile, {"programming": factor * profile.program_sigma}), read_sigma=0.0)


def only_reading(profile: DeviceProfile, factor: float = 1.0) -> DeviceProfile:
    """A profile whose cells have read noise and nothing else, ``factor`` times as large."""
    return replace(profile.without_variation(), read_sigma=factor * profile.read_sigma)


def ramps_with(
    bits: int, n_hidden: int, chips: int, rng: np.random.Generator, *, offset: float = 0.0, noise: float = 0.0
) -> Hardware:
    """Ramps for one LSTM layer, as designed but for column offsets and noise of conversions, rms in input units."""
    ramps = {}
    for activation, columns in (("sigmoid", 3 * n_hidden), ("tanh", n_hidden)):
        levels = np.repeat(RampDraw.ideal(activation, bits).thresholds, chips, axis=0)
        ramps[activation] = RampDraw(activation, bits, levels, offset * rng.standard_normal((chips, columns)), np.array(noise))
    return Hardware(ramps=ramps)


def _ramps(name: str, amount: str, **error: float) -> SingleError:
    return SingleError(name, amount, lambda bits, n, chips, rng: ramps_with(bits, n, chips, rng, **error), _nominal)


def _ideal(name: str, amount: str, **error: Any) -> SingleError:
    return SingleError(name, amount, lambda bits, *_: Hardware(bits=bits, **error), _nominal)


def _nominal(bits: int, *_: Any) -> Hardware:
    return Hardware(bits=bits)


def _adc(v_read: float) -> Build:
    return lambda bits, *_: Hardware(adc=LinearAdc(bits, table_bits=bits), v_read=v_read)


def _offset_at(v_read: float) -> Build:
    # Without an offset nothing of a ramp in memory depends on the read voltage.
    return lambda bits, n, chips, rng: replace(ramps_with(bits, n, chips, rng, offset=0.04), v_read=v_read)


def compute(settings: ErrorSourcesSettings, work: Work) -> Results:
    """Takes or trains networks, and switches on each source alone."""
    chips, seed, run = settings.chips, settings.seed, work.options
    data = {name: load_task(name) for name in settings.tasks}
    networks, sources, separation = [], [], []
    for name, training, network, how in trained(settings, work, data):
        run.say(f"{name}: error sources, {training}")
        bench = HardwareBench(network, data[name].test, chips, seed, run.jobs)
        labels = {"task": name, "training": training}
        networks.append(labels | _described(network, bench, how))
        sources += [labels | row for row in bench.sources()]
        separation += [labels | row for row in bench.separation()]
    tables = {"sources": pd.DataFrame(sources), "separation": pd.DataFrame(separation), "networks": pd.DataFrame(networks)}
    return Results(
        summary={
            "tasks": {name: str(task.provenance) for name, task in data.items()},
            "chips": chips,
            "seed": seed,
            "profiles": {"weights": PROFILE, "drift": DRIFTING_PROFILE},
            "networks": networks,
            "sources": sources,
            "separation": separation,
            "versions": versions(with_ngspice=False),
        },
        tables={f"{title}.csv": table for title, table in tables.items()},
        pictures={name: partial(draw, *(table[table["task"] == name] for table in tables.values())) for name in data},
    )


class HardwareBench(AnswerBench):
    """A network's answers on hardware with one error, and without it."""

    def __init__(self, network: LSTMNetwork, data: SequenceSet, chips: int, seed: int, threads: int | None = None) -> None:
        super().__init__(network, data, chips, threads=threads)
        self.seed, self.units = seed, network.n_hidden

    @property
    def exact(self) -> np.ndarray:
        """Answers of floating point, bool (sequences,)."""
        return self.kept("float", lambda: self.correct(Hardware()))[0]

    def correct(self, hardware: Hardware) -> np.ndarray:
        """Whether each chip answers each test sequence correctly, shape (chips, sequences)."""
        chips = self.chips if hardware.random or hardware.drawn_chips() is not None else 1
        rng = np.random.default_rng(self.seed)
        return evaluate(self.network, self.data, hardware, chips, rng, dtype=np.float64, threads=self.threads).correct

    def built(self, build: Build, bits: int) -> np.ndarray:
        """As `correct`, on hardware that a `SingleError` builds."""
        # Each source draws the same chips at every amount and resolution, and the reference those of the source.
        return self.correct(build(bits, self.units, self.chips, error_source_stream(self.seed)))

    def ideal(self, bits: int, noise: float = 0.0) -> np.ndarray:
        """As `correct`, on ramps as designed but for noise of their thresholds, LSB."""
        return self.kept(f"{bits} bits, {noise:g} LSB", lambda: self.correct(Hardware(bits=bits, threshold_noise=noise)))

    def sources(self) -> list[dict[str, Any]]:
        """A row for each resolution and source, ideal quantisation first."""
        rows = []
        for bits in BITS:
            rows.append(_row(bits, "ideal ramps", "against float", self.ideal(bits), self.exact))
            for error in error_sources():
                without = self.ideal(bits) if error.reference is _nominal else self.built(error.reference, bits)
                reference = without[0] if len(without) == 1 else without
                rows.append(_row(bits, error.name, error.amount, self.built(error.hardware, bits), reference))
        return rows

    def separation(self) -> list[dict[str, Any]]:
        """How far apart neighbouring resolutions are without and with threshold noise."""
        rows = []
        for noise in (0.0, *THRESHOLD_NOISE):
            for high, low in pairwise(BITS):
                correct, against = self.ideal(high, noise), self.ideal(low, noise)
                row: dict[str, Any] = {"threshold_noise_lsb": noise, "bits": high, "against_bits": low}
                row |= {"accuracy": float(correct.mean()), "against_accuracy": float(against.mean())}
                rows.append(row | accuracy_change(correct, against).columns())
        return rows


def _row(bits: int, source: str, amount: str, correct: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    row = {"bits": bits, "source": source, "amount": amount, "chips": len(correct)}
    row |= {"reference": float(reference.mean()), "accuracy": float(correct.mean())}
    return row | accuracy_change(correct, reference).columns()


def _described(network: LSTMNetwork, bench: HardwareBench, settings: dict[str, Any]) -> dict[str, Any]:
    i = accuracy_interval(int(bench.exact.sum()), len(bench.exact))
    best = next((e for e in network.metadata.epochs if e.epoch == network.metadata.best_epoch), None)
    return {
        "float": i.value,
        "low": i.low,
        "high": i.high,
        "test_sequences": i.total,
        "validation_accuracy": best.validation_accuracy if best else None,
        "best_epoch": network.metadata.best_epoch,
        "network_sha256": network.sha256,
        "bias_rows": max(split_biases(network, Hardware(arrays=Arrays(load_profile(PROFILE)))).values(), default=1),
        "settings": settings,
    }


def draw(sources: pd.DataFrame, separation: pd.DataFrame, networks: pd.DataFrame) -> Figure:
    """Draws the change of accuracy by source for the first training, and accuracy against threshold noise for all."""
    figure, axes = new_figure(12, 7.2, 1, 2)
    left, right = axes[0]
    colours, marks = dict(zip(BITS, (IDEAL, BEFORE, MEASURED), strict=True)), dict(zip(BITS, "os^", strict=True))
    trainings = list(dict.fromkeys(networks["training"]))
    plain = sources[sources["training"] == trainings[0]]
    names = list(dict.fromkeys(zip(plain["source"], plain["amount"], strict=True)))
    for n, bits in enumerate(BITS):
        rows = plain[plain["bits"] == bits]
        y = np.arange(len(names)) + 0.22 * (n - 1)
        error = 100 * np.array([rows["change"] - rows["low"], rows["high"] - rows["change"]]).clip(0)
        style = {"color": colours[bits], "marker": marks[bits], "markersize": 4, "linestyle": "none", "linewidth": 1}
        left.errorbar(100 * rows["change"], y, xerr=error, elinewidth=0.9, label=f"{bits} bits", **style)
    left.axvline(0, color="black", linewidth=0.8)
    left.set_yticks(range(len(names)), [f"{source}, {amount}" for source, amount in names], fontsize=8)
    left.set(xlabel="change of accuracy (percentage points)", ylim=(len(names) - 0.4, -0.6))
    left.set_title(f"each source alone, trained {trainings[0]}; bars: 95 % on the same test sequences", fontsize=9)
    left.legend(fontsize=8, loc="lower left")
    for training, line in zip(trainings, cycle(("-", "--", "-.", ":")), strict=False):
        rows = separation[separation["training"] == training]
        for bits in BITS:
            first, second = rows[rows["bits"] == bits], rows[rows["against_bits"] == bits]
            noise, accuracy = (
                (first["threshold_noise_lsb"], first["accuracy"])
                if len(first)
                else (second["threshold_noise_lsb"], second["against_accuracy"])
            )
            right.plot(
                noise,
                100 * accuracy,
                line,
                color=colours[bits],
                marker=marks[bits],
                markersize=5,
                label=f"{bits} bits, trained {training}",
            )
    right.axhline(
        100 * float(networks["float"].iloc[0]), color="black", linewidth=0.8, linestyle=":", label=f"float, trained {trainings[0]}"
    )
    right.set(xlabel="threshold noise of each column (LSB rms)", ylabel="accuracy (%), mean over chips")
    right.set_title("resolutions separate with threshold noise, less so after noisy training", fontsize=9)
    right.legend(fontsize=8)
    figure.suptitle(str(sources["task"].iloc[0]), fontsize=11)
    return figure


def describe(summary: dict[str, Any]) -> str:
    """Writes how far the resolutions are apart, for reading."""
    lines = []
    for row in summary["separation"]:
        lines.append(
            f"{row['task']}, trained {row['training']}, threshold noise {row['threshold_noise_lsb']:g} LSB: {row['bits']} bits "
            f"{row['accuracy']:.4f}, {row['against_bits']} bits {row['against_accuracy']:.4f}; difference {row['change']:+.4f} "
            f"({row['low']:+.4f}..{row['high']:+.4f})"
        )
    return "\n".join(lines)


STUDY = Study(
    "error-sources",
    ErrorSourcesSettings,
    compute,
    describe,
    Takes(60.0, lambda s: s.chips * len(s.tasks) * (1 if s.networks else 2)),
)
"""Study error-sources: what each source alone does to a trained network."""
