from .gradient import (
    Sensitivities as Sensitivities,
    sensitivities as sensitivities,
)
from .linear_yield import (
    YieldEstimate as YieldEstimate,
    linear_yield as linear_yield,
)
from .spice_check import (
    spice_check as spice_check,
)
from .trimming import (
    trim_order as trim_order,
    trimming_table as trimming_table,
)
from .worst_case import (
    WorstCase as WorstCase,
    worst_case as worst_case,
)
