"""Training of recurrent networks in NumPy: back-propagation through time by hand, in floating point or on drawn chips.

`train_task` trains; `TrainingSettings` says how, `HardwareAware` on what.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
