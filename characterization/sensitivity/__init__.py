"""Derivatives of a converter's levels and figures, held against ngspice, and what they are for: trim order, worst case, yield."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
