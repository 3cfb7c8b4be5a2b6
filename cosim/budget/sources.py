"""The error sources of a budget: how much of each a chip has by default, and where that figure comes from.

An amount is one number in SI units. It scales the whole source: 0 is as if the source were not there, twice the amount is twice the
error. Two sources are resolutions; their amount is a whole number of bits, and 0 again leaves them out.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from cosim.chip import Integrators
from netlists.converter import AutoZero
from netlists.errors import InputError
from netlists.outside import BlockFile, ComparatorMacro
from netlists.technology import MEASURED_STATISTICS, DeviceProfile, RampCircuit, load_profile, memristor
from netlists.technology.noise import OPAMP_NOISE, ROOM

Amounts = Mapping[str, float]
"""Amount of each source that is on, by its name."""

_AUTOZERO = AutoZero()
RELAXED = 3600.0
"""Seconds after programming at which relaxation is taken."""
RELAXING_PROFILE = "hfox-wan-1-40"
"""Its relaxation stands in, in proportion to the programming error, where a profile has no data."""
R_ACCESS = 819.0
"""On-resistance of an access transistor, ohm: SKY130 nfet_01v8, W = 1 um (public Hdl21 measurement)."""
SKY130_LEAK = 844.0
"""Decay of a held output, 1/s: transistor-level integrator (docs/compact_models.md, leak)."""
LARGEST_BITS, SMALLEST_BITS = 8, {"pwm_bits": 2, "ramp_bits": 1}


@dataclass(frozen=True)
class ErrorSource:
    """One error source.

    Attributes
    ----------
    name : str
    label : str
        For tables and pictures.
    unit : str
        Of the amount as it is shown; ``shown`` times the SI amount is in it.
    shown : float
    what : str
        What the amount is.
    origin : str
        Where the default comes from; assumptions are called so.
    random : bool
        Whether chips differ, or conversions are noisy.
    largest : float
        Largest amount that makes sense.
    """

    name: str
    label: str
    unit: str
    shown: float
    what: str
    origin: str
    random: bool
    largest: float = math.inf

    @property
    def resolution(self) -> bool:
        """Whether the amount is a number of bits."""
        return self.unit == "bits"

    def display(self, amount: float | None) -> str:
        """An amount with its unit, four significant digits."""
        return "-" if amount is None else f"{amount * self.shown:.4g} {self.unit}".rstrip()


SOURCES: tuple[ErrorSource, ...] = (
    ErrorSource("programming", "programming error", "uS", 1e6,
           "standard deviation of a written cell, or sigma before truncation where the profile has no measured law",
           "device profile (taox-100-400: ReADC, 64 devices x 7 targets)", True),
    ErrorSource("relaxation", "relaxation", "uS", 1e6, "rms change of a cell in the hour after programming, mean over the range",
           "profile's own data, or an assumption: in proportion to the programming error as HfOx of Wan et al. 2022", True),
    ErrorSource("read_noise", "read noise", "uS", 1e6, "rms of a cell from one conversion to the next",
           "device profile (taox-100-400: ReADC Fig. 3d)", True),
    ErrorSource("iv_curvature", "I-V curvature", "1/V^2", 1.0, "b of I = G (V + b V^3); cells spread from 0.6 to 1.5 times it",
           "device profile; spread from ReADC Fig. 3b, 0.3 to 0.75", True),
    ErrorSource("access", "access transistor", "ohm", 1.0, "on-resistance that write-verify has not seen",
           "assumption: a tenth of the 819 ohm of a SKY130 nfet_01v8 of 1 um", False),
    ErrorSource("ir_drop", "IR drop", "ohm", 1.0, "wire resistance of a cell along rows and columns",
           "NeuroSim V1.3: 0.3 to 2 ohm at 130 to 65 nm", False),
    ErrorSource("stuck", "stuck cells", "%", 100.0, "part of the cells that are stuck, at OFF where the profile has no rate",
           "device profile (taox-100-400: none of the 448 cells of ReADC)", True, 1.0),
    ErrorSource("integrator_gain", "integrator gain", "%", 100.0, "1/a0 of the op-amp", "SKY130 OTA, `cosim blocks`", False),
    ErrorSource("integrator_settling", "integrator settling", "ns", 1e9, "1/(2 pi gbw) of the op-amp; r_o/a0 goes with it",
           "SKY130 OTA, `cosim blocks`", False),
    ErrorSource("integrator_leak", "integrator leak", "1/s", 1.0, "decay of the held V_mac",
           "transistor-level integrator, docs/compact_models.md", False),
    ErrorSource("integrator_offset", "integrator offset", "mV", 1e3,
           "rms at a column's summing node: what auto-zero leaves, or the op-amps' offsets without it",
           "SKY130 op-amp and auto-zeroed integrator, foundry mismatch, `measure_autozero`", True),
    ErrorSource("ramp_offset", "ramp op-amp offset", "mV", 1e3, "sigma of the op-amp of a ramp, which calibration has seen",
           "SKY130 OTA, foundry mismatch, `cosim blocks`", True),
    ErrorSource("opamp_noise", "op-amp noise", "mV", 1e3, "rms of an op-amp at unity gain: the ramp's and a column's",
           "SKY130 OTA, .noise (`netlists.testbench.ota`)", True),
    ErrorSource("heat", "thermal noise", "K", 1.0, "temperature of the cells' thermal noise and of the resets' kT/C",
           "27 deg C", True, 1000.0),
    ErrorSource("comparator_offset", "comparator offset", "mV", 1e3, "sigma from column to column",
           "SKY130 comparator, foundry mismatch, `cosim blocks`", True),
    ErrorSource("comparator_noise", "comparator noise", "mV", 1e3, "rms of a decision",
           "SKY130 comparator, .noise, `cosim blocks`", True),
    ErrorSource("comparator_delay", "comparator delay", "ns", 1e9, "time constant; columns spread by 10 % (assumption)",
           "fit to the SKY130 comparator's delays, `cosim blocks`", True),
    ErrorSource("pwm_bits", "pulse widths", "bits", 1.0, "bits of an input or a state, sign included",
           "assumption: 5, as many as the ramp has", False),
    ErrorSource("ramp_bits", "ramp quantisation", "bits", 1.0, "bits of a conversion", "bits of the settings", False),
)  # fmt: skip
NAMES = tuple(s.name for s in SOURCES)
GROUPS: dict[str, tuple[str, ...]] = {
    "memristors": ("programming", "relaxation", "read_noise", "iv_curvature", "stuck"),
    "array": ("access", "ir_drop"),
    "integrator": (
        "integrator_gain",
        "integrator_settling",
        "integrator_leak",
        "integrator_offset",
        "ramp_offset",
        "opamp_noise",
        "heat",
    ),
    "comparator": ("comparator_offset", "comparator_noise", "comparator_delay"),
    "resolution": ("pwm_bits", "ramp_bits"),
}
"""Sources by the part of the circuit that they come from."""


def source(name: str) -> ErrorSource:
    """A source by its name.

    Raises
    ------
    InputError
        Unknown name.
    """
    for s in SOURCES:
        if s.name == name:
            return s
    raise InputError(f"source {name!r}: unknown; the sources are {', '.join(NAMES)}")


def default_amounts(
    profile: DeviceProfile, circuit: RampCircuit, bits: int, pwm_bits: int = 5, *, autozero: AutoZero | None = _AUTOZERO
) -> dict[str, float]:
    """Amount of every source; 0 for one that the device profile has no figure of."""
    return {
        "programming": profile.program_sigma,
        "relaxation": default_relaxation(profile),
        "read_noise": profile.read_sigma,
        "iv_curvature": profile.iv_curvature,
        "access": 0.1 * R_ACCESS,
        "ir_drop": 1.0,
        "stuck": profile.stuck_off_rate + profile.stuck_on_rate + profile.stuck_rate,
        "integrator_gain": 1 / circuit.a0,
        "integrator_settling": circuit.opamp_settling,
        "integrator_leak": SKY130_LEAK,
        "integrator_offset": Integrators.measured(autozero, circuit).offset_rms,
        "ramp_offset": MEASURED_STATISTICS["opamp_offset_sigma"],
        "opamp_noise": OPAMP_NOISE,
        "heat": ROOM,
        "comparator_offset": MEASURED_STATISTICS["comparator_offset_sigma"],
        "comparator_noise": MEASURED_STATISTICS["comparator_noise_sigma"],
        "comparator_delay": circuit.comparator_tau,
        "pwm_bits": float(pwm_bits),
        "ramp_bits": float(bits),
    }


def block_amounts(block: BlockFile) -> dict[str, float]:
    """Amounts of the sources of a comparator that was measured: offset and noise where they were, and its time constant.

    Raises
    ------
    InputError
        It is no comparator's.
    """
    if not isinstance(block.macro, ComparatorMacro):
        raise InputError(f"block file of the {block.role} {block.own.name}: must be a comparator's")
    measured = {name: block.statistics[name] for name in ("comparator_offset", "comparator_noise") if name in block.statistics}
    return {**measured, "comparator_delay": block.macro.tau}


def measured_comparator(path: str | Path, given: Container[str] = ()) -> tuple[dict[str, float], list[str]]:
    """Amounts of a comparator's block file (`block_amounts`), and a warning of those it lacks, if they are not ``given``."""
    block = BlockFile.load(Path(path))
    found = block_amounts(block)
    missing = [n for n in ("comparator_offset", "comparator_noise") if n not in found and n not in given]
    what = f"comparator {block.own.name}: {' and '.join(missing)}: not measured, so that of our comparator is taken"
    return found, [what] if missing else []


def check_amounts(amounts: Amounts, profile: DeviceProfile) -> None:
    """Raise `InputError` for an unknown source or an amount that cannot be; the message names the source."""
    for name, value in amounts.items():
        s = source(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            raise InputError(f"{name}={value!r}: must be a finite number, 0 or more ({s.what})")
        if s.resolution:
            low = SMALLEST_BITS[name]
            if value and (value != int(value) or not low <= value <= LARGEST_BITS):
                raise InputError(f"{name}={value:g}: must be a whole number of bits, {low}..{LARGEST_BITS}, or 0: left out")
        elif value > s.largest:
            raise InputError(f"{name}={value:g}: must be {s.largest:g} at most ({s.what})")
    if amounts.get("read_noise", 0) > 0 and profile.read_sigma == 0:
        raise InputError(f"read_noise: device profile {profile.name} has none, so its dependence on the state is not known")
    if amounts.get("programming", 0) > 0 and profile.program_sigma == 0:
        raise InputError(f"programming: device profile {profile.name} has no programming error and no window; take another profile")


def default_relaxation(profile: DeviceProfile) -> float:
    """Rms change of a cell within `RELAXED` seconds, siemens, mean over the conductance range."""
    own = relaxation_data(profile)
    if profile.relaxation_times:
        return mean_relaxation(own)
    standard = _stand_in()
    written = float(np.mean(standard.program_sigma_at(_range(standard))))
    here = float(np.mean(profile.program_sigma_at(_range(profile))))
    return mean_relaxation(standard) * here / written


@cache
def _stand_in() -> DeviceProfile:
    return load_profile(RELAXING_PROFILE)


def relaxation_data(profile: DeviceProfile) -> DeviceProfile:
    """The profile whose relaxation is used: itself, or the stand-in."""
    return profile if profile.relaxation_times else _stand_in()


def mean_relaxation(profile: DeviceProfile) -> float:
    """Mean over a profile's range of what a cell gains within `RELAXED` seconds, siemens."""
    g = _range(profile)
    times, fits = profile.relaxation_times, profile.relaxation_sigma_fit
    return float(np.mean(memristor.relaxation_sigma(g, RELAXED, times, fits, profile.fit_conductance)))


def _range(profile: DeviceProfile) -> np.ndarray:
    return np.linspace(profile.g_min, profile.g_max, 101)
