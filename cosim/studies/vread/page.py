"""Page of the study of the read voltage."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of, read_table
from netlists.files import read_json

from .settings import CALIBRATED_AT, FIXED, IN_MEMORY


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and ``figures.csv``."""
    s = read_json(folder / "summary.json", "study summary")
    figures = read_table(folder, "figures.csv", ["activation", "converter", "v_read", "max_inl_lsb", "gain"])
    name = s["settings"]["activations"][0]
    here = figures[figures["activation"] == name]

    def at(converter: str, v_read: float, column: str) -> str:
        return f"{here[(here['converter'] == converter) & (here['v_read'] == v_read)][column].iloc[0]:.3f}"

    low, high = here["v_read"].min(), here["v_read"].max()
    values = {"name": name, "low": low, "high": high, "at": at, "moving": IN_MEMORY, "fixed": FIXED}
    return page_of(Path(__file__), folder, s=s, calibrated_at=CALIBRATED_AT, **values)
