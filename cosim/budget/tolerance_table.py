"""Tolerances of all sources of a budget, as tables: searched, fitted, with intervals, and in words where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cosim.report import RunOptions

from .bench import BudgetBench
from .sources import LARGEST_BITS, SMALLEST_BITS, ErrorSource, source
from .tolerance import Curve, search, tolerance


def tolerance_tables(
    bench: BudgetBench, limit: float, rng: np.random.Generator, run: RunOptions
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Amount of each source alone that loses ``limit``, and the losses that were tried."""
    none = bench.coalition(0).astype(np.float32)
    rows, tried = [], []
    for name in run.bar(bench.names, "source", "tolerances"):
        s, amount, largest = source(name), bench.amounts[name], bench.builder.largest(name)

        def loss(factor: float, s: ErrorSource = s, amount: float = amount, largest: float = largest) -> np.ndarray:
            # The largest amount over the amount, times the amount, may be a rounding error too large.
            return none - bench.alone(s.name, min(scaled_amount(s, amount, factor), largest))

        if s.resolution:
            bits = range(LARGEST_BITS, SMALLEST_BITS[name] - 1, -1)
            factors = 2.0 ** (amount - np.array(bits))
            curve = Curve(factors, np.array([loss(f) for f in factors], np.float32))
        else:
            curve = search(loss, limit, largest=largest / amount)
        rows.append({"source": name, "label": s.label} | _tolerated(s, amount, curve, limit, rng.spawn(1)[0]))
        for factor, mean, fit in zip(curve.factor, curve.mean, curve.fit, strict=True):
            tried.append(
                {
                    "source": name,
                    "label": s.label,
                    "factor": factor,
                    "amount": scaled_amount(s, amount, factor),
                    "loss": mean,
                    "fit": fit,
                }
            )
    return pd.DataFrame(rows), pd.DataFrame(tried)


def scaled_amount(s: ErrorSource, amount: float, factor: float) -> float:
    """A factor times the amount; of a resolution the step is that much larger, so that it has fewer bits."""
    return round(amount - np.log2(factor)) if s.resolution else amount * factor


def _tolerated(s: ErrorSource, amount: float, curve: Curve, limit: float, rng: np.random.Generator) -> dict[str, Any]:
    found = tolerance(curve, limit, rng)
    row: dict[str, Any] = {"amount": amount, "shown": s.display(amount)}
    largest = float(curve.factor[-1])
    row["reached"] = np.isfinite(found.factor) and found.factor > 0
    for name in ("factor", "low", "high"):
        f = getattr(found, name)
        row[name if name == "factor" else f"factor_{name}"] = f if 0 < f < np.inf else None
    for name, f in (("tolerance", found.factor), ("tolerance_low", found.low), ("tolerance_high", found.high)):
        row[name] = _amount_at(s, amount, f)
    row["text"] = _text(s, amount, curve, found.factor)
    ends = [_end(s, amount, f, curve) for f in (found.low, found.high)]
    # Fewer bits are the larger factor.
    row["interval"] = ends[0] if ends[0] == ends[1] else " to ".join(reversed(ends) if s.resolution else ends)
    row["largest_tried"] = scaled_amount(s, amount, largest)
    row["loss_at_largest"] = float(curve.mean[-1])
    row["loss_at_amount"] = float(curve.mean[int(np.argmin(np.abs(np.log(curve.factor))))])
    return row


def _amount_at(s: ErrorSource, amount: float, factor: float) -> float | None:
    """Amount at a factor; None beyond what was tried. Of a resolution the fewest whole bits that stay below."""
    if not 0 < factor < np.inf:
        return None
    return float(np.ceil(amount - np.log2(factor) - 1e-9)) if s.resolution else amount * factor


def _end(s: ErrorSource, amount: float, factor: float, curve: Curve) -> str:
    value = _amount_at(s, amount, factor)
    if value is not None:
        return s.display(value)
    edge = s.display(scaled_amount(s, amount, float(curve.factor[0] if factor == 0 else curve.factor[-1])))
    if s.resolution:
        return f"above {edge}" if factor == 0 else f"{edge} or fewer"
    return f"below {edge}" if factor == 0 else f"above {edge}"


def _text(s: ErrorSource, amount: float, curve: Curve, factor: float) -> str:
    if 0 < factor < np.inf:
        return _end(s, amount, factor, curve)
    if factor == 0:
        return f"passed at {s.display(scaled_amount(s, amount, float(curve.factor[0])))} already"
    return f"not reached up to {s.display(scaled_amount(s, amount, float(curve.factor[-1])))}"
