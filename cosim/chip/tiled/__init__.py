"""Chips on sequences in tiles that stay in a core's cache: the answers of the datapath side by side, several times as fast."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
