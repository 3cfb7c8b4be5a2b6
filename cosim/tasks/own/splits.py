"""Training, validation and test: as lists or folders say, or by a hash of each file's name or of its speaker's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from netlists.errors import InputError

from .manifest import Item

SPLITTING = ("given", "hash", "speaker")
SPEAKER = r"^(?:.*/)?(?P<speaker>[^/]+?)_nohash_"
"""Speaker in a file's name, as Google Speech Commands has it."""


def split_items(
    items: Sequence[Item], how: str | None, *, test: float, validation: float, pattern: str | None = None
) -> tuple[list[Item], str]:
    """Every item with its split, and what was done, for the provenance.

    Parameters
    ----------
    how : {"given", "hash", "speaker"} or None
        None: as given where a list, a folder or a column says; else by speaker where a column names them; else by hash.
    test, validation : float
        Shares of the hashes. A file's split depends on its name (its speaker's) alone: more data moves none.
    pattern : str or None
        Regular expression with the speaker in its group, on names such as ``yes/0a1b_nohash_0.wav``; None: `SPEAKER`.

    Raises
    ------
    InputError
        Nothing says a split or a speaker; shares that leave nothing to train on.
    """
    given, named = all(i.split for i in items), all(i.speaker for i in items)
    if how is None:
        how = "given" if given else "speaker" if named or pattern else "hash"
    if how not in SPLITTING:
        raise InputError(f"split={how!r}: unknown; allowed are {', '.join(SPLITTING)}")
    if how == "given":
        if not given:
            raise InputError("split='given': no list, folder or column says which items test; split by 'hash' or 'speaker'")
        return list(items), "split as given"
    if not (0 < test <= 1 and 0 <= validation < 1 and test + validation <= 1):
        raise InputError(f"test={test:g}, validation={validation:g}: must be shares, test above 0, 1 at most together")

    def place(key: str) -> str:
        share = int.from_bytes(sha256(key.encode()).digest()[:8], "big") / 2**64
        return "test" if share < test else "validation" if share < test + validation else "train"

    shares = f"{100 * test:g} % test, {100 * validation:g} % validation"
    if how == "hash":
        return [replace(i, split=place(i.name)) for i in items], f"split by the SHA-256 of each file's name, {shares}"
    with_speaker = [i if i.speaker else replace(i, speaker=_speaker(i.name, pattern or SPEAKER)) for i in items]
    count = len({i.speaker for i in with_speaker})
    out = [replace(i, split=place(str(i.speaker))) for i in with_speaker]
    return out, f"split by the SHA-256 of each of {count} speakers, {shares}; no speaker on two sides"


def _speaker(name: str, pattern: str) -> str:
    try:
        found = re.search(pattern, name)
    except re.error as e:
        raise InputError(f"speaker_pattern={pattern!r}: is not a regular expression ({e})") from None
    if not found or not found.groups():
        raise InputError(f"speaker_pattern={pattern!r}: finds no speaker in {name!r}; a group in it must match the speaker")
    return found.group("speaker") if "speaker" in found.groupdict() else found.group(1)
