"""What the studies of resolution share: models, networks, conditions, answers, page."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
