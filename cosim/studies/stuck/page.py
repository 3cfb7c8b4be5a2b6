"""Page of the study of stuck cells."""

from __future__ import annotations

from pathlib import Path

from cosim.report import Page, page_of, percent, read_table
from netlists.files import read_json


def page(folder: Path) -> Page:
    """Makes the page of a folder from ``summary.json`` and ``yield.csv``."""
    s = read_json(folder / "summary.json", "study summary")
    table = read_table(folder, "yield.csv", ["calibration", "cells", "stuck_off_rate", "limit_lsb", "yield"])
    cells = 5 if 5 in set(table["cells"]) else int(table["cells"].iloc[0])

    def share(calibration: str, stuck: float, limit: float) -> str:
        use = (table["calibration"] == calibration) & (table["cells"] == cells) & (table["stuck_off_rate"] == stuck)
        return percent(float(table[use & (table["limit_lsb"] == limit)]["yield"].iloc[0]), 0)

    rates = sorted(table["stuck_off_rate"].unique())
    values = {"tight": table["limit_lsb"].min(), "loose": table["limit_lsb"].max(), "highest": rates[-1], "cells": cells}
    # The smallest rate above zero: cells stuck now and then.
    values |= {"rate": next((r for r in rates if r > 0), rates[0]), "calibrations": list(dict.fromkeys(table["calibration"]))}
    return page_of(Path(__file__), folder, s=s, share=share, **values)
