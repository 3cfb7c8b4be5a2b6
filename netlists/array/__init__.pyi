from .crossbar import (
    Crossbar as Crossbar,
)
from .deck import (
    AccessTransistor as AccessTransistor,
    chosen_columns as chosen_columns,
    continued as continued,
    has_klu as has_klu,
    mesh_subcircuit as mesh_subcircuit,
    operating_point_deck as operating_point_deck,
    ports as ports,
)
from .pairs import (
    LAYOUTS as LAYOUTS,
    pair_halves as pair_halves,
    signed_conductance as signed_conductance,
    weights_to_pairs as weights_to_pairs,
)
from .pwm import (
    Pwm as Pwm,
)
from .reduction import (
    reduce_columns as reduce_columns,
    summing_node_resistance as summing_node_resistance,
    terminations as terminations,
)
from .solver import (
    ArraySolution as ArraySolution,
    ArraySolver as ArraySolver,
)
from .wire_loss import (
    COMPENSATIONS as COMPENSATIONS,
    WiredPairs as WiredPairs,
    wired_pairs as wired_pairs,
)
