"""What silicon and cells are: the PDK, the macro-models' parameters, corners, memristors and their profiles."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
