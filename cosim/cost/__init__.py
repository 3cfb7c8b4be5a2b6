"""Cost of a network on a design: energy, time and area of every block, from SPICE and from stated figures.

    from cosim.cost import Design, NetworkShape, lstm_shape, network_cost

    shape = NetworkShape.of(network, steps=49)        # or lstm_shape(40, 32, steps=49)
    cost = network_cost(shape, Design(bits=5, v_read=0.2, g_max=400e-6, calibration_cells=5, max_rows=64))
    cost.energy, cost.latency, cost.area              # joules and seconds an inference, square metres
    cost.step_energy, cost.step_time, cost.power      # a time step
    cost.tops, cost.tops_per_watt, cost.tops_per_mm2
    cost.table()                                      # a row a block: count, energy, time, area, kind, source

`network_cost` is pure and takes well below a millisecond. `Design` lists what can be chosen: ``bits``, ``n_in``, ``v_read``,
``t_step`` (ramp clock), ``t_unit`` (pulse of one input code), ``g_min``, ``g_max``, ``calibration_cells``,
``comparator_offset`` (sigma that comparators are sized for), ``max_rows``, ``max_columns``, ``node``, ``converter``
("ramp" or "conventional" with ``activation_units``) and more; ``design.with_(bits=4)`` makes another.

=============  ======================================================================================
`design`       the hardware
`shape`        rows, columns and ramps of each array, digital work of a step
`network`      the cost
`terms`        what each block takes
`saving`       what delta inputs save
`sequences`    pulses and ramp steps of each sequence of a data set
`data`         energy and time of each sequence
`electrical`   energy of cells, capacitors, size of op-amps in closed form
`figures`      ``measured.toml`` (from SPICE) and ``figures.toml`` (published, derived, assumed)
`scaling`      figures of one node at another
`table1`       what Table 1 of Yang et al. 2025 implies, and its fit
=============  ======================================================================================
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
