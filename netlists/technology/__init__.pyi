from .conditions import (
    NOMINAL as NOMINAL,
    Pvt as Pvt,
    as_designed as as_designed,
    check_circuit as check_circuit,
    circuit_at as circuit_at,
    comparator_noise_at as comparator_noise_at,
)
from .opamp import TwoStageOpamp as TwoStageOpamp
from .parameters import (
    LEVELS as LEVELS,
    MEASURED_STATISTICS as MEASURED_STATISTICS,
    OPAMP_STAGES as OPAMP_STAGES,
    Level as Level,
    RampCircuit as RampCircuit,
    check_level as check_level,
    described as described,
)
from .pdk import (
    CORNERS as CORNERS,
    SETTINGS as SETTINGS,
    Conditions as Conditions,
    check_geometry as check_geometry,
    lib_card as lib_card,
)
from .profile import (
    DeviceProfile as DeviceProfile,
    load_profile as load_profile,
)
from .profile_file import (
    write_profile as write_profile,
)
