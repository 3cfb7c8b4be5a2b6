"""The command that makes a network: train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cosim.chip import Hardware, PwmInputs
from cosim.evaluation import AccuracyInterval, float_score, load_models
from cosim.network import Network
from cosim.training.gradients import BACKPROP
from netlists.errors import InputError

from ..tasks import TASKS, load_data
from ..training import HardwareAware, TrainingSettings, train_task
from ..training.settings import OPTIMIZERS, SCHEDULES
from . import options as o
from .app import answer, app

TaskName = Annotated[str, typer.Option(help=f"Task: {', '.join(TASKS)}.")]


@app.command()
def train(
    out: o.Out,
    task: TaskName = "vowels",
    cell: Annotated[str, typer.Option(help=f"Kind of the cells: {', '.join(BACKPROP)}.")] = "lstm",
    hidden: Annotated[int, typer.Option(help="Hidden units of each layer.")] = 32,
    layers: Annotated[int, typer.Option(help="Layers, one on the other.")] = 1,
    projection: Annotated[int | None, typer.Option(help="Rows of the projected output; LSTMs only.")] = None,
    bidirectional: Annotated[bool, typer.Option("--bidirectional", help="Read sequences in both directions.")] = False,
    embedding: Annotated[int, typer.Option(help="Numbers that stand for a character; text only.")] = 32,
    epochs: Annotated[int, typer.Option(help="Passes over the training set, at most.")] = 60,
    batch: Annotated[int, typer.Option(help="Sequences, or streams of text, in a gradient step.")] = 32,
    steps: Annotated[int, typer.Option(help="Characters through which the gradient flows back; text only.")] = 64,
    lr: Annotated[float, typer.Option(help="Learning rate at its highest.")] = 0.01,
    schedule: Annotated[str, typer.Option(help=f"How the rate falls: {', '.join(SCHEDULES)}.")] = "cosine",
    warm_up: Annotated[float, typer.Option(help="Epochs over which the rate rises first.")] = 0.0,
    optimizer: Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")] = "adamw",
    weight_decay: Annotated[float, typer.Option(help="Weight decay, relative to the rate.")] = 0.01,
    clip: Annotated[float, typer.Option(help="Largest norm of the gradient.")] = 1.0,
    patience: Annotated[int, typer.Option(help="Epochs without a lower validation loss before it stops.")] = 30,
    noise: Annotated[float, typer.Option(help="Gaussian noise on pre-activations while training, input units.")] = 0.0,
    hardware_aware: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="SIGMOID TANH", help="Train through ramps: a model of the sigmoid ramp and one of the tanh ramp."),
    ] = None,
    model: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Model of a ramp that another cell needs besides; may be repeated.")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="Train through ideal ramps of so many bits instead.")] = None,
    weight_noise: Annotated[
        float, typer.Option(help="Noise on every weight, drawn for each step, in units of the matrix's largest weight.")
    ] = 0.0,
    threshold_noise: Annotated[float, typer.Option(help="Noise on every threshold of every column, LSB; needs ramps.")] = 0.0,
    pwm_bits: Annotated[int | None, typer.Option(help="Round inputs and states to pulse widths of so many bits.")] = None,
    start: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Network file whose shape and weights to start from, in place of --cell, --hidden etc."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint OUT.checkpoint.npz, written after each epoch.")
    ] = False,
    seed: o.Seed = 1,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Train a network on labelled sequences or, if the task is a text, to predict the next character.

    Without a hardware option it trains in floating point. With one, every gradient step sees a freshly drawn chip, and
    gradients go straight through its roundings.

    Example: cosim train --task vowels --out nets/vowels.npz

    Example: cosim train --task vowels --hardware-aware models/sigmoid5.json models/tanh5.json
    --threshold-noise 0.5 --out nets/aware.npz

    Example: cosim train --task sotu --hidden 256 --embedding 64 --epochs 5 --lr 0.003 --out nets/sotu.npz
    """
    if out.suffix != ".npz":
        raise InputError(f"--out {out}: a network is saved as .npz; give a name that ends so")
    data = load_data(task)
    settings = TrainingSettings(
        n_hidden=hidden,
        cell=cell,
        layers=layers,
        n_projection=projection,
        bidirectional=bidirectional,
        n_embedding=embedding,
        epochs=epochs,
        batch=batch,
        steps=steps,
        optimizer=optimizer,
        learning_rate=lr,
        schedule=schedule,
        warm_up=warm_up,
        weight_decay=weight_decay,
        clip=clip,
        patience=patience,
        preactivation_noise=noise,
    )
    aware = _hardware_aware([*(hardware_aware or ()), *(model or ())], bits, weight_noise, threshold_noise, pwm_bits)
    network = train_task(
        data,
        seed=seed,
        settings=settings,
        hardware_aware=aware,
        start=None if start is None else Network.load(start),
        checkpoint=out.with_suffix(".checkpoint.npz"),
        resume=resume,
        progress=not quiet,
    )
    network.save(out)
    trained = {"out": str(out), "task": task, "metric": data.metric, "seed": seed, "cell": network.metadata.cell}
    trained |= {"epochs": len(network.metadata.epochs), "best_epoch": network.metadata.best_epoch}
    i = float_score(network, data, seed=seed)
    what = f"{i.total} test sequences" if isinstance(i, AccuracyInterval) else f"{i.characters} test characters"
    warnings = [] if aware is None else [*aware.hardware.warnings]
    answer(
        trained | {"float": i.value, "test_set_ci95": [i.low, i.high], "warnings": warnings},
        f"{out}: {task}, {data.metric} {i.value:.4f} in floating point on {what} (95 % interval {i.low:.4f}..{i.high:.4f})",
        json,
    )


def _hardware_aware(
    models: list[Path], bits: int | None, weight_noise: float, threshold_noise: float, pwm_bits: int | None
) -> HardwareAware | None:
    """What the options of a hardware-aware training describe; None if there are none."""
    if not models and bits is None and not weight_noise and not threshold_noise and pwm_bits is None:
        return None
    hardware = Hardware(
        bits=bits,
        ramps=load_models(models) or None,
        threshold_noise=threshold_noise,
        pwm=None if pwm_bits is None else PwmInputs(bits=pwm_bits),
    )
    return HardwareAware(hardware, weight_noise)
