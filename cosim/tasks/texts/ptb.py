"""The Penn Treebank as characters, from the files of a local folder: its licence does not let it be handed on."""

from __future__ import annotations

from pathlib import Path

from cosim.tasks import CharacterTask, Provenance, local_folder
from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of

ENVIRONMENT = "NLADC_COSIM_PTB"
FILES = {"train": "train", "validation": "valid", "test": "test"}
"""Split and its word in the file names ``ptb.char.WORD.txt`` and ``ptb.WORD.txt``."""

LINES = {"train": 42068, "validation": 3370, "test": 3761}
"""Sentences of the standard split (sections 0-20, 21-22, 23-24 of the Wall Street Journal)."""

SOURCE = (
    "Penn Treebank, Wall Street Journal (M. Marcus, B. Santorini, M. A. Marcinkiewicz, Computational Linguistics 19 (1993) "
    "313-330), as T. Mikolov prepared it for language models: lower case, numbers as N, 10,000 words, the others <unk>."
)
LICENCE = "LDC User Agreement (Treebank-3, LDC99T42); not redistributable"
HOW = (
    "give a folder with ptb.char.train.txt, ptb.char.valid.txt and ptb.char.test.txt (or the same names without 'char.') by "
    f"`get_task('ptb', source=FOLDER)` or name it in the environment variable {ENVIRONMENT}; the text is Treebank-3 of the LDC"
)


def build_ptb(folder: Path | None = None) -> CharacterTask:
    """The standard split from ``folder``, or from the one that the environment variable names.

    ``ptb.char.*.txt`` have characters parted by spaces, with ``_`` for a space; ``ptb.*.txt`` have words. Both give the same
    task: one sentence a line, ended by a line end.

    Raises
    ------
    ToolkitError
        No folder, or files are missing.
    InputError
        A file is not text of the expected form.
    """
    folder = local_folder(folder, ENVIRONMENT, "task 'ptb'", HOW)
    by_character = (folder / "ptb.char.train.txt").exists()
    texts, digests, lines = {}, {}, {}
    for split, word in FILES.items():
        path = folder / f"ptb.{'char.' if by_character else ''}{word}.txt"
        try:
            raw = path.read_bytes()
            text = raw.decode("utf-8")
        except OSError as e:
            raise ToolkitError(f"task 'ptb': {path} cannot be read ({e.strerror}); {HOW}") from None
        except UnicodeDecodeError as e:
            raise InputError(f"{path}: is not text ({e})") from None
        sentences = [_characters(line, f"{path}, line {i}") if by_character else " ".join(line.split()) for i, line in _lines(text)]
        if not sentences:
            raise InputError(f"{path}: holds no sentence")
        texts[split] = "".join(f"{s}\n" for s in sentences)
        digests[path.name], lines[split] = sha256_of(raw), len(sentences)
    standard = "the standard split" if lines == LINES else f"NOT the standard split, which has {_counts(LINES)}"
    return CharacterTask.from_texts(
        "ptb",
        texts,
        Provenance(
            source=SOURCE,
            version="characters" if by_character else "words",
            licence=LICENCE,
            sha256=digests,
            items={split: len(text) for split, text in texts.items()},
            notes=f"Sentences: {_counts(lines)}; {standard}.",
        ),
    )


def _lines(text: str) -> list[tuple[int, str]]:
    return [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]


def _characters(line: str, where: str) -> str:
    tokens = line.split()
    if long := next((t for t in tokens if len(t) > 1), None):
        raise InputError(
            f"{where}: {long!r} is not a single character; ptb.char files have characters parted by spaces, _ for a space"
        )
    return "".join(tokens).replace("_", " ").strip()


def _counts(lines: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {split}" for split, n in lines.items())
