"""Characterization: Monte Carlo in ngspice, figures of merit, compact models. Imports `netlists` alone.

    from characterization import RampModel, RampPlan, characterize, validate

    run = characterize(RampPlan("sigmoid", 5, seed=1), samples=256, out="sigmoid5")
    run.figures()
    model = RampModel.fit(run)
    validate(model, samples=64)
    model.save("sigmoid5.model.json")

Rooms, top floor first; each imports only those below:

===============  ==============================================================================================
`export`         fitted chips for other tools
`transistors`    blocks measured on transistor level, and the macro-models fitted to them
`compact`        fitted models of the blocks around a ramp; their samples in `compact.benches`
`ramp_model`     the fitted ramp: levels, shift, noise, conditions, its file, its validation
`estimates`      means, quantiles, yields of many chips from few SPICE samples
`run`            many batches, resumable, over processes or a cluster
`chips`          one batch: drawn, measured, calibrated
`figures`        figures of merit of one chip
`plan`           what is varied, and the files that say so
===============  ==============================================================================================

Below them `workers` (processes that may crash), `resume` (finished parts), `streams` (every random key), `provenance`, `parquet`,
`notebook` (what objects show of themselves).
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
