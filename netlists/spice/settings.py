"""Settings of a deck: variables of ngspice, and compiled models (OSDI) that it loads before the deck."""

from __future__ import annotations

from collections.abc import Sequence

COMPILED = "osdi="
"""How a setting begins that names the file of a compiled model."""


def split(settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """Variables of ngspice, and files of compiled models, of the settings of a deck."""
    models = [s.removeprefix(COMPILED) for s in settings if s.startswith(COMPILED)]
    return [s for s in settings if not s.startswith(COMPILED)], models


def init_lines(settings: Sequence[str]) -> str:
    """Text of the ``.spiceinit`` that gives these settings."""
    variables, models = split(settings)
    return "".join([*(f"set {v}\n" for v in variables), *(f"osdi {m}\n" for m in models)])
