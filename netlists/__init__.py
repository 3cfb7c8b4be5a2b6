"""Netlists of analog in-memory computing: generate them, simulate them in ngspice. Imports nothing of the other layers.

Where to look:

==================  =====================================================================================
the ramp            `activations`, `devices`, `memristor`, `program`, `compensation`, `closed_form`,
                    `parameters`, `waveforms`, `ramp_clock`, `ramp_column`
the array           `crossbar`, `crossbar_deck`, `differential_pairs`; `array_solver` and its parts
                    `nodal_network`, `port_conductance`; `reduction`
the tile            `pwm`, `tile`, `tile_deck`, `tile_reference`; columns one by one, with inputs from outside:
                    `replay_deck`
every deck's parts  `level_blocks` (what stands where), `converter_cards` (each card once)
programming cells   `switching`, `write_verify_deck`
transistors         `pdk`, `bench`, `bench_decks`, `bench_decks_comparator`, `bench_energy`
running decks       `deck`, `engine` (PySpice's shared library), `batch` (plain ``ngspice -b``), `pyspice`, `shared_library`
decks of others     `outside_deck`, `spice_cards`, `deck_safety`, `analysis`, `simulate`, `user_subcircuit`
errors              `errors`, `checks`
==================  =====================================================================================

``circuits/`` holds the subcircuits as SPICE text, ``profiles/`` the device profiles, ``data/`` what was measured.
"""
