"""Design search: the cheapest hardware whose accuracy is within a limit of floating point, confirmed in SPICE.

=============  ======================================================================================
`space`        what can be chosen, on which grid; the hardware of a choice
`ramps`        the ramps of drawn chips in closed form
`bench`        a network's loss of accuracy on a design
`search`       the optimizer, trial by trial; front and importances
`gradient`     the search by gradient steps; `continuous` designs between the grid's, `loss_model` what guides the steps
`confirm`      a design in SPICE
`run`          all of it, with tables, pictures and ``summary.json``; `pictures`, `page`
=============  ======================================================================================
"""
