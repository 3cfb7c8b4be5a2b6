"""Co-simulation: networks on fitted circuits, studies, reports and the command line. Imports both other layers.

    >>> from cosim import Hardware, Network, compare
    >>> result = compare(Network.load("nets/vowels.npz"), "vowels", Hardware(bits=5))
    >>> round(result.ideal.value, 3)  # accuracy on ramps as designed
    0.976

Rooms, top floor first; each imports only those below:

===============  ==============================================================================================
`cli`            the command ``cosim``
`studies`        whole questions, from settings to a page; a folder each
`side_by_side`   two results: settings that differ, figures with intervals of the difference, pictures
`optimize`       design search
`budget`         what limits accuracy: each error source alone, all but it, its share
`loop`           ngspice in the loop of a network
`datasheet`      a designer's own block: figures, limits, block file
`explorer`       a page in the browser over the runs, waveforms, models and accuracies of a folder
`sensitivity`    what moves a converter: derivatives and what follows from them, a folder with a page
`sweep`          a network at every point of a grid: table, curves, heatmap, page
`cost`           energy, time, area
`report`         the frame of a result folder: settings, tables, pictures, page
`training`       networks trained in NumPy, in floating point or on drawn chips
`evaluation`     how well a network does on hardware
`chip`           what a network runs on: hardware, drawn chips, the data's way through them
`network`        recurrent networks, their cells, files and importers
`tasks`          the data
`compiled`       numba, with a cache where one can be written; NumPy where it is not installed
===============  ==============================================================================================
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
