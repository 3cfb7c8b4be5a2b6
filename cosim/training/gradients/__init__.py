"""Back-propagation through time by hand: cells, layers, tapes and their workspace."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
