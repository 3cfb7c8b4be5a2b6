"""From a function to the cells of a ramp column, and what that ramp does by its equations."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
