"""A batch of chips, from draw to calibrated converter: each is measured as programmed, after calibration, and by another
column's comparator in one noisy conversion, which tells offset and noise apart when a model is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from characterization.plan import RampPlan
from netlists.converter import Converter, transition_deck
from netlists.errors import SimulationError
from netlists.ramp import Chips, to_input_units, transition_levels
from netlists.spice import Deck, kept_circuit

from .recalibrate import recalibrate
from .sampling import DrawnChips, draw, nominal_chips
from .transitions import NEAR_SPAN, RESOLUTION, WIDE_SPAN, Measured, encloses, measure, probe_span

WIDER = 2
"""How often a written deck's probes are moved apart by 3 until they enclose every level."""


@dataclass(frozen=True)
class Calibrated:
    """One batch, measured: the chips that were drawn and what became of them."""

    drawn: DrawnChips
    conductance: np.ndarray
    writes: np.ndarray
    before: Measured
    after: Measured
    conversion: Measured


def measure_batch(plan: RampPlan, samples: np.ndarray, *, conversions: bool = True, runner: str = "shared") -> Calibrated:
    """Draw, measure, calibrate and measure again the chips with the given sample numbers; ``runner`` as for `measure`."""
    with kept_circuit():
        return _measured(plan, samples, conversions=conversions, runner=runner)


def _measured(plan: RampPlan, samples: np.ndarray, *, conversions: bool, runner: str) -> Calibrated:
    program, circuit, drawn = plan.program(), plan.circuit, draw(plan, samples)

    far: np.ndarray | None = None

    def measured_as(chips: Chips) -> Measured:
        how = {} if far is None else {"guess": _closed_form(plan, chips) + far, "span": NEAR_SPAN}
        return measure(plan.converter, chips, runner=runner, held=plan.held, **how)

    def levels(conductance: np.ndarray) -> np.ndarray:
        return to_input_units(measured_as(drawn.chips(conductance)).volts, program, circuit)

    before = measured_as(drawn.chips())
    if not plan.blocks.linear and not np.isnan(before.volts).all():
        far = before.volts - _closed_form(plan, drawn.chips())
        far = np.where(np.isnan(far), np.nanmedian(far), far)
    calibrated = recalibrate(plan, drawn, to_input_units(before.volts, program, circuit), levels)
    conductance = calibrated.conductance
    after = measured_as(drawn.chips(conductance))
    if conversions and plan.conversions:
        noisy = measured_as(drawn.conversions(conductance, plan.profile))
    else:
        noisy = Measured(np.full_like(after.volts, np.nan), ["not measured"] * len(drawn.samples), [""] * len(drawn.samples))
    # What could not be measured was not calibrated either: its later levels are not those of a calibrated chip.
    for i in np.flatnonzero(~calibrated.measured):
        reason = "" if before.status[i] != "ok" else "a measurement during the calibration failed"
        for measured in (after, noisy):
            measured.volts[i], measured.status[i], measured.message[i] = np.nan, "not calibrated", reason
            reason = ""
    return Calibrated(drawn, conductance, calibrated.writes, before, after, noisy)


def _closed_form(plan: RampPlan, chips: Chips) -> np.ndarray:
    return transition_levels(plan.program(), plan.circuit, chips, first_order=plan.level != "ideal")


def nominal_deck(plan: RampPlan, *, locate: bool = False) -> Deck:
    """The transition deck of one chip exactly as programmed: what `cosim netlist ramp` writes and reports hash.

    Parameters
    ----------
    locate : bool
        Measure first, for an op-amp of the user's, whose levels the closed form does not know, and for a comparator that only
        tells the side. With this the probes lie `RESOLUTION` around each level: the deck then shows by its brackets where the
        levels are. They lie farther apart, up to `WIDER` times by 3, where the deck itself has a level elsewhere: its time
        steps and inputs are not those of the decks that located it.

    Raises
    ------
    SimulationError
        If the levels were to be located and could not be, or the deck does not enclose them.
    """
    program, blocks, chips = plan.program(), plan.blocks, nominal_chips(plan)
    guess = _closed_form(plan, chips)
    span = probe_span(plan.circuit) if blocks.linear else WIDE_SPAN
    if locate and (not blocks.linear or plan.opamp is not None):
        measured = measure(plan.converter, chips, held=plan.held)
        if measured.status[0] != "ok":
            raise SimulationError(f"the nominal {plan.name} ramp: {measured.status[0]}", measured.message[0])
        guess, spans = measured.volts, [span] if blocks.linear else [RESOLUTION * 3**n for n in range(WIDER + 1)]
        enclosed = (s for s in spans if encloses(plan.converter, chips, guess, s, held=plan.held))
        if (span := next(enclosed, 0.0)) == 0.0:
            raise SimulationError(
                f"the nominal {plan.name} ramp: in the written deck a level is over {1e6 * spans[-1]:.3g} uV from where it was "
                "located; look at the comparator's memory and at what it draws from the ramp"
            )
    return transition_deck(Converter(program, plan.circuit, blocks), chips, guess, span=span, held=plan.held)
