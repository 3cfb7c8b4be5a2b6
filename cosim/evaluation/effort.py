"""What it takes to judge a network on chips, estimated before it is done."""

from __future__ import annotations

from cosim.chip import Hardware
from cosim.network import Network
from cosim.tasks import CharacterTask, Task
from netlists.machine import weigh

WEIGHT_SECONDS = 2e-10
"""Of one core: a weight at a step of a sequence, its converter included (`vowels`, 32 units, double precision)."""
DRAWN_SECONDS = 2e-5
"""Of one core: a weight of a drawn chip with arrays of its own."""
ANSWER_BYTES = 20.0
"""Of an answer of a chip to a test item, and whether it is right."""


def weigh_chips(
    what: str,
    network: Network,
    task: Task | CharacterTask,
    chips: float,
    jobs: int | None,
    *,
    hardware: Hardware | None = None,
    characters: int | None = None,
) -> str:
    """What so many chips on a test set take, as `netlists.machine.weigh` says it.

    Parameters
    ----------
    what : str
        The argument that asks for them, as ``chips=16``.
    chips : float
        Every drawing counts.
    hardware : Hardware or None
        None: chips with arrays of their own.
    characters : int or None
        Of a text; None: all.

    Raises
    ------
    InputError
        More than this machine can.
    """
    if isinstance(task, CharacterTask):
        items = steps = characters or len(task.test)
    else:
        items, steps = len(task.test), int(task.test.lengths.sum())
    weights = sum(layer.n_weights for layer in network.layers)
    drawn = DRAWN_SECONDS if hardware is None or hardware.arrays is not None else 0.0
    seconds = chips * weights * (steps * WEIGHT_SECONDS + drawn) / (jobs or 1)
    return weigh(what, seconds=seconds, memory=ANSWER_BYTES * chips * items)
