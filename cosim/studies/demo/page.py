"""Page of the demo, which has a template of its own."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page
from netlists.technology import RampCircuit


def page(folder: Path) -> Page:
    """Makes the page of a folder; all of its numbers are in ``summary.json``."""
    return Page("From netlist to accuracy", "", template="demo.html.j2", values={"parameters": RampCircuit.describe()})
