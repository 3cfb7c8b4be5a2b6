"""The fitted model of a ramp: levels, shift, noise, conditions, its file, what it draws, and its validation."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
