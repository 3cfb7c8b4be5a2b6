"""Error budgets: which error source costs how much accuracy, alone and among the others, and how much of it is allowed.

=================  ====================================================================================================
`sources`          the sources, their default amounts and where these come from
`device_errors`    the device profile with a set of sources on
`chips`            hardware with any set of sources on, and its chips
`bench`            runs a network on chips and keeps every answer
`shapley`          shares of a total
`tolerance`        the amount that a loss allows; of all sources: `tolerance_table`
`settings`, `run`  the whole study; `pictures`, `page`
=================  ====================================================================================================
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
