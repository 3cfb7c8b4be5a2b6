"""A network at every point of a grid of hardware: a tidy table, curves, a heatmap, a LaTeX table, a page; resumable."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
