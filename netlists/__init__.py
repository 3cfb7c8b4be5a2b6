"""Netlists of analog in-memory computing: generate them, simulate them in ngspice. Imports nothing of the other layers.

    >>> from netlists import load_profile, program_ramp
    >>> program = program_ramp("sigmoid", 3, load_profile("taox-100-400"))
    >>> program.x.round(2)  # where the code changes, input units
    array([-1.95, -1.1 , -0.51,  0.  ,  0.51,  1.1 ,  1.95])

Rooms, top floor first; each imports only those below:

===============  ==============================================================================================
`testbench`      blocks on the bench: op-amp, comparator, column, energy
`converter`      decks of ramp converters: transition levels, conversions, replayed columns, the tile
`programming`    writing cells: switching models, write-verify
`array`          crossbars and their solver
`ramp`           from a function to the cells of a ramp column, and its closed form
`outside`        decks and blocks written by somebody else
`function`       what a ramp follows: activations, thresholds, output levels
`spice`          running ngspice: decks, engines, waveforms
`technology`     what silicon and cells are: PDK, parameters, corners, memristors, profiles
`checks`         types of fields: what a value must be, said once
`type_rules`     the rule of an annotation, put together from those of values
`check_rules`    the rules of values behind those types
`files`          files that are complete or not there at all, digests, JSON
`machine`        what fits into the memory of this machine
`quantities`     numbers as SPICE writes them: ``10u``, ``1.5k``, ``40ns``
`errors`         what a user is told
===============  ==============================================================================================

The last seven are modules; ``circuits/`` holds the subcircuits as SPICE text.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
