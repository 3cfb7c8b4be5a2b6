"""The sensitivities of a network: ranked parameters and comparators, and whether the gradient foretells drawn chips."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from characterization.plan import RampPlan
from characterization.ramp_model import RampModel
from cosim.evaluation import load_models, weigh_chips
from cosim.network import Network
from cosim.report import Results, RunOptions, Study, Work
from cosim.tasks import CharacterTask, SequenceSet, load_data
from cosim.training import held_out_sequences
from netlists.checks import Choice, Number, Seed, Whole, checked
from netlists.errors import InputError
from netlists.files import sha256_of

from .loss import WIDTH
from .parameters import drawn_hardware, network_sensitivities
from .pictures import draw_effects, draw_prediction
from .prediction import RankCorrelation, prediction_table

SPLITS = ("test", "validation")
PASSES = 3.0
"""Passes of an evaluation that a gradient takes."""


@checked
@dataclass(frozen=True)
class NetworkSensitivitySettings:
    """What is asked of a network.

    Attributes
    ----------
    network : str
        Its file.
    task : str
        Task, or the path of own data.
    plan : RampPlan
        Of its ramps, without the activation; not used with models.
    models : tuple of str
        Files of fitted models, one for each activation; none: the plan's.
    split : {"test", "validation"}
        Sequences whose loss is differentiated.
    width : float
        Rms noise that smooths a step, local steps.
    chips : int
        Drawn to see whether the gradient foretells them; 0: none.
    seed : int
        Of these chips.
    """

    network: str
    task: str
    plan: RampPlan
    models: tuple[str, ...] = ()
    split: Annotated[str, Choice(SPLITS)] = "test"
    width: Annotated[float, Number(0.05, 10)] = WIDTH
    chips: Annotated[int, Whole(0, 10**6)] = 64
    seed: Seed = 1

    def __post_init__(self) -> None:
        if 0 < self.chips < 8:
            raise InputError(f"chips={self.chips}: a rank correlation needs 8 chips or more; 0 draws none")

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON has them; files are their content."""
        own = {name: getattr(self, name) for name in ("network", "task", "split", "width", "chips", "seed")}
        own["network_sha256"] = sha256_of(Path(self.network))
        plan = None if self.models else json.loads(json.dumps(self.plan.as_dict()))
        return own | {"models": {m: sha256_of(Path(m)) for m in self.models}, "plan": plan}

    @cached_property
    def given(self) -> RampPlan | Mapping[str, RampModel]:
        """How the ramps are made."""
        return load_models(self.models) if self.models else self.plan


def analyse_network(settings: NetworkSensitivitySettings, options: RunOptions | None = None) -> Results:
    """Differentiates a network's smoothed loss, ranks what moves it, and holds the gradient against drawn chips.

    Raises
    ------
    InputError
        A network, task, model or plan that does not fit, or blocks without closed form.
    """
    options = options or RunOptions()
    network = Network.load(settings.network)
    task = load_data(settings.task)
    if isinstance(task, CharacterTask):
        raise InputError(f"task {settings.task!r}: is a text; the loss of a classification task such as voices is differentiated")
    notes = [*network.check_data(task), *network.warnings]
    sequences: SequenceSet = task.test if settings.split == "test" else held_out_sequences(task, network)
    if line := weigh_chips(f"chips={settings.chips}", network, task, settings.chips + PASSES, options.jobs):
        options.say(line)
    found = network_sensitivities(network, sequences, settings.given, width=settings.width)
    parameters, columns = found.parameters(), found.columns()
    tables = {"parameters.csv": parameters, "columns.csv": columns, "levels.csv": found.levels()}
    pictures = {"effects": partial(draw_effects, parameters, columns)}
    summary: dict[str, Any] = {
        "task_name": task.name,
        "sequences": len(sequences),
        "ramps": {name: {"bits": s.plan.bits, "calibration": s.plan.calibration} for name, s in found.ramps.items()},
        "surrogate": {
            "what": "cross entropy of the network with each conversion replaced by its mean output for comparators with Gaussian "
            f"noise of {settings.width:g} local steps rms; inputs not rounded; differentiated exactly",
            "loss": found.gradient.loss,
            "accuracy": found.gradient.accuracy,
            "spread": found.spread,
        },
        "parameters": json.loads(parameters.to_json(orient="records", double_precision=15)),
        "columns": json.loads(columns.to_json(orient="records", double_precision=15)),
        "cost": {
            "passes_forth_and_back": 1,
            "closed_form_chips": sum(len(s.names) - 1 for s in found.ramps.values()),
            "simulations": 0,
        },
        "prediction": None,
    }
    if settings.chips:
        hardware = drawn_hardware(network, settings.given)
        notes += hardware.warnings
        table = prediction_table(found.gradient, sequences, hardware, settings.chips, settings.seed, threads=options.jobs)
        tables["prediction.csv"] = table
        pictures["prediction"] = partial(draw_prediction, table)
        summary["prediction"] = {
            "loss": RankCorrelation.of(table["predicted"].to_numpy(), table["loss"].to_numpy()).as_dict(),
            "accuracy": RankCorrelation.of(-table["predicted"].to_numpy(), table["accuracy"].to_numpy()).as_dict(),
            "spread_predicted": float(np.std(table["predicted"])),
            "spread_loss": float(np.std(table["loss"])),
            "mean_loss": float(np.mean(table["loss"])),
            "mean_accuracy": float(np.mean(table["accuracy"])),
        }
        if summary["prediction"]["loss"]["low"] <= 0:
            notes.append(
                f"prediction: over {settings.chips} chips the gradient does not rank their losses (rank correlation "
                f"{summary['prediction']['loss']['value']:.2f}); rely on `cosim evaluate` or `cosim budget` here"
            )
    return Results(summary, tables, pictures, "%.8g", notes)


def _compute(settings: NetworkSensitivitySettings, work: Work) -> Results:
    return analyse_network(settings, work.options)


def describe_network(s: Mapping[str, Any]) -> str:
    """Writes the answers in a few lines, for the terminal."""
    surrogate = s["surrogate"]
    lines = [
        f"smoothed loss of {s['sequences']} sequences: {surrogate['loss']:.4g} nats; one sigma of everything: "
        f"{surrogate['spread']:.2g} nats",
        "what moves it most by one sigma:",
    ]
    for row in s["parameters"][:5]:
        lines.append(f"  {row['ramp']}, {row['parameter']}: {row['sigma_loss']:.2g} nats")
    for row in s["columns"][:3]:
        lines.append(f"  {row['gate']}, comparator of column {row['column']}: {row['sigma_loss']:.2g} nats")
    if p := s["prediction"]:
        ranks = [f"{what} {p[what]['value']:.2f} ({p[what]['low']:.2f}..{p[what]['high']:.2f})" for what in ("loss", "accuracy")]
        lines.append(f"rank correlation with {p['loss']['chips']} evaluated chips: {', '.join(ranks)}")
    return "\n".join([*lines, *(f"warning: {w}" for w in s.get("warnings", ()))])


STUDY = Study("network-sensitivity", NetworkSensitivitySettings, _compute, describe_network)
run_network_sensitivity = STUDY.run
