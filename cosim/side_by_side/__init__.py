"""Two results side by side: settings that differ, figures with intervals of their difference, pictures."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
