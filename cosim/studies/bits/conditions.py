"""What a network is evaluated on at one resolution: ideal ramps, weights with errors, fitted chips, and all of it together."""

from __future__ import annotations

from cosim.chip import Arrays, Hardware, PwmInputs
from cosim.training import HardwareAware
from netlists.technology import load_profile

from .models import Models, ramps
from .settings import BitsSettings

FLOAT = "float"
FLOAT_WEIGHTS = "float, weight noise"
IDEAL = "ideal ramps"
WEIGHTS = "ideal ramps, weight noise"
FITTED = "fitted chips"
FITTED_WEIGHTS = "fitted chips, weight noise"
ALL = "fitted chips, weight noise, pulse widths"

Conditions = dict[str, Hardware]


def float_conditions(settings: BitsSettings) -> Conditions:
    """Lists exact activations, on exact weights and on arrays with programming error and read noise."""
    return {FLOAT: Hardware(), FLOAT_WEIGHTS: Hardware(arrays=cells(settings))}


def conditions(settings: BitsSettings, models: Models, bits: int) -> Conditions:
    """Lists converters of one resolution; fitted chips have the spread of the ramp, and offset and noise of each comparator."""
    arrays, fitted = cells(settings), ramps(models, bits)
    return {
        IDEAL: Hardware(bits=bits),
        WEIGHTS: Hardware(bits=bits, arrays=arrays),
        FITTED: Hardware(ramps=fitted),
        FITTED_WEIGHTS: Hardware(ramps=fitted, arrays=arrays),
        ALL: Hardware(ramps=fitted, arrays=arrays, pwm=PwmInputs(settings.pwm_bits)),
        **{threshold(s): Hardware(bits=bits, threshold_noise=s) for s in settings.threshold_noise},
    }


def threshold(noise: float) -> str:
    """Names the condition with an error of each threshold of each column."""
    return f"ideal ramps, threshold noise {noise:g} LSB"


def training_hardware(settings: BitsSettings, models: Models, bits: int) -> HardwareAware:
    """Disturbs hardware-aware training with a fitted chip, pulse widths, noise of weights and thresholds."""
    hardware = Hardware(
        ramps=ramps(models, bits), pwm=PwmInputs(settings.pwm_bits), threshold_noise=settings.training_threshold_noise
    )
    return HardwareAware(hardware, settings.weight_noise)


def cells(settings: BitsSettings) -> Arrays:
    """Memristors of the profile."""
    return Arrays(load_profile(settings.profile))
