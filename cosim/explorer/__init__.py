"""A page in the browser over the runs, waveforms, models and accuracies of a folder: zoomed, picked, moved by sliders."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
