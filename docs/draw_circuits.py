"""Draw the pictures of docs/circuits.md, refresh the tables that it links to: ``python docs/draw_circuits.py``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import block_drawings as blocks
import circuit_tables
import matplotlib.pyplot as plt
import schemdraw
import transistor_drawings as transistors

from netlists.files import write_atomic

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
PAGES = (ROOT / "netlists" / "circuits" / "README.md", ROOT / "results" / "blocks" / "README.md")
"""Those with tables: what the code says, and what was measured."""
# Words stay words in the SVG files, and the same picture gives the same file.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "circuits"}

PICTURES: dict[str, Callable[[schemdraw.Drawing], None]] = {
    "converter": blocks.converter,
    "ramp_cells": blocks.ramp_cells,
    "integrator_macro": blocks.integrator,
    "opamp_macro": blocks.opamp,
    "ota_sky130": transistors.ota,
    "integrator_sky130": transistors.integrator,
    "comparator_macro": blocks.comparator,
    "comparator_sky130": transistors.comparator,
    "strongarm_sky130": transistors.strongarm,
    "latch_macro": blocks.latch,
    "counter_macro": blocks.counter,
    "cell_access": transistors.access,
    "crossbar": blocks.crossbar,
    "reduction": blocks.reduction,
    "pwm_drivers": blocks.pwm_drivers,
    "tile": blocks.tile,
}


def draw(name: str, folder: Path) -> None:
    """One picture as SVG and PNG on white."""
    with matplotlib.rc_context(STYLE):
        with schemdraw.Drawing(show=False, fontsize=11) as d:
            PICTURES[name](d)
        figure = d.draw(show=False).getfig()
        for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
            save = partial(
                figure.savefig,
                format=suffix[1:],
                dpi=110,
                bbox_inches="tight",
                pad_inches=0.1,
                facecolor="white",
                metadata=metadata,
            )
            write_atomic(folder / f"{name}{suffix}", save)
        plt.close(figure)


def main() -> None:
    """Write every picture and every table."""
    for name in PICTURES:
        draw(name, FOLDER / "pictures")
    for page in PAGES:
        refreshed = circuit_tables.refresh(page.read_text())
        write_atomic(page, partial(Path.write_text, data=refreshed))


if __name__ == "__main__":
    main()
