"""What moves a network's loss: derivatives in its thresholds, and from there in each cell, op-amp figure and comparator."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
