"""Characterization: Monte Carlo in ngspice, figures of merit, compact models. Imports `netlists` alone.

    >>> from characterization import RampPlan, nominal_deck
    >>> deck = nominal_deck(RampPlan("tanh", bits=4, seed=1))
    >>> deck.text.splitlines()[0]
    '.title ramp converter, tanh, 4 bits, level macro: transition levels'

From a plan to a model that was held against fresh chips::

    run = characterize(RampPlan("sigmoid", 5, seed=1), samples=256, out="sigmoid5")
    run.figures()
    model = RampModel.fit(run)
    validate(model, samples=64)
    model.save("sigmoid5.model.json")

Rooms, top floor first; each imports only those below:

===============  ==============================================================================================
`export`         fitted chips for other tools
`devices`        device profiles from tables of measured cells
`transistors`    blocks measured on transistor level, and the macro-models fitted to them
`compact`        fitted models of the blocks around a ramp; their samples in `compact.benches`
`ramp_model`     the fitted ramp: levels, shift, noise, conditions, its file, its validation
`sensitivity`    derivatives of levels and figures; cells to trim first, worst case, linear yield
`estimates`      means, quantiles, yields of many chips from few SPICE samples
`run`            many batches, resumable, over processes or a cluster
`chips`          one batch: drawn, measured, calibrated
`figures`        figures of merit of one chip
`plan`           what is varied, and the files that say so
`workers`        processes that may crash, hang or grow, one ngspice each
`resume`         finished parts of long work
`streams`        every random stream and its key
`provenance`     versions behind a figure
`processes`      many calls side by side, in processes of joblib's or threads
`lock`           one process at a time in a folder
`parquet`        Parquet tables, read without threads
`progress_bar`   a bar on a terminal, lines elsewhere
`notebook`       tables and pictures that objects show of themselves
===============  ==============================================================================================

The last nine are modules.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
