"""What a network runs on: hardware, drawn chips with their weights and converters, and the way of the data through them."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
