"""Plan files: a Monte Carlo study as TOML, held against the fields of the plan's own classes, turned into plans."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from netlists.check_rules import Choice, Refused, Text, Whole, near, short
from netlists.checks import Count, FieldOf, NonNegative, fields_of
from netlists.errors import InputError
from netlists.files import read_toml
from netlists.outside import Wiring, load_user_subcircuit
from netlists.spice import NOTHING, Permissions
from netlists.technology import DeviceProfile, Pvt, RampCircuit, circuit_at, load_profile
from netlists.type_rules import rule_of

from .limits import Limits
from .plan import DEFAULT_PROFILE, RampPlan
from .points import Sampling
from .shapes import Shape
from .sweep import grid
from .variation import Variation

LARGEST_FILE = 1_000_000
"""Bytes a plan file may have."""

SOURCES = ("opamp_offset", "comparator_offset", "comparator_noise", "conductance_gain")
"""Sources of variation, a table each."""

Fields = Mapping[str, Any]
"""A table of the file: by name a field, or the fields of a table in it."""


@dataclass(frozen=True)
class PlanFile:
    """A plan file that was read and checked.

    Attributes
    ----------
    path : Path
    samples : int
        Chips of every plan.
    limits : Limits
        For the yield; no part of any plan, so that other limits can be put on finished samples.
    grid : tuple of (name, RampPlan)
        Every combination of the sweep, each with a short name for its folder; a single one without a sweep.
    """

    path: Path
    samples: int
    limits: Limits
    grid: tuple[tuple[str, RampPlan], ...]

    def plans(self) -> list[tuple[str, RampPlan]]:
        """Name and plan of every combination of the sweep, the last swept field changing fastest."""
        return list(self.grid)


def load_plan_file(path: str | Path, allowed: Permissions = NOTHING) -> PlanFile:
    """Reads and checks a plan file and everything it describes.

    Parameters
    ----------
    path : path
        TOML. Profiles and subcircuits that it names are looked for beside it.
    allowed : Permissions
        What files of own subcircuits may do.

    Raises
    ------
    InputError
        Names the file, the table and field, the value and what is allowed.
    """
    path = Path(path)
    data = _read(path)
    points, found = [], {}
    with _named(f"{path}"):
        grid_points = grid(data)
    for name, what, tables in grid_points:
        with _named(f"{path}: {what}" if what else f"{path}"):
            found = _checked(tables)
            points.append((name, _plan(found, path.parent, allowed)))
    # Neither the number of samples nor the limits can be swept.
    return PlanFile(path, found["sampling"]["samples"], Limits(**found["measure"]["limits"]), tuple(points))


@cache
def tables() -> Fields:
    """The tables of a plan file but ``sweep``: where it can, each field is one of the class that it goes to."""
    plan, file = {f.name: f for f in fields_of(RampPlan)}, "; the file beside the plan file"
    source = {
        "sigma": _field("sigma", NonNegative, "Standard deviation, in the unit of the source.", None),
        **{("shape" if f.name == "kind" else f.name): f for f in fields_of(Shape)},
    }
    variation: dict[str, Any] = {
        f.name: f for f in fields_of(Variation) if f.name in ("opamp_noise", "programming_length", "correlations")
    }
    return {
        "ramp": {
            **{name: plan[name] for name in ("activation", "bits", "scheme")},
            "calibration_cells": plan["n_calibration"],
            **{name: plan[name] for name in ("calibration", "columns", "trim_reach", "buffer")},
            "profile": _field("profile", str, f"Device profile: a built-in name, or a .toml file{file}.", DEFAULT_PROFILE),
            **{name: plan[name] for name in ("level", "cells", "program_from")},
            "comparator": _field("comparator", str, f"A comparator of your own, FILE:NAME{file}.", None),
            "opamp": _field("opamp", str, f"An op-amp of your own, FILE:NAME{file}.", None),
            "ports": _field(
                "ports", str, "Ports of those blocks: inp=plus,inn=minus; with two blocks comparator:inp=plus;opamp:...", ""
            ),
            "pdk": _field("pdk", str, "PDK whose models they use, if their file does not say: sky130, gf180mcu:ss.", ""),
            "compat": _field("compat", str, "ngspice's compatibility mode that they need: psa, hsa.", ""),
            "bias": _field("bias", str, "What their other ports get: VBN=0.65,IBIAS=10uA,EN=vdd.", ""),
            "params": _field("params", str, "Values of their parameters: gain=200.", ""),
            "wire_resistance": plan["wire_resistance"],
        },
        "sampling": {
            "samples": _field("samples", Count, "Chips of every plan."),
            "method": next(f for f in fields_of(Sampling) if f.name == "method"),
            "seed": plan["seed"],
        },
        "profile": {f.name: f for f in fields_of(DeviceProfile) if f.name not in ("name", "source")},
        "circuit": {f.name: f for f in fields_of(RampCircuit)},
        "variation": dict.fromkeys(SOURCES, source) | variation,
        "conditions": {f.name: f for f in fields_of(Pvt)},
        "measure": {"conversions": plan["conversions"], "limits": {f.name: f for f in fields_of(Limits)}},
    }


def plan_file_schema() -> dict[str, Any]:
    """JSON Schema of a plan file, for documentation and editors."""
    schema = _table_schema(tables(), required=("ramp", "sampling"))
    schema["properties"]["sweep"] = {
        "type": "object",
        "description": "Lists of values by dotted name: fields of ramp by their own name, others as table.field. All combinations.",
    }
    return schema


def _field(name: str, kind: Any, description: str, default: Any = MISSING) -> FieldOf:
    return FieldOf(name, kind, rule_of(kind), default, description)


def _table_schema(fields: Fields, required: tuple[str, ...]) -> dict[str, Any]:
    inside = {name: _table_schema(f, _required(f)) if isinstance(f, Mapping) else _field_schema(f) for name, f in fields.items()}
    return {"type": "object", "properties": inside, "required": list(required), "additionalProperties": False}


def _required(fields: Fields) -> tuple[str, ...]:
    # A device profile has no defaults of its own, yet each of its fields may be left as it is.
    return tuple(n for n, f in fields.items() if isinstance(f, FieldOf) and f.required and n in ("activation", "bits", "samples"))


def _field_schema(field: FieldOf) -> dict[str, Any]:
    rule = getattr(field.rule, "rules", (field.rule,))[0]
    if isinstance(rule, Choice):
        return {"enum": list(rule.allowed), "description": field.description}
    kind = "integer" if isinstance(rule, Whole) else "string" if isinstance(rule, Text) else "number"
    plain = typing.get_args(field.type)[0] if typing.get_origin(field.type) is typing.Annotated else field.type
    kind = "boolean" if plain is bool else "array" if typing.get_origin(plain) is tuple else kind
    return {"type": kind, "description": field.description}


def _read(path: Path) -> dict[str, Any]:
    return read_toml(path, "plan file", limit=LARGEST_FILE)


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Puts the place in front of an `InputError` that comes from inside."""
    try:
        yield
    except InputError as e:
        raise InputError(f"{where}: {e}" if not where.endswith("]") else f"{where} {e}") from None


def _checked(data: dict[str, Any]) -> dict[str, Any]:
    """What the file sets, every field known and held against its type; tables that it leaves out are empty."""
    wrong: list[str] = []
    found = _table(data, tables(), "", wrong)
    if wrong:
        raise InputError("; ".join(wrong[:5]))
    return found


def _table(data: Any, fields: Fields, at: str, wrong: list[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        wrong.append(f"{at.rstrip('.')}={short(data)}: must be a table")
        return {}
    found: dict[str, Any] = {}
    needed = _required(fields)
    for name, field in fields.items():
        if isinstance(field, Mapping):
            found[name] = _table(data.get(name, {}), field, f"{at}{name}.", wrong)
        elif name in data:
            try:
                found[name] = field.rule.take(data[name])
            except Refused as e:
                wrong.append(str(e.named(f"{at}{name}")))
        elif name in needed:
            wrong.append(f"{at}{name}: is missing")
    unknown = [name for name in data if name not in fields]
    wrong += [f"{at}{name}={short(data[name])}: unknown; allowed are {', '.join(fields)}{near(name, fields)}" for name in unknown]
    return found


def _plan(t: dict[str, Any], folder: Path, allowed: Permissions) -> RampPlan:
    """The plan of one combination."""
    ramp, seed = dict(t["ramp"]), {k: v for k, v in t["sampling"].items() if k == "seed"}
    with _named("[ramp]"):
        name = ramp.pop("profile", DEFAULT_PROFILE)
        profile = load_profile(folder / name if name.endswith(".toml") else name)
        for role in ("comparator", "opamp"):
            if role in ramp:
                ports, bias, params = ([t for t in ramp.get(n, "").split(";") if t] for n in ("ports", "bias", "params"))
                wiring = Wiring.parse(role, ports, bias, params, ramp.get("pdk"), ramp.get("compat"))
                ramp[role] = load_user_subcircuit(str(folder / ramp[role]), role, allowed, wiring)
        ramp = {name: value for name, value in ramp.items() if name not in ("ports", "bias", "params", "pdk", "compat")}
        if "calibration_cells" in ramp:
            ramp["n_calibration"] = ramp.pop("calibration_cells")
    with _named("[profile]"):
        profile = replace(profile, **t["profile"])
    with _named("[conditions]"):
        conditions = Pvt(**t["conditions"])
        circuit, variation = circuit_at(conditions), Variation.measured(conditions)
        for own in (ramp.get("comparator"), ramp.get("opamp")):
            variation = replace(variation, **dict(own.statistics)) if own is not None else variation
    with _named("[circuit]"):
        circuit = circuit.with_(**t["circuit"])
    with _named("[variation]"):
        variation = replace(variation, **_variation(t["variation"]))
    with _named("[sampling]"):
        method = t["sampling"].get("method", "random")
        sampling = Sampling(method, t["sampling"]["samples"] if method == "latin-hypercube" else None)
    conversions = {k: v for k, v in t["measure"].items() if k == "conversions"}
    with _named("[ramp]"):
        return RampPlan(
            **ramp, **seed, **conversions, profile=profile, circuit=circuit, variation=variation, conditions=conditions,
            sampling=sampling,
        )  # fmt: skip


def _variation(table: dict[str, Any]) -> dict[str, Any]:
    """Fields of a `Variation` that the file sets."""
    changes = {k: v for k, v in table.items() if k not in SOURCES}
    for name in SOURCES:
        given = dict(table[name])
        if "sigma" in given:
            changes[name] = given.pop("sigma")
        with _named(f"[variation.{name}]"):
            changes[f"{name}_shape"] = Shape(**{("kind" if k == "shape" else k): v for k, v in given.items()})
    return changes
