"""What a hardware is, in a few values: to tell whether work goes on under the same conditions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields, replace

from characterization.ramp_model import RampModel
from cosim.chip import CircuitRamp, Hardware, Ramp


def describe_hardware(hardware: Hardware) -> dict[str, str | float | int | None]:
    """Names what is often asked for by itself, and a digest of all other fields."""
    h = hardware
    # What is named by itself below is set to what any hardware may have.
    others = replace(h, ramps=None, threshold_noise=0.0, state_unit="float")
    # Every field, as networks of before have it, which had no delta inputs.
    said = [f.name for f in fields(others) if f.name != "delta" or others.delta is not None]
    text = f"Hardware({', '.join(f'{name}={getattr(others, name)!r}' for name in said)})"
    return {
        "hardware_bits": h.bits,
        "hardware_ramps": None if h.ramps is None else ", ".join(f"{k}: {_describe(r)}" for k, r in sorted(h.ramps.items())),
        "hardware_state_unit": h.state_unit,
        "hardware_pwm_bits": None if h.pwm is None else h.pwm.bits,
        "hardware_others_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "threshold_noise": h.threshold_noise,
    }


def _describe(ramp: Ramp) -> str:
    if ramp is None:
        return "exact"
    if isinstance(ramp, RampModel):
        content = ramp.model_dump_json().encode()
    elif isinstance(ramp, CircuitRamp):
        content = json.dumps(asdict(ramp), sort_keys=True, default=str).encode()
    else:
        content = b"".join(
            a.tobytes() for a in (ramp.thresholds, ramp.column_offset, ramp.noise_sigma, ramp.values, ramp.shared_sigma)
        )
    return f"{type(ramp).__name__}, {ramp.bits} bits, sha256 {hashlib.sha256(content).hexdigest()[:16]}"
