"""Compact models of the converter's parts: small frozen objects fitted to SPICE, each number with its standard error.

`comparator`, `integrator`, `mac` and `crossbar_model` hold one part each, `column` puts them together with a drawn ramp:
pre-activation in, code out. `comparator_bench` and `mac_bench` make the samples they are fitted to. `fitting`,
`distributions` and `delay` are the fits, `compact_model` is what the models share.
"""
