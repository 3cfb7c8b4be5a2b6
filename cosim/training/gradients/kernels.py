"""Elementwise parts of the training, compiled: an LSTM's step forth and back, smoothed converters, and Adam's update.

One pass over memory each, without temporary arrays. Rows are sequences. Where numba cannot be used, cells compute their steps in
NumPy as they do for other activations, and slopes are SciPy's; what needs a form in NumPy of its own has it before it here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtr

from cosim.compiled import compiled, inlined

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_EXACT: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_FAR = 8.0
"""Noise widths from a threshold beyond which a converter's mean output is one of its values."""
_HALF, _DENSITY = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)
_BLOCK = 2**14
"""Numbers that NumPy updates together: their temporary arrays stay in a core's cache."""
_inline = inlined(error_model="numpy", fastmath={"contract"})


@_inline
def _tanh(x):
    """tanh in single precision within 2e-7: Lambert's continued fraction, seven terms, at x / 2, and the double-angle formula.

    The compiler makes vector instructions of it. From +-9 on tanh is 1 in single precision. NaN stays NaN.
    """
    x = np.float32(-9.0) if x < np.float32(-9.0) else x
    x = np.float32(9.0) if x > np.float32(9.0) else x
    h = np.float32(0.5) * x
    y = h * h
    n = h * (np.float32(135135) + y * (np.float32(17325) + y * (np.float32(378) + y)))
    d = np.float32(135135) + y * (np.float32(62370) + y * (np.float32(3150) + y * np.float32(28)))
    return np.float32(2) * n * d / (d * d + n * n)


@_inline
def _sigmoid(x):
    return np.float32(0.5) + np.float32(0.5) * _tanh(np.float32(0.5) * x)


@compiled(**_OPTIONS)
def lstm_forward(gates, c, c_before, tanh_c, h):
    """One step of LSTMs with the textbook's activations, single precision.

    Parameters
    ----------
    gates : ndarray (sequences, 4 * hidden)
        Pre-activations of i, f, a, o; replaced by the gates.
    c : ndarray (sequences, hidden)
        Replaced by the next c.
    c_before, tanh_c, h : ndarrays (sequences, hidden)
        Written: c as it was, tanh of the next c, and o times that.
    """
    rows, n = c.shape
    for b in range(rows):
        gi, gf, ga, go = gates[b, :n], gates[b, n : 2 * n], gates[b, 2 * n : 3 * n], gates[b, 3 * n :]
        cb, before, tc, hb = c[b], c_before[b], tanh_c[b], h[b]
        for j in range(n):
            i, f, a, o = _sigmoid(gi[j]), _sigmoid(gf[j]), _tanh(ga[j]), _sigmoid(go[j])
            gi[j], gf[j], ga[j], go[j] = i, f, a, o
            before[j] = cb[j]
            new = f * cb[j] + i * a
            cb[j] = new
            t = _tanh(new)
            tc[j] = t
            hb[j] = o * t


@compiled(**_OPTIONS)
def lstm_backward(gates, c_before, tanh_c, d_h, d_c):
    """The gradients through that step.

    Parameters
    ----------
    gates : ndarray (sequences, 4 * hidden)
        Replaced by the gradient in the pre-activations.
    c_before, tanh_c : ndarrays (sequences, hidden)
    d_h : ndarray (sequences, hidden)
        Gradient in o tanh(c).
    d_c : ndarray (sequences, hidden)
        Gradient in the next c from later steps; replaced by that in c before the step.
    """
    rows, n = d_c.shape
    one = np.float32(1.0)
    for b in range(rows):
        gi, gf, ga, go = gates[b, :n], gates[b, n : 2 * n], gates[b, 2 * n : 3 * n], gates[b, 3 * n :]
        before, tc, dh, dc = c_before[b], tanh_c[b], d_h[b], d_c[b]
        for j in range(n):
            i, f, a, o, t, g = gi[j], gf[j], ga[j], go[j], tc[j], dh[j]
            d = dc[j] + g * o * (one - t * t)
            gi[j] = d * a * i * (one - i)
            gf[j] = d * before[j] * f * (one - f)
            ga[j] = d * i * (one - a * a)
            go[j] = g * t * o * (one - o)
            dc[j] = d * f


def _normalized(x, thresholds, widths, k):
    """Distances (rows, columns) from the thresholds of a level in noise widths, cut off at `_FAR`; whether within; the widths."""
    u = (x - thresholds[:, k]) / widths[:, k]
    near = np.abs(u) < _FAR
    return np.clip(u, -_FAR, _FAR), near, widths[:, k]


def _smooth_outputs_in_numpy(x, thresholds, widths, values, y, slope):
    """As `smooth_outputs`, within the rounding of double precision, level by level."""
    y[:], slope[:] = values[:, 0], 0.0
    for k in range(thresholds.shape[1]):
        u, near, width = _normalized(x, thresholds, widths, k)
        step = values[:, k + 1] - values[:, k]
        y += step * np.where(near, ndtr(u), u > 0)
        slope += step * _DENSITY / width * np.where(near, np.exp(-0.5 * u * u), 0.0)


@compiled(otherwise=_smooth_outputs_in_numpy, **_EXACT)
def smooth_outputs(x, thresholds, widths, values, y, slope):
    """Mean outputs of converters with Gaussian noise and their slopes; see `smooth.SmoothBank`.

    Parameters
    ----------
    x, y, slope : ndarray (rows, columns)
        Pre-activations; outputs and slopes, written.
    thresholds, widths : ndarray (columns, levels)
    values : ndarray (columns, levels + 1)
    """
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            out, d = values[j, 0], 0.0
            for k in range(thresholds.shape[1]):
                u = (x[r, j] - thresholds[j, k]) / widths[j, k]
                step = values[j, k + 1] - values[j, k]
                if u > _FAR:
                    out += step
                elif u > -_FAR:
                    out += step * 0.5 * math.erfc(-u * _HALF)
                    d += step * _DENSITY * math.exp(-0.5 * u * u) / widths[j, k]
            y[r, j], slope[r, j] = out, d


def _smooth_threshold_gradients_in_numpy(x, d, thresholds, widths, steps, out):
    """As `smooth_threshold_gradients`, within the rounding of double precision, level by level."""
    for k in range(thresholds.shape[1]):
        u, near, width = _normalized(x, thresholds, widths, k)
        out[:, k] -= np.sum(d * np.where(near, np.exp(-0.5 * u * u), 0.0), axis=0) * steps[:, k] * _DENSITY / width


@compiled(otherwise=_smooth_threshold_gradients_in_numpy, **_EXACT)
def smooth_threshold_gradients(x, d, thresholds, widths, steps, out):
    """Adds to ``out`` (columns, levels) the gradients in the thresholds, from ``d`` (rows, columns) in the outputs."""
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            for k in range(thresholds.shape[1]):
                u = (x[r, j] - thresholds[j, k]) / widths[j, k]
                if -_FAR < u < _FAR:
                    out[j, k] -= d[r, j] * steps[j, k] * _DENSITY * math.exp(-0.5 * u * u) / widths[j, k]


@compiled(**_EXACT)
def keep_within(x, first, stop, values, low, high):
    """Replaces columns ``first`` to ``stop`` of x, (rows, columns), by ``values`` where they are between the ends, else by 0."""
    zero = x.dtype.type(0)
    for b in range(len(x)):
        xb, vb = x[b, first:stop], values[b]
        for j in range(len(vb)):
            xb[j] = vb[j] if low <= xb[j] <= high else zero


@compiled(**_EXACT)
def lstm_state(gates, c, c_before):
    """Next c of LSTMs whose gates i, f, a, o are known, (sequences, 4 * hidden); ``c_before`` is what c was.

    As NumPy rounds, after each operation.
    """
    rows, n = c.shape
    for b in range(rows):
        i, f, a, cb, before = gates[b, :n], gates[b, n : 2 * n], gates[b, 2 * n : 3 * n], c[b], c_before[b]
        for j in range(n):
            old = cb[j]
            before[j] = old
            cb[j] = f[j] * old + i[j] * a[j]


@compiled(**_EXACT)
def lstm_state_backward(gates, slopes, c_before, tanh_c, d_h, d_c):
    """As `lstm_backward`, with gates from anywhere: ``slopes``, of the gates, become the gradient in the pre-activations.

    As NumPy rounds, after each operation.
    """
    rows, n = d_c.shape
    one = d_c.dtype.type(1)
    for b in range(rows):
        gi, gf, ga, go = gates[b, :n], gates[b, n : 2 * n], gates[b, 2 * n : 3 * n], gates[b, 3 * n :]
        si, sf, sa, so = slopes[b, :n], slopes[b, n : 2 * n], slopes[b, 2 * n : 3 * n], slopes[b, 3 * n :]
        before, tc, dh, dc = c_before[b], tanh_c[b], d_h[b], d_c[b]
        for j in range(n):
            t, g = tc[j], dh[j]
            d = dc[j] + g * go[j] * (one - t * t)
            si[j] *= d * ga[j]
            sf[j] *= d * before[j]
            sa[j] *= d * gi[j]
            so[j] *= g * t
            dc[j] = d * gf[j]


def _adam_in_numpy(p, g, mean, square, scale, decay, coupled, rate, beta_mean, beta_square, mean_left, square_left, epsilon):
    """As `adam_update`, but for the last bit: compiled code rounds a product and a sum once."""
    one = p.dtype.type(1)
    for start in range(0, len(p), _BLOCK):
        some = slice(start, start + _BLOCK)
        now, m, v = p[some], mean[some], square[some]
        d = scale * g[some]
        if coupled:
            d += coupled * now
        m += (one - beta_mean) * (d - m)
        v += (one - beta_square) * (d * d - v)
        root = np.sqrt(v * square_left)
        root += epsilon
        now *= decay
        now -= rate * (m * mean_left) / root


@compiled(otherwise=_adam_in_numpy, **_OPTIONS)
def adam_update(p, g, mean, square, scale, decay, coupled, rate, beta_mean, beta_square, mean_left, square_left, epsilon):
    """Adam on flat arrays of one type, in place; every number has that type.

    Parameters
    ----------
    scale : float
        Factor on the gradient.
    decay, coupled : float
        Factor on the parameters before the step, and share of the parameters that is added to the gradient.
    mean_left, square_left : float
        1 / (1 - beta ** steps), which makes up for starting at 0.
    """
    one = p.dtype.type(1)
    for i in range(len(p)):
        d = scale * g[i] + coupled * p[i]
        m = mean[i] + (one - beta_mean) * (d - mean[i])
        v = square[i] + (one - beta_square) * (d * d - square[i])
        mean[i] = m
        square[i] = v
        p[i] = decay * p[i] - rate * (m * mean_left) / (np.sqrt(v * square_left) + epsilon)
