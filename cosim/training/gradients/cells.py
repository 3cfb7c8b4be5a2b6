"""One step forth and one step back of each cell; the forward equations are those of `cosim.network.cells`."""

from __future__ import annotations

import numpy as np

from cosim.compiled import numba_fault
from cosim.network.cells import GRU, LSTM, SLSTM, Cell
from netlists.errors import InputError

from .backprop import Backprop
from .kernels import lstm_backward, lstm_forward, lstm_state, lstm_state_backward
from .workspace import Workspace

TEXTBOOK = ("sigmoid", "tanh", "tanh")
"""Activations of an LSTM that the compiled step computes."""


class VanillaBackprop(Backprop):
    """``h' = g(W x + U h + b)``."""

    kinds = ("vanilla",)

    def step(self, now: slice, n: int, t: int) -> None:
        h = self.state["h"]
        h[:n] = self.tapes["weights"].product(now, t, h[:n])["h"]

    def step_back(self, now: slice, n: int) -> None:
        d_h = self.d_state["h"]
        d_h[:n] = self.tapes["weights"].backward(now, h=d_h[:n])


class LSTMBackprop(Backprop):
    """``c' = f c + i a``, ``h' = o g(c')``, with a projection of h' if the cell has one."""

    kinds = ("lstm", "diagonal-lstm")
    cell: LSTM

    def step(self, now: slice, n: int, t: int) -> None:
        h, c, weights = self.state["h"], self.state["c"], self.tapes["weights"]
        before = self.array("c_before", self.cell.n_hidden)[now]
        gates = weights.sums(now, h[:n])
        out = self.array("out", self.cell.n_hidden)[:n]
        if self._compiled():
            tanh_c = self.array("tanh_c", self.cell.n_hidden)[now]
            self.workspace.share(gates.shape, lambda s: lstm_forward(gates[s], c[:n][s], before[s], tanh_c[s], out[s]))
        else:
            g = weights.activate(now, t)
            if self._fused():
                lstm_state(gates, c[:n], before)
                tanh_c = np.tanh(c[:n], out=self.array("tanh_c", self.cell.n_hidden)[now])
            else:
                before[:] = c[:n]
                c[:n] = g["f"] * before + g["i"] * g["a"]
                tanh_c = self.units[self.cell.state].activate(now, t, c[:n])
            np.multiply(g["o"], tanh_c, out=out)
        h[:n] = out if self.cell.n_projection is None else self.tapes["projection"].product(now, t, out)["h"]

    def step_back(self, now: slice, n: int) -> None:
        d_h, d_c, weights = self.d_state["h"], self.d_state["c"], self.tapes["weights"]
        d_out = d_h[:n] if self.cell.n_projection is None else self.tapes["projection"].backward(now, h=d_h[:n])
        before = self.array("c_before", self.cell.n_hidden)[now]
        if self._compiled():
            gates, tanh_c = weights.gates[now], self.array("tanh_c", self.cell.n_hidden)[now]
            self.workspace.share(gates.shape, lambda s: lstm_backward(gates[s], before[s], tanh_c[s], d_out[s], d_c[:n][s]))
            d_h[:n] = weights.backward_from_sums(now, weights.gates)
            return
        if self._fused():
            slopes, tanh_c = weights.all_slopes(), self.array("tanh_c", self.cell.n_hidden)[now]
            lstm_state_backward(weights.gates[now], slopes[now], before, tanh_c, d_out, d_c[:n])
            d_h[:n] = weights.backward_from_sums(now, slopes)
            return
        g, unit = weights.gates_of(now), self.units[self.cell.state]
        d = d_c[:n] + d_out * g["o"] * unit.slopes[now]
        d_h[:n] = weights.backward(now, i=d * g["a"], f=d * before, a=d * g["i"], o=d_out * unit.values[now])
        d_c[:n] = d * g["f"]

    def _compiled(self) -> bool:
        exact = self.disturbance.chip is None and (self.cell.gate, self.cell.candidate, self.cell.state) == TEXTBOOK
        return exact and self.workspace.dtype == np.float32 and not numba_fault()

    def _fused(self) -> bool:
        """Whether the state is computed in one pass, with the same bits: not where outputs of gates have gradients of their own."""
        weights = self.tapes["weights"]
        own = bool(weights.learned or weights.smooth)
        return self.cell.state == "tanh" and self.units["tanh"].bank is None and not own and not numba_fault()


class GRUBackprop(Backprop):
    """``h' = (1 - z) n + z h``, with the reset gate after or before the product with the state."""

    kinds = ("gru", "diagonal-gru")
    cell: GRU

    def step(self, now: slice, n: int, t: int) -> None:
        h = self.state["h"]
        before, candidate = (self.array(name, self.cell.n_hidden)[now] for name in ("h_before", "candidate"))
        before[:] = h[:n]
        g = self.tapes["weights"].product(now, t, before)
        if self.cell.reset == "after":
            candidate[:] = self.units[self.cell.candidate].activate(now, t, g["n_x"] + g["r"] * g["n_h"])
        else:
            candidate[:] = self.tapes["candidate"].product(now, t, g["r"] * before)["n"]
        h[:n] = candidate + g["z"] * (before - candidate)

    def step_back(self, now: slice, n: int) -> None:
        d_h, weights = self.d_state["h"], self.tapes["weights"]
        before, candidate = (self.array(name, self.cell.n_hidden)[now] for name in ("h_before", "candidate"))
        g, d = weights.gates_of(now), d_h[:n]
        d_n, d_z = d * (1.0 - g["z"]), d * (before - candidate)
        if self.cell.reset == "after":
            d_n *= self.units[self.cell.candidate].slopes[now]
            back = weights.backward(now, r=d_n * g["n_h"], z=d_z, n_x=d_n, n_h=d_n * g["r"])
        else:
            d_rh = self.tapes["candidate"].backward(now, n=d_n)
            back = d_rh * g["r"] + weights.backward(now, r=d_rh * before, z=d_z)
        d_h[:n] = d * g["z"] + back


class SLSTMBackprop(Backprop):
    """``c' = f c + i a``, ``n' = f n + i``, ``h' = o c' / n'``.

    The stabiliser m cancels in c / n, so that no gradient flows through it.
    """

    kinds = ("slstm",)
    cell: SLSTM

    def step(self, now: slice, n: int, t: int) -> None:
        s = {k: v[:n] for k, v in self.state.items()}
        g = self.tapes["weights"].product(now, t, s["h"])
        log_f = g["f"] if self.cell.forget == "exponential" else -np.logaddexp(0, -g["f"])
        kept = log_f + s["m"]
        m = np.maximum(kept, g["i"])
        i, f = np.exp(g["i"] - m), np.exp(kept - m)
        c = f * s["c"] + i * g["a"]
        norm = f * s["n"] + i
        for name, values in (("i", i), ("f", f), ("c_before", s["c"]), ("n_before", s["n"]), ("c", c), ("n", norm)):
            self.array(name, self.cell.n_hidden)[now] = values
        s["h"][:], s["c"][:], s["n"][:], s["m"][:] = g["o"] * c / norm, c, norm, m

    def step_back(self, now: slice, n: int) -> None:
        d = {k: v[:n] for k, v in self.d_state.items()}
        weights = self.tapes["weights"]
        g = weights.gates_of(now)
        i, f, c_before, n_before, c, norm = (
            self.array(name, self.cell.n_hidden)[now] for name in ("i", "f", "c_before", "n_before", "c", "n")
        )
        d_c = d["c"] + d["h"] * g["o"] / norm
        d_n = d["n"] - d["h"] * g["o"] * c / norm**2
        d_f = f * (d_c * c_before + d_n * n_before)
        if self.cell.forget == "sigmoid":
            # Slope of log sigmoid.
            d_f *= 1.0 / (1.0 + np.exp(g["f"]))
        d_o = d["h"] * c / norm
        d["h"][:] = weights.backward(now, i=i * (d_c * g["a"] + d_n), f=d_f, a=d_c * i, o=d_o)
        d["c"][:], d["n"][:] = d_c * f, d_n * f


BACKPROP: dict[str, type[Backprop]] = {
    kind: b for b in (VanillaBackprop, LSTMBackprop, GRUBackprop, SLSTMBackprop) for kind in b.kinds
}


def backprop(cell: Cell, workspace: Workspace, place: str, *, backward: bool = False) -> Backprop:
    """What trains a cell.

    Raises
    ------
    InputError
        A cell that can be evaluated but not trained.
    """
    if cell.kind not in BACKPROP:
        other = "; trajectories train it: `cosim.training.train_dynamics`" if cell.kind == "alrnn" else ""
        raise InputError(f"cell {cell.kind!r}: can be evaluated, but not trained; cells that can are {', '.join(BACKPROP)}{other}")
    return BACKPROP[cell.kind](cell, workspace, place, backward=backward)
