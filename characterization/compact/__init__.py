"""Compact models of the converter's parts: small frozen objects fitted to SPICE, each number with its standard error.

`comparator`, `integrator`, `mac` and `crossbar_model` hold one part each, `column` puts them together with a drawn ramp:
pre-activation in, code out. `benches` makes the samples they are fitted to. `fitting`, `distributions` and `delay` are the fits;
`compact_model` and `block_model` are what the models share.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
