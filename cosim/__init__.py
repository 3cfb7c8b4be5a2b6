"""Co-simulation: networks on fitted circuits, studies, reports and the command line. Imports both other layers.

Where to look:

=====================  ==================================================================================
data                   `tasks`: labelled sequences and texts; `features` of speech
networks               `cells`, `networks` (files: `network_files`), `training`, `torch_weights`
what they run on       `hardware` at `conditions` of use, fitted `models`; `chip` draws one: `weights` on
                       arrays, `converters` of columns
running them           `evaluate`; `forward` walks through layers and steps, `chip_path` and `kernels`
                       compute on a chip, `pwm_inputs` rounds inputs
what to make of it     `comparison` sets float, ideal and drawn chips side by side, with `statistics`
SPICE in the loop      `loop`
what limits it         `budget`: what each error source costs
what it costs          `cost`: energy, time, area; `optimize` searches designs
whole jobs             `demo` (with `nominal`, `schematic`), `studies`; `plots` draws, `page` and `report`
                       make a folder's page
command ``cosim``      `cli`; `doctor` looks at the installation
=====================  ==================================================================================
"""
