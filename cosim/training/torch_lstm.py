"""`torch.nn.LSTM` on a drawn chip, for hardware-aware training in PyTorch (extra ``torch``)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cosim.chip import ChipCell, ChipPath, Hardware, draw_chip
from cosim.compiled import chosen_engine
from cosim.network import Network, from_torch
from netlists.checks import Seed, check
from netlists.errors import InputError

SUFFIXES = ("", "_reverse")


def _seen_as(exact: torch.Tensor, values: np.ndarray) -> torch.Tensor:
    """The chip's values (features, sequences) forward, the gradient of ``exact`` (sequences, features) backward."""
    return exact + (torch.as_tensor(values.T.copy()) - exact.detach())


class HardwareLSTM(torch.nn.LSTM):
    """A `torch.nn.LSTM` whose forward pass is that of a chip: the evaluator's codes, the exact activations' gradients.

    It takes the place of `torch.nn.LSTM` with the same arguments and the same state dict, which holds no chip: weights of either
    load into the other. Gradients go straight through the roundings of ramps and pulses and the errors of the cells. Numbers are
    computed in double precision on the CPU.

    Parameters
    ----------
    args, kwargs
        As for `torch.nn.LSTM`.
    hardware : Hardware
        What the chip is made of; weights, ramps and pulses as `cosim.evaluate` has them.
    chip, seed : int
        Which chip: that of ``cosim.evaluate(network, data, hardware, [chip], seed)``.
    fresh : bool
        Every forward pass in training mode sees the next chip.

    Raises
    ------
    InputError
        At a call: a state to start from, or packed sequences.
    """

    def __init__(self, *args: Any, hardware: Hardware, chip: int = 0, seed: int = 0, fresh: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hardware, self.fresh = hardware, fresh
        self.chip, self.seed = check(Seed, chip, "chip"), check(Seed, seed, "seed")

    def to_network(self, readout: torch.nn.Linear, pooling: str = "last") -> Network:
        """The weights as a network for `cosim.evaluate` and `cosim.compare`.

        Parameters
        ----------
        readout : torch.nn.Linear
            What reads the classes.
        pooling : {"last", "h_n", "mean", "max"}
            What it reads; see `cosim.network.POOLINGS`.
        """
        tensors = {f"rnn.{k}": v.detach().cpu().double().numpy() for k, v in self.named_parameters()}
        tensors |= {f"fc.{k}": v.detach().cpu().double().numpy() for k, v in readout.named_parameters()}
        return from_torch(tensors, "lstm", prefix="rnn.", readout="fc.", pooling=pooling)

    def forward(self, input: Any, hx: Any = None) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """As `torch.nn.LSTM`: outputs, and the last h and c of each layer and direction."""
        if hx is not None or not isinstance(input, torch.Tensor) or input.dim() != 3:
            raise InputError("input: must be one tensor of sequences (batched, not packed), without a state to start from")
        x = (input.transpose(0, 1) if self.batch_first else input).cpu().double()
        if self.training and self.fresh:
            self.chip += 1
        width = (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)
        layers = draw_chip(self.to_network(torch.nn.Linear(width, 2)), self.hardware, self.chip, self.seed, np.float64).layers
        h_n, c_n = [], []
        for depth, cells in enumerate(layers):
            if depth and self.training and self.dropout:
                x = torch.nn.functional.dropout(x, self.dropout)
            outputs = []
            for d, cell in enumerate(cells):
                out, h, c = self._direction(x, cell, depth, d == 1)
                outputs.append(out)
                h_n.append(h)
                c_n.append(c)
            x = torch.cat(outputs, dim=2)
        found = (x.transpose(0, 1) if self.batch_first else x).to(input)
        return found, (torch.stack(h_n).to(input), torch.stack(c_n).to(input))

    def _weight(self, name: str, depth: int, suffix: str) -> torch.Tensor | None:
        found = getattr(self, f"{name}_l{depth}{suffix}", None)
        return None if found is None else found.cpu().double()

    def _direction(
        self, x: torch.Tensor, cell: ChipCell, depth: int, backward: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Outputs (steps, sequences, features) of one direction of a layer, and its last h and c."""
        suffix = SUFFIXES[backward]
        w_ih, w_hh = (self._weight(n, depth, suffix) for n in ("weight_ih", "weight_hh"))
        b_ih, b_hh, w_hr = (self._weight(n, depth, suffix) for n in ("bias_ih", "bias_hh", "weight_hr"))
        assert w_ih is not None
        assert w_hh is not None
        bias = torch.zeros(len(w_ih), dtype=torch.float64) if b_ih is None or b_hh is None else b_ih + b_hh
        nominal = torch.cat([w_ih.T, w_hh.T, bias[None]])
        m = cell.matrices["weights"]
        drawn = np.concatenate([s.weights for s in m.sums], axis=1) if len(m.sums) > 1 else m.sums[0].weights
        w = nominal + (torch.as_tensor(drawn.T.copy()) - nominal.detach())
        path = ChipPath(cell, self.hardware, chosen_engine(), np.float64)
        counters = np.arange(x.shape[1], dtype=np.uint32)
        h = x.new_zeros(x.shape[1], w_hh.shape[1])
        c = x.new_zeros(x.shape[1], self.hidden_size)
        state = path.start(x.shape[1], np.float64)
        outputs: list[torch.Tensor] = []
        for t in range(len(x) - 1, -1, -1) if backward else range(len(x)):
            path.at(counters, t, state, x.shape[1])
            gates = path.product("weights", x[t].detach().numpy().T, h.detach().numpy().T)
            chip = {name: np.array(g) for name, g in gates.items()}
            rows = torch.cat([self._pulses(x[t], m.ranges, 0), self._pulses(h, m.ranges, 1)], dim=1)
            i, f, a, o = (rows @ w[:-1] + w[-1]).chunk(4, dim=1)
            i, f, o = (_seen_as(torch.sigmoid(z), chip[n]) for z, n in ((i, "i"), (f, "f"), (o, "o")))
            c = f * c + i * _seen_as(torch.tanh(a), chip["a"])
            h = o * _seen_as(torch.tanh(c), path.activate("tanh", c.detach().numpy().T.copy()))
            h = h if w_hr is None else h @ w_hr.T
            outputs.append(h)
        return torch.stack(outputs[::-1] if backward else outputs), h, c

    def _pulses(self, values: torch.Tensor, ranges: tuple[float, ...] | None, part: int) -> torch.Tensor:
        """What drives the rows: rounded to pulse widths, whose gradient is 0 beyond their range."""
        pwm = self.hardware.pwm
        if pwm is None or pwm.bits is None or ranges is None:
            return values
        full = float(ranges[part])
        return _seen_as(values.clamp(-full, full), pwm.quantize(values.detach().numpy().T, full))
