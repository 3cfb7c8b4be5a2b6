"""What an environment holds: each package with its size on disk, its licence, and what of this toolkit asks for it."""

import re
import sys
from importlib.metadata import Distribution, distributions, requires
from pathlib import Path


def size(package: Distribution) -> float:
    """Bytes of a package's files."""
    files = [Path(str(package.locate_file(f))) for f in package.files or ()]
    return sum(f.stat().st_size for f in files if f.is_file())


def licence(package: Distribution) -> str:
    """What a package says of its licence, in a few words."""
    said = package.metadata
    classes = [c.rpartition("::")[2].strip() for c in said.get_all("Classifier") or () if c.startswith("License")]
    return said.get("License-Expression") or ", ".join(classes) or (said.get("License") or "").splitlines()[0][:40]


def name_of(text: str) -> str:
    """The normal form of a package's name."""
    return re.split(r"[ ;<>=!~\[(]", text)[0].lower().replace("_", "-")


def main() -> None:
    """Prints the table, largest first."""
    ours = {name_of(r) for r in requires("nladc-cosim") or () if "extra ==" not in r}
    found = {name_of(d.metadata["Name"]): d for d in distributions()}
    needed = {n: {name_of(r) for r in d.requires or () if "extra ==" not in r} for n, d in found.items()}
    wanted = {"nladc-cosim"}
    while more := {r for n in wanted for r in needed.get(n, ()) if r in found} - wanted:
        wanted |= more
    rows = sorted(((size(found[n]), n) for n in wanted), reverse=True)
    print(f"{len(rows)} packages, {sum(s for s, _ in rows) / 1e6:.0f} MB, Python {sys.version.split()[0]}\n")
    print("| package | MB | needed by | licence |\n|---|---|---|---|")
    for bytes_, name in rows:
        by = "this toolkit" if name in ours else ", ".join(sorted(n for n in wanted if name in needed[n]))
        print(f"| {found[name].metadata['Name']} {found[name].version} | {bytes_ / 1e6:.1f} | {by} | {licence(found[name])} |")


if __name__ == "__main__":
    main()
