"""The log of a run: plain text, one line an event, appended to by every start of the same run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path


class RunLog:
    """``run.log`` in a run's folder: starts and stops with versions, samples that failed, workers that were replaced.

    What the log says is also in the manifest and the tables: a log that cannot be written does not stop a run.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.log"

    def add(self, text: str) -> None:
        """Append an event; lines after its first are indented."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(OSError), open(self.path, "a", encoding="utf-8", errors="backslashreplace") as f:
            f.write(f"{now}  {text.rstrip()}".replace("\n", "\n    ") + "\n")

    def start(self, what: str, versions: Mapping[str, str | None], before: Mapping[str, str | None]) -> None:
        """Note a start, and which versions are not those that the run began with."""
        self.add(f"start: {what}; " + ", ".join(f"{name} {v}" for name, v in versions.items() if v))
        changed = [f"{name} {before.get(name)} -> {v}" for name, v in versions.items() if before.get(name) != v]
        if changed:
            self.add(f"versions differ from those of the first start: {', '.join(changed)}")
