"""A design search in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosim.chip import describe_split_biases, describe_wire_losses

from .search import Row


def verdict(row: Row, tries: list[dict[str, Any]]) -> bool | None:
    """Whether SPICE confirmed a design; None: it was not simulated."""
    return next((t["confirmed"] for t in tries if t["trial"] == row["trial"]), None)


def describe(summary: Mapping[str, Any]) -> str:
    """A few lines for the terminal."""
    settings, shown = summary["settings"], {v["name"]: v for v in summary["variables"]}
    limit = f"{100 * settings['max_loss']:g} %"
    lines = [f"{summary['trials']} designs of {summary['designs']}, {summary['within']} within {limit} of floating point"]
    for t in summary["tries"]:
        predicted, confirmed = (100 * t["validation"][k]["loss"] for k in ("predicted", "confirmed"))
        verdict = "confirmed" if t["confirmed"] else "not confirmed"
        lines.append(f"trial {t['trial']}: predicted loss {predicted:+.2f} %, with SPICE ramps {confirmed:+.2f} %: {verdict}")
    for c in summary["compared"]:
        test = c["test"]["confirmed"]
        values = [f"{n} {value * shown[n]['shown']:.4g} {shown[n]['unit']}".rstrip() for n, value in c["point"].items()]
        lines += [
            f"{c['name']}: {', '.join(values)}",
            f"    {c['energy'] * 1e6:.3g} uJ, {c['latency'] * 1e6:.3g} us, {c['area'] * 1e6:.3g} mm2; test accuracy "
            f"{test['accuracy']:.4f}, float {test['exact']:.4f}, loss {100 * test['loss']:+.2f} % "
            f"({100 * test['low']:+.2f}..{100 * test['high']:+.2f})",
            *(f"    {line}" for line in describe_split_biases(summary["bias_rows"][c["name"]])),
            *(f"    {line}" for line in describe_wire_losses(summary["wires"][c["name"]])),
        ]
    return "\n".join(lines)
