"""Study devices: tables of measured cells, and the device profile that is fitted to them."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
