"""Process corner, supply voltage and temperature (PVT), and what the macro-models' parameters are there.

``cosim blocks`` measures the transistor-level blocks at every corner with the extremes of supply and temperature, and
writes the parameters into ``data/macro_sky130.toml``. Between measured points the logarithm of a parameter is taken
as linear in temperature and supply (an assumption); outside nothing is guessed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Annotated

import numpy as np

from netlists.checks import Number, Volts, checked
from netlists.errors import InputError

from .parameters import MEASURED, RampCircuit
from .pdk import Corner


@checked
@dataclass(frozen=True)
class Pvt:
    """Process corner, supply and temperature.

    Attributes
    ----------
    corner : {"tt", "ss", "ff", "sf", "fs"}
        NMOS letter first, PMOS second.
    temperature : float
        Degrees Celsius, as in SPICE's ``.temp`` and in the measured tables.
    supply : float
        Volts.
    """

    corner: Corner = "tt"
    temperature: Annotated[float, Number(unit="C")] = 27.0
    supply: Volts = 1.8

    def __str__(self) -> str:
        return f"{self.corner}, {self.temperature:g} C, {self.supply:g} V"


NOMINAL = Pvt()
"""Where the defaults of `RampCircuit` were measured."""

_NOISE = "comparator_noise_sigma"


def measured_points() -> list[Pvt]:
    """Conditions at which the blocks were measured."""
    return [Pvt(*row[:3]) for row in _table()]


def circuit_at(conditions: Pvt) -> RampCircuit:
    """The converter with supply and macro-models of these conditions; the rest as by default.

    At a measured point each parameter is the measured one, but gain and time constant of the comparator: at the
    corners they were fitted to fewer delays than at nominal conditions, so their ratio to the same fit there is used.

    Raises
    ------
    InputError
        Conditions outside the measured range.
    """
    ratio = _ratios(conditions)
    nominal = MEASURED["circuit"]
    return RampCircuit(v_dd=conditions.supply, **{name: float(nominal[name] * ratio[name]) for name in nominal})


def as_designed(circuit: RampCircuit, conditions: Pvt) -> RampCircuit:
    """The circuit at nominal conditions: what `circuit_at` changed is changed back, what was set by hand stays."""
    if conditions == NOMINAL:
        return circuit
    here, nominal = circuit_at(conditions), circuit_at(NOMINAL)
    names = [name for name in ("v_dd", *MEASURED["circuit"]) if getattr(circuit, name) == getattr(here, name)]
    return circuit.with_(**{name: getattr(nominal, name) for name in names})


def comparator_noise_at(conditions: Pvt) -> float:
    """Input-referred noise of the comparator at these conditions, volts rms."""
    return float(MEASURED["statistics"][_NOISE] * _ratios(conditions)[_NOISE])


def check_circuit(circuit: RampCircuit, conditions: Pvt) -> None:
    """Raise `InputError` if a circuit's parameters are clearly those of other conditions.

    At nominal conditions any circuit is allowed. Elsewhere the supply must be that of the conditions, and no parameter may be
    what was measured at another point.
    """
    if conditions == NOMINAL:
        return
    here = circuit_at(conditions)
    advice = "build it with circuit_at(conditions).with_(...), or leave the circuit out"
    if circuit.v_dd != here.v_dd:
        raise InputError(f"circuit v_dd={circuit.v_dd:g}: the conditions ({conditions}) have another supply; {advice}")
    for point in measured_points():
        there = circuit_at(point)
        for name in MEASURED["circuit"]:
            value = getattr(circuit, name)
            # A limit is a round number that many points share; all others are measured.
            if name != "comparator_limit" and value == getattr(there, name) != getattr(here, name):
                raise InputError(f"circuit {name}={value:g}: is that of {point}, but the conditions are {conditions}; {advice}")


def _table() -> list[list]:
    """Rows of the corner table: corner, temperature, supply, then one value per parameter."""
    if "corners" not in MEASURED:
        raise InputError("macro_sky130.toml has no corner table: run `cosim blocks` with all corners")
    return MEASURED["corners"]["rows"]


@cache
def _ratios(conditions: Pvt) -> dict[str, float]:
    """Each parameter at the conditions over its nominal value."""
    names = [*MEASURED["circuit"], _NOISE]
    if conditions == NOMINAL:
        return dict.fromkeys(names, 1.0)
    columns = MEASURED["corners"]["columns"] if "corners" in MEASURED else []
    nominal = next((r for r in _table() if Pvt(*r[:3]) == NOMINAL), None)
    rows = [r for r in _table() if r[0] == conditions.corner]
    if nominal is None or not rows:
        raise InputError(f"corner={conditions.corner!r}: macro_sky130.toml lacks it or nominal conditions: run `cosim blocks`")
    at = np.array([r[1:3] for r in rows], float)
    for i, (name, unit) in enumerate((("temperature", "C"), ("supply", "V"))):
        value, low, high = asdict(conditions)[name], at[:, i].min(), at[:, i].max()
        if not low <= value <= high:
            raise InputError(f"{name}={value:g}: the blocks were measured from {low:g} to {high:g} {unit} (results/blocks)")
    pick = [columns.index(name) for name in names]
    logs = np.log(np.array([[r[i] for i in pick] for r in rows]) / [nominal[i] for i in pick])
    exact = np.flatnonzero((at == [conditions.temperature, conditions.supply]).all(axis=1))
    if len(exact):
        value = logs[exact[0]]
    else:
        from scipy.interpolate import LinearNDInterpolator

        value = LinearNDInterpolator(at, logs, rescale=True)(conditions.temperature, conditions.supply)
    if not np.all(np.isfinite(value)):
        raise InputError(f"conditions {conditions}: outside the measured points of the corner (results/blocks)")
    return dict(zip(names, np.exp(np.ravel(value)).tolist(), strict=True))
