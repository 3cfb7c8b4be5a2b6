from .analysis import (
    requests as requests,
)
from .deck import (
    read_outside_deck as read_outside_deck,
)
from .ports import (
    ROLES as ROLES,
    Wiring as Wiring,
)
from .run import (
    Wave as Wave,
    Waves as Waves,
    simulate_analysis as simulate_analysis,
)
from .subcircuit import (
    UserSubcircuit as UserSubcircuit,
    integrator_around as integrator_around,
    load_user_subcircuit as load_user_subcircuit,
)
