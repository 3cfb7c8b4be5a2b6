"""Builds chips of a network: effective weights and converters of the columns, from a seed and the chip's number alone.

`draw_chip` goes through layers, directions and matrices; what each of them becomes say `ChipParts`. `DrawnParts` draws what the
hardware describes, each error source of each matrix from its own random stream, so that switching one on or off leaves the draws
of the others alone. Evaluation, budget, search and training have these chips; a loop with ngspice has the same cells and offsets,
and measures the levels.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
