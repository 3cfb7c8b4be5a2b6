"""Samples for the block models from ngspice, and their error against what the fit has not seen."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
