"""Running ngspice: decks as text and data, numbers and waveforms, two runners, what they write."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
