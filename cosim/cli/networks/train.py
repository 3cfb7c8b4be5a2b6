"""``cosim train``: a network from a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from netlists.errors import InputError

from ...chip import Arrays
from ...tasks import TASKS, CharacterTask, load_data
from ...training.settings import TrainingSettings
from .. import options as o
from ..commands import kept
from ..fields import Given, Options
from ..inputs import written
from ..output import answer
from .whole_chip import CHIP_ARRAYS, WholeChip

FLAGS = {
    "n_hidden": "hidden",
    "n_projection": "projection",
    "n_embedding": "embedding",
    "learning_rate": "lr",
    "preactivation_noise": "noise",
}
SHAPE = ("cell", "n_hidden", "layers", "n_projection", "bidirectional", "n_embedding")


@kept("all but about the last minute is in the checkpoint OUT.checkpoint.npz; the same command with --resume goes on from there")
def train(
    *,
    context: typer.Context,
    out: o.Out,
    task: Annotated[str | None, typer.Option(help=f"Task: {', '.join(TASKS)}. Default: vowels.")] = None,
    data: o.Data = None,
    options: Annotated[Given[TrainingSettings], Options(flags=FLAGS)],
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
    delta: o.DeltaThreshold = None,
    delta_state: o.DeltaStateThreshold = None,
    whole: WholeChip,
    profile: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="PROFILE",
            help="Device profile of --everything: a built-in name or a .toml file. Default: taox-100-400.",
        ),
    ] = None,
    arrays: Annotated[Given[Arrays], CHIP_ARRAYS],
    start: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Network file whose shape and weights to start from, in place of --cell, --hidden etc."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the checkpoint OUT.checkpoint.npz, written after each epoch and each minute."),
    ] = False,
    seed: o.Seed = o.SEED,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Train a network on labelled sequences or, if the task is a text, to predict the next character.

    Without a hardware option it trains in floating point. With one, every gradient step sees a freshly drawn chip, and
    gradients go straight through its roundings.

    Example: cosim train --task vowels --out nets/vowels.npz

    Example: cosim train --task vowels --hardware-aware models/sigmoid5.json models/tanh5.json
    --threshold-noise 0.5 --out nets/aware.npz

    Example: cosim train --data mine.npz --standardize --out nets/mine.npz

    Example: cosim train --task voices --everything --bias-rows 2 --start nets/voices.npz --epochs 12 --lr 0.003
    --out nets/aware.npz

    Example: cosim train --task sotu --hidden 256 --embedding 64 --epochs 5 --lr 0.003 --out nets/sotu.npz
    """
    if out.suffix != ".npz":
        raise InputError(f"--out {out}: a network is saved as .npz; give a name that ends so")
    from ...chip import Hardware, PwmInputs
    from ...evaluation import AccuracyInterval, float_score, load_models
    from ...network import Network
    from ...network.notes import start_notes
    from ...training import HardwareAware, initial_network, train_task

    loaded, settings, aware = load_data(o.task_or_data(task, data) or "vowels"), options.make(), None
    models = [*(hardware_aware or ()), *(model or ())]
    first, notes = None, []
    if start is not None:
        first = Network.load(start)
        notes = start_notes(first, loaded)
    if whole.everything:
        if models or threshold_noise or delta is not None:
            raise InputError("--everything: has ramps and drivers of its own; leave out models of ramps, threshold noise and delta")
        # Of a network that is not there yet the activations alone are asked for.
        sketch = first or initial_network(settings, 1, 2, np.random.default_rng(0))
        aware = HardwareAware(whole.hardware(sketch, profile, bits, pwm_bits, arrays), weight_noise)
    else:
        whole.check()
        if profile is not None:
            raise InputError(f"--weights {profile}: is of a whole chip; give --everything as well")
        if arrays.changed:
            raise InputError(f"{CHIP_ARRAYS.flag(arrays.changed[0])}: is of a whole chip; give --everything as well")
    _check_effect(context, options, isinstance(loaded, CharacterTask), first is not None)
    given = (bits, pwm_bits, o.delta_inputs(delta, delta_state))
    if aware is None and (models or weight_noise or threshold_noise or any(g is not None for g in given)):
        hardware = Hardware(
            bits=bits,
            ramps=load_models(models) or None,
            threshold_noise=threshold_noise,
            pwm=None if pwm_bits is None else PwmInputs(bits=pwm_bits),
            delta=o.delta_inputs(delta, delta_state),
        )
        aware = HardwareAware(hardware, weight_noise)
    network = train_task(
        loaded,
        seed=seed,
        settings=settings,
        hardware_aware=aware,
        start=first,
        checkpoint=out.with_suffix(".checkpoint.npz"),
        resume=resume,
        progress=not quiet,
    )
    network.save(out)
    trained = {"out": str(out), "task": loaded.name, "metric": loaded.metric, "seed": seed, "cell": network.metadata.cell}
    trained |= {"epochs": len(network.metadata.epochs), "best_epoch": network.metadata.best_epoch}
    i = float_score(network, loaded, seed=seed)
    what = f"{i.total} test sequences" if isinstance(i, AccuracyInterval) else f"{i.characters} test characters"
    warnings = notes if aware is None else [*notes, *aware.hardware.warnings]
    answer(
        trained | {"float": i.value, "test_set_ci95": [i.low, i.high], "warnings": warnings},
        f"{out}: {loaded.name}, {loaded.metric} {i.value:.4f} in floating point on {what} (95 % {i.low:.4f}..{i.high:.4f})",
        json,
    )


def _check_effect(context: typer.Context, options: Given[TrainingSettings], text: bool, started: bool) -> None:
    """Raise `InputError` for an option that has no effect beside the others."""
    given = options.values
    beside = (
        (text, ("n_embedding", "steps"), "is of a text; the task has labelled sequences"),
        (given["schedule"] == "step", ("step_epochs", "step_factor"), "is of --schedule step; give it as well"),
        (given["time_mask"] or given["feature_mask"], ("masks",), "is of --time-mask and --feature-mask; give one of them"),
        (given["fixed_point_bits"] is not None, ("fixed_point_learned",), "is of --fixed-point-bits; give it as well"),
        (not started, SHAPE, "is of a new network, and --start has one; leave it away"),
    )
    for has_effect, names, why in beside:
        if not has_effect and (flags := written(context, names)):
            raise InputError(f"{flags}: {why}")
