"""What moves a converter: derivatives, checked in ngspice, cells to trim first, worst case, linear yield; a folder with a page."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
