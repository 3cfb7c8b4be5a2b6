"""A device profile from tables of measured cells: what each column means, the laws that the cells follow, a held-out check."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
