from .crossbar import (
    Crossbar as Crossbar,
)
from .crossbar import (
    port_voltages as port_voltages,
)
from .deck import (
    AccessTransistor as AccessTransistor,
)
from .deck import (
    chosen_columns as chosen_columns,
)
from .deck import (
    continued as continued,
)
from .deck import (
    has_klu as has_klu,
)
from .deck import (
    mesh_subcircuit as mesh_subcircuit,
)
from .deck import (
    operating_point_deck as operating_point_deck,
)
from .deck import (
    ports as ports,
)
from .pairs import (
    LAYOUTS as LAYOUTS,
)
from .pairs import (
    weights_to_pairs as weights_to_pairs,
)
from .pwm import (
    Pwm as Pwm,
)
from .reduction import (
    reduce_columns as reduce_columns,
)
from .reduction import (
    summing_node_resistance as summing_node_resistance,
)
from .solver import (
    ArraySolution as ArraySolution,
)
from .solver import (
    ArraySolver as ArraySolver,
)
