"""Where a task's data comes from, whose it is and what exactly was read."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from netlists.files import sha256_of


class Provenance(BaseModel):
    """Source of a task's data. ``str()`` gives one line for reports, ``model_dump()`` the parts.

    Attributes
    ----------
    source : str
        What the data is and who made it.
    version : str
        Version of the package or release that it was read from.
    licence : str
    sha256 : dict of str
        SHA-256 of what was read, by name.
    items : dict of int
        Sequences, or characters, of each split.
    synthetic : bool
        Whether a program made the data, rather than people.
    notes : str
        What else a reader of a figure must know.
    account : dict of int
        Files seen, taken and left, with the reason, where files were looked through.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str
    version: str
    licence: str
    sha256: dict[str, str]
    items: dict[str, int]
    synthetic: bool = False
    notes: str = ""
    account: dict[str, int] = {}

    def __str__(self) -> str:
        kind = "SYNTHETIC. " if self.synthetic else ""
        items = ", ".join(f"{n} {name}" for name, n in self.items.items())
        digests = "; ".join(f"{name} {digest}" for name, digest in self.sha256.items())
        notes = f" {self.notes}" if self.notes else ""
        return f"{kind}{self.source} Version {self.version}. Licence: {self.licence}. {items}.{notes} SHA-256: {digests}."


def listing_digest(digests: Mapping[str, str]) -> str:
    """One SHA-256 for many files: that of the lines ``sha256sum`` prints for them, ordered by name.

    Parameters
    ----------
    digests : mapping of str
        SHA-256 of each file, by its name.
    """
    return sha256_of("".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode())
