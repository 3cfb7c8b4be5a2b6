from .analysis import (
    requests as requests,
)
from .deck import (
    read_outside_deck as read_outside_deck,
)
from .run import (
    Wave as Wave,
)
from .run import (
    Waves as Waves,
)
from .run import (
    simulate_analysis as simulate_analysis,
)
from .subcircuit import (
    UserSubcircuit as UserSubcircuit,
)
from .subcircuit import (
    integrator_around as integrator_around,
)
from .subcircuit import (
    load_user_subcircuit as load_user_subcircuit,
)
