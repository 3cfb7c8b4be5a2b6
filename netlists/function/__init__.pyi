from .activations import (
    ACTIVATIONS as ACTIVATIONS,
    Activation as Activation,
    get_activation as get_activation,
)
from .output_levels import (
    OutputLevels as OutputLevels,
    Quantizer as Quantizer,
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
