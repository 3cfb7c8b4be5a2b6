from .file import (
    load_plan_file as load_plan_file,
)
from .limits import (
    Limits as Limits,
)
from .plan import (
    BUFFERS as BUFFERS,
    CALIBRATIONS as CALIBRATIONS,
    DEFAULT_PROFILE as DEFAULT_PROFILE,
    TRIM_SIGMAS as TRIM_SIGMAS,
    RampPlan as RampPlan,
    plan_digest as plan_digest,
)
from .points import (
    unit_points as unit_points,
)
from .variation import (
    Variation as Variation,
)
