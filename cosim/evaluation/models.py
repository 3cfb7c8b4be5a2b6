"""Models of ramps for a network: read from their files, and checked against what the network converts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from characterization.ramp_model import RampModel
from cosim.chip import Hardware, converted_columns
from cosim.network import Network
from netlists.errors import InputError


def load_models(paths: Iterable[str | Path] = (), **named: str | Path | None) -> dict[str, RampModel]:
    """Read ramp models; the answer is what `Hardware` takes as ``ramps``.

    Parameters
    ----------
    paths : iterable of path
        Models of any activation.
    named : path or None
        Models of which the activation must be the argument's name; None is left out.

    Raises
    ------
    InputError
        A file that is no model, one of another activation than its name says, or two of the same.

    Examples
    --------
    >>> sorted(load_models(sigmoid="models/sigmoid5.json", tanh="models/tanh5.json"))
    ['sigmoid', 'tanh']
    """
    out: dict[str, RampModel] = {}
    for path, activation in [(p, a) for a, p in named.items() if p is not None] + [(p, None) for p in paths]:
        found = RampModel.load(path)
        if activation is not None and found.activation != activation:
            raise InputError(f"{activation}={path}: is a model of {found.activation}; give a model of {activation}")
        if found.activation in out:
            raise InputError(f"{path}: is a second model of {found.activation}; give one for each activation")
        out[found.activation] = found
    return out


def check_ramps(network: Network, hardware: Hardware) -> None:
    """Raise `InputError` unless the hardware's ramps are those that the network's columns need, no less and no more."""
    if hardware.ramps is None:
        return
    needed = converted_columns(network, hardware)
    for activation in needed:
        hardware.ramp(activation)
    for activation in hardware.ramps:
        if activation not in needed:
            raise InputError(f"ramp of {activation}: the network converts {', '.join(needed)} only; leave it away")
