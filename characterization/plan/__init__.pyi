from .file import (
    load_plan_file as load_plan_file,
)
from .limits import (
    Limits as Limits,
)
from .plan import (
    CALIBRATIONS as CALIBRATIONS,
)
from .plan import (
    DEFAULT_PROFILE as DEFAULT_PROFILE,
)
from .plan import (
    RampPlan as RampPlan,
)
from .points import (
    unit_points as unit_points,
)
from .variation import (
    Variation as Variation,
)
