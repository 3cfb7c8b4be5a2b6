from .conditions import (
    NOMINAL as NOMINAL,
)
from .conditions import (
    Pvt as Pvt,
)
from .conditions import (
    as_designed as as_designed,
)
from .conditions import (
    check_circuit as check_circuit,
)
from .conditions import (
    circuit_at as circuit_at,
)
from .conditions import (
    comparator_noise_at as comparator_noise_at,
)
from .parameters import (
    LEVELS as LEVELS,
)
from .parameters import (
    MEASURED_STATISTICS as MEASURED_STATISTICS,
)
from .parameters import (
    RampCircuit as RampCircuit,
)
from .parameters import (
    check_level as check_level,
)
from .parameters import (
    described as described,
)
from .pdk import (
    CORNERS as CORNERS,
)
from .pdk import (
    SETTINGS as SETTINGS,
)
from .pdk import (
    Conditions as Conditions,
)
from .pdk import (
    check_geometry as check_geometry,
)
from .pdk import (
    lib_card as lib_card,
)
from .profile import (
    DeviceProfile as DeviceProfile,
)
from .profile import (
    load_profile as load_profile,
)
