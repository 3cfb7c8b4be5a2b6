"""A fitted ramp as a plain function on JAX arrays, differentiable straight through (extra ``jax``)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from characterization.ramp_model import RampDraw, RampModel
from netlists.errors import InputError

from .slopes import check_chip, slope_table


def ramp_function(model: RampModel, draw: RampDraw, chip: int = 0) -> Callable[..., jax.Array]:
    """The ramps of one drawn chip as ``f(x, noise=None)``.

    ``x`` (..., columns) in input units, ``noise`` standard normal numbers of its shape, one a conversion. Forward it is the
    converter's staircase, backward the slope of the activation (Bengio et al. 2013, arXiv 1308.3432). It works under `jax.jit`,
    `jax.grad` and `jax.vmap`; NaN stays NaN, whole numbers are inputs too. JAX computes in single precision unless
    ``jax_enable_x64`` is set: inputs closer to a level than that may fall on its other side.

    Raises
    ------
    InputError
        A chip that was not drawn, a draw of another activation, or, at call, the wrong number of columns.
    """
    check_chip(model, draw, chip)
    slope_at, slope = map(jnp.asarray, slope_table(model))
    levels, sigma = map(jnp.asarray, draw.rising(chip))
    values, offset = jnp.asarray(draw.values), jnp.asarray(draw.column_offset[chip])

    @jax.custom_vjp
    def staircase(x: jax.Array, noise: jax.Array) -> jax.Array:
        seen = x - offset
        passed = jnp.sum(seen[..., None] > levels + noise[..., None] * sigma, axis=-1)
        return jnp.where(jnp.isnan(seen + noise), jnp.nan, values[passed]).astype(x.dtype)

    def forward(x: jax.Array, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
        return staircase(x, noise), x

    def backward(x: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
        return (gradient * jnp.interp(x, slope_at, slope)).astype(x.dtype), jnp.zeros_like(x)

    staircase.defvjp(forward, backward)

    def convert(x: jax.Array, noise: jax.Array | None = None) -> jax.Array:
        x = jnp.asarray(x)
        if jnp.issubdtype(x.dtype, jnp.complexfloating):
            raise InputError(f"x: has type {x.dtype}; must be real numbers")
        # Whole numbers are inputs too, and half precision is kept: only the levels must not be rounded to it.
        if not jnp.issubdtype(x.dtype, jnp.floating):
            x = x.astype(levels.dtype)
        if len(offset) not in (1, x.shape[-1]):
            raise InputError(f"x: has {x.shape[-1]} columns, the drawn chip {len(offset)}")
        return staircase(x, jnp.zeros_like(x) if noise is None else jnp.asarray(noise))

    return convert
