"""The studies by name, each imported when it is asked for, and their pages, made of the files in a study's folder alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netlists.errors import InputError
from netlists.files import read_json, read_text, sha256_of, write_text

if TYPE_CHECKING:
    from .page import Page
    from .study import Study


@dataclass(frozen=True)
class Entry:
    """Where a study is.

    Attributes
    ----------
    room : str
        Package with the modules ``page``, whose function ``page`` makes a `Page` of a folder, and ``run``, which has `STUDY`.
    question : str
        What `cosim study` says of it; empty: a command of its own runs it.
    command : str
        That command, if its name is another.
    """

    room: str
    question: str = ""
    command: str = ""

    @property
    def page(self) -> Callable[[Path], Page]:
        """Imports the function that makes the page of a folder."""
        found: Callable[[Path], Page] = import_module(f"{self.room}.page").page
        return found

    @property
    def study(self) -> Study:
        """Imports the study itself, with all that it simulates with."""
        found: Study = import_module(f"{self.room}.run").STUDY
        return found


SUMS = "SHA256SUMS"
"""Digests of summary and tables of a folder."""
STUDIES = {
    "demo": Entry(
        "cosim.studies.demo",
        "The main job: sigmoid and tanh ramps at 3, 4 and 5 bits, from the netlist to an LSTM's accuracy, with a report.",
    ),
    "models": Entry(
        "cosim.studies.models",
        "How far the ramp models can be trusted: held-out codes and chips at level macro, and what that misses of level sky130.",
    ),
    "nladc-calibration": Entry(
        "cosim.studies.calibration",
        "Ramps before and after bias calibration: as programmed, with stuck cells, with high programming error.",
    ),
    "vread": Entry(
        "cosim.studies.vread",
        "Read voltage from 0.15 to 0.25 V: a ramp made in memory follows it, one from a fixed reference does not.",
    ),
    "activations": Entry(
        "cosim.studies.activations",
        "Gallery of activations: compiled at 3 to 8 bits, and the 5-bit transfer curve of the nominal chip in ngspice.",
    ),
    "stuck": Entry(
        "cosim.studies.stuck",
        "Yield against cells stuck at OFF and the number of calibration cells, one-point calibration and trimming.",
    ),
    "kws-bits": Entry(
        "cosim.studies.kws_bits",
        "Accuracy of keyword spotting against bits, with and without weight noise and fitted chips, by training.",
    ),
    "kws-real": Entry(
        "cosim.studies.kws_real",
        "Published keyword networks on real speech: float, ideal ramps, parts of the circuit, whole chips, cost.",
    ),
    "lm-bits": Entry(
        "cosim.studies.lm_bits",
        "Bits per character of a language model against bits, with and without weight noise and fitted chips.",
    ),
    "lorenz": Entry(
        "cosim.studies.lorenz",
        "An almost-linear RNN reconstructs the Lorenz attractor: its invariants, in float and on ramps of few bits.",
    ),
    "learned-ramps": Entry(
        "cosim.studies.learned_ramps",
        "Ramps that are uniform, fitted to data, or learned with the network: accuracy against bits, and bits saved.",
    ),
    "cost": Entry(
        "cosim.studies.cost",
        "Energy, latency and area beside the published table; sweeps, and accuracy against energy.",
    ),
    "data-energy": Entry(
        "cosim.studies.data_energy",
        "Energy and time of an inference by its data: spread over the test set, what each measure saves, against SPICE.",
    ),
    "error-sources": Entry(
        "cosim.studies.error_sources",
        "What each error source alone does to a trained LSTM at 5, 4 and 3 bits, on the same test sequences.",
    ),
    "comparator": Entry("cosim.datasheet"),
    "opamp": Entry("cosim.datasheet"),
    "devices": Entry(
        "cosim.studies.devices",
        "Tables of measured cells: the device profile that they give, with errors and held-out checks; see `cosim device`.",
    ),
    "loop": Entry("cosim.loop"),
    "budget": Entry("cosim.budget"),
    "optimize": Entry("cosim.optimize"),
    "sensitivity": Entry(
        "cosim.studies.sensitivity",
        "What gradients through the circuit are good for: cells to trim first, yield, loss of chips, design search.",
    ),
    "ramp-sensitivity": Entry("cosim.sensitivity", command="sensitivity"),
    "network-sensitivity": Entry("cosim.sensitivity.network", command="sensitivity"),
    "sweep": Entry("cosim.sweep"),
    "compare": Entry("cosim.side_by_side"),
}
"""Every kind of results folder by the name in its summary."""


def load_study(name: str) -> Study:
    """Imports a study that `cosim study` runs.

    Raises
    ------
    InputError
        There is none of this name.
    """
    known = [n for n, entry in STUDIES.items() if entry.question]
    if name not in known:
        raise InputError(f"study={name!r}: unknown; there are {', '.join(known)}")
    return STUDIES[name].study


def write_report(folder: Path) -> Path:
    """Writes ``report.html`` from ``summary.json``, tables and ``pictures/`` in the same folder.

    Raises
    ------
    InputError
        If one of them is missing, or the folder is not a study's.
    """
    from .html import render

    folder = Path(folder)
    summary = read_json(folder / "summary.json", "study summary")
    name = summary.get("study") if isinstance(summary, dict) else None
    if name not in STUDIES:
        raise InputError(f"{folder / 'summary.json'}: study={name!r}: unknown; there are {', '.join(STUDIES)}")
    entry = STUDIES[name]
    # The pages of the other commands say in words of their own what they warn of.
    warnings = summary.get("warnings", ()) if entry.question or name in ("sweep", "compare") else ()
    text = render(entry.page(folder), folder, summary, command(summary), [*changed_files(folder), *warnings])
    return write_text(folder / "report.html", text)


def write_sums(folder: Path, names: Sequence[str]) -> None:
    """Writes the digests of a folder's files as ``sha256sum -c`` reads them."""
    write_text(folder / SUMS, "".join(f"{sha256_of(folder / name)}  {name}\n" for name in names))


def changed_files(folder: Path) -> list[str]:
    """Says of each file of a folder that it is not as it was written; nothing of a folder without digests, as older ones are.

    Raises
    ------
    InputError
        The digests cannot be read, or are of files elsewhere.
    """
    if not (folder / SUMS).exists():
        return []
    found = []
    for line in read_text(folder / SUMS, "digests of a study").splitlines():
        digest, _, name = line.partition("  ")
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise InputError(f"{folder / SUMS}: {name!r} is not in the folder")
        if not path.is_file() or sha256_of(path) != digest:
            found.append(f"{name}: is not as the study wrote it; see {SUMS}")
    return found


def command(summary: dict[str, Any]) -> str:
    """Names the command that makes a folder: the one of its summary, or that of the settings that differ from the defaults."""
    if "command" in summary:
        return str(summary["command"])
    name = summary["study"]
    if not STUDIES[name].question:
        return f"cosim {STUDIES[name].command or name}"
    # Older folders have no settings: of those only tasks were chosen.
    given = summary.get("settings", {"tasks": list(summary.get("tasks", ()))})
    standard = STUDIES[name].study.settings().as_dict()
    changes = {n: v for n, v in given.items() if n in standard and v != standard[n]}
    return f"cosim study {name}" + "".join(f" --set '{n}={json.dumps(v)}'" for n, v in changes.items())
