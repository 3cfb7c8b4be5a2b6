"""Text in the manner of the Penn Treebank's language modelling files, and splits by document."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

ABBREVIATIONS = ("Mr", "Mrs", "Ms", "Dr", "Messrs", "Gen", "Hon", "St", "Sen", "Gov", "Rev", "Jr", "Sr")
"""Words whose full stop is their own and ends no sentence; single capitals are others."""

_NOT_AFTER = "".join(rf"(?<!\b{word}\.)" for word in (*ABBREVIATIONS, "[A-Z]"))
_SENTENCE_END = re.compile(rf"""(?:(?<=[.?!])|(?<=[.?!]["')\]])){_NOT_AFTER}\s+(?=["'(\[]*[A-Z0-9$])""")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(rf"(?:[a-z]\.){{2,}}|\b(?:{'|'.join(ABBREVIATIONS).lower()})\.|[a-zN]+(?:['-][a-zN]+)*|[$&]")


def normalise(text: str) -> str:
    """Lower case, one sentence a line, each number as ``N``, and of the punctuation only what belongs to a word.

    What stays: a-z, N, space, line end, ``$``, ``&``, apostrophes and hyphens inside words, full stops of abbreviations (mr.,
    u.s.). Rare words stay too; the Penn Treebank's files have <unk> for them, which no character model needs.
    """
    text = re.sub("[‒–—]|--+", " ", re.sub("[‐‑]", "-", re.sub("[‘’]", "'", text)))
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    sentences = (" ".join(_WORD.findall(_NUMBER.sub("N", s.lower()))) for s in _SENTENCE_END.split(text))
    return "".join(f"{s}\n" for s in sentences if s)


def split_documents(documents: Sequence[str]) -> dict[str, str]:
    """Whole documents to each side: of every twenty the tenth is validation and the twentieth test, the others are training."""
    sides: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for i, document in enumerate(documents):
        sides[{9: "validation", 19: "test"}.get(i % 20, "train")].append(document)
    return {side: "".join(parts) for side, parts in sides.items()}
