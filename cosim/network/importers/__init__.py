"""Networks of other frameworks: what their files hold, what has to be asked, and a check against the model's own outputs."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
