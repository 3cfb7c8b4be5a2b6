"""A fitted converter for other tools: ngspice subcircuit, Verilog-A module, PyTorch module, JAX function.

`converter` holds one drawn chip or corner as numbers; `spice`, `veriloga` and `systemverilog` write it as text, `torch_module` and
`jax_function` make it differentiable (extras ``torch`` and ``jax``).
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
