"""A canary in every text of every file that is read: no program runs, and no deck carries it."""

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from characterization.chips.batch import nominal_deck
from characterization.export import spice, veriloga
from characterization.export.converter import of_corner
from characterization.plan.file import load_plan_file
from characterization.plan.plan import Pvt, RampPlan, plan_digest
from characterization.ramp_model.file import with_checksums
from characterization.ramp_model.model import RampModel
from characterization.resume import Parts
from characterization.run.folder import open_manifest, read_manifest, run_status
from cosim.budget.run import BudgetSettings
from cosim.cli.app import run
from cosim.network import Network
from cosim.network.files import write_arrays
from cosim.optimize.run import OptimizeSettings
from cosim.report.registry import STUDIES
from cosim.report.settings import StudySettings, load_settings
from cosim.tasks import cache
from cosim.tasks.vowels import load_vowels
from netlists.converter.conversion import conversion_deck
from netlists.converter.converter import Converter
from netlists.errors import InputError, ToolkitError
from netlists.function.table import ActivationTable, load_table
from netlists.outside.subcircuit import UserSubcircuit, load_user_subcircuit
from netlists.ramp.chips import Chips
from netlists.technology.profile import load_profile

ROOT = Path(__file__).parents[1]
PORTS = ("inp", "inn", "out", "com")
OWN = {
    "comparator": ".subckt mine inp inn out com\nb1 out com v=tanh(v(inp)-v(inn))\n.ends\n",
    "opamp": ".subckt amp inp inn out com\ne1 out com inp inn 1e4\n.ends\n",
}
CANARY = (
    "\n.control\nshell touch canary\n.endc\n*# shell touch canary\n.include canary-foreign.cir\n"
    ".model canary d_process (process_file=canary)\n"
)
FOREIGN = ".control\nshell touch canary\n.endc\n"


def leaves(data: Any, at: tuple = ()) -> Iterator[tuple]:
    """Where the texts of JSON or TOML data stand."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from leaves(value, (*at, key))
    elif isinstance(data, str):
        yield at


def planted(data: Any, at: tuple) -> Any:
    """The data with the canary behind the text that stands there, so that checks of its beginning pass."""
    if not at:
        return data + CANARY
    new = data.copy()
    new[at[0]] = planted(data[at[0]], at[1:])
    return new


def toml(data: Any) -> str:
    """A value as TOML has it; what is not JSON's is an inline table."""
    if isinstance(data, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in data.items() if v is not None) + "}"
    return "[" + ", ".join(map(toml, data)) + "]" if isinstance(data, list) else json.dumps(data)


def write_toml(path: str, data: dict[str, Any]) -> None:
    Path(path).write_text("".join(f"{json.dumps(k)} = {toml(v)}\n" for k, v in data.items() if v is not None))


def own_plan(activation: Any = "sigmoid", bits: int = 2) -> RampPlan:
    own = {role: UserSubcircuit(text.split()[1], text, PORTS, ()) for role, text in OWN.items()}
    return RampPlan(activation, bits, **own)


def decks(plan: RampPlan) -> str:
    program = plan.program()
    codes = conversion_deck(Converter(program, plan.circuit, plan.blocks), Chips.nominal(program), np.array([[0.9]]))
    return nominal_deck(plan).text + codes.text


# Each kind of file: a sound one as data, and what comes of reading it as text for a simulator.
def model_json() -> tuple[Any, Callable[[Any], str]]:
    sound = json.loads((ROOT / "results/demo/models/sigmoid3.json").read_text())
    sound["plan"] |= {k: v for k, v in json.loads(json.dumps(own_plan().as_dict())).items() if k in OWN}
    del sound["checksums"]

    def read(data: Any) -> str:
        Path("model.json").write_text(json.dumps(with_checksums(data)))
        model = RampModel.load("model.json")
        return decks(model.ramp_plan) + spice.subcircuit(of_corner(model)) + veriloga.module(of_corner(model))

    return sound, read


def run_manifest() -> tuple[Any, Callable[[Any], str]]:
    plan = own_plan(ActivationTable("own", (-2.0, -1.0, 1.0, 2.0), (-1.0, -0.5, 0.5, 1.0)))
    sound = json.loads(json.dumps(open_manifest(plan, Path("run"), 16, None))) | {"samples": 4}

    def read(data: Any) -> str:
        Path("run/chunks").mkdir(parents=True, exist_ok=True)
        Path("run/manifest.json").write_text(json.dumps(data | {"plan_sha256": plan_digest(data["plan"])}))
        run_status("run")
        return decks(RampPlan.from_dict(read_manifest(Path("run"))["plan"]))

    return sound, read


def plan_toml() -> tuple[Any, Callable[[Any], str]]:
    Path("own.toml").write_text((ROOT / "netlists/technology/profiles/taox-100-400.toml").read_text())
    Path("own.cir").write_text("".join(OWN.values()))
    ramp = {"activation": "sigmoid", "bits": 2, "scheme": "auto", "calibration": "none", "profile": "own.toml"}
    ramp |= {"level": "macro", "cells": "selected", "comparator": "own.cir:mine", "opamp": "own.cir:amp"}
    sound = {
        "ramp": ramp,
        "sampling": {"samples": 2, "method": "sobol"},
        "conditions": {"corner": "tt"},
        "variation": {"opamp_offset": {"shape": "normal"}, "correlations": [["opamp_offset", "comparator_offset", 0.5]]},
        "sweep": {"activation": ["sigmoid", "tanh"]},
    }

    def read(data: Any) -> str:
        write_toml("plan.toml", data)
        return "".join(decks(plan) for _, plan in load_plan_file("plan.toml").plans())

    return sound, read


def profile_toml() -> tuple[Any, Callable[[Any], str]]:
    def read(data: Any) -> str:
        write_toml("own.toml", data)
        return decks(RampPlan("sigmoid", 2, profile=load_profile("own.toml")))

    return tomllib.loads((ROOT / "netlists/technology/profiles/taox-100-400.toml").read_text()), read


def activation_table() -> tuple[Any, Callable[[Any], str]]:
    def read(data: Any) -> str:
        Path("t.csv").write_text(f"{data['heading']}\n-2,-1\n-1,-0.5\n1,0.5\n2,{data['last']}\n")
        return decks(RampPlan(load_table("t.csv", name=data["name"]), 2))

    return {"heading": "x,y", "last": "1", "name": "own"}, read


def network_npz() -> tuple[Any, Callable[[Any], str]]:
    with np.load(ROOT / "results/lm-bits/networks/sotu-plain-seed-1.npz") as archive:
        arrays = dict(archive)
    texts = [name for name, value in arrays.items() if value.dtype.kind == "U"]

    def read(data: Any) -> str:
        write_arrays("n.npz", arrays | {name: np.array(json.dumps(data[name])) for name in texts})
        network = Network.load("n.npz")
        ramps = {g.activation for layer in network.layers for m in layer.cell.matrices for g in m.gates}
        return "".join(decks(RampPlan(name, 2)) for name in sorted(ramps))

    return {name: json.loads(str(arrays[name])) for name in texts}, read


def task_json() -> tuple[Any, Callable[[Any], str]]:
    entry = cache.store(load_vowels())

    def read(data: Any) -> str:
        (entry / cache.DESCRIPTION).write_text(json.dumps(data))
        return as_settings(cache.restore(entry.name, "nothing").metric)

    return json.loads((entry / cache.DESCRIPTION).read_text()), read


def part_json() -> tuple[Any, Callable[[Any], str]]:
    def read(data: Any) -> str:
        Path("out/.parts").mkdir(parents=True, exist_ok=True)
        for name, value in data.items():
            Path(f"out/.parts/{name}.json").write_text(json.dumps(value))
        rows = Parts(Path("out"), {"task": "voices"}).rows("part", list)
        return "".join(as_settings(row["profile"]) for row in rows)

    return {"settings": {"task": "voices"}, "part": [{"profile": "taox-100-400", "value": 1.0}]}, read


def as_settings(text: str) -> str:
    """The decks that a text would make wherever a setting's name is looked up; InputError if it has no such place."""
    made = []
    for build in (
        lambda: RampPlan(text, 2),
        lambda: RampPlan("sigmoid", 2, profile=load_profile(text)),
        lambda: RampPlan("sigmoid", 2, level=text),
        lambda: RampPlan("sigmoid", 2, cells=text),
        lambda: RampPlan("sigmoid", 2, scheme=text),
        lambda: RampPlan("sigmoid", 2, conditions=Pvt(text)),
        lambda: UserSubcircuit(text, OWN["comparator"], PORTS, ()),
        lambda: load_user_subcircuit(text, "comparator"),
    ):
        try:
            made.append(decks(build()))
        except InputError:
            continue
    return "".join(made)


def settings_of(kind: type[StudySettings], **needed: Any) -> Callable[[], tuple[Any, Callable[[Any], str]]]:
    def settings_toml() -> tuple[Any, Callable[[Any], str]]:
        def read(data: Any) -> str:
            write_toml("settings.toml", data)
            found = load_settings(kind, Path("settings.toml")).model_dump(mode="json")
            return "".join(as_settings(_at(found, at)) for at in leaves(found) if "canary" in _at(found, at))

        return kind(**needed).model_dump(mode="json", exclude_none=True), read

    return settings_toml


def _at(data: Any, at: tuple) -> Any:
    for key in at:
        data = data[key]
    return data


KINDS = {
    "model": model_json,
    "run manifest": run_manifest,
    "plan file": plan_toml,
    "profile": profile_toml,
    "activation table": activation_table,
    "network": network_npz,
    "task": task_json,
    "part of a study": part_json,
    "budget": settings_of(BudgetSettings, task="voices", network="n.npz"),
    "optimize": settings_of(OptimizeSettings, task="voices", network="n.npz", max_loss=0.01),
    # The settings of the demo are numbers alone.
    **{name: settings_of(entry.study.settings) for name, entry in STUDIES.items() if entry.question and name != "demo"},
}


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    Path("canary-foreign.cir").write_text(FOREIGN)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_of_a_file_reaches_a_simulator(kind: str, room: Path) -> None:
    sound, read = KINDS[kind]()
    assert "canary" not in read(sound)
    places = list(leaves(sound))
    assert places
    reached = []
    for at in places:
        try:
            if "canary" in read(planted(sound, at)):
                reached.append(at)
        except (InputError, ToolkitError):
            continue
    assert not reached
    assert not (room / "canary").exists()


@pytest.mark.parametrize("field", ["text", "name"])
@pytest.mark.parametrize("role", OWN)
def test_ngspice_runs_nothing_of_a_model_file(role: str, field: str, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`cosim validate` with checksums that hold: what a stranger's model would do."""
    data, _ = model_json()
    data["plan"][role][field] += CANARY
    Path("evil.json").write_text(json.dumps(with_checksums(data)))
    assert run(["validate", "evil.json", "--samples", "8", "--conversions", "0", "--jobs", "1", "--quiet"]) == 2
    assert "subcircuit" in capsys.readouterr().err
    assert not (room / "canary").exists()
