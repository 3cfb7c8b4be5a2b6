"""Co-simulation: networks on fitted circuits, studies, reports and the command line. Imports both other layers.

`tasks` load data, `networks` and `train` make an LSTM, `evaluate` runs it on drawn ramps, `comparison` sets float,
ideal and fitted chips side by side with `statistics`; `demo` is the main job, with `nominal`, `plots`, `schematic` and
`report`; `doctor` looks at the installation; `cli` is the command ``cosim``.
"""
