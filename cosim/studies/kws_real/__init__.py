"""Study kws-real: published keyword networks on real speech, from floating point to whole chips."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
