from .activations import (
    ACTIVATIONS as ACTIVATIONS,
    Activation as Activation,
    get_activation as get_activation,
)
from .output_levels import (
    OutputLevels as OutputLevels,
    Quantizer as Quantizer,
)
from .staircase import (
    FITS as FITS,
    HELD_BACK as HELD_BACK,
    STEP_RATIO as STEP_RATIO,
    Staircase as Staircase,
    StepRatio as StepRatio,
    fit_staircase as fit_staircase,
    holdable as holdable,
    uniform_staircase as uniform_staircase,
)
from .table import (
    ActivationTable as ActivationTable,
    as_activation as as_activation,
    cubic_spline as cubic_spline,
    from_callable as from_callable,
    load_table as load_table,
    polynomial as polynomial,
)
from .thresholds import (
    Thresholds as Thresholds,
)
