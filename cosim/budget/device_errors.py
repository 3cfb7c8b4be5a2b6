"""The device profile with the sources of a budget that sit in memristors, of weight arrays and ramp columns alike."""

from __future__ import annotations

from dataclasses import replace

from netlists.technology import DeviceProfile

from .sources import Amounts, mean_relaxation, relaxation_data


def budget_profile(profile: DeviceProfile, amounts: Amounts) -> DeviceProfile:
    """The device profile with the statistics of a budget: programming error, read noise, relaxation and stuck cells.

    The write-verify window grows and shrinks with the sigma. Stuck cells are of the profile's kinds in its proportions; where it
    has none they are OFF.
    """
    sigma = amounts.get("programming", 0.0)
    out = replace(
        profile.without_variation(),
        program_sigma=sigma,
        program_window=profile.program_window * sigma / profile.program_sigma if sigma else 0.0,
        read_sigma=amounts.get("read_noise", 0.0),
    )
    out = _with_stuck(out, profile, amounts.get("stuck", 0.0))
    amount = amounts.get("relaxation", 0.0)
    return out if amount == 0 else _relaxing(out, profile, amount)


def _with_stuck(out: DeviceProfile, profile: DeviceProfile, amount: float) -> DeviceProfile:
    off, on, own = profile.stuck_off_rate, profile.stuck_on_rate, profile.stuck_rate
    if not off + on + own:
        return replace(out, stuck_off_rate=amount)
    k = amount / (off + on + own)
    return replace(out, stuck_off_rate=k * off, stuck_on_rate=k * on, stuck_rate=k * own)


def _relaxing(out: DeviceProfile, profile: DeviceProfile, amount: float) -> DeviceProfile:
    """With relaxation of a mean rms of ``amount`` siemens over the range.

    Its dependence on the state is the profile's own. Where that has no data, it is the stand-in's at the same part of the largest
    conductance (assumption).
    """
    data = relaxation_data(profile)
    fit = profile.fit_conductance or profile.g_max
    # The same polynomial of G / fit_conductance: each power takes the ratio of the two conductances that G is divided by.
    ratio = fit / data.fit_conductance * data.g_max / profile.g_max

    def scaled(rows: tuple[tuple[float, ...], ...], factor: float) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(factor * c * ratio**i for i, c in enumerate(row)) for row in rows)

    found = replace(
        out,
        fit_conductance=fit,
        relaxation_times=data.relaxation_times,
        relaxation_sigma_fit=scaled(data.relaxation_sigma_fit, 1.0),
    )
    scale = amount / mean_relaxation(found)
    spread, mean = scaled(data.relaxation_sigma_fit, scale), scaled(data.relaxation_mean_fit, scale)
    return replace(found, relaxation_sigma_fit=spread, relaxation_mean_fit=mean)
