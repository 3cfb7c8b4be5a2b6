"""Device profiles written as the TOML files that `load_profile` reads, with their sources."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from netlists.files import write_text

from .profile import DeviceProfile

_PER_LINE = 12
"""Numbers in a line of a long list."""


def write_profile(profile: DeviceProfile, path: Path, about: str = "") -> Path:
    """Writes a profile that `load_profile` reads back equal; ``about`` becomes a comment above it."""
    lines = [f"# {line}" for line in about.splitlines()]
    for f in fields(DeviceProfile):
        value = getattr(profile, f.name)
        if f.name != "source" and (value != f.default or f.name in ("stuck_off_rate", "stuck_on_rate")):
            lines.append(f"{f.name} = {_toml(value)}")
    lines += ["", "[source]", *(f"{name} = {_toml(text)}" for name, text in profile.source.items())]
    return write_text(Path(path), "\n".join(lines) + "\n")


def _toml(value: Any) -> str:
    """A value as TOML has it, lists of lists a row a line."""
    if not isinstance(value, tuple):
        # JSON's text and booleans are TOML's; Python writes a float so that it is read back to the bit.
        return repr(value) if isinstance(value, float) else json.dumps(value)
    if not any(isinstance(v, tuple) for v in value):
        return f"[{', '.join(map(_toml, value))}]"
    return "[\n" + "".join(f"    {_folded(row)},\n" for row in value) + "]"


def _folded(row: tuple[Any, ...]) -> str:
    """A row of a table; a long list in it over several lines."""
    parts = []
    for v in row:
        text = _toml(v)
        if isinstance(v, tuple) and len(v) > _PER_LINE:
            groups = [", ".join(map(_toml, v[i : i + _PER_LINE])) for i in range(0, len(v), _PER_LINE)]
            text = "[\n        " + ",\n        ".join(groups) + ",\n    ]"
        parts.append(text)
    return f"[{', '.join(parts)}]"
