"""Which cells of a drawn chip to write again first, by what each write does to the levels, against other orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np

from characterization.chips import closed_levels, draw, error_at, measure
from characterization.estimates import max_inl
from characterization.plan import RampPlan
from characterization.streams import SampleSource, sample_stream
from netlists.checks import Whole, check
from netlists.errors import InputError
from netlists.ramp import to_input_units

from .gradient import Sensitivities, sensitivities

if TYPE_CHECKING:
    import pandas as pd

    from characterization.chips import DrawnChips

ORDERS = ("ranked", "largest error", "random")
_SAVED = {"saved": "value", "saved_low": "low", "saved_high": "high"}


def trim_order(found: Sensitivities, error: np.ndarray) -> np.ndarray:
    """Order in which the cells of a chip are best brought back to their targets, shape (cells,).

    Greedy: each write in turn takes the cell whose return leaves least of the sum of squares of the INL, by the derivatives.

    Parameters
    ----------
    found : Sensitivities
        Of the chip as it is, calibrated or not.
    error : ndarray (cells,)
        What write-verify read above each cell's target, siemens.
    """
    moves = found.inl_jacobian[:, : found.n_cells] * -np.asarray(error)
    left, order, rest = found.inl.copy(), [], set(range(found.n_cells))
    while rest:
        cells = sorted(rest)
        best = cells[int(np.argmin(np.sum((left[:, None] + moves[:, cells]) ** 2, axis=0)))]
        left += moves[:, best]
        order.append(best)
        rest.remove(best)
    return np.array(order)


def trimming_table(
    plan: RampPlan,
    samples: Sequence[int],
    writes: Sequence[int],
    *,
    spice: bool = False,
    random: int = 20,
    limit: float | None = None,
) -> pd.DataFrame:
    """Largest |INL| that is left on drawn chips after so many writes, by the order in which cells are written to their targets.

    Each write is taken to be exact, and all levels to be right at the calibration point, as one-point calibration makes them.

    Parameters
    ----------
    samples : sequence of int
        Chips, 2 or more.
    writes : sequence of int
        Numbers of cells written.
    spice : bool
        From ngspice; else from the closed form. ngspice takes one of the random orders.
    random : int
        Random orders a chip that the closed form takes.
    limit : float, optional
        Largest |INL| of a chip that passes, LSB.

    Returns
    -------
    DataFrame
        ``by``, ``order``, ``writes``, ``max_inl`` (LSB, mean over chips and random orders), ``saved``, ``saved_low``,
        ``saved_high``: how much less is left than by random orders, mean over the same chips, and its 95 % interval; with a
        limit ``within``, the share of chips that pass, mean over random orders.

    Raises
    ------
    InputError
        Less than 2 chips, or more writes than cells.
    """
    import pandas as pd

    from characterization.estimates import mean_of

    program, numbers = plan.program(), np.asarray(samples, int)
    most = Annotated[int, Whole(0, program.n_cells)]
    writes = [check(most, w, "writes") for w in writes]
    if len(numbers) < 2:
        raise InputError(f"samples: are {len(numbers)}; what an order saves has an interval over 2 chips or more")
    drawn = draw(plan, numbers)
    error = drawn.conductance - program.conductance
    levels = _spice_levels if spice else closed_levels
    found = {name: np.zeros((len(writes), len(numbers))) for name in ORDERS}
    passed = dict.fromkeys(ORDERS, np.zeros(len(writes)))
    rankings: dict[str, list[np.ndarray]] = {"ranked": [], "largest error": []}
    for i, sample in enumerate(numbers.tolist()):
        rankings["ranked"].append(trim_order(sensitivities(plan, sample, calibrated=True), error[i]))
        rankings["largest error"].append(np.argsort(-np.abs(error[i]), kind="stable"))
    streams = [sample_stream(plan.seed, sample, SampleSource.WRITE_ORDER) for sample in numbers.tolist()]
    shuffled = [[stream.permutation(program.n_cells) for stream in streams] for _ in range(1 if spice else random)]
    for name, orders in [*rankings.items(), *(("random", s) for s in shuffled)]:
        share = 1 / (len(shuffled) if name == "random" else 1)
        left = np.array([_left(plan, drawn, np.array(orders)[:, :n], levels) for n in writes])
        found[name] += share * left
        passed[name] = passed[name] + share * np.mean(left <= (np.inf if limit is None else limit), axis=1)
    rows = []
    for name, values in found.items():
        for n, left in zip(writes, values, strict=True):
            # Paired: the same chip on both sides. Before the first write and after the last the orders are the same.
            saved = found["random"][writes.index(n)] - left
            mean = mean_of(saved) if np.ptp(saved) > 1e-12 else None
            figures = {"max_inl": float(left.mean())} | {key: getattr(mean, at, 0.0) for key, at in _SAVED.items()}
            if limit is not None:
                figures["within"] = float(passed[name][writes.index(n)])
            rows.append({"by": "ngspice" if spice else "closed form", "order": name, "writes": n, **figures})
    return pd.DataFrame(rows)


def _left(
    plan: RampPlan, drawn: DrawnChips, written: np.ndarray, levels: Callable[[RampPlan, DrawnChips, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Largest |INL| (n,) of drawn chips after some cells (n, writes) got their targets and the point was set."""
    program, g = plan.program(), drawn.conductance.copy()
    np.put_along_axis(g, written, program.conductance[written], axis=1)
    x = levels(plan, drawn, np.where(drawn.stuck, drawn.conductance, g))
    return max_inl(x - error_at(0.0, x, program)[:, None], program)


def _spice_levels(plan: RampPlan, drawn: DrawnChips, conductance: np.ndarray) -> np.ndarray:
    return to_input_units(measure(plan.converter, drawn.chips(conductance)).volts, plan.program(), plan.circuit)
