"""What this machine can hold: work that would not fit is refused before it begins."""

from __future__ import annotations

from .errors import InputError


def require_memory(needed: float, what: str) -> None:
    """Raises `InputError` if ``needed`` bytes are more than the machine has free.

    Parameters
    ----------
    needed : float
        Bytes, estimated from the arguments.
    what : str
        The arguments, as the message names them: ``"n_hidden=100000"``.
    """
    # Imported where it is used: plans and programs need none of it.
    import psutil

    free = psutil.virtual_memory().available
    if needed > free:
        raise InputError(f"{what}: would take about {needed / 2**30:.3g} GiB of memory; {free / 2**30:.3g} GiB are free here")
