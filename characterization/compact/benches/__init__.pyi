from .column import (
    held_out_codes as held_out_codes,
    held_out_tile as held_out_tile,
)
from .comparator import (
    characterize_comparator as characterize_comparator,
    held_out_comparator as held_out_comparator,
)
from .crossbar import (
    characterize_crossbar as characterize_crossbar,
    held_out_crossbar as held_out_crossbar,
)
from .integrator import (
    characterize_integrator as characterize_integrator,
    held_out_integrator as held_out_integrator,
)
from .mac import (
    characterize_mac as characterize_mac,
    held_out_mac as held_out_mac,
)
from .offsets import (
    crossing as crossing,
    trip_points as trip_points,
)
