"""A fitted ramp as a PyTorch module: hardware codes forward, the activation's own slope backward (extra ``torch``)."""

from __future__ import annotations

import numpy as np
import torch

from characterization.ramp_model import RampDraw, RampModel
from netlists.errors import InputError

from .slopes import check_chip, slope_table


class _StraightThrough(torch.autograd.Function):
    """Forward: the staircase that was computed. Backward: the slope at the input (Bengio et al. 2013, arXiv 1308.3432)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, slope):
        return y.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[2])

    @staticmethod
    def backward(ctx, gradient):
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None


class RampActivation(torch.nn.Module):
    """The ramps of one drawn chip, in place of an activation function.

    Loading weights leaves the chip as it is, and a model's ``half()``, ``bfloat16()`` or ``to(dtype)`` its levels and slopes in
    double precision. It works under `torch.func.vmap`, and `torch.onnx.export` writes the staircase.

    Parameters
    ----------
    model : RampModel
    draw : RampDraw
        Chips that `RampModel.sample` drew, or `RampDraw.ideal`.
    chip : int

    Attributes
    ----------
    levels, values, offset, sigma, slope_at, slope : buffers, float64
        They move with ``.to(device)``; they are no part of the state dict, and nothing is trained.
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
            self.register_buffer(name, torch.tensor(np.array(value), dtype=torch.float64), persistent=False)

    def _apply(self, fn, recurse=True):
        """Moves to another device, as every module does; the numbers of the chip keep their precision."""
        exact = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, moved in self._buffers.items():
            if moved is not None and exact[name] is not None and moved.dtype != exact[name].dtype:
                self._buffers[name] = exact[name].to(moved.device)
        return self

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        # Files of before hold the chip that they were trained on.
        for name in self._buffers:
            state_dict.pop(prefix + name, None)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, x: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Activated values, shape and dtype of ``x`` (..., columns); of whole numbers in torch's default dtype, of NaN it is NaN.

        Parameters
        ----------
        noise : Tensor, optional
            Standard normal numbers of x's shape, one a conversion; None for conversions without noise.
        """
        if len(self.offset) not in (1, x.shape[-1]):
            raise InputError(f"x: has {x.shape[-1]} columns, the drawn chip {len(self.offset)}")
        if x.is_complex() or x.is_quantized:
            raise InputError(f"x: has type {x.dtype}; must be real numbers")
        if not x.is_floating_point():
            x = x.to(torch.get_default_dtype())
        exact = x.detach().double()
        seen = exact - self.offset
        levels = self.levels if noise is None else self.levels + noise.double()[..., None] * self.sigma
        if noise is None and not torch.onnx.is_in_onnx_export() and not torch.compiler.is_exporting():
            passed = torch.bucketize(seen, levels)
        else:
            passed = (seen[..., None] > levels).sum(dim=-1)
        lost = torch.isnan(seen if noise is None else seen + noise)
        y = torch.where(lost, torch.nan, self.values[passed.clamp(max=len(self.values) - 1)]).to(x.dtype)
        if not (torch.is_grad_enabled() and x.requires_grad):
            return y
        return _StraightThrough.apply(x, y, self._slope(exact).to(x.dtype))

    def _slope(self, x: torch.Tensor) -> torch.Tensor:
        """Slope at ``x``, interpolated linearly; NaN of NaN."""
        step = self.slope_at[1] - self.slope_at[0]
        position = ((x - self.slope_at[0]) / step).clamp(0, len(self.slope) - 1)
        left = torch.nan_to_num(position).floor().long().clamp(max=len(self.slope) - 2)
        part = position - left
        return self.slope[left] * (1 - part) + self.slope[left + 1] * part
