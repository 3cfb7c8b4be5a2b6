"""One sample of a run again: its deck, and what ngspice gives for it today beside what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from characterization.chips import RESOLUTION, WIDE_SPAN, Calibrated, draw, measure_batch, probe_span
from characterization.plan import RampPlan
from characterization.workers import Lost, Worker
from netlists.checks import Seconds, Whole, check
from netlists.converter import transition_deck
from netlists.errors import InputError
from netlists.ramp import to_input_units, transition_levels

from .folder import chunk_store, read_manifest
from .rows import MEASUREMENTS, levels_of
from .task import load

TOLERANCE = 1e-3
"""Part of a step by which a level may differ: who shares a deck decides the last digits."""
BRACKETS = 2.0
"""Brackets by which it may differ besides where a comparator only tells the side: who is measured first decides where they lie."""


@dataclass(frozen=True)
class Reproduction:
    """One sample, stored and simulated again.

    Attributes
    ----------
    sample : int
    deck : Path
        Its transition deck: the chip as calibrated, or as programmed where its simulation was lost.
    command : str
        The line that runs it in plain ngspice.
    stored_status, status : str
        "ok", or how it failed; in the run and today.
    message : str
        ngspice's own words, today.
    levels : ndarray (thresholds,)
        Levels today, input units; NaN where it failed.
    largest_difference : float
        From the stored levels, of all measurements, in steps of the ramp; NaN where it failed.
    allowed_difference : float
        Up to which they count as the same.
    """

    sample: int
    deck: Path
    command: str
    stored_status: str
    status: str
    message: str
    levels: np.ndarray
    largest_difference: float
    allowed_difference: float = TOLERANCE

    @property
    def same(self) -> bool:
        """Whether today's simulation ends as the stored one did."""
        if (self.status == "ok") != (self.stored_status == "ok"):
            return False
        return self.status == self.stored_status and not self.largest_difference > self.allowed_difference


def reproduce(folder: str | Path, sample: int, out: str | Path, *, timeout: float = 7200.0) -> Reproduction:
    """Simulates one sample of a run again, alone and in a process of its own, and writes its deck.

    Parameters
    ----------
    folder : path
        Of a run, finished or not.
    sample : int
        Its number.
    out : path
        Folder of the deck.
    timeout : float
        Seconds that ngspice may take.

    Raises
    ------
    InputError
        The run has no such sample, or has not simulated it yet.
    """
    folder, sample = Path(folder), check(Annotated[int, Whole(0)], sample, "sample")
    timeout = check(Seconds, timeout, "timeout")
    manifest = read_manifest(folder)
    if sample >= manifest["samples"]:
        raise InputError(f"sample={sample}: the run in {folder} has samples 0..{manifest['samples'] - 1}")
    plan, store = RampPlan.from_dict(manifest["plan"]), chunk_store(folder, manifest)
    index = store.scan()
    if sample // manifest["batch"] not in index.chunk:
        raise InputError(f"sample={sample}: the run in {folder} has not simulated it yet")
    stored = store.sample(index, sample)
    found, lost = _again(plan, sample, timeout)
    program, drawn = plan.program(), draw(plan, np.array([sample]))
    chips = drawn.chips() if found is None else drawn.chips(found.conductance)
    levels = np.full(len(program.x), np.nan)
    volts = transition_levels(program, plan.circuit, chips, first_order=plan.level != "ideal")
    difference, allowed = np.nan, TOLERANCE
    step = float(np.abs(np.diff(program.x)).min()) if len(program.x) > 1 else 1.0
    if not plan.blocks.linear:
        allowed += BRACKETS * RESOLUTION / (step * program.volts_per_unit(plan.circuit))
    status, message = (lost.status, lost.message) if lost else ("ok", "")
    if found is not None:
        measured = dict(zip(MEASUREMENTS, (found.before, found.after, found.conversion), strict=True))
        bad = [m for m in measured.values() if m.status[0] not in ("ok", "not measured")]
        status, message = (bad[0].status[0], bad[0].message[0]) if bad else ("ok", "")
        volts = np.where(np.isfinite(found.after.volts), found.after.volts, volts)
        levels = to_input_units(found.after.volts, program, plan.circuit)[0]
        now = np.stack([to_input_units(m.volts, program, plan.circuit)[0] for m in measured.values()])
        then = np.stack([levels_of(stored, name)[0] for name in MEASUREMENTS])
        if np.isfinite(now - then).any():
            difference = float(np.nanmax(np.abs(now - then)) / step)
    # A comparator that only tells the side shows by its brackets where the levels are.
    located = RESOLUTION if found is not None and np.isfinite(found.after.volts).all() else WIDE_SPAN
    span = probe_span(plan.circuit) if plan.blocks.linear else located
    deck = transition_deck(plan.converter, chips, volts, span=span, held=plan.held)
    path = deck.write(Path(out) / f"sample-{sample}.cir")
    stored_status = stored["status"].to_pylist()[0]
    return Reproduction(sample, path, deck.command(path), stored_status, status, message, levels, difference, allowed)


def _again(plan: RampPlan, sample: int, timeout: float) -> tuple[Calibrated | None, Lost | None]:
    """The sample measured in a process that may crash or hang; what became of it."""
    worker = Worker(load)
    try:
        return worker.call(measure_batch, plan, np.array([sample]), limit=timeout), None
    except Lost as lost:
        return None, lost
    finally:
        worker.close()
