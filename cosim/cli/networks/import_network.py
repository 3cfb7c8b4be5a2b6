"""``cosim import``: a network trained in another framework."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netlists.errors import InputError

from ...network.head import DENSE, POOLINGS
from ...network.importers.convention import RNN
from .. import options as o
from ..output import answer


def import_network(
    model: Annotated[Path, typer.Argument(help="PyTorch .pt .pth .ckpt, .safetensors, .keras, .h5, .onnx, Flax .msgpack, .npz.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Network, .npz. Default: the model's name with .npz.")] = None,
    check: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="INPUTS SCORES", help="The model's own inputs and scores, .npz or .npy: the import must give them."),
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Largest difference in that check, as a part of the scores' spread.")] = 1e-4,
    readout: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help=f"What forward reads: {', '.join(POOLINGS)}; last is out[:, -1]."),
    ] = None,
    activation: Annotated[str | None, typer.Option(help=f"Of a plain RNN: {', '.join(RNN)}.")] = None,
    hidden_activation: Annotated[
        str | None, typer.Option(help=f"Between the dense layers of the readout: {', '.join(DENSE)}.")
    ] = None,
    scaling: Annotated[
        str | None,
        typer.Option(metavar="MEAN,STD", help="Inputs are (x - MEAN) / STD: two numbers, or an .npz with arrays mean and std."),
    ] = None,
    cell: Annotated[str | None, typer.Option(help="Recurrent layers: lstm, gru, rnn. Default: what the shapes say.")] = None,
    prefix: Annotated[
        str | None, typer.Option(help="Beginning of the recurrent layers' names, such as rnn. (with the dot).")
    ] = None,
    dense: Annotated[
        list[str] | None, typer.Option(metavar="NAME,...", help="Dense layers of the readout in order, such as fc1,fc2.")
    ] = None,
    embedding: Annotated[str | None, typer.Option(help="Beginning of the embedding's name.")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Leave out tensors whose names begin so; may be repeated.")
    ] = None,
    state: Annotated[str | None, typer.Option(help="Which dictionary of a checkpoint, such as state_dict or ema.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="List what the file holds and stop.")] = False,
    json: o.Json = False,
) -> None:
    """A network from PyTorch, Keras, TensorFlow, Flax or ONNX; --check holds it against the model's own outputs.

    Weights do not say what forward() does with them. With --check every convention that is not given is tried, and the one
    that gives the model's scores is taken; none is an error. Without it, what cannot be known is asked for, and the network says
    that it is unchecked.

    Example: cosim import model.pt --check x.npz scores.npz --out nets/mine.npz

    Example: cosim import lightning.ckpt --readout mean --scaling 0,255 --out nets/mine.npz
    """
    from ...network import Convention, import_network as read, read_outputs
    from ...network.importers import listing_of, names_of, read_scaling

    if listing:
        lines = listing_of(model)
        answer({"model": str(model), "holds": lines}, "\n".join(lines), json)
        return
    target = out or model.with_suffix(".npz")
    if target.suffix != ".npz" or target == model:
        raise InputError(f"--out {target}: a network is saved as .npz, beside the model; give a name that ends so")
    said = Convention(readout, activation, hidden_activation, None if scaling is None else read_scaling(scaling))
    made = read(
        model,
        said,
        check=None if check is None else read_outputs(*check),
        tolerance=tolerance,
        kind=cell,
        prefix=prefix,
        readout=names_of(dense),
        embedding=embedding,
        ignore=names_of(ignore) or (),
        state=state,
    )
    made.network.save(target)
    origin = made.network.metadata.imported
    assert origin is not None
    held = f"held against {origin.checked}" if origin.checked else "UNCHECKED"
    lines = [f"{target}: {made.network!r}", f"from {model}, {made.stored.form}: {'; '.join(made.as_dict()['layers'])}"]
    lines += [f"{origin.convention}", held]
    answer({"out": str(target), **made.as_dict()}, "\n".join(lines), json)
