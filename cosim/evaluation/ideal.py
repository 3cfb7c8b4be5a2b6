"""The hardware that drawn chips are held against: converters exactly as designed, on exact weights and inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from characterization.ramp_model import RampDraw, RampModel
from cosim.chip import CircuitRamp, Hardware, LinearAdc


def ideal_hardware(hardware: Hardware) -> Hardware:
    """The same converters exactly as designed, on exact weights and inputs, at the nominal conditions."""
    ramps = adc = None
    if hardware.ramps is not None:
        ramps = {a: None if r is None else _as_designed(r) for a, r in hardware.ramps.items()}
    if hardware.adc is not None:
        adc = LinearAdc(hardware.adc.bits, hardware.adc.x_max, table_bits=hardware.adc.table_bits)
    exact: dict[str, Any] = dict.fromkeys(
        ("arrays", "integrators", "columns", "pwm", "delta", "drift_time", "v_read", "temperature", "supply")
    )
    return replace(hardware, ramps=ramps, adc=adc, threshold_noise=0.0, **exact)


def _as_designed(ramp: RampDraw | RampModel | CircuitRamp) -> RampDraw:
    if isinstance(ramp, RampDraw):
        return RampDraw.ideal(ramp.activation, ramp.bits)
    # Its plan may place the output levels in another way than the activation does by default.
    program = ramp.plan.program() if isinstance(ramp, CircuitRamp) else ramp.program
    return RampDraw(ramp.activation, ramp.bits, program.x[None], np.zeros((1, 1)), np.zeros(()), program.values)


def converter_bits(hardware: Hardware) -> tuple[int, ...]:
    """Resolution of each converter that the hardware names; empty if activations are exact."""
    if hardware.bits is not None:
        return (hardware.bits,)
    if hardware.adc is not None:
        return (hardware.adc.bits,)
    return tuple(r.bits for r in (hardware.ramps or {}).values() if r is not None)
