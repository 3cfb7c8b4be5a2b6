"""Text as character numbers, for language models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netlists.errors import InputError
from netlists.files import sha256_of

from .provenance import Provenance

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class CharacterTask:
    """A language modelling task: predict each character from those before it. Arrays are copied and made read-only.

    Attributes
    ----------
    name : str
    alphabet : str
        The characters; character number i is ``alphabet[i]``. At most 256, all different.
    train, validation, test : ndarray of uint8 (characters,)
        Each split as one running text.
    provenance : Provenance
    metric : str
        What a network is judged by: "bits per character", the mean of -log2 p(next character).

    Raises
    ------
    InputError
        An alphabet with doubles or too many characters; a split that is not a list of whole numbers, is too short to predict
        anything, or has numbers outside the alphabet.
    """

    name: str
    alphabet: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    provenance: Provenance
    metric: str = "bits per character"

    def __post_init__(self) -> None:
        n = len(self.alphabet)
        if len(set(self.alphabet)) != n or not 2 <= n <= 256:
            raise InputError(f"task {self.name}: alphabet={self.alphabet!r}: must be 2..256 characters, all different")
        for split in SPLITS:
            ids = np.asarray(getattr(self, split))
            if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
                raise InputError(
                    f"task {self.name}: {split} has shape {ids.shape} and type {ids.dtype}, must be (characters,) of whole numbers"
                )
            if len(ids) < 2:
                raise InputError(f"task {self.name}: {split} has {len(ids)} characters, predicting needs at least 2")
            if len(bad := np.flatnonzero((ids < 0) | (ids >= n))):
                raise InputError(f"task {self.name}: {split}[{bad[0]}]={ids[bad[0]]}: must be 0..{n - 1}, a place in the alphabet")
            ids = ids.astype(np.uint8)
            ids.flags.writeable = False
            object.__setattr__(self, split, ids)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(getattr(self, split)):,} {split}" for split in SPLITS)
        return f"CharacterTask({self.name}, {len(self.alphabet)} characters, {sizes})"

    @cached_property
    def sha256(self) -> str:
        """Digest of the alphabet and the texts."""
        return sha256_of(self.alphabet.encode() + b"".join(s.encode() + getattr(self, s).tobytes() for s in SPLITS))

    @property
    def train_sha256(self) -> str:
        """Digest of the alphabet and the training text."""
        return sha256_of(self.alphabet.encode() + self.train.tobytes())

    @classmethod
    def from_texts(cls, name: str, texts: dict[str, str], provenance: Provenance) -> CharacterTask:
        """Numbers the characters of three texts ("train", "validation", "test") by the sorted alphabet of the first.

        Raises
        ------
        InputError
            A text is empty, or holds a character that the training text lacks.
        """
        alphabet = "".join(sorted(set(texts["train"])))
        train, validation, test = (encode(texts[s], alphabet, f"task {name}: {s}") for s in SPLITS)
        return cls(name, alphabet, train, validation, test, provenance)

    def shortened(self, train: int = 0, validation: int = 0, test: int = 0) -> CharacterTask:
        """The start of each text, so many characters of it; 0 takes all.

        Raises
        ------
        InputError
            A text has fewer characters than are asked for, named ``train_characters`` etc.
        """
        texts = {}
        for split, asked in zip(SPLITS, (train, validation, test), strict=True):
            text = getattr(self, split)
            if asked > len(text):
                raise InputError(f"{split}_characters={asked}: the {split} text of task {self.name!r} has {len(text)}; 0 takes all")
            texts[split] = text[: asked or len(text)]
        return CharacterTask(self.name, self.alphabet, **texts, provenance=self.provenance)

    def decode(self, ids: np.ndarray) -> str:
        """The text of character numbers."""
        return "".join(self.alphabet[i] for i in ids)


def encode(text: str, alphabet: str, what: str = "text") -> np.ndarray:
    """Character numbers of a text, ndarray of uint8 (characters,); `InputError` names a character that the alphabet lacks."""
    codes, known = (np.frombuffer(t.encode("utf-32-le", "surrogatepass"), dtype="<u4") for t in (text, alphabet))
    table = np.full(max(codes.max(initial=0), known.max(initial=0)) + 1, -1, dtype=np.int16)
    table[known] = np.arange(len(known))
    ids = table[codes]
    if len(bad := np.flatnonzero(ids < 0)):
        raise InputError(f"{what}: character {bad[0]} is {text[bad[0]]!r}, which is not in the alphabet {alphabet!r}")
    return ids.astype(np.uint8)
