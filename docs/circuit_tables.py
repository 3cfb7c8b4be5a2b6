"""Tables that docs/circuits.md links to, made from the code's own parameters and from what ``cosim blocks`` measured.

A table stands in the page between ``<!-- table NAME -->`` and ``<!-- end -->``; `refresh` makes them all again.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from characterization.transistors import MACRO_FILE, macro_delay, measure_integrator, measure_ota
from netlists.array import Crossbar, Pwm
from netlists.converter import AutoZero, Tile
from netlists.technology import OPAMP_STAGES, RampCircuit

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = ROOT / "results" / "blocks"
CIRCUITS = ROOT / "netlists" / "circuits"
MARKED = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
NOMINAL = ("tt", 27, 1.8)


def refresh(page: str) -> str:
    """The page with all its tables made anew; `KeyError` for a table that nobody makes."""
    return MARKED.sub(lambda m: f"{m[1]}\n{TABLES[m[2]]()}\n{m[3]}", page)


def si(value: float, unit: str, digits: int = 3) -> str:
    """A number with its unit and prefix: ``si(1.3e8, "Hz")`` is ``130 MHz``."""
    if unit == "V/s" and abs(value) >= 1e5:
        return si(value * 1e-6, "V/us", digits)
    if value == 0 or unit in ("", "V/V", "V/us", "degrees", "%", "dB"):
        return f"{float(f'{value:.{digits}g}'):.12g}" + (f" {unit}" if unit else "")
    # Rounded first, so that 999.9 does not become 1e+03.
    rounded = float(f"{value:.{digits}g}")
    power = min(max(3 * math.floor(math.log10(abs(rounded)) / 3), -15), 9)
    scaled = rounded / 10.0**power
    places = max(digits - 1 - math.floor(math.log10(abs(scaled))), 0)
    shown = f"{scaled:.{places}f}"
    return f"{shown.rstrip('0').rstrip('.') if '.' in shown else shown} {PREFIXES[power]}{unit}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Markdown table; bars inside cells are escaped."""
    lines = [list(head), *(list(r) for r in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join("| " + " | ".join(c.replace("|", "\\|") for c in line) + " |\n" for line in lines)


@cache
def summary() -> dict[str, Any]:
    """``results/blocks/summary.json``."""
    return json.loads((BLOCKS / "summary.json").read_text())


def measured(name: str, **where: Any) -> pd.DataFrame:
    """Rows of a table of ``results/blocks`` with the given values."""
    data = pd.read_csv(BLOCKS / f"{name}.csv")
    for column, value in where.items():
        data = data[data[column] == value]
    return data


def default(function: Callable[..., Any], name: str) -> Any:
    """Default value of a function's argument."""
    return inspect.signature(function).parameters[name].default


def meanings(cls: type) -> dict[str, str]:
    """What the ``Attributes`` of a class's docstring say about each, on one line."""
    text = inspect.cleandoc(cls.__doc__ or "").partition("Attributes\n----------\n")[2]
    out: dict[str, str] = {}
    for line in re.split(r"\n(?:Raises|Notes)\n-", text)[0].splitlines():
        if line and not line.startswith(" "):
            names = [n.strip() for n in line.partition(" : ")[0].split(",")]
            out |= dict.fromkeys(names, "")
        elif line.strip():
            out |= {n: f"{out[n]} {line.strip()}".strip() for n in names}
    return out


def circuit_parameters(names: Callable[[str], bool]) -> str:
    """Fields of `RampCircuit` that belong to a block; what was measured, by what."""
    how = macro_file()["source"]

    def origin(row: dict[str, Any]) -> str:
        """The bench of a macro-model's parameter, else the source as it stands."""
        return how[row["name"]] if row["source"].startswith("measured on the SKY130 blocks") else row["source"]

    rows = [r for r in RampCircuit.describe() if names(r["name"])]
    return table(
        ("parameter", "default", "what", "source"),
        ((f"`{r['name']}`", si(r["default"], r["unit"], 5), r["meaning"], origin(r)) for r in rows),
    )


OPAMP = ("a0", "gbw", "slew", *OPAMP_STAGES, "opamp_offset", "c_in")
RESET = ("r_reset", "c_inject")


def converter_parameters() -> str:
    """Everything that no single block owns."""
    return circuit_parameters(lambda n: n not in (*OPAMP, *RESET) and not n.startswith("comparator_"))


def documented(cls: type, skip: Iterable[str] = ()) -> str:
    """Fields with defaults of a dataclass, as its docstring tells them; those it tells together share a row."""
    text = meanings(cls)
    rows: dict[tuple[str, str], list[str]] = {}
    for name, p in inspect.signature(cls).parameters.items():
        if p.default is not inspect.Parameter.empty and name not in skip:
            shown = p.default if isinstance(p.default, str) else f"{p.default:g}"
            rows.setdefault((shown, text[name].replace("`", "")), []).append(f"`{name}`")
    return table(("parameter", "default, SI", "what and source"), ((", ".join(n), v, what) for (v, what), n in rows.items()))


def subcircuits() -> str:
    """Every ``.subckt`` file: what it is, and its ports."""
    rows = []
    for file in sorted(CIRCUITS.glob("*.cir")):
        text = file.read_text()
        head = re.match(r"\* (\w+) - (.+)", text)
        card = re.search(rf"^\.subckt {file.stem} (.+?)(?: params: .+)?$", text, re.MULTILINE)
        assert head is not None
        assert card is not None
        link = f"[`{file.stem}`]({file.name})"
        rows.append((link, head[2], f"`{card[1]}`"))
    return table(("subcircuit", "what", "ports"), rows)


def over_corners(data: pd.DataFrame, figures: dict[str, tuple[str, str]]) -> str:
    """Nominal value, least and largest over the corners of each figure: ``{column: (name, unit)}``."""
    corner, temperature, v_dd = NOMINAL
    nominal = data[(data.corner == corner) & (data.temperature == temperature) & (data.v_dd == v_dd)].iloc[0]

    def at(row: pd.Series, column: str, unit: str) -> str:
        return f"{si(row[column], unit)} ({row.corner}/{row.temperature:g}/{row.v_dd:g})"

    rows = []
    for column, (name, unit) in figures.items():
        low, high = data.loc[data[column].idxmin()], data.loc[data[column].idxmax()]
        rows.append((name, si(nominal[column], unit), at(low, column, unit), at(high, column, unit)))
    head = f"{corner}, {temperature} C, {v_dd} V"
    return table(("figure", head, "least (corner/C/V)", "largest"), rows)


def ota_figures() -> str:
    """OTA over corners."""
    load = si(default(measure_ota, "i_load"), "A")
    figures = {
        "gain_db": ("open-loop DC gain", "dB"),
        "gbw": ("gain-bandwidth product", "Hz"),
        "crossover": ("unity crossing of the integrator's loop gain", "Hz"),
        "phase_margin": ("phase margin there", "degrees"),
        "slew_rise": ("slew rate, rising", "V/s"),
        "slew_fall": ("slew rate, falling", "V/s"),
        "swing_low": ("output swing, lower end, no load", "V"),
        "swing_high": ("output swing, upper end, no load", "V"),
        "loaded_low": (f"lower end, {load} either way", "V"),
        "loaded_high": (f"upper end, {load} either way", "V"),
        "source_current": ("largest current sourced", "A"),
        "sink_current": ("largest current sunk", "A"),
        "offset": ("systematic input offset", "V"),
        "power": ("supply power, no load", "W"),
    }
    return over_corners(measured("ota"), figures)


def integrator_figures() -> str:
    """Integrator and reset switch over corners."""
    figures = {
        "r_reset": ("resistance of the reset switch at v_cm", "ohm"),
        "reset_step": (f"output step when it opens, C_f {si(default(measure_integrator, 'c_f'), 'F')}", "V"),
        "c_inject": ("gate capacitance that would do the same", "F"),
        "droop": ("drift of the idle output", "V/s"),
    }
    return over_corners(measured("integrator"), figures)


def comparator_figures() -> str:
    """Continuous-time comparator at analog ground, over corners."""
    figures = {
        "offset": ("systematic offset", "V"),
        "gain": ("small-signal gain at the trip point", ""),
        "bandwidth": ("its -3 dB frequency", "Hz"),
        "noise": ("input-referred noise, rms", "V"),
        "power_trip": ("power at the trip point", "W"),
        "power_low": ("power 50 mV below it", "W"),
        "power_high": ("power 50 mV above it", "W"),
    }
    return over_corners(measured("comparator", common_mode=0.9), figures)


def common_modes() -> str:
    """Continuous-time comparator against input common mode, nominal."""
    rows = [
        (si(c["common_mode"], "V"), si(c["offset"], "V"), si(c["gain"], ""), si(c["noise"], "V"), si(c["power_trip"], "W"))
        for c in summary()["comparator"]
    ]
    return table(("common mode", "systematic offset", "gain", "noise, rms", "power at the trip point"), rows)


def delays() -> str:
    """Delay against overdrive: both comparators, and the macro-model fitted to the first."""
    macro = macro_file()["circuit"]
    values = [macro[f"comparator_{name}"] for name in ("gain", "tau", "limit")]
    latch = {d["overdrive"]: d for d in summary()["strongarm_delay"]}
    rows = []
    for d in summary()["comparator_delay"]:
        s = latch[d["overdrive"]]
        model = float(macro_delay(np.array(d["overdrive"]), *values))
        seconds = (d["delay_rise"], d["delay_fall"], model, s["delay_rise"], s["delay_fall"])
        rows.append((si(d["overdrive"], "V"), *(si(t, "s") for t in seconds)))
    head = ("`comparator_sky130` rising", "falling", "`comparator_macro` (fit)", "`strongarm_sky130` high", "low")
    (v0, first), (v1, second) = sorted(latch.items())[:2]
    tau = (first["delay_rise"] - second["delay_rise"]) / math.log(v1 / v0)
    regeneration = f"\nStrongARM, between overdrives of {si(v0, 'V')} and {si(v1, 'V')}: tau_reg = {si(tau, 's')}.\n"
    return table(("overdrive", *head), rows) + regeneration


def offsets() -> str:
    """Offset statistics with foundry mismatch."""
    rows = []
    for r in measured("offsets").itertuples():
        mean = f"{1e3 * r.mean:.2f} ({1e3 * r.mean_low:.2f} to {1e3 * r.mean_high:.2f})"
        sigma = f"{1e3 * r.sigma:.2f} ({1e3 * r.sigma_low:.2f} to {1e3 * r.sigma_high:.2f})"
        rows.append((f"`{r.block}`", si(r.common_mode, "V"), str(r.n), mean, sigma))
    confidence = f"{100 * measured('offsets').confidence.iloc[0]:g} %"
    return table(("block", "common mode", "samples", f"mean, mV ({confidence})", f"sigma, mV ({confidence})"), rows)


def kickback() -> str:
    """Kickback and energy of both comparators over corners."""
    figures = {
        "peak": ("kickback, differential peak", "V"),
        "common": ("kickback, common-mode peak", "V"),
        "left": ("left at the end of the bench", "V"),
        "energy": ("supply energy a decision", "J"),
    }
    # One input of the continuous-time comparator is held: it has no common mode.
    held = {k: v for k, v in figures.items() if k != "common"} | {"peak": ("kickback, peak", "V")}
    parts = []
    for block, wanted in (("comparator_sky130", held), ("strongarm_sky130", figures)):
        parts.append(f"`{block}`:\n\n" + over_corners(measured("kickback", block=block), wanted))
    return "\n".join(parts)


def access() -> str:
    """On-resistance of the access transistor: tt, and the range over tt, ss and ff."""
    data = measured("access")
    columns = list(data[["select", "source"]].drop_duplicates().itertuples(index=False, name=None))
    rows = []
    for width, same in data.groupby("width"):
        cells = []
        for select, source in columns:
            r = same[(same["select"] == select) & (same["source"] == source)].set_index("corner").r_on
            cells.append(f"{r['tt'] / 1e3:.3g} ({r.min() / 1e3:.3g}-{r.max() / 1e3:.3g})")
        rows.append((f"{1e6 * width:g} um", *cells))
    return table(("R_on, kohm", *(f"select {a:g} V, source {b:g} V" for a, b in columns)), rows)


@cache
def macro_file() -> dict[str, Any]:
    """``netlists/technology/data/macro_sky130.toml``."""
    return tomllib.loads(MACRO_FILE.read_text())


def macro() -> str:
    """Statistics that were measured, and how well the comparator's macro-model fits."""
    data = macro_file()
    rows = [(f"`{name}`", si(value, "V", 5), data["source"][name]) for name, value in data["statistics"].items()]
    fit = data["fit"]
    errors = (
        f"\nStandard errors of the fit: gain {fit['gain_error']:.2g}, tau {si(fit['tau_error'], 's', 2)}; "
        f"worst delay off by {100 * fit['worst']:.2g} %.\n"
    )
    return table(("parameter", "value", "from"), rows) + errors


TABLES: dict[str, Callable[[], str]] = {
    "subcircuits": subcircuits,
    "converter": converter_parameters,
    "opamp": lambda: circuit_parameters(lambda n: n in OPAMP),
    "reset": lambda: circuit_parameters(lambda n: n in RESET),
    "comparator": lambda: circuit_parameters(lambda n: n.startswith("comparator_")),
    "crossbar": lambda: documented(Crossbar),
    "pwm": lambda: documented(Pwm),
    "tile": lambda: documented(Tile, skip=("circuit", "pwm", "opamp_offset", "comparator_offset", "autozero")),
    "autozero": lambda: documented(AutoZero),
    "ota-measured": ota_figures,
    "integrator-measured": integrator_figures,
    "comparator-measured": comparator_figures,
    "common-modes": common_modes,
    "delay": delays,
    "offsets": offsets,
    "kickback": kickback,
    "access": access,
    "macro": macro,
}
