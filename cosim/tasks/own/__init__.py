"""Data of one's own: arrays in an ``.npz`` file, a CSV manifest, a folder of labelled recordings."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
