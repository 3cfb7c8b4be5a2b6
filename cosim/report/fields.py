"""Lists of settings that several studies have."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, TypeVar

from pydantic import AfterValidator

T = TypeVar("T", bound=Hashable)


def distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    """Returns the values, each of which must be there once: what a study computes has its name from them.

    Raises
    ------
    ValueError
        One is repeated.
    """
    if repeated := [v for i, v in enumerate(values) if v in values[:i]]:
        raise ValueError(f"{repeated[0]!r} is there twice: give each value once")
    return values


Words = Annotated[tuple[str, ...], AfterValidator(distinct)]
Numbers = Annotated[tuple[float, ...], AfterValidator(distinct)]
Counts = Annotated[tuple[int, ...], AfterValidator(distinct)]
