"""Studies: each simulates one question end to end and writes tables, pictures, a page and a summary into its results folder.

Where to look (a study of several modules has its name first: ``cost``, ``cost_tables``, ``cost_pictures``, ``cost_page``):

===================  ====================================================================================
what a study is      `study` (settings, presets), `parts` (so that it goes on), `fields`, `tables`,
                     `published` (figures that reports put beside ours)
ramps                `nladc_calibration`, `vread`, `activations`, `stuck`
models of ramps      `models`; its level ``sky130``: `transistors`
networks             `kws_bits`, `lm_bits`, which share the modules `bits_...`; `error_sources`
energy, time, area   `cost`
===================  ====================================================================================
"""
