"""Estimates of many chips: means, quantiles and yields with their intervals, from few SPICE samples."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
