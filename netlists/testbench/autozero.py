"""Test bench of the auto-zeroed integrator: offsets of many, stored in reset, and what their columns see of them."""

from __future__ import annotations

from collections.abc import Sequence

from netlists.checks import Count, check
from netlists.converter import AutoZero
from netlists.spice import Deck, subcircuits
from netlists.technology import Conditions

from .run import OPTIONS, commands, header

BARE = 1e-6
"""Conductance in place of a column's, siemens: next to none."""
T_RESET, T_STOP = 40e-9, 300e-9
"""End of the reset, and of the bench, seconds."""


def autozero_deck(
    conditions: Conditions,
    autozero: AutoZero,
    n: int,
    seed: int | None,
    *,
    conductance: float = 10e-3,
    c_f: float = 80e-12,
    r_hold: float = 5.0,
) -> Deck:
    """``n`` auto-zeroed integrators on columns at rest; switch resistance and input capacitance beside them.

    Parameters
    ----------
    seed : int or None
        Of the foundry mismatch that each has of its own; None: all as designed.
    conductance : float
        Of each column, siemens, to analog ground behind the hold switch.
    c_f, r_hold : float
        Farads, ohm.

    Returns
    -------
    Deck
        Tables ``switch`` (voltage over the auto-zero switch at 1 uA), ``gate`` (current of 1 V at 1 MHz into the op-amp's input),
        ``amp<k>``, ``sum<k>`` and ``out<k>`` of 16 integrators each: op-amp outputs, summing nodes and outputs above analog ground;
        ``bare`` (summing node and output of one more, without a column).
    """
    check(Count, n, "n")
    v_dd = conditions.v_dd
    blocks = ("autozero_integrator_sky130", "ota_sky130")
    text = header("SKY130 auto-zero bench", conditions, *blocks, mismatch=seed is not None, seed=seed)
    text += _OPTIONS + f"vdd vdd 0 {v_dd!r}\n" + _clocks(v_dd, autozero)
    for k, load in [*((str(k), conductance) for k in range(n)), ("b", BARE)]:
        text += f"x{k} sum{k} out{k} com rst az vdd 0 autozero_integrator_sky130 c_f={c_f!r} c_az={autozero.c_az!r}\n"
        text += _column(k, load, r_hold)
    # The same switch alone, and the op-amp with its loop closed at DC only.
    text += (
        f"vhi hi 0 {v_dd!r}\nvlo lo 0 0\nxsn com hi sw 0 nmos_lvt_sky130 w=0.84 l=0.15\n"
        "xsp com lo sw vdd pmos_lvt_sky130 w=0.42 l=0.35\n"
        "isw 0 sw 1u\nxo com inn outo vdd 0 ota_sky130\nlo outo inn 1e9\nvt t 0 ac 1\nct t inn 1\n"
    )
    steps = ("op", ("switch", ["v(sw,com)"]), "ac lin 1 1meg 1meg", ("gate", ["i(vt)"]))
    return Deck(text, commands(*steps, *_tables(n)))


def autozero_macro_deck(
    conditions: Conditions,
    values: dict[str, float],
    autozero: AutoZero,
    offsets: Sequence[float],
    *,
    conductance: float = 10e-3,
    c_f: float = 80e-12,
    r_hold: float = 5.0,
) -> Deck:
    """The same bench of integrators at level macro, one an offset (volts); tables ``amp<k>``, ``sum<k>``, ``out<k>``, ``bare``.

    Parameters
    ----------
    values : dict
        Of ``autozero_integrator_macro``, C_f and offset apart.
    """
    v_dd = conditions.v_dd
    text = (
        f"auto-zero bench, level macro\n{subcircuits('autozero_integrator_macro', 'opamp_macro')}vcom com 0 {conditions.v_cm!r}\n"
    )
    text += _OPTIONS + _clocks(v_dd, autozero)
    given = " ".join(f"{name}={value!r}" for name, value in values.items())
    loaded = [(str(k), offset, conductance) for k, offset in enumerate(offsets)]
    for k, offset, load in [*loaded, ("b", 0.0, BARE)]:
        text += (
            f"x{k} sum{k} out{k} com rst az autozero_integrator_macro c_f={c_f!r} v_os={float(offset)!r} v_dd={v_dd!r} {given}\n"
        )
        text += _column(k, load, r_hold)
    return Deck(text, commands(*_tables(len(offsets))))


# Residues are tens of microvolts on 0.9 V.
_OPTIONS = OPTIONS.replace("reltol=1e-4", "reltol=1e-5")


def _clocks(v_dd: float, autozero: AutoZero) -> str:
    """Sources of auto-zero, reset and hold, with the edges that `cards` gives them in decks of tiles."""
    te, text = 0.1e-9, ""
    for name, falls in (("az", T_RESET - autozero.t_guard), ("rst", T_RESET)):
        text += f"v{name} {name} 0 dc {v_dd!r} pwl(0 {v_dd!r} {falls - 3 * te!r} {v_dd!r} {falls - 2 * te!r} 0)\n"
    return text + f"vhold hold 0 pwl(0 0 {T_RESET!r} 0 {T_RESET + te!r} 1)\n"


def _column(k: str, conductance: float, r_hold: float) -> str:
    return f"r{k} col{k} com {1 / conductance!r}\nb{k} col{k} sum{k} i={{v(hold)/{r_hold!r}*(v(col{k})-v(sum{k}))}}\n"


def _tables(n: int) -> list[str | tuple[str, list[str]]]:
    """The transient, and its tables of 16 integrators each."""
    steps: list[str | tuple[str, list[str]]] = [f"tran 0.1n {T_STOP!r} 0 1n", ("bare", ["v(sumb,com)", "v(outb,com)"])]
    for first in range(0, n, 16):
        some = range(first, min(first + 16, n))
        vectors = {"amp": "v(x{}.amp,com)", "sum": "v(sum{},com)", "out": "v(out{},com)"}
        steps += [(f"{name}{first // 16}", [v.format(k) for k in some]) for name, v in vectors.items()]
    return steps
