"""Table of the study of stuck cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from characterization.estimates import proportion_interval


def yield_row(worst: np.ndarray, limit: float) -> dict[str, Any]:
    """Counts chips (n,) with max |INL| at or below the limit, their share and its Clopper-Pearson interval; NaN does not pass."""
    passed = int(np.sum(worst <= limit))
    low, high = proportion_interval(passed, len(worst))
    good = worst[np.isfinite(worst)]
    return {
        "limit_lsb": limit,
        "passed": passed,
        "chips": len(worst),
        "yield": passed / len(worst),
        "low": low,
        "high": high,
        "median_max_inl_lsb": float(np.median(good)) if len(good) else None,
    }
