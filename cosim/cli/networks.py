"""Commands around the network: train, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from characterization.ramp_model import RampModel
from netlists.errors import InputError

from ..comparison import check_model, compare
from ..evaluate import evaluate as run_evaluate
from ..networks import LSTMNetwork
from ..statistics import accuracy_interval
from ..tasks import load_task
from ..train import TrainingSettings, train_task
from . import options as o
from .app import answer, app

TaskName = Annotated[str, typer.Option(help="Task: vowels.")]


@app.command()
def train(
    out: o.Out,
    task: TaskName = "vowels",
    hidden: Annotated[int, typer.Option(help="Hidden units.")] = 32,
    epochs: Annotated[int, typer.Option(help="Passes over the training set, at most.")] = 60,
    noise: Annotated[float, typer.Option(help="Gaussian noise on the gates' pre-activations while training.")] = 0.0,
    seed: o.Seed = 1,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Train an LSTM in floating point.

    Example: cosim train --task vowels --out nets/vowels.npz
    """
    data = load_task(task)
    settings = TrainingSettings(n_hidden=hidden, epochs=epochs, preactivation_noise=noise)
    network = train_task(data, seed=seed, settings=settings, progress=not quiet)
    network.save(out)
    correct = int(run_evaluate(network, data.test).correct.sum())
    i = accuracy_interval(correct, len(data.test))
    answer(
        {"out": str(out), "task": task, "metric": data.metric, "float": i.value, "test_set_ci95": [i.low, i.high], "seed": seed},
        f"{out}: {task}, {data.metric} {i.value:.4f} on {i.total} test sequences (95 % interval {i.low:.4f}..{i.high:.4f})",
        json,
    )


@app.command()
def evaluate(
    network: Annotated[Path, typer.Option(help="Network file.")],
    sigmoid: Annotated[Path, typer.Option(help="Model of the sigmoid ramp.")],
    tanh: Annotated[Path, typer.Option(help="Model of the tanh ramp.")],
    task: TaskName = "vowels",
    chips: Annotated[int, typer.Option(help="Chips to draw.")] = 16,
    seed: o.Seed = 1,
    json: o.Json = False,
) -> None:
    """Accuracy of a network: float, ideal ramps, and chips drawn from fitted models.

    Example: cosim evaluate --task vowels --network nets/vowels.npz
    --sigmoid models/sigmoid5.json --tanh models/tanh5.json --chips 16 --seed 1
    """
    models = {"sigmoid": RampModel.load(sigmoid), "tanh": RampModel.load(tanh)}
    for (name, model), path in zip(models.items(), (sigmoid, tanh), strict=True):
        check_model(model, name, str(path))
    net = LSTMNetwork.load(network)
    if net.metadata.task != task:
        raise InputError(f"{network}: was trained on task {net.metadata.task!r}, not on {task!r}")
    result = compare(net, load_task(task), models["sigmoid"], models["tanh"], chips=chips, seed=seed)
    held_out = {name: m.validation for name, m in models.items()}
    answer(
        result.as_dict() | {"seed": seed, "validation": held_out},
        "\n".join([result.report(), *(m.report() for m in models.values())]),
        json,
    )
