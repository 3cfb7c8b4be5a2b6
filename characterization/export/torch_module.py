"""A fitted ramp as a PyTorch module: hardware codes forward, the activation's own slope backward (extra ``torch``)."""

from __future__ import annotations

import numpy as np
import torch

from characterization.ramp_model import RampDraw, RampModel
from netlists.errors import InputError

from .slopes import check_chip, slope_table


class _StraightThrough(torch.autograd.Function):
    """Forward: the staircase that was computed. Backward: the slope at the input (Bengio et al. 2013, arXiv 1308.3432)."""

    @staticmethod
    def forward(ctx, x, y, slope):
        ctx.save_for_backward(slope)
        return y

    @staticmethod
    def backward(ctx, gradient):
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None


class RampActivation(torch.nn.Module):
    """The ramps of one drawn chip, in place of an activation function.

    Parameters
    ----------
    model : RampModel
    draw : RampDraw
        Chips that `RampModel.sample` drew, or `RampDraw.ideal`.
    chip : int

    Attributes
    ----------
    levels, values, offset, sigma, slope_at, slope : buffers, float64
        They move with ``.to(device)`` and are part of the state dict; nothing is trained.
    """

    def __init__(self, model: RampModel, draw: RampDraw, chip: int = 0) -> None:
        super().__init__()
        check_chip(model, draw, chip)
        at, slope = slope_table(model)
        levels, sigma = draw.rising(chip)
        buffers = {
            "levels": levels,
            "values": draw.values,
            "offset": draw.column_offset[chip],
            "sigma": sigma,
            "slope_at": at,
            "slope": slope,
        }
        for name, value in buffers.items():
            self.register_buffer(name, torch.tensor(np.array(value), dtype=torch.float64))

    def forward(self, x: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Activated values, shape and dtype of ``x`` (..., columns).

        Parameters
        ----------
        noise : Tensor, optional
            Standard normal numbers of x's shape, one a conversion; None for conversions without noise.
        """
        if len(self.offset) not in (1, x.shape[-1]):
            raise InputError(f"x: has {x.shape[-1]} columns, the drawn chip {len(self.offset)}")
        seen = x.detach().double() - self.offset
        if noise is None:
            passed = torch.searchsorted(self.levels, seen)
        else:
            passed = (seen[..., None] > self.levels + noise.double()[..., None] * self.sigma).sum(dim=-1)
        y = self.values[passed].to(x.dtype)
        return _StraightThrough.apply(x, y, self._slope(x.detach().double()).to(x.dtype))

    def _slope(self, x: torch.Tensor) -> torch.Tensor:
        """Slope at ``x``, interpolated linearly."""
        step = self.slope_at[1] - self.slope_at[0]
        position = ((x - self.slope_at[0]) / step).clamp(0, len(self.slope) - 1)
        left = position.floor().long().clamp(max=len(self.slope) - 2)
        part = position - left
        return self.slope[left] * (1 - part) + self.slope[left + 1] * part
