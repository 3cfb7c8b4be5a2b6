"""Co-simulation: a network runs on test sequences, and ngspice does the conversions of chosen columns at every step.

==================  =====================================================================================
what is asked       `settings`
the chip            `chip` draws it and measures its levels; `array` (its ramps and arrays), `column` (integrators)
in the loop         `datapath` (a network over time), `simulators` (ngspice, the model; stored)
what comes of it    `run` does all of it; `agreement` (tables), `pictures`, `page`
==================  =====================================================================================
"""
